"""Figures: what their axes hold, read back from the axes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from igbaselines.reporting.style import looks, save_figure
from igbaselines.studies.hep.reporting.curves import Curve
from igbaselines.studies.hep.reporting.figures import MOST_TICKS, curves_against_k, ranked_bars

STYLE_OF = looks("abc")
TABLE = pd.DataFrame({"feature": ["HT", "MET", "x$y"], "mean": [3.0, 2.0, -1.0], "sd": [0.1, 0.2, 0.0]})


def a_curve(ks: list[int], shift: float = 0.0) -> Curve:
    values = pd.Series(np.linspace(0.5, 0.9, len(ks)) + shift, index=ks)
    samples = pd.DataFrame({f"bootstrap_{place}": values + edge for place, edge in enumerate((-0.1, 0.1))})
    return Curve(values, samples, resampled=True)


def drawn(
    ks: list[int], hollow: set[int] | None = None, controls: dict[str, "pd.Series[float]"] | None = None
) -> Figure:
    curves = {"a": a_curve(ks), "b": a_curve(ks)}
    curves |= {name: Curve(values, values.to_frame(), resampled=False) for name, values in (controls or {}).items()}
    return curves_against_k(curves, ("a", "b"), "a", STYLE_OF, "v", {"a": hollow or set()})


def test_bars_stand_in_the_given_order_from_the_top() -> None:
    (axes,) = ranked_bars({"a": TABLE}, STYLE_OF, "mean").axes
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
    figure = ranked_bars({"a": TABLE, "b": TABLE, "c": TABLE}, STYLE_OF, "mean")
    assert [axes.get_title() for axes in figure.axes if axes.get_visible()] == ["a", "b", "c"]


def test_all_features_are_named_on_the_axis() -> None:
    lower = drawn([1, 2, 87]).axes[1]
    assert [label.get_text() for label in lower.get_xticklabels()] == ["1", "2", "all (87)"]


def test_many_k_are_thinned_out() -> None:
    ks = list(range(1, 88))
    labels = [label.get_text() for label in drawn(ks).axes[1].get_xticklabels()]
    assert len(labels) <= MOST_TICKS + 1
    assert labels[0] == "1"
    assert labels[-1] == "all (87)"


def test_points_with_little_background_are_hollow() -> None:
    upper = drawn([1, 2, 87], {2}).axes[0]
    hollow = [line for line in upper.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]  # type: ignore[arg-type]
    assert [list(np.asarray(line.get_xdata())) for line in hollow] == [[1]]  # the place of k = 2


def test_controls_are_thin_and_do_not_squeeze_the_methods() -> None:
    low = pd.Series([-3.0, -2.0, 0.9], index=[1, 2, 87])
    upper = drawn([1, 2, 87], controls={"random_0": low, "random_1": low}).axes[0]
    assert upper.get_ylim()[0] == pytest.approx(0.405 - (0.995 - 0.405))
    names = [text.get_text() for text in upper.get_legend().get_texts()]  # type: ignore[union-attr]
    assert names == ["a", "b", "random rankings"]


def test_a_single_unit_has_a_curve_and_no_band() -> None:
    samples = pd.DataFrame({"network_0": [0.5, 0.6]}, index=[1, 2])
    table = Curve(samples["network_0"], samples, resampled=False).table()
    assert table["mean"].tolist() == [0.5, 0.6]
    assert table[["low", "high"]].isna().all(axis=None)


def test_saved_figures_carry_their_caption(tmp_path: Path) -> None:
    save_figure(ranked_bars({"a": TABLE}, STYLE_OF, "mean"), tmp_path, "f", "Caption ≤ 1.")
    assert (tmp_path / "figures" / "f.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "figures" / "f.png") as image:
        assert image.info["Description"] == "Caption ≤ 1."
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
