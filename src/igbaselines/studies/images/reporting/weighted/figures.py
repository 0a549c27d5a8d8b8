"""Figures of 2505.03201 from one run: the mean deletion curves, and how the weights fall to the baselines."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.statistics.estimates import CONFIDENCE
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import new_figure, page_style
from igbaselines.studies.hep.reporting.figures import STYLES, Style
from igbaselines.studies.images.reporting.rows import EG, FILTERED, WG, by_baseline, methods_of

CURVES = {"deletion": "share of pixels masked [%]", "insertion": "share of pixels revealed [%]"}
CURVE_STYLES: dict[str, Style] = {EG: STYLES[0], WG: STYLES[2], FILTERED: STYLES[3]}


def curves_figure(rows: pd.DataFrame) -> Figure | None:
    """Draw the mean deletion curves, and the insertion curves where they were taken; None where there are none."""
    tables = {kind: _curve_tables(rows, kind) for kind in CURVES}
    kinds = [kind for kind in CURVES if tables[kind]]
    if not kinds:
        return None
    with page_style():
        figure = new_figure(7.5, 4.6 * len(kinds))
        panels = figure.subplots(len(kinds), 1, squeeze=False)[:, 0]
        for panel, kind in zip(panels, kinds, strict=True):
            for method, table in tables[kind].items():
                _curve(panel, table, method, CURVE_STYLES.get(method, STYLES[4]))
            panel.set_xlabel(CURVES[kind])
            panel.set_ylabel("mean probability of the class")
            panel.set_xlim(0, 100)
            panel.set_ylim(bottom=0)
            panel.legend(title=kind, title_fontsize=10)
    return figure


def curve_table(rows: pd.DataFrame, kind: str, method: str) -> pd.DataFrame | None:
    """Read a mean curve.

    Args:
        rows: of a run.
        kind: deletion or insertion.
        method: whose.

    Returns:
        Index k (point of the grid); columns share (of the pixels, in [0, 1]), value, low and high (95 % t-interval of
        the mean over the images; NaN where the spread or the number of images is not known). None where the run has no
        such curve, or an older one whose points have no share.
    """
    of_method = rows[rows["method"] == method]
    points = of_method[of_method["metric"] == f"{kind}_curve"]
    if points.empty or "share" not in points or points[["k", "share"]].isna().any(axis=None):
        return None
    spread = of_method[of_method["metric"] == f"{kind}_curve_sd"].set_index("k")["value"]
    table = points.set_index("k")[["share", "value"]].assign(sd=spread).astype(float).sort_index()
    images = ((rows["metric"] == f"{kind}_auc") & (rows["method"] == method)).sum()
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, images - 1) / np.sqrt(images) if images > 1 else np.nan
    return table.assign(low=table["value"] - reach * table["sd"], high=table["value"] + reach * table["sd"])


def weights_figure(rows: pd.DataFrame) -> Figure | None:
    """Draw the distribution of every baseline's weight over the images; None for fewer than two baselines."""
    try:
        weights = by_baseline(rows, "weight")
    except NotTestable:
        return None
    if weights.shape[1] < 2:
        return None
    weights = weights[weights.median().sort_values().index]  # the fittest on top
    with page_style():
        figure = new_figure(7.5, 1.3 + 0.42 * weights.shape[1])
        axes = figure.subplots()
        values = [weights[name].dropna().to_numpy(float) for name in weights]
        axes.boxplot(
            values,
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
            widths=0.6,
            medianprops={"color": STYLES[2]["color"], "linewidth": 2},
        )
        _points(axes, values)
        axes.axvline(1 / weights.shape[1], color=STYLES[0]["color"], linestyle="--", linewidth=1.2)
        axes.set_yticks(range(1, len(values) + 1), [plot_label(str(name)) for name in weights])
        axes.tick_params(axis="y", which="both", length=0)
        axes.set_xlim(left=0)
        axes.set_xlabel("weight in WG")
    return figure


def _curve_tables(rows: pd.DataFrame, kind: str) -> dict[str, pd.DataFrame]:
    tables = {method: curve_table(rows, kind, method) for method in methods_of(rows, f"{kind}_curve")}
    return {method: table for method, table in tables.items() if table is not None}


def _curve(axes: Axes, table: pd.DataFrame, method: str, style: Style) -> None:
    percent = 100 * table["share"]
    axes.fill_between(percent, table["low"], table["high"], color=style["color"], alpha=0.1, linewidth=0)
    axes.plot(percent, table["value"], label=plot_label(method), **{**style, "marker": ""})


def _points(axes: Axes, values: list[np.ndarray]) -> None:
    """Scatter the images over the boxes; heights only keep points apart, so they follow a fixed pattern."""
    for place, column in enumerate(values, start=1):
        heights = place + 0.4 * ((np.arange(len(column)) * 0.618) % 1 - 0.5)
        axes.plot(column, heights, marker=".", markersize=3, linestyle="none", color="#666666", alpha=0.5, zorder=1)
