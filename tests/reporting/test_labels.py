"""Names as they are printed: all of a table's columns, and names that nobody foresaw."""

import pytest
from matplotlib.mathtext import MathTextParser

from igbaselines.reporting.labels import known_label, latex_label, plot_label, printed_as
from igbaselines.running.rows import Names

OBJECTS = ("l", "j1", "j2", "j3", "b", "J")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("HT", "$H_T$"),
        ("MET", r"$E_T^{\mathrm{miss}}$"),
        ("pT_l", r"$p_T^{\ell}$"),
        ("pT_j1", "$p_T^{j_1}$"),
        ("tau21_b1", r"$\tau_{21}^{\beta=1}$"),
        ("dR_l_j1", r"$\Delta R(\ell, j_1)$"),
        ("m_j1", "$m_{j_1}$"),
        ("m_l_j1_j2", r"$m_{\ell j_1 j_2}$"),
        ("g_J", "$g_{J}$"),
        ("Skew_b", r"$\mathrm{Skew}[b]$"),
        ("random_0", "random ranking 1"),
        ("permuted_weights", "WG, weights permuted"),
        ("removed_3", "WG without the 3 least fit"),
        ("mobilenet_v2", "MobileNetV2"),
    ],
)
def test_known_names(name: str, label: str) -> None:
    assert plot_label(name) == latex_label(name) == label


@pytest.mark.parametrize("name", ["m_x", "pT_", "tau_b1", "my feature", "m_l_j1_j2_j3"])
def test_other_names_are_not_known(name: str) -> None:
    assert known_label(name) is None
    assert plot_label(name) == name


def test_the_methods_and_metrics_of_a_run_are_printed_as_it_says() -> None:
    with printed_as(Names({"background": r"$B_{\mathrm{bg}}$", "HT": "mine"})):
        assert plot_label("background") == latex_label("background") == r"$B_{\mathrm{bg}}$"
        assert plot_label("HT") == "mine"
        assert plot_label("MET") == r"$E_T^{\mathrm{miss}}$"
    assert plot_label("background") == "background"
    assert plot_label("HT") == "$H_T$"


def test_a_network_of_other_weights_keeps_its_full_name() -> None:
    """It is not the paper's network, and must not read like it."""
    assert plot_label("resnet50-IMAGENET1K_V2") == "resnet50-IMAGENET1K_V2"
    assert latex_label("resnet50-IMAGENET1K_V2") == r"resnet50-IMAGENET1K\_V2"
    assert latex_label("vit_base_patch16_224.augreg_in21k") == r"vit\_base\_patch16\_224.augreg\_in21k"
    MathTextParser("path").parse(plot_label("vit_base_patch16_224.augreg_in21k"))


def test_other_names_are_escaped() -> None:
    assert plot_label("a$b$") == r"a\$b\$"
    assert latex_label("50%_of & {x}^2\\") == r"50\%\_of \& \{x\}\textasciicircum{}2\textbackslash{}"


def test_matplotlib_can_draw_every_label() -> None:
    parser = MathTextParser("path")
    names = [f"m_{a}_{b}" for a in OBJECTS for b in OBJECTS] + [
        "HT",
        "MET",
        "tau32_b2",
        "dR_l_J",
        "Var_J",
        "g_b",
    ]
    for name in names:
        parser.parse(plot_label(name))
