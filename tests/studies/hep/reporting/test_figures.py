"""Figures: what their axes hold, read back from the axes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from igbaselines.reporting.style import save_figure
from igbaselines.studies.hep.reporting.curves import Curve
from igbaselines.studies.hep.reporting.figures import MOST_TICKS, STYLES, Band, curves_against_k, ranked_bars

STYLE_OF = dict(zip(("a", "b"), STYLES, strict=False))
TABLE = pd.DataFrame({"feature": ["HT", "MET", "x$y"], "mean": [3.0, 2.0, -1.0], "sd": [0.1, 0.2, 0.0]})


def band(method: str, ks: list[int], hollow: frozenset[int] = frozenset()) -> Band:
    values = np.linspace(0.5, 0.9, len(ks))
    table = pd.DataFrame({"value": values, "low": values - 0.1, "high": values + 0.1}, index=ks)
    return Band(method, table, hollow)


def drawn(bands: list[Band], controls: dict[str, "pd.Series[float]"] | None = None) -> Figure:
    return curves_against_k(
        bands,
        controls or {},
        bands[1:],
        styles=STYLE_OF,
        value_label="v",
        difference_label="d",
        statement="It rises.",
    )


def test_bars_stand_in_the_given_order_from_the_top() -> None:
    (axes,) = ranked_bars({"a": TABLE}, STYLE_OF, "mean", "Statement.").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "$H_T$",
        r"$E_T^{\mathrm{miss}}$",
        r"x\$y",
    ]
    heights = [(patch.get_y(), patch.get_width()) for patch in axes.patches]  # type: ignore[attr-defined]
    assert [width for _, width in sorted(heights)] == [3.0, 2.0, -1.0]
    bottom, top = axes.get_ylim()
    assert bottom > top  # the first place is drawn on top


def test_one_panel_a_method() -> None:
    figure = ranked_bars({"a": TABLE, "b": TABLE, "c": TABLE}, STYLE_OF | {"c": STYLES[2]}, "mean", "Statement.")
    assert [axes.get_title() for axes in figure.axes if axes.get_visible()] == ["a", "b", "c"]


def test_all_features_are_named_on_the_axis() -> None:
    lower = drawn([band("a", [1, 2, 87]), band("b", [1, 2, 87])]).axes[1]
    assert [label.get_text() for label in lower.get_xticklabels()] == ["1", "2", "all (87)"]


def test_many_k_are_thinned_out() -> None:
    ks = list(range(1, 88))
    labels = [label.get_text() for label in drawn([band("a", ks), band("b", ks)]).axes[1].get_xticklabels()]
    assert len(labels) <= MOST_TICKS + 1
    assert labels[0] == "1"
    assert labels[-1] == "all (87)"


def test_points_with_little_background_are_hollow() -> None:
    upper = drawn([band("a", [1, 2, 87], frozenset({2})), band("b", [1, 2, 87])]).axes[0]
    hollow = [line for line in upper.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]  # type: ignore[arg-type]
    assert [list(np.asarray(line.get_xdata())) for line in hollow] == [[1]]  # the place of k = 2


def test_controls_are_thin_and_do_not_squeeze_the_methods() -> None:
    low = pd.Series([-3.0, -2.0, 0.9], index=[1, 2, 87])
    upper = drawn([band("a", [1, 2, 87]), band("b", [1, 2, 87])], {"random_0": low, "random_1": low}).axes[0]
    assert upper.get_ylim()[0] == pytest.approx(0.4 - (1.0 - 0.4))
    names = [text.get_text() for text in upper.get_legend().get_texts()]  # type: ignore[union-attr]
    assert names == ["a", "b", "random rankings"]


def test_a_single_unit_has_a_curve_and_no_band() -> None:
    samples = pd.DataFrame({"network_0": [0.5, 0.6]}, index=[1, 2])
    found = Band.of("a", Curve(samples["network_0"], samples, resampled=False))
    assert found.table["value"].tolist() == [0.5, 0.6]
    assert found.table[["low", "high"]].isna().all(axis=None)


def test_saved_figures_carry_their_caption(tmp_path: Path) -> None:
    save_figure(ranked_bars({"a": TABLE}, STYLE_OF, "mean", "Statement."), tmp_path, "f", "Caption ≤ 1.")
    assert (tmp_path / "figures" / "f.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "figures" / "f.png") as image:
        assert image.info["Description"] == "Caption ≤ 1."
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
