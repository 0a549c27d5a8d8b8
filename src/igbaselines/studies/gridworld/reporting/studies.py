"""What the agreement with exact Shapley values hangs on: number of players, interactions, and the network's seed."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import new_figure, page_style
from igbaselines.studies.gridworld.reporting.figures import dots, look_of
from igbaselines.studies.gridworld.reporting.rows import METHODS, METRICS, STABILITY

WIDTH = 5.2  # inches of a panel
COSINE = METRICS["cosine"].label


def studies_figure(tables: dict[str, pd.DataFrame]) -> Figure | None:
    """Draw a panel for each of the studies that a run has; None for none.

    Args:
        tables: of the run; `players`, `interactions` and `stability` are drawn.
    """
    draw: dict[str, Callable[[Axes, pd.DataFrame], None]] = {
        "players": _players,
        "interactions": _interactions,
        "stability": _stability,
    }
    metrics = {name: "stability_cosine" if name == "stability" else "cosine" for name in draw}
    shown = {name: tables[name] for name in draw if name in tables}
    shown = {name: table[table["metric"] == metrics[name]] for name, table in shown.items()}
    shown = {name: table for name, table in shown.items() if len(table)}
    if not shown:
        return None
    with page_style():
        figure = new_figure(max(6.5, WIDTH * len(shown)), 4.8)
        for axes, (name, table) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
            draw[name](axes, table)
    return figure


def _players(axes: Axes, table: pd.DataFrame) -> None:
    numbers = sorted({int(players) for players in table["players"]})
    methods = _in_order(table)
    for place, method in enumerate(methods):
        found = table[table["method"] == method].sort_values("players")
        look = look_of(method)
        shift = 0.18 * (place - (len(methods) - 1) / 2)  # keeps intervals apart
        places = found["players"].to_numpy(float) + shift
        axes.vlines(places, found["low"], found["high"], color=look["color"], linewidth=1.6)
        axes.plot(places, found["mean"].to_numpy(), label=plot_label(method), markersize=6, **look)
    axes.set_xticks(numbers)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("players (features of the network)")
    axes.set_ylabel(COSINE)
    axes.set_title("number of players")
    _room_below(axes)
    axes.legend(loc="lower center", ncols=2, frameon=False)


def _interactions(axes: Axes, table: pd.DataFrame) -> None:
    """Draw networks with interactions filled, and additive ones hollow."""
    methods = _in_order(table)
    for place, method in enumerate(methods):
        axes.axhline(place, color="#DDDDDD", linewidth=0.7, zorder=0)
        for _, found in table[table["method"] == method].iterrows():
            on = bool(found["interactions"])
            height, color = place + (0.14 if on else -0.14), look_of(method)["color"]
            axes.hlines(height, found["low"], found["high"], color=color, linewidth=1.8)
            face = color if on else "white"
            axes.plot([found["mean"]], [height], marker="o", markersize=7, color=color, markerfacecolor=face)
    axes.set_yticks(range(len(methods)), [plot_label(method) for method in methods])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(len(methods) + 0.4, -0.6)
    axes.set_xlabel(COSINE)
    axes.set_title("interactions between features")
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=7, color="#333333", markerfacecolor=face, label=label)
        for face, label in (("white", "none (additive)"), ("#333333", "with"))
    ]
    axes.legend(handles=handles, loc="lower center", ncols=2, frameon=False)


def _stability(axes: Axes, table: pd.DataFrame) -> None:
    order = list(table.groupby("method")["mean"].mean().sort_values(ascending=False).index)
    dots(axes, table, order, bold="exact")
    axes.set_xlabel(STABILITY["stability_cosine"].label)
    axes.set_title("stability over the networks' seeds")


def _in_order(table: pd.DataFrame) -> list[str]:
    shown = set(table["method"])
    return [*(method for method in METHODS if method in shown), *sorted(shown - set(METHODS))]


def _room_below(axes: Axes) -> None:
    """Leave room for a legend below the lowest value."""
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.22 * (high - low), high + 0.02 * np.abs(high - low))
