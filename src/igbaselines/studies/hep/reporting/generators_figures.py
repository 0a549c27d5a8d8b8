"""Figures of a sample of events, by its name, beside a reference: what differs, and how well they are told apart.

They are drawn from the tables of the run, and come with their captions.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import bars, grid_of, points
from igbaselines.reporting.rows import in_order
from igbaselines.reporting.style import Drawing, Style, looks, new_figure, page_style, style_of
from igbaselines.studies.hep.artifacts import TwoSamples

COLUMNS = 4  # panels of distributions side by side
WORST = 15  # features of a process
LARGEST_DIFFERENCE = 0.5  # of two correlations: where the colours end
SAMPLE, REFERENCE, FLOOR = "sample", "reference", "reference_halves"
FLOOR_WORDS = "two random halves of the reference: two samples of one distribution, of half as many events"
AUC: Style = {"color": "#222222", "marker": "", "linestyle": "-"}
HALVES: Style = {"color": "#555555", "marker": "o", "markersize": 5, "markerfacecolor": "white"}


def distributions_figure(drawn: TwoSamples, name: str) -> Drawing:
    """Draw a panel for each feature, all processes in it: the sample as a line, the reference filled."""
    columns = min(COLUMNS, len(drawn.drawn))
    with page_style():
        figure = new_figure(3.1 * columns, 2.5 * -(-len(drawn.drawn) // columns) + 0.5)
        for place, axes in enumerate(grid_of(figure, len(drawn.drawn), columns)):
            _distributions(axes, drawn.edges[place], drawn.density[:, :, place])
            axes.set_xlabel(plot_label(str(drawn.drawn[place])), loc="center")
        handles = [
            *(Patch(color=_color(place), label=str(process)) for place, process in enumerate(drawn.processes)),
            Line2D([], [], color="#333333", linewidth=1.4, label=name),
            Patch(color="#333333", alpha=0.25, linewidth=0, label=REFERENCE),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure, (
        f"Distributions of some features in {name} (lines) and in the reference sample (filled), each process "
        "normalised by itself; masses and momenta in GeV. The outermost tails are cut off."
    )


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


def correlations_figure(drawn: TwoSamples, name: str) -> Drawing:
    """Draw for each process the matrix of the sample, that of the reference, and their difference."""
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
                _part_families(axes, list(map(str, drawn.family_of)), named=axes is line[0])
                if axes is not line[0]:
                    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure, (
        f"Correlation matrices of all features in {name}, in the reference sample, and their difference, whose "
        "colours end at 0.5. Lines part the families of features."
    )


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


def auc_figure(table: pd.DataFrame, name: str) -> Drawing:
    """Draw a panel for each process: the AUC of each family of features, and hollow that of the reference's halves."""
    families = in_order(table["family"])
    with page_style():
        figure, panels = _panels(table, 1.6, 3.6, 1.2 + 0.42 * len(families), sharey=True)
        for place, (process, axes) in enumerate(panels.items()):
            of_process = table[table["process"] == process]
            for method, look in looks(in_order(of_process["method"]), {SAMPLE: AUC, FLOOR: HALVES}).items():
                found = of_process[of_process["method"] == method].set_index("family").reindex(families)
                if method == SAMPLE:
                    bars(axes, [family_words(family) for family in families], found["mean"], _color(place), start=0.5)
                points(axes, np.arange(len(families)), found, look, width=1.6 if method == SAMPLE else 1.2)
            axes.set_xlabel("AUC", loc="center")
            axes.set_xlim(right=1.0)
    return figure, (
        f"ROC AUC of boosted trees that are to tell events of {name} from events of the reference sample, given a "
        f"family of features; 0.5: they cannot. Mean over {table['folds'].max()} folds, each judged by trees that were "
        "trained on the others, with its 95 % t-interval, corrected for the training events that folds share (Nadeau "
        f"and Bengio). Hollow: the same for {FLOOR_WORDS}."
    )


def distances_figure(table: pd.DataFrame, name: str) -> Drawing:
    """Draw a panel for each process: the features that differ most, the farthest on top."""
    shown = {process: table[table["process"] == process].head(WORST) for process in in_order(table["process"])}
    with page_style():
        figure, panels = _panels(table, 0.5, 4.2, 1.2 + 0.3 * max(len(worst) for worst in shown.values()))
        for place, (process, axes) in enumerate(panels.items()):
            _distance_bars(axes, shown[process], _color(place))
            axes.set_xlabel("Kolmogorov-Smirnov distance", loc="center")
        farthest = max(float(worst.filter(regex="^distance").to_numpy(float).max()) for worst in shown.values())
        axes.set_xlim(0, 1.25 * farthest or 1)  # room for the shifts; a sample may be its own reference
    return figure, (
        f"The features whose distributions differ most between {name} and the reference sample, by the Kolmogorov-"
        "Smirnov distance: the largest difference between the two cumulative distributions. Beside each bar the shift "
        f"of the mean in standard deviations of the reference. Black: the distance between {FLOOR_WORDS}."
    )


def _distance_bars(axes: Axes, table: pd.DataFrame, color: str) -> None:
    bars(axes, [plot_label(name) for name in table["feature"]], table["distance"], color)
    beside = {name: name.removeprefix("distance_") for name in map(str, table) if name.startswith("distance_")}
    places = np.arange(len(table))
    for (column, _), look in zip(beside.items(), looks(beside.values(), {FLOOR: AUC}).values(), strict=True):
        axes.vlines(table[column], places - 0.35, places + 0.35, color=look["color"], linewidth=1.6)
    ends = table[["distance", *beside]].max(axis=1)
    for place, (end, shift) in enumerate(zip(ends, table["mean_shift"], strict=True)):
        words = f" {shift:+.2f}" if np.isfinite(shift) else ""
        axes.text(end, place, words, va="center", ha="left", fontsize=9)


def _panels(
    table: pd.DataFrame, beside: float, width: float, height: float, **shared: bool
) -> tuple[Figure, dict[str, Axes]]:
    """Start a figure with a panel for each process."""
    processes = in_order(table["process"])
    figure = new_figure(beside + width * len(processes), height)
    panels = dict(zip(processes, grid_of(figure, len(processes), len(processes), sharex=True, **shared), strict=True))
    for process, axes in panels.items():
        axes.set_title(process)
    return figure, panels


def family_words(family: str) -> str:
    """A family's name as it is printed."""
    return family.replace("_", " ").replace("$", r"\$")


def _color(place: int) -> str:
    return str(style_of(place)["color"])
