"""Figures of a sample of events beside a reference: distributions, correlations, and how well they are told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import new_figure, page_style
from igbaselines.studies.hep.reporting.figures import STYLES

COLUMNS = 4  # panels of distributions side by side
WORST = 15  # features of a process
LARGEST_DIFFERENCE = 0.5  # of two correlations: where the colours end
REFERENCE = "reference"


@dataclass(frozen=True)
class Drawn:
    """What the experiment left to be drawn; of two samples, the reference is the second.

    Args:
        processes: names.
        family_of: of each feature.
        correlations: of all features.
        drawn: features whose distributions are there.
        edges: of their bins.
        density: in each bin.
    """

    processes: list[str]
    family_of: list[str]
    correlations: Float[np.ndarray, "2 processes d d"]
    drawn: list[str]
    edges: Float[np.ndarray, "drawn edges"]
    density: Float[np.ndarray, "2 processes drawn bins"]


def load_drawn(path: Path) -> Drawn:
    """Read `comparison.npz`; nothing in the file is run."""
    with np.load(path, allow_pickle=False) as file:
        return Drawn(
            processes=[str(name) for name in file["processes"]],
            family_of=[str(name) for name in file["family_of"]],
            correlations=file["correlations"].astype(float),
            drawn=[str(name) for name in file["drawn"]],
            edges=file["edges"].astype(float),
            density=file["density"].astype(float),
        )


def distributions_figure(drawn: Drawn, name: str) -> Figure:
    """Draw a panel for each feature, all processes in it: the sample as a line, the reference filled.

    Args:
        drawn: distributions of both.
        name: of the sample.
    """
    columns = min(COLUMNS, len(drawn.drawn))
    lines = -(-len(drawn.drawn) // columns)
    with page_style():
        figure = new_figure(3.1 * columns, 2.5 * lines + 0.5)
        panels = figure.subplots(lines, columns, squeeze=False).flat
        for place, feature in enumerate(drawn.drawn):
            _distributions(panels[place], drawn.edges[place], drawn.density[:, :, place])
            panels[place].set_xlabel(plot_label(feature), loc="center")
        for panel in panels[len(drawn.drawn) :]:
            panel.set_visible(False)
        handles = [
            *(Patch(color=_color(place), label=process) for place, process in enumerate(drawn.processes)),
            Line2D([], [], color="#333333", linewidth=1.4, label=name),
            Patch(color="#333333", alpha=0.25, linewidth=0, label=REFERENCE),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _distributions(
    axes: Axes, edges: Float[np.ndarray, " edges"], density: Float[np.ndarray, "2 processes bins"]
) -> None:
    for place, (sample, reference) in enumerate(zip(*density, strict=True)):
        axes.stairs(reference, edges, fill=True, color=_color(place), alpha=0.25, linewidth=0)
        axes.stairs(sample, edges, color=_color(place), linewidth=1.4)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(4))


def correlations_figure(drawn: Drawn, name: str) -> Figure:
    """Draw for each process the matrix of the sample, that of the reference, and their difference.

    Args:
        drawn: correlation matrices of both.
        name: of the sample.
    """
    with page_style():
        figure = new_figure(13.0, 4.0 * len(drawn.processes) + 0.3)
        panels = figure.subplots(len(drawn.processes), 3, squeeze=False)
        for place, (process, line) in enumerate(zip(drawn.processes, panels, strict=True)):
            sample, reference = drawn.correlations[:, place]
            for axes, matrix, words, limit in (
                (line[0], sample, name, 1.0),
                (line[1], reference, REFERENCE, 1.0),
                (line[2], sample - reference, "difference", LARGEST_DIFFERENCE),
            ):
                image = axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
                axes.set_title(f"{process}: {words}")
                _part_families(axes, drawn.family_of, named=axes is line[0])
                if axes is not line[0]:
                    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def _part_families(axes: Axes, family_of: Sequence[str], named: bool) -> None:
    """Draw a line where the next family of features begins, and name them on the left."""
    runs = [(family, len(list(members))) for family, members in groupby(family_of)]
    ends = np.cumsum([length for _, length in runs])
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color="#555555", linewidth=0.5)
        axes.axvline(end - 0.5, color="#555555", linewidth=0.5)
    middles = ends - np.array([length for _, length in runs]) / 2 - 0.5
    axes.set_xticks([])
    axes.set_yticks(middles if named else [], [family_words(family) for family, _ in runs] if named else [])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", length=0)


def auc_figure(table: pd.DataFrame) -> Figure:
    """Draw a panel for each process: the AUC of each family of features, and hollow that of the reference's halves.

    Args:
        table: columns process, family; auc, low, high; and these with the ending `_reference_halves`.
    """
    processes = list(dict.fromkeys(table["process"]))
    with page_style():
        figure = new_figure(1.6 + 3.6 * len(processes), 1.2 + 0.42 * table["family"].nunique())
        panels = figure.subplots(1, len(processes), sharex=True, sharey=True, squeeze=False)[0]
        for place, (axes, process) in enumerate(zip(panels, processes, strict=True)):
            _auc_bars(axes, table[table["process"] == process], _color(place))
            axes.set_title(process)
            axes.set_xlabel("AUC", loc="center")
    return figure


def _auc_bars(axes: Axes, table: pd.DataFrame, color: str) -> None:
    places = np.arange(len(table))
    axes.barh(places, table["auc"] - 0.5, left=0.5, height=0.7, color=color, alpha=0.85)
    axes.hlines(places, table["low"], table["high"], color="#222222", linewidth=1.6)
    axes.hlines(places, table["low_reference_halves"], table["high_reference_halves"], color="#777777", linewidth=1.2)
    axes.plot(
        table["auc_reference_halves"].to_numpy(), places, "o", markersize=5, color="#555555", markerfacecolor="white"
    )
    axes.axvline(0.5, color="black", linewidth=0.8)
    _name_lines(axes, [family_words(family) for family in table["family"]])
    axes.set_xlim(right=1.0)


def distances_figure(table: pd.DataFrame) -> Figure:
    """Draw a panel for each process: the features that differ most, the farthest on top.

    Args:
        table: columns process, feature, distance, distance_reference_halves, mean_shift; the farthest first.
    """
    processes = list(dict.fromkeys(table["process"]))
    shown = {process: table[table["process"] == process].head(WORST) for process in processes}
    with page_style():
        figure = new_figure(0.5 + 4.2 * len(processes), 1.2 + 0.3 * max(len(worst) for worst in shown.values()))
        panels = figure.subplots(1, len(processes), sharex=True, squeeze=False)[0]
        for place, (axes, process) in enumerate(zip(panels, processes, strict=True)):
            _distance_bars(axes, shown[process], _color(place))
            axes.set_title(process)
            axes.set_xlabel("Kolmogorov-Smirnov distance", loc="center")
        panels[0].set_xlim(0, 1.25 * max(worst["distance"].max() for worst in shown.values()))  # room for the shifts
    return figure


def _distance_bars(axes: Axes, table: pd.DataFrame, color: str) -> None:
    places = np.arange(len(table))
    axes.barh(places, table["distance"], height=0.7, color=color, alpha=0.85)
    axes.vlines(table["distance_reference_halves"], places - 0.35, places + 0.35, color="black", linewidth=1.6)
    ends = table[["distance", "distance_reference_halves"]].max(axis=1)
    for place, (end, shift) in enumerate(zip(ends, table["mean_shift"], strict=True)):
        words = f" {shift:+.2f}" if np.isfinite(shift) else ""
        axes.text(end, place, words, va="center", ha="left", fontsize=9)
    _name_lines(axes, [plot_label(name) for name in table["feature"]])


def _name_lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(np.arange(len(names)), names)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)  # the first on top


def family_words(family: str) -> str:
    """A family's name as it is printed."""
    return family.replace("_", " ").replace("$", r"\$")


def _color(place: int) -> str:
    return str(STYLES[place % len(STYLES)]["color"])
