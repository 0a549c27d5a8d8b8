"""What the figures of the studies of rankings are made of: heat maps of agreement, and points with their intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

from igbaselines.reporting.labels import known_label
from igbaselines.studies.hep.reporting.figures import STYLES

LABELS = {
    "background": r"$B_{\mathrm{bg}}$ (equal weights)",
    "background_weighted": r"$B_{\mathrm{bgw}}$ (cross-section)",
    "background_square_root": "square root",
    "background_logarithm": "logarithm",
    "background_percentile": "percentile",
    "mean_rank": "mean rank",
    "borda_count": "Borda count",
    "best_single": "best of the single ones",
    "swish_dnn": "Swish",
    "deep_swish_dnn": "Swish, deep",
    "relu_dnn": "ReLU",
    "object_attention": "attention",
    "seed": "training seed",
    "split": "split of the events",
    "both": "both",
}
DARK = 0.6  # from this share of the scale numbers are written in white


def label_of(name: str) -> str:
    """How a method, a variant or a feature is called in the figures of the studies."""
    return LABELS.get(name) or known_label(name) or name.replace("_", " ")


def heat_map(axes: Axes, agreement: pd.DataFrame, title: str, lowest: float) -> None:
    """Draw how well rankings agree, as a square of colours with the numbers in it.

    Args:
        axes: where.
        agreement: columns a, b and mean; each pair once, in either order. Pairs that are missing stay empty.
        title: of the panel.
        lowest: the agreement that is drawn palest, so that several panels can be compared.
    """
    names = list(dict.fromkeys([*agreement["a"], *agreement["b"]]))
    square = pd.DataFrame(np.nan, index=names, columns=names)
    for a, b, mean in agreement[["a", "b", "mean"]].itertuples(index=False):
        square.loc[a, b] = square.loc[b, a] = mean
    axes.imshow(square.to_numpy(), vmin=lowest, vmax=1.0, cmap="Blues")
    for (row, column), value in np.ndenumerate(square.to_numpy()):
        if np.isfinite(value):
            ink = "white" if value > lowest + DARK * (1 - lowest) else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9, color=ink)
    labels = [label_of(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), labels)
    _no_ticks(axes)
    axes.set_title(title)


def dots(axes: Axes, table: pd.DataFrame, line: str, series: str, value_label: str) -> None:
    """Draw means with their intervals: a line for each of one column's names, a colour for each of another's.

    Args:
        axes: where.
        table: columns mean, low, high, and the two that are named.
        line: column of the lines, the first on top.
        series: column of the colours; explained in a legend where there are several.
        value_label: what is measured.
    """
    lines, colours = list(dict.fromkeys(table[line])), list(dict.fromkeys(table[series]))
    for place, name in enumerate(colours):
        found, style = table[table[series] == name], STYLES[place % len(STYLES)]
        shift = 0.6 * ((place + 0.5) / len(colours) - 0.5)
        heights = [lines.index(each) + shift for each in found[line]]
        axes.hlines(heights, found["low"], found["high"], color=style["color"], linewidth=1.6)
        look = {"color": style["color"], "marker": style["marker"], "linestyle": "none", "markersize": 5}
        axes.plot(found["mean"].to_numpy(), heights, label=label_of(str(name)), **look)
    axes.set_yticks(range(len(lines)), [label_of(str(name)) for name in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", which="both", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(4))  # labels of more than four places of a small panel run into another
    axes.set_xlabel(value_label)
    if len(colours) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(colours), frameon=False)


def against_count(axes: Axes, curves: Mapping[str, pd.DataFrame], value_label: str) -> None:
    """Draw means with their intervals against the number of events of each background, on a logarithmic axis.

    Args:
        axes: where.
        curves: label -> columns count, mean, low, high.
        value_label: what is measured.
    """
    counts: Sequence[int] = sorted({int(count) for table in curves.values() for count in table["count"]})
    for place, (label, table) in enumerate(curves.items()):
        found, style = table.sort_values("count"), STYLES[place % len(STYLES)]
        shifted = found["count"].to_numpy(float) * (1 + 0.03 * (place - (len(curves) - 1) / 2))  # keeps intervals apart
        axes.vlines(shifted, found["low"], found["high"], color=style["color"], linewidth=1.2)
        axes.plot(shifted, found["mean"].to_numpy(), label=label, markersize=5, **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("events of each background")
    axes.set_ylabel(value_label)


def _no_ticks(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.tick_params(which="both", length=0)
