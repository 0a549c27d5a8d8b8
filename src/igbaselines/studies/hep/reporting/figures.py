"""Figures of 2412.13864: features by their attributions, and curves against the number of features k."""

from collections.abc import Mapping, Sequence, Set
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import bars, curve, grid_of, points
from igbaselines.reporting.style import CONTROL_STYLE, Style, new_figure, page_style
from igbaselines.studies.hep.reporting.curves import Curve

MOST_TICKS = 16
RANDOM = "random_"
CONTROL_MARKERS = "x+^v"  # grey as they are, each tells which it is


def ranked_bars(tables: Mapping[str, pd.DataFrame], styles: Mapping[str, Style], value_label: str) -> Figure:
    """Draw a panel of horizontal bars for each method, its first feature (columns feature, mean, sd) on top."""
    columns = min(2, len(tables))
    most = max(len(table) for table in tables.values())
    with page_style():
        figure = new_figure(5.2 * columns, -(-len(tables) // columns) * (1.1 + 0.27 * most) + 0.5)
        for axes, (method, table) in zip(grid_of(figure, len(tables), columns), tables.items(), strict=True):
            names = [plot_label(name) for name in table["feature"]]
            spread: Style = {"xerr": table["sd"], "capsize": 2.5, "ecolor": "#222222", "height": 0.8}
            bars(axes, names, table["mean"], styles[method]["color"], **spread)
            axes.set_title(plot_label(method))
            axes.set_xlabel(value_label)
    return figure


def curves_against_k(
    curves: Mapping[str, Curve],
    compared: Sequence[str],
    reference: str,
    styles: Mapping[str, Style],
    value_label: str,
    hollow: Mapping[str, Set[int]] | None = None,
) -> Figure:
    """Draw curves with their bands, and below them the paired differences of those compared from one of them.

    Curves that are not compared are controls, thin and grey; `hollow` are the k at which points are too thin to trust.
    """
    tables = {method: curves[method].table() for method in compared}
    hollow = hollow or {}
    others = [method for method in compared if method != reference]
    ks = sorted({int(k) for of in curves.values() for k in of.point.index})
    with page_style():
        figure = new_figure(9.0, 8.0)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[5, 3])
        for method, table in tables.items():
            curve(upper, _places(ks, table), table, {**styles[method], "marker": ""}, alpha=0.07, edges=True)
            without = table.assign(low=np.nan, high=np.nan)
            _points(upper, ks, without, styles[method], hollow.get(method, frozenset()))
            # The legend shows line and marker together, which are drawn apart.
            upper.plot([], [], label=plot_label(method), markersize=5, **styles[method])
        _controls(upper, ks, {method: of.point for method, of in curves.items() if method not in compared})
        for place, method in enumerate(others):
            difference = (curves[method] - curves[reference]).table()
            thin = hollow.get(method, frozenset()) | hollow.get(reference, frozenset())
            _points(lower, ks, difference, styles[method], thin, 0.09 * (place - (len(others) - 1) / 2))
        _keep_in_view(upper, list(tables.values()))
        lower.axhline(0, color="black", linewidth=0.8)
        upper.set_ylabel(value_label)
        lower.set_ylabel(f"minus {plot_label(reference)}")
        _k_axis(lower, ks)
        upper.legend(ncols=2, loc="lower right")
    return figure


def _places(ks: Sequence[int], table: "pd.DataFrame | pd.Series[float]", shift: float = 0.0) -> np.ndarray:
    return np.array([ks.index(int(k)) + shift for k in table.index])


def _points(
    axes: Axes, ks: Sequence[int], table: pd.DataFrame, look: Style, hollow: Set[int], shift: float = 0.0
) -> None:
    is_hollow = table.index.isin(list(hollow))
    for chosen, face in ((table[~is_hollow], look["color"]), (table[is_hollow], "white")):
        marked: Style = {"markersize": 5, "markerfacecolor": face, "zorder": 3}
        points(axes, _places(ks, chosen, shift), chosen, look, upright=True, width=1.2, **marked)


def _controls(axes: Axes, ks: Sequence[int], controls: Mapping[str, "pd.Series[float]"]) -> None:
    """Draw the controls, each with a marker of its own; random rankings share a look and one entry of the legend."""
    first = next((method for method in controls if method.startswith(RANDOM)), None)
    markers = cycle(CONTROL_MARKERS)
    for method, values in controls.items():
        is_random = method.startswith(RANDOM)
        label = plot_label(method) if not is_random else "random rankings" if method == first else None
        look = {"linestyle": ":", "marker": "."} if is_random else {"linestyle": "-", "marker": next(markers)}
        axes.plot(_places(ks, values), values, label=label, **{**CONTROL_STYLE, **look, "markersize": 4})


def _keep_in_view(axes: Axes, tables: Sequence[pd.DataFrame]) -> None:
    """Cut off controls that fall far below: the methods compared fill at least half of the axis."""
    values = np.concatenate([table.to_numpy().ravel() for table in tables])
    low, high = np.nanmin(values), np.nanmax(values)
    if high > low:
        axes.set_ylim(bottom=max(axes.get_ylim()[0], low - (high - low)))


def _k_axis(axes: Axes, ks: Sequence[int]) -> None:
    """Give every measured k the same width: most of the story is at small k, and `all` is far away."""
    step = -(-len(ks) // MOST_TICKS)
    shown = [*range(0, len(ks) - 1, step), len(ks) - 1]
    if len(shown) > 2 and shown[-1] - shown[-2] < step:
        del shown[-2]
    axes.set_xticks(shown, [*(str(ks[place]) for place in shown[:-1]), f"all ({ks[-1]})"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("number of top-ranked features k")
