"""How much WG improves on EG, run by run and by what differs between runs: where its advantage comes from."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.statistics.resampling import interval_of
from igbaselines.reporting.style import new_figure, page_style
from igbaselines.studies.hep.reporting.figures import STYLES, Style
from igbaselines.studies.images.reporting.rows import EG, METRICS, PERMUTED, WG
from igbaselines.studies.images.reporting.weighted.factors import Factor

LOOKS: dict[str, Style] = {
    WG: {"color": STYLES[2]["color"], "marker": "o"},
    PERMUTED: {"color": "#777777", "marker": "x"},
}
PAPER_LOOK: Style = {"color": "black", "marker": "D", "markerfacecolor": "white", "markersize": 6, "linestyle": "none"}
LINE = 0.36  # inches of a line of the figures
LONGEST = 40  # characters of a label before it is broken

SWEEP_CAPTION = (
    "Where WG's advantage over EG comes from: its improvement by each setting that differs between the runs, as the "
    "mean over the runs with that level, whatever else they differ in, with its 95 % bootstrap interval over the "
    "images (drawn together for all runs on the same data); small points are single runs. Crosses: the control, WG's "
    "weights permuted among the baselines."
)


@dataclass(frozen=True)
class Improvement:
    """By how many percent a method's mean is better than EG's in a run.

    Args:
        place: of the run.
        method: the method.
        value: the improvement.
        replicates: (b,), of bootstrap draws of the images; NaN for a single image.
        images: their number.
    """

    place: int
    method: str
    value: float
    replicates: Float[np.ndarray, " b"]
    images: int

    @classmethod
    def of(
        cls, place: int, method: str, metric: str, table: pd.DataFrame, means: Float[np.ndarray, "b methods"]
    ) -> "Improvement":
        """Compare with EG.

        Args:
            place: of the run.
            method: the method.
            metric: one of METRICS, which know the direction.
            table: images down, methods across.
            means: bootstrap replicates of the means of its columns.
        """
        sign = 1 if METRICS[metric].lower_is_better else -1
        mine, reference = (list(table.columns).index(name) for name in (method, EG))
        value = 100 * sign * (1 - table[method].mean() / table[EG].mean())
        drawn = np.where(means[:, reference] > 0, means[:, reference], np.nan)
        return cls(place, method, float(value), 100 * sign * (1 - means[:, mine] / drawn), len(table))

    @staticmethod
    def mean(improvements: Sequence["Improvement"]) -> tuple[float, float, float]:
        """Average over runs whose replicates are of the same draws: the value and its interval."""
        value = float(np.mean([found.value for found in improvements]))
        images = min(found.images for found in improvements)
        low, high = interval_of(np.mean([found.replicates for found in improvements], axis=0), images)
        return value, float(low), float(high)


def forest_figure(
    measured: Mapping[str, Sequence[Improvement]], names: Sequence[str], paper: Mapping[str, Sequence[float]]
) -> Figure:
    """Draw every run's improvement with its interval, beside the paper's.

    Args:
        measured: metric -> improvements of the runs.
        names: of all runs.
        paper: metric -> the paper's improvement for the network of each run, NaN where it has none [%].
    """
    with page_style():
        figure, panels = _panels(measured, list(names))
        for panel, (metric, improvements) in zip(panels, measured.items(), strict=True):
            for found in improvements:
                if found.method == WG:
                    _mark(panel, float(found.place), Improvement.mean([found]), WG)
            panel.plot(paper[metric], np.arange(len(names)), **PAPER_LOOK)
        panels[0].plot([], [], label="WG (ours)", linestyle="none", **LOOKS[WG])
        panels[0].plot([], [], label="paper", **PAPER_LOOK)
        _legend(figure)
    return figure


def sweep_figure(measured: Mapping[str, Sequence[Improvement]], factors: Sequence[Factor]) -> Figure:
    """Draw the mean improvement at every level of every factor, of WG and of the control.

    Args:
        measured: metric -> improvements of the runs.
        factors: what differs between the runs.
    """
    lines: list[tuple[str, list[int] | None]] = []
    for factor in factors:
        lines.append((_heading(factor), None))
        lines += [(level, _places(factor, level)) for level in dict.fromkeys(factor.levels)]
    with page_style():
        figure, panels = _panels(measured, [name for name, _ in lines])
        for panel, improvements in zip(panels, measured.values(), strict=True):
            for line, (_, members) in enumerate(lines):
                if members is not None:
                    _level(panel, line, [found for found in improvements if found.place in members])
        for line, tick in enumerate(panels[0].get_yticklabels()):
            tick.set_fontweight("bold" if lines[line][1] is None else "normal")
        for method, label in ((WG, "WG"), (PERMUTED, plot_label(PERMUTED))):
            panels[0].plot([], [], label=label, linestyle="none", **LOOKS[method])
        _legend(figure)
    return figure


def _places(factor: Factor, level: str) -> list[int]:
    return [place for place, found in enumerate(factor.levels) if found == level]


def _heading(factor: Factor) -> str:
    return f"{factor.name} (and with it {', '.join(factor.also)})" if factor.also else factor.name


def _level(axes: Axes, line: int, improvements: Sequence[Improvement]) -> None:
    """Draw single runs small, and the mean of each method with its interval."""
    for method, shift in ((WG, -0.12), (PERMUTED, 0.16)):
        of_method = [found for found in improvements if found.method == method]
        if not of_method:
            continue
        _mark(axes, line + shift, Improvement.mean(of_method), method)
        if len(of_method) > 1:
            values = [found.value for found in of_method]
            axes.plot(
                values,
                np.full(len(values), line + shift),
                color=LOOKS[method]["color"],
                marker=".",
                markersize=4,
                alpha=0.6,
                linestyle="none",
            )


def _mark(axes: Axes, line: float, found: tuple[float, float, float], method: str) -> None:
    value, low, high = found
    axes.hlines(line, low, high, color=LOOKS[method]["color"], linewidth=1.6)
    axes.plot([value], [line], markersize=7, **LOOKS[method])


def _panels(measured: Mapping[str, Sequence[Improvement]], names: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Start a panel for each metric, with one line for each name, the first on top."""
    wrapped = ["\n".join(textwrap.wrap(plot_label(name), LONGEST)) for name in names]
    lines = sum(1 + 0.6 * label.count("\n") for label in wrapped)
    figure = new_figure(4.5 + 3 * len(measured), 1.5 + LINE * lines)
    panels = list(figure.subplots(1, len(measured), sharey=True, squeeze=False)[0])
    for panel, metric in zip(panels, measured, strict=True):
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set_title(METRICS[metric].label)
        panel.set_xlabel("improvement over EG [%]")
        panel.tick_params(axis="y", which="both", length=0)
    panels[0].set_yticks(range(len(names)), wrapped)
    panels[0].yaxis.set_minor_locator(NullLocator())
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    return figure, panels


def _legend(figure: Figure) -> None:
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
