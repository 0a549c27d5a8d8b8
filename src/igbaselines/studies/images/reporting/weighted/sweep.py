"""How much WG improves on EG, run by run and by what differs between runs: where its advantage comes from."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import legend_above, name_lines, points
from igbaselines.reporting.rows import in_order, look_up
from igbaselines.reporting.statistics.paired import improvement
from igbaselines.reporting.statistics.resampling import interval_of
from igbaselines.reporting.style import BLUE, GREY, Style, looks, new_figure, page_style
from igbaselines.studies.images.reporting.rows import EG, METRICS, PERMUTED, WG
from igbaselines.studies.images.reporting.weighted.factors import Factor

LOOKS: Mapping[str, Style] = {
    WG: {"color": BLUE, "marker": "o", "linestyle": "none"},
    PERMUTED: {"color": GREY, "marker": "x", "linestyle": "none"},
}
PAPER: Style = {"color": "black", "marker": "D", "markerfacecolor": "white", "markersize": 6, "linestyle": "none"}
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
            metric: its name; METRICS know the direction.
            table: images down, methods across.
            means: bootstrap replicates of the means of its columns.
        """
        sign = look_up(metric, METRICS).sign
        mine, reference = (list(table.columns).index(name) for name in (method, EG))
        value = improvement(table[EG].mean(), table[method].mean(), sign)
        drawn = np.where(means[:, reference] > 0, means[:, reference], np.nan)
        return cls(place, method, float(value), improvement(drawn, means[:, mine], sign), len(table))

    @staticmethod
    def mean(improvements: Sequence["Improvement"]) -> tuple[float, float, float]:
        """Average over runs whose replicates are of the same draws: the value and its interval."""
        value = float(np.mean([found.value for found in improvements]))
        images = min(found.images for found in improvements)
        low, high = interval_of(np.mean([found.replicates for found in improvements], axis=0), images)
        return value, float(low), float(high)


Measured = Mapping[str, Sequence[Improvement]]  # metric -> improvements of the runs


def methods_in(measured: Measured) -> list[str]:
    """List the methods that were compared with EG: WG, its control, and any others."""
    return in_order((found.method for improvements in measured.values() for found in improvements), (WG, PERMUTED))


def forest_figure(measured: Measured, names: Sequence[str], paper: Mapping[str, Sequence[float]]) -> Figure:
    """Draw every run's improvement with its interval, beside the paper's; the control is left to the sweep.

    Args:
        measured: what the runs measured.
        names: of all runs.
        paper: metric -> the paper's improvement for the network of each run, NaN where it has none [%].
    """
    styles = looks([method for method in methods_in(measured) if method != PERMUTED], LOOKS)
    with page_style():
        figure, panels = _panels(measured, list(names))
        for panel, (metric, improvements) in zip(panels, measured.items(), strict=True):
            for shift, (method, look) in zip(_shifts(styles), styles.items(), strict=True):
                for found in improvements:
                    if found.method == method:
                        _mark(panel, found.place + shift, [found], look)
            panel.plot(paper[metric], np.arange(len(names)), **PAPER)
        legend_above(
            figure, {**styles, "paper": PAPER}, label=lambda name: "WG (ours)" if name == WG else plot_label(name)
        )
    return figure


def sweep_figure(measured: Measured, factors: Sequence[Factor]) -> Figure:
    """Draw the mean improvement at every level of every factor, of WG, of the control, and of any other method.

    Args:
        measured: what the runs measured.
        factors: what differs between the runs.
    """
    lines: list[tuple[str, set[int]]] = []
    for factor in factors:
        lines.append((f"{factor.name} (and with it {', '.join(factor.also)})" if factor.also else factor.name, set()))
        levels = enumerate(factor.levels)
        places = {level: {place for place, found in enumerate(factor.levels) if found == level} for _, level in levels}
        lines += places.items()
    styles = looks(methods_in(measured), LOOKS)
    with page_style():
        figure, panels = _panels(measured, [name for name, _ in lines])
        for panel, improvements in zip(panels, measured.values(), strict=True):
            for line, (_, members) in enumerate(lines):
                for shift, (method, look) in zip(_shifts(styles), styles.items(), strict=True):
                    of_level = [one for one in improvements if one.place in members and one.method == method]
                    _mark(panel, line + shift, of_level, look)
        for tick, (_, members) in zip(panels[0].get_yticklabels(), lines, strict=True):
            tick.set_fontweight("normal" if members else "bold")
        legend_above(figure, styles)
    return figure


def _shifts(styles: Mapping[str, Style]) -> Iterable[float]:
    """Keep the methods of a line apart."""
    return [0.28 * (place - (len(styles) - 1) / 2) / max(1, len(styles) / 2) for place in range(len(styles))]


def _mark(axes: Axes, line: float, improvements: Sequence[Improvement], look: Style) -> None:
    """Draw the mean of several runs with its interval, and where there are several the single ones small."""
    if not improvements:
        return
    mean = pd.DataFrame([Improvement.mean(improvements)], columns=["mean", "low", "high"])
    points(axes, [line], mean, look, markersize=7)
    if len(improvements) > 1:
        values = [found.value for found in improvements]
        axes.plot(values, np.full(len(values), line), ".", color=look["color"], markersize=4, alpha=0.6)


def _panels(measured: Measured, names: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Start a panel for each metric, with one line for each name, the first on top."""
    wrapped = ["\n".join(textwrap.wrap(plot_label(name), LONGEST)) for name in names]
    lines = sum(1 + 0.6 * label.count("\n") for label in wrapped)
    figure = new_figure(4.5 + 3 * len(measured), 1.5 + LINE * lines)
    panels = list(figure.subplots(1, len(measured), sharey=True, squeeze=False)[0])
    for panel, metric in zip(panels, measured, strict=True):
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set_title(look_up(metric, METRICS).label)
        panel.set_xlabel("improvement over EG [%]")
        panel.tick_params(axis="y", which="both", length=0)
    name_lines(panels[0], wrapped)
    return figure, panels
