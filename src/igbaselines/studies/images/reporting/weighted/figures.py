"""Figures of 2505.03201 from one run: the mean deletion curves, and how the weights fall to the baselines."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import curve
from igbaselines.reporting.rows import methods_of
from igbaselines.reporting.statistics.estimates import CONFIDENCE
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import BLUE, RED, looks, new_figure, page_style, style_of
from igbaselines.studies.images.reporting.rows import EG, FILTERED, WG, by_baseline

CURVES = {"deletion": "share of pixels masked [%]", "insertion": "share of pixels revealed [%]"}
CURVES_CAPTION = (
    "Probability of the class against the share of pixels masked (or revealed), the most important first: mean over "
    "the images with its 95 % t-interval."
)
WEIGHTS_CAPTION = (
    "Weights of the baselines over the images: boxes span the quartiles, whiskers the 5 % and 95 % quantiles; points "
    "are images. The dashed line is EG's equal weight."
)
LOOKS = {EG: style_of(0), WG: style_of(2), FILTERED: style_of(3)}


def curves_figure(rows: pd.DataFrame) -> Figure | None:
    """Draw the mean deletion curves, and the insertion curves where they were taken; None where there are none."""
    tables = {kind: _curve_tables(rows, kind) for kind in CURVES}
    kinds = [kind for kind in CURVES if tables[kind]]
    if not kinds:
        return None
    styles = looks(dict.fromkeys(method for of_kind in tables.values() for method in of_kind), LOOKS)
    with page_style():
        figure = new_figure(7.5, 4.6 * len(kinds))
        for panel, kind in zip(figure.subplots(len(kinds), 1, squeeze=False)[:, 0], kinds, strict=True):
            for method, table in tables[kind].items():
                shares = 100 * table["share"].to_numpy(float)
                curve(panel, shares, table, styles[method], alpha=0.1, label=plot_label(method), marker="")
            panel.set_xlabel(CURVES[kind])
            panel.set_ylabel("mean probability of the class")
            panel.set_xlim(0, 100)
            panel.set_ylim(bottom=0)
            panel.legend(title=kind, title_fontsize=10)
    return figure


def curve_table(rows: pd.DataFrame, kind: str, method: str) -> pd.DataFrame | None:
    """Read a method's mean curve of deletion or insertion; None where the run has none, or an older one without shares.

    Returns:
        Index k (point of the grid); columns share (of the pixels, in [0, 1]), mean, low and high (95 % t-interval of
        the mean over the images; NaN where the spread or the number of images is not known).
    """
    of_method = rows[rows["method"] == method]
    points = of_method[of_method["metric"] == f"{kind}_curve"]
    if points.empty or "share" not in points or points[["k", "share"]].isna().any(axis=None):
        return None
    spread = of_method[of_method["metric"] == f"{kind}_curve_sd"].set_index("k")["value"]
    table = points.set_index("k")[["share", "value"]].assign(sd=spread).astype(float).sort_index()
    images = (of_method["metric"] == f"{kind}_auc").sum()
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, images - 1) / np.sqrt(images) if images > 1 else np.nan
    table = table.rename(columns={"value": "mean"})
    return table.assign(low=table["mean"] - reach * table["sd"], high=table["mean"] + reach * table["sd"])


def weights_figure(rows: pd.DataFrame) -> Figure | None:
    """Draw the distribution of every baseline's weight over the images; None for fewer than two baselines."""
    try:
        weights = by_baseline(rows, "weight")
    except NotTestable:
        return None
    if weights.shape[1] < 2:
        return None
    weights = weights[weights.median().sort_values().index]  # the fittest on top
    values = [weights[name].dropna().to_numpy(float) for name in weights]
    with page_style():
        figure = new_figure(7.5, 1.3 + 0.42 * weights.shape[1])
        axes = figure.subplots()
        median = {"color": BLUE, "linewidth": 2}
        axes.boxplot(values, orientation="horizontal", whis=(5, 95), showfliers=False, widths=0.6, medianprops=median)
        for place, column in enumerate(values, start=1):
            # Heights only keep the images apart, so they follow a fixed pattern.
            heights = place + 0.4 * ((np.arange(len(column)) * 0.618) % 1 - 0.5)
            axes.plot(column, heights, marker=".", markersize=3, linestyle="none", color="#666666", alpha=0.5, zorder=1)
        axes.axvline(1 / weights.shape[1], color=RED, linestyle="--", linewidth=1.2)
        axes.set_yticks(range(1, len(values) + 1), [plot_label(str(name)) for name in weights])
        axes.tick_params(axis="y", which="both", length=0)
        axes.set_xlim(left=0)
        axes.set_xlabel("weight in WG")
    return figure


def _curve_tables(rows: pd.DataFrame, kind: str) -> dict[str, pd.DataFrame]:
    tables = {method: curve_table(rows, kind, method) for method in methods_of(rows, f"{kind}_curve")}
    return {method: table for method, table in tables.items() if table is not None}
