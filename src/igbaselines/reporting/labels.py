r"""Names of features, methods and networks as they are printed: math that both matplotlib and LaTeX understand."""

import re
from collections.abc import Callable

FEATURES = {"HT": r"$H_T$", "MET": r"$E_T^{\mathrm{miss}}$"}

METHODS = {
    "zero_physical": r"$B_0$ (physical zero)",
    "zero_standardised": r"$B_0$ (standardised zero)",
    "background": r"$B_{\mathrm{bg}}$",
    "background_weighted": r"$B_{\mathrm{bgw}}$",
    "single_feature_auc": "single-feature AUC",
    "all_features": "all features",
    "ig": "IG",
    "expected_gradients": "EG",
    "weighted_gradients": "WG",
    "filtered_weighted_gradients": "filtered WG",
    "permuted_weights": "WG, weights permuted",
    "ig_zero": "IG, zero",
    "ig_mean": "IG, mean",
    "ig_uniform": "IG, uniform",
    "ig_gaussian": "IG, Gaussian",
    "ig_max_distance": "IG, max distance",
    "ig_absent": "IG, absent value",
    "ig_black": "IG, black",
    "ig_white": "IG, white",
    "ig_blur": "IG, blurred",
    "shapley_ig": "SIG",
    "shapley_ig_paired": "SIG, paired",
    "shapley_sampling": "Shapley sampling",
    "shapley_sampling_paired": "Shapley sampling, paired",
    "kernel_shap": "KernelSHAP",
    "exact": "exact",
}

MODELS = {
    "densenet121": "DenseNet121",
    "mobilenet_v2": "MobileNetV2",
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
    "efficientnet_lite2": "EfficientNet-Lite2",
}

OBJECTS = {"l": r"\ell", "j1": "j_1", "j2": "j_2", "j3": "j_3", "b": "b", "J": "J"}

_OBJECT = "(?:l|j1|j2|j3|b|J)"


def _objects(text: str) -> str:
    return " ".join(OBJECTS[name] for name in text.split("_"))


# The column names of a table of events: https://arxiv.org/abs/2412.13864, last appendix.
_PATTERNS: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (rf"pT_({_OBJECT})", lambda found: f"$p_T^{{{_objects(found[1])}}}$"),
    (r"tau(\d)(\d)_b(\d)", lambda found: rf"$\tau_{{{found[1]}{found[2]}}}^{{\beta={found[3]}}}$"),
    (rf"dR_({_OBJECT}_{_OBJECT})", lambda found: rf"$\Delta R({_objects(found[1]).replace(' ', ', ')})$"),
    (rf"m_({_OBJECT}(?:_{_OBJECT}){{0,2}})", lambda found: f"$m_{{{_objects(found[1])}}}$"),
    (rf"g_({_OBJECT})", lambda found: f"$g_{{{_objects(found[1])}}}$"),
    (rf"(Var|Skew|Kurt)_({_OBJECT})", lambda found: rf"$\mathrm{{{found[1]}}}[{_objects(found[2])}]$"),
]

_LATEX = {character: rf"\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def plot_label(name: str) -> str:
    """Label a feature, method or network in a figure; a name that is not known stays as it is, free of math."""
    return known_label(name) or name.replace("$", r"\$")


def latex_label(name: str) -> str:
    """Label a feature, method or network in a LaTeX table."""
    return known_label(name) or escape_latex(name)


def escape_latex(text: str) -> str:
    """Write a text so that LaTeX prints it as it stands."""
    return "".join(_LATEX.get(character, character) for character in text)


def known_label(name: str) -> str | None:
    """Find the label of a feature, method or network of the papers; None for any other name."""
    for labels in (FEATURES, METHODS, MODELS):
        if name in labels:
            return labels[name]
    if removed := re.fullmatch(r"removed_(\d+)", name):
        return f"WG without the {removed[1]} least fit"
    if re.fullmatch(r"random_\d+", name):
        return f"random ranking {int(name.removeprefix('random_')) + 1}"
    for pattern, written in _PATTERNS:
        if found := re.fullmatch(pattern, name):
            return written(found)
    return None
