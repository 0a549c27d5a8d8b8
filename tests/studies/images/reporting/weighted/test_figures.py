"""Figures of a run of weighted_gradients, read back from their axes."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.studies.images.reporting.weighted.figures import curve_table, curves_figure, weights_figure
from tests.studies.images.reporting.weighted_rows import BASELINES, EG, SHARES, WG, make_rows


def test_a_mean_curve_has_the_t_interval_of_its_images(weighted: pd.DataFrame) -> None:
    table = curve_table(weighted, "deletion", WG)
    assert table is not None
    assert list(table.index) == list(range(len(SHARES)))
    assert tuple(table["share"]) == SHARES
    sd = weighted[(weighted["metric"] == "deletion_curve_sd") & (weighted["method"] == WG) & (weighted["k"] == 10)]
    reach = stats.t.ppf(0.975, 39) * sd["value"].iloc[0] / np.sqrt(40)
    assert table["high"][10] - table["mean"][10] == pytest.approx(reach)


def test_without_a_spread_there_is_a_curve_and_no_band(weighted: pd.DataFrame) -> None:
    bare = curve_table(weighted[weighted["metric"] == "deletion_curve"], "deletion", EG)
    assert bare is not None
    assert bare["mean"].notna().all()
    assert bare["low"].isna().all()
    assert curves_figure(weighted[weighted["metric"] == "deletion_curve"]) is not None


def test_every_point_of_a_curve_is_drawn_at_its_own_share(weighted: pd.DataFrame) -> None:
    """Points that round to the same percent stay apart."""
    figure = curves_figure(weighted)
    assert figure is not None
    line = next(line for line in figure.axes[0].lines if line.get_label() == "WG")
    own = weighted[(weighted["metric"] == "deletion_curve") & (weighted["method"] == WG)]
    assert len({round(100 * share) for share in SHARES}) < len(SHARES)
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), 100 * np.array(SHARES))
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), own["value"])


def test_curves_of_older_runs_are_left_out(weighted: pd.DataFrame) -> None:
    assert curves_figure(weighted.drop(columns="share")) is None
    mixed = weighted.copy()
    mixed.loc[(mixed["metric"] == "deletion_curve") & (mixed["method"] == WG), "share"] = np.nan
    assert curve_table(mixed, "deletion", WG) is None
    figure = curves_figure(mixed)
    assert figure is not None
    assert [line.get_label() for line in figure.axes[0].lines] == ["EG", "filtered WG"]


def test_a_panel_for_each_kind_of_curve(weighted: pd.DataFrame) -> None:
    figure = curves_figure(weighted)
    assert figure is not None
    legends = [axes.get_legend() for axes in figure.axes]
    names = [[text.get_text() for text in legend.get_texts()] for legend in legends if legend]
    assert names == [["EG", "WG", "filtered WG"], ["EG", "WG"]]
    assert curves_figure(weighted[weighted["unit"] != "mean"]) is None


def test_the_fittest_baseline_is_on_top(weighted: pd.DataFrame) -> None:
    figure = weights_figure(weighted)
    assert figure is not None
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[-1] == "black"  # the highest place of the axis
    assert len(labels) == len(BASELINES)
    assert r"photo_\$1%_<b>" in labels


def test_one_baseline_has_no_distribution() -> None:
    assert weights_figure(make_rows(images=4, baselines=1)) is None
    assert weights_figure(make_rows(images=4).query("method != 'ig'")) is None
    assert weights_figure(make_rows(images=1)) is not None
