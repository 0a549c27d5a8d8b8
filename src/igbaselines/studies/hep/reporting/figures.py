"""Figures that any experiment can draw: ranked bars, and curves against the number of features k."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import add_caption, new_figure, page_style
from igbaselines.studies.hep.reporting.curves import Curve

# Okabe and Ito's colours, which colour-blind readers can tell apart; markers and lines differ as well.
Style = Mapping[str, Any]

STYLES: list[Style] = [
    {"color": "#D55E00", "marker": "o", "linestyle": "-"},
    {"color": "#E69F00", "marker": "s", "linestyle": "--"},
    {"color": "#0072B2", "marker": "^", "linestyle": "-"},
    {"color": "#009E73", "marker": "D", "linestyle": "--"},
    {"color": "#CC79A7", "marker": "v", "linestyle": "-."},
    {"color": "#56B4E9", "marker": "P", "linestyle": ":"},
]
CONTROL_STYLE: Style = {
    "color": "#777777",
    "linewidth": 0.9,
    "marker": ".",
    "markersize": 4,
    "zorder": 1,
}
CONTROL_LINES = ("-", ":")
MOST_TICKS = 16


def ranked_bars(
    tables: Mapping[str, pd.DataFrame], styles: Mapping[str, Style], value_label: str, statement: str
) -> Figure:
    """Draw a panel of horizontal bars for each method, the first feature on top.

    Args:
        tables: method -> the features to draw, in order; columns feature, mean, sd.
        styles: method -> its look.
        value_label: what the bars measure.
        statement: what the paper says of the figure.
    """
    columns = min(2, len(tables))
    lines = -(-len(tables) // columns)
    bars = max(len(table) for table in tables.values())
    with page_style():
        figure = new_figure(5.2 * columns, lines * (1.1 + 0.27 * bars) + 0.5)
        panels = figure.subplots(lines, columns, squeeze=False).flat
        for index, (method, table) in enumerate(tables.items()):
            _bars(panels[index], table, styles[method]["color"])
            panels[index].set_title(plot_label(method))
            panels[index].set_xlabel(value_label)
        for panel in panels[len(tables) :]:
            panel.set_visible(False)
        add_caption(figure, statement)
    return figure


def _bars(axes: Axes, table: pd.DataFrame, color: str) -> None:
    places = np.arange(len(table))
    axes.barh(places, table["mean"], xerr=table["sd"], color=color, alpha=0.85, capsize=2.5, ecolor="#222222")
    axes.set_yticks(places, [plot_label(name) for name in table["feature"]])
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(len(table) - 0.4, -0.6)  # the first on top
    axes.axvline(0, color="black", linewidth=0.8)


@dataclass(frozen=True)
class Band:
    """A curve to draw: its values, its 95 % interval, and which points are too thin to trust (drawn hollow).

    Args:
        method: name of the curve.
        table: index k; columns value, low, high.
        hollow: the k of points drawn hollow.
    """

    method: str
    table: pd.DataFrame
    hollow: frozenset[int] = frozenset()

    @classmethod
    def of(cls, method: str, curve: Curve, hollow: frozenset[int] = frozenset()) -> "Band":
        """Estimate a curve at every k; without an interval, as for a single unit, only the value is drawn."""
        cells = {}
        for k in curve.point.index:
            try:
                found = curve.at(int(k))
                cells[int(k)] = (found.value, found.low, found.high)
            except NotTestable:
                cells[int(k)] = (float(curve.point.loc[k]), np.nan, np.nan)
        return cls(method, pd.DataFrame.from_dict(cells, orient="index", columns=["value", "low", "high"]), hollow)


def curves_against_k(
    bands: Sequence[Band],
    controls: Mapping[str, "pd.Series[float]"],
    differences: Sequence[Band],
    *,
    styles: Mapping[str, Style],
    value_label: str,
    difference_label: str,
    statement: str,
) -> Figure:
    """Draw curves with their bands, and below them the paired differences from one of them.

    Args:
        bands: the methods compared.
        controls: method -> value by k; thin lines.
        differences: of the same methods, without the one subtracted.
        styles: method -> its look.
        value_label: of the upper axis.
        difference_label: of the lower axis.
        statement: what the paper says of the figure.
    """
    ks = [int(k) for k in bands[0].table.index]
    with page_style():
        figure = new_figure(9.0, 8.0)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[5, 3])
        for band in bands:
            _band(upper, ks, band, styles[band.method])
        _controls(upper, ks, controls)
        for index, band in enumerate(differences):
            shift = 0.09 * (index - (len(differences) - 1) / 2)
            _error_bars(lower, ks, band, styles[band.method], shift)
        _keep_in_view(upper, bands)
        lower.axhline(0, color="black", linewidth=0.8)
        upper.set_ylabel(value_label)
        lower.set_ylabel(difference_label)
        _k_axis(lower, ks)
        upper.legend(ncols=2, loc="lower right")
        add_caption(figure, statement)
    return figure


def _band(axes: Axes, ks: Sequence[int], band: Band, style: Style) -> None:
    places = [ks.index(int(k)) for k in band.table.index]
    line = {"color": style["color"], "linestyle": style["linestyle"]}
    axes.fill_between(places, band.table["low"], band.table["high"], color=style["color"], alpha=0.07, linewidth=0)
    for edge in ("low", "high"):  # bands of paired methods lie on each other: their edges tell them apart
        axes.plot(places, band.table[edge], linewidth=0.6, **line)
    axes.plot(places, band.table["value"], **line)
    _points(axes, ks, band, style, 0.0)
    # The legend shows line and marker together, which are drawn apart.
    axes.plot([], [], label=plot_label(band.method), markersize=5, **style)


def _points(axes: Axes, ks: Sequence[int], band: Band, style: Style, shift: float) -> None:
    look = {
        "color": style["color"],
        "marker": style["marker"],
        "markersize": 5,
        "linestyle": "none",
        "zorder": 3,
    }
    is_hollow = band.table.index.isin(list(band.hollow))
    for chosen, face in ((~is_hollow, style["color"]), (is_hollow, "white")):
        values = band.table.loc[chosen, "value"]
        places = [ks.index(int(str(k))) + shift for k in values.index]
        axes.plot(places, values.to_numpy(), markerfacecolor=face, **look)


def _error_bars(axes: Axes, ks: Sequence[int], band: Band, style: Style, shift: float) -> None:
    places = [ks.index(int(k)) + shift for k in band.table.index]
    axes.vlines(places, band.table["low"], band.table["high"], color=style["color"], linewidth=1.2)
    _points(axes, ks, band, style, shift)


def _controls(axes: Axes, ks: Sequence[int], controls: Mapping[str, "pd.Series[float]"]) -> None:
    """Draw the controls; random rankings share a look and one entry of the legend."""
    named = False
    for method, curve in controls.items():
        is_random = method.startswith("random_")
        label = "random rankings" if is_random and not named else "" if is_random else plot_label(method)
        named = named or is_random
        places = [ks.index(int(k)) for k in curve.index]
        axes.plot(places, curve, linestyle=CONTROL_LINES[is_random], label=label or None, **CONTROL_STYLE)


def _keep_in_view(axes: Axes, bands: Sequence[Band]) -> None:
    """Cut off controls that fall far below: the methods compared fill at least half of the axis."""
    values = np.concatenate([band.table.to_numpy().ravel() for band in bands])
    low, high = np.nanmin(values), np.nanmax(values)
    if high > low:
        axes.set_ylim(bottom=max(axes.get_ylim()[0], low - (high - low)))


def _k_axis(axes: Axes, ks: Sequence[int]) -> None:
    """Give every measured k the same width: most of the story is at small k, and `all` is far away."""
    step = -(-len(ks) // MOST_TICKS)
    shown = [*range(0, len(ks) - 1, step), len(ks) - 1]
    if len(shown) > 2 and shown[-1] - shown[-2] < step:
        del shown[-2]
    names = [str(ks[place]) for place in shown[:-1]] + [f"all ({ks[-1]})"]
    axes.set_xticks(shown, names)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("number of top-ranked features k")
