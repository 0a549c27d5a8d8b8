"""Figures of 2310.04821 on GridWorld: agreement with exact Shapley values by method, by cost, and by Q.

Every figure is drawn from a table of `shapley_tables`: what is seen can be read off there.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import new_figure, page_style
from igbaselines.studies.gridworld.reporting.rows import METHODS, METRICS, PLAIN_IG, REFERENCES
from igbaselines.studies.hep.reporting.figures import STYLES, Style

_RED, _ORANGE, _BLUE, _GREEN, _PINK, _SKY = (style["color"] for style in STYLES)
_GREY = "#777777"
# A colour for each idea, and a marker for each method; a hollow marker on a dashed line is the paired estimator.
LOOKS: Mapping[str, Style] = {
    "exact": {"color": "black", "marker": "*", "linestyle": "-"},
    "ig_zero": {"color": _ORANGE, "marker": "s", "linestyle": "-"},
    "ig_mean": {"color": _RED, "marker": "o", "linestyle": "-"},
    "expected_gradients": {"color": _SKY, "marker": "P", "linestyle": "-"},
    "ig_uniform": {"color": _GREY, "marker": "x", "linestyle": ":"},
    "ig_gaussian": {"color": _GREY, "marker": "<", "linestyle": ":"},
    "ig_max_distance": {"color": _GREY, "marker": ">", "linestyle": ":", "markerfacecolor": "white"},
    "shapley_ig": {"color": _BLUE, "marker": "^", "linestyle": "-"},
    "shapley_ig_paired": {"color": _BLUE, "marker": "^", "linestyle": "--", "markerfacecolor": "white"},
    "shapley_sampling": {"color": _GREEN, "marker": "D", "linestyle": "-"},
    "shapley_sampling_paired": {"color": _GREEN, "marker": "D", "linestyle": "--", "markerfacecolor": "white"},
    "kernel_shap": {"color": _PINK, "marker": "v", "linestyle": "-."},
}
OTHER: Style = {"color": "black", "marker": ".", "linestyle": ":"}
RING: Style = {
    "marker": "o",
    "markersize": 13,
    "markerfacecolor": "none",
    "markeredgewidth": 0.9,
    "color": "#333333",
}
FLOOR = 1e-3  # closer than that is drawn at the edge: an exact value has no place on the axis, and its rounding none
AXES = {"cosine": "1 \N{MINUS SIGN} cosine similarity", "proportions_l1": "L1 distance of proportions"}
REFERENCE_WORDS = {"zero": "reference: zero", "mean": "reference: mean", "background": "reference: background"}


def look_of(method: str) -> Style:
    """The colour, marker and line of a method, the same in all figures."""
    return LOOKS.get(method, OTHER)


def counts_of(table: pd.DataFrame) -> str:
    """Say over what the means of a table are: `40 states, each averaged over 3 networks`."""
    words = [f"{_span(table['states'])} states"]
    if "networks" in table and table["networks"].notna().any():
        words.append(f"each averaged over {_span(table['networks'].dropna())} networks")
    return ", ".join(words)


def cost_figure(cost: pd.DataFrame) -> Figure:
    """Draw the distance from the exact values against what was spent: metrics down, references across.

    Args:
        cost: the table of that name.
    """
    metrics = [metric for metric in AXES if (cost["metric"] == metric).any()]
    references = [name for name in REFERENCES if (cost["reference"] == name).any()]
    largest = cost["evaluations"].max()
    spent = cost["evaluations"].value_counts()
    budgets = pd.Series(spent.index[2 * spent >= spent.max()])  # samplers spend a little less or more
    with page_style():
        figure = new_figure(max(7.0, 5.0 * len(references)), 1.1 + 3.9 * len(metrics))
        panels = figure.subplots(len(metrics), len(references), squeeze=False, sharex=True, sharey="row")
        for (line, metric), (column, reference) in itertools.product(enumerate(metrics), enumerate(references)):
            axes = panels[line, column]
            of_panel = cost[(cost["metric"] == metric) & (cost["reference"] == reference)]
            for method, table in of_panel.groupby("method", sort=False):
                shown = table.assign(place=table["evaluations"])
                _line(axes, _distances(shown, metric), str(method), until=largest)
            axes.set_title(REFERENCE_WORDS[reference] if line == 0 else "")
            axes.set_xlabel("evaluations for one state" if line == len(metrics) - 1 else "")
            axes.set_ylabel(AXES[metric] if column == 0 else "")
            axes.set_yscale("log")
            _number_axis(axes, budgets)
        method_legend(figure, cost)
    return figure


def q_figure(table: pd.DataFrame) -> Figure:
    """Draw agreement against Q, the share of all coalitions that is sampled.

    Args:
        table: `q` of the run's tables.
    """
    metrics = [metric for metric in AXES if (table["metric"] == metric).any()]
    with page_style():
        figure = new_figure(max(6.5, 5.0 * len(metrics)), 4.4)
        for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
            for method, found in table[table["metric"] == metric].groupby("method", sort=False):
                _line(axes, found.assign(place=100 * found["q"].astype(float)), str(method))
            axes.set_ylabel(METRICS[metric].label)
            axes.set_xlabel("Q: coalitions sampled [% of all]")
            _number_axis(axes, 100 * table["q"].astype(float))
        method_legend(figure, table, columns=2)
    return figure


def agreement_figure(agreement: pd.DataFrame) -> Figure:
    """Draw the cosine similarity of all methods with its interval: a panel a reference, the best method on top.

    Args:
        agreement: the table of that name.
    """
    table = agreement[agreement["metric"] == "cosine"]
    references = [name for name in REFERENCES if (table["reference"] == name).any()]
    order = list(table.groupby("method")["mean"].mean().sort_values(ascending=False).index)
    with page_style():
        figure = new_figure(2.6 + 3.3 * len(references), 1.3 + 0.36 * len(order))
        panels = figure.subplots(1, len(references), squeeze=False, sharey=True, sharex=True)[0]
        for axes, reference in zip(panels, references, strict=True):
            dots(axes, table[table["reference"] == reference], order, bold=PLAIN_IG[reference])
            axes.set_title(REFERENCE_WORDS[reference])
            axes.set_xlabel(f"{METRICS['cosine'].label} to exact values")
    return figure


def dots(axes: Axes, table: pd.DataFrame, order: Sequence[str], bold: str = "") -> None:
    """Draw a line with its interval for each method, the first of the order on top; `bold` is ringed."""
    for place, method in enumerate(order):
        axes.axhline(place, color="#DDDDDD", linewidth=0.7, zorder=0)
        for _, found in table[table["method"] == method].iterrows():
            look = {**look_of(method), "linestyle": "none", "markersize": 7}
            axes.hlines(place, found["low"], found["high"], color=look["color"], linewidth=1.8)
            axes.plot([found["mean"]], [place], **look)
            if method == bold:
                axes.plot([found["mean"]], [place], **RING)
    axes.set_yticks(range(len(order)), [plot_label(method) for method in order])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(len(order) - 0.4, -0.6)


def method_legend(figure: Figure, table: pd.DataFrame, columns: int = 4) -> None:
    """Name the methods of a table above the panels."""
    shown = set(table["method"])
    methods = [*(method for method in METHODS if method in shown), *sorted(shown - set(METHODS))]
    handles = [
        figure.axes[0].plot([], [], label=plot_label(method), markersize=6, **look_of(method))[0] for method in methods
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(columns, len(methods)), frameon=False)


def _distances(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Turn a similarity into a distance that a logarithmic axis can show."""
    if METRICS[metric].lower_is_better:
        return table.assign(**{edge: table[edge].clip(lower=FLOOR) for edge in ("mean", "low", "high")})
    turned = {"mean": 1 - table["mean"], "low": 1 - table["high"], "high": 1 - table["low"]}
    return table.assign(**{edge: values.clip(lower=FLOOR) for edge, values in turned.items()})


def _line(axes: Axes, table: pd.DataFrame, method: str, until: float | None = None) -> None:
    """Draw a method's curve with its band; what it reached stays to the end where it cannot spend more."""
    look, table = look_of(method), table.sort_values("place")
    axes.fill_between(table["place"], table["low"], table["high"], color=look["color"], alpha=0.15, linewidth=0)
    axes.plot(table["place"], table["mean"], markersize=5, **look)
    if until is not None and table["place"].iloc[-1] < until / 2:  # not of a sampler that spent a little less
        ends = [table["place"].iloc[-1], until]
        axes.plot(ends, [table["mean"].iloc[-1]] * 2, color=look["color"], linestyle=":", linewidth=1.0, zorder=1)


def _number_axis(axes: Axes, places: "pd.Series[float]") -> None:
    """Label a logarithmic axis by numbers that were measured, as many as stand apart."""
    axes.set_xscale("log")
    chosen: list[float] = []
    for place in sorted(places.unique()):
        if not chosen or np.log10(place / chosen[-1]) > 0.25:
            chosen.append(float(place))
    axes.xaxis.set_major_locator(FixedLocator(chosen))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{place:.4g}" for place in chosen]))
    axes.xaxis.set_minor_locator(NullLocator())


def _span(numbers: "pd.Series[float]") -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low}" if low == high else f"{low} to {high}"
