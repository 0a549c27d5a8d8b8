r"""Names of features and controls as they are printed: math that both matplotlib and LaTeX understand."""

import re
from collections.abc import Callable

NAMES = {
    "HT": r"$H_T$",
    "MET": r"$E_T^{\mathrm{miss}}$",
    "single_feature_auc": "single-feature AUC",
    "permutation_importance": "permutation importance",
    "all_features": "all features",
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


def label(name: str) -> str | None:
    """The label of a feature or control; None for any other name."""
    if name in NAMES:
        return NAMES[name]
    if random := re.fullmatch(r"random_(\d+)", name):
        return f"random ranking {int(random[1]) + 1}"
    for pattern, written in _PATTERNS:
        if found := re.fullmatch(pattern, name):
            return written(found)
    return None
