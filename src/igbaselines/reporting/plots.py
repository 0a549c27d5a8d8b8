"""The kinds of plots that every study draws: points with intervals, curves with bands, bars, and triangles of numbers.

What is drawn is a table with the columns mean, low and high; without an interval these are not a number, and the mean
is drawn alone. Looks come from `style`: any number of names has one. `more` is passed on to matplotlib's markers, lines
or bars; `label` says how names are written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.rows import in_order
from igbaselines.reporting.style import Style, looks

Label = Callable[[str], str]
DARK = 0.6  # from this share of a heat map's scale numbers are written in white
APART = 0.25  # decades between two numbers of an axis


def points(
    axes: Axes,
    places: Sequence[float] | np.ndarray,
    table: pd.DataFrame,
    look: Style,
    *,
    upright: bool = False,
    joined: bool = False,
    width: float = 1.6,
    **more: Any,  # noqa: ANN401
) -> None:
    """Draw means as markers at places along the vertical axis, and their intervals as lines of a width.

    `upright`: the places are along the horizontal axis; `joined`: the look's line joins the points.
    """
    mean = table["mean"].to_numpy(float)
    (axes.vlines if upright else axes.hlines)(places, table["low"], table["high"], color=look["color"], linewidth=width)
    style = {"markersize": 6, **look, **more} | ({} if joined else {"linestyle": "none"})
    axes.plot(*((places, mean) if upright else (mean, places)), **style)


def dots(
    axes: Axes,
    table: pd.DataFrame,
    line: str,
    series: str | None = None,
    *,
    lines: Sequence[str] | None = None,
    styles: Mapping[str, Style] | None = None,
    label: Label = plot_label,
    **more: Any,  # noqa: ANN401
) -> None:
    """Draw a line of points for each name of a column, the first on top.

    Args:
        axes: where.
        table: columns mean, low, high, and those that are named.
        line: column of the lines.
        series: column of the looks; None: every line has its own.
        lines: order of the lines; None: as they come.
        styles: look of each name of `series`; None: one after the other.
        label: see above.
        more: see above.
    """
    lines = lines or in_order(table[line])
    styles = styles or looks(in_order(table[series or line]))
    for place, (name, look) in enumerate(styles.items()):
        found = table[table[series or line] == name]
        shift = 0.6 * ((place + 0.5) / len(styles) - 0.5) if series else 0.0
        heights = [lines.index(str(each)) + shift for each in found[line]]
        points(axes, heights, found, look, label=label(name) if series else None, **more)
    name_lines(axes, [label(name) for name in lines])


def name_lines(axes: Axes, names: Sequence[str]) -> None:
    """Name the lines of a plot, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", which="both", length=0)


def curve(
    axes: Axes,
    places: Sequence[float] | np.ndarray,
    table: pd.DataFrame,
    look: Style,
    *,
    alpha: float = 0.15,
    edges: bool = False,
    **more: Any,  # noqa: ANN401
) -> None:
    """Draw means as a curve, and their intervals as a band; its edges tell bands apart that lie on each other."""
    axes.fill_between(places, table["low"], table["high"], color=look["color"], alpha=alpha, linewidth=0)
    for edge in ("low", "high") if edges else ():
        axes.plot(places, table[edge], linewidth=0.6, color=look["color"], linestyle=look["linestyle"])
    axes.plot(places, table["mean"].to_numpy(float), **({"markersize": 5, **look} | more))


def bars(
    axes: Axes,
    names: Sequence[str],
    values: "Sequence[float] | np.ndarray | pd.Series[float]",
    color: str,
    start: float = 0.0,
    **more: Any,  # noqa: ANN401
) -> None:
    """Draw horizontal bars, the first on top, from `start` on."""
    height = {"height": 0.7, "alpha": 0.85} | more
    axes.barh(np.arange(len(names)), np.asarray(values, float) - start, left=start, color=color, **height)
    axes.axvline(start, color="black", linewidth=0.8)
    name_lines(axes, names)


def heat_map(axes: Axes, pairs: pd.DataFrame, lowest: float, label: Label = plot_label) -> None:
    """Draw what pairs of names have in common, as colours with the numbers in them: a triangle, each pair once.

    The columns of `pairs` are a, b and mean, at most 1; each pair once, in either order, names with themselves on the
    diagonal; those that are missing stay empty. `lowest` is drawn palest, so that several panels can be compared.
    """
    names = in_order([*pairs["a"], *pairs["b"]])
    places = {name: place for place, name in enumerate(names)}
    below = 0 if (pairs["a"] == pairs["b"]).any() else 1  # without a diagonal the first has no line, the last no column
    triangle = np.full((len(names) - below, len(names) - below), np.nan)
    for a, b, mean in pairs[["a", "b", "mean"]].itertuples(index=False):
        column, row = sorted((places[a], places[b]))
        triangle[row - below, column] = mean
    axes.imshow(triangle, vmin=lowest, vmax=1.0, cmap="Blues", interpolation="none")
    for (row, column), value in np.ndenumerate(triangle):
        if np.isfinite(value):
            ink = "white" if value > lowest + DARK * (1 - lowest) else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9, color=ink)
    labels = [label(name) for name in names]
    name_lines(axes, labels[below:])
    axes.set_ylim(len(triangle) - 0.5, -0.5)
    axes.set_xticks(range(len(triangle)), labels[: len(triangle)], rotation=35, ha="right", rotation_mode="anchor")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", which="both", length=0)


def number_axis(axes: Axes, places: Iterable[float]) -> None:
    """Label a logarithmic axis by numbers that were measured, as many as stand apart."""
    axes.set_xscale("log")
    chosen: list[float] = []
    for place in sorted(set(places)):
        if not chosen or np.log10(place / chosen[-1]) > APART:
            chosen.append(float(place))
    axes.xaxis.set_major_locator(FixedLocator(chosen))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{place:.4g}" for place in chosen]))
    axes.xaxis.set_minor_locator(NullLocator())


def grid_of(figure: Figure, count: int, columns: int, **shared: Any) -> list[Axes]:  # noqa: ANN401
    """Start panels line by line; places that are left over stay empty."""
    columns = min(columns, count)
    panels = list(figure.subplots(-(-count // columns), columns, squeeze=False, **shared).flat)
    for panel in panels[count:]:
        panel.set_visible(False)
    return panels[:count]


def legend_above(figure: Figure, styles: Mapping[str, Style], columns: int = 4, label: Label = plot_label) -> None:
    """Name looks above the panels."""
    handles = [Line2D([], [], label=label(name), **{"markersize": 6, **look}) for name, look in styles.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(columns, len(handles)), frameon=False)
