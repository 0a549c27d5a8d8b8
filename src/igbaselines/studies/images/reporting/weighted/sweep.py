"""How much WG improves on EG, run by run and by what differs between runs: where its advantage comes from."""

import textwrap
from collections.abc import Container, Mapping, Sequence
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
from igbaselines.reporting.statistics.resampling import interval_of, joint_means
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


Key = tuple[int, str]  # place of a run, and method


@dataclass(frozen=True)
class Improvements:
    """By how many percent methods' means are better than EG's, in runs on the same data set."""

    values: Mapping[Key, float]  # of each run and method
    # (b,) each, of bootstrap draws of the images, the same for all runs, so that their average has an honest
    # interval; NaN for a single image
    replicates: Mapping[Key, Float[np.ndarray, " b"]]
    images: int  # the least number of any run

    @classmethod
    def of(cls, tables: Mapping[int, pd.DataFrame], metric: str) -> "Improvements":
        """Compare with EG: tables by the places of runs, images down and methods across; METRICS know the direction."""
        sign = look_up(metric, METRICS).sign
        values, replicates = {}, {}
        for (place, table), means in zip(tables.items(), joint_means(list(tables.values())), strict=True):
            reference = means[:, list(table).index(EG)]
            drawn = np.where(reference > 0, reference, np.nan)
            for column, method in enumerate(map(str, table)):
                if method != EG:
                    values[place, method] = float(improvement(table[EG].mean(), table[method].mean(), sign))
                    replicates[place, method] = improvement(drawn, means[:, column], sign)
        return cls(values, replicates, min(map(len, tables.values())))

    def keys(self, method: str, places: Container[int] | None = None) -> list[Key]:
        """Find where a method was measured, in all runs or in some."""
        return [key for key in self.values if key[1] == method and (places is None or key[0] in places)]

    def mean(self, keys: Sequence[Key]) -> tuple[float, float, float]:
        """Average over runs: the value and the ends of its interval."""
        value = float(np.mean([self.values[key] for key in keys]))
        low, high = interval_of(np.mean([self.replicates[key] for key in keys], axis=0), self.images)
        return value, float(low), float(high)


Measured = Mapping[str, Improvements]  # by metric


def methods_in(measured: Measured) -> list[str]:
    """List the methods that were compared with EG: WG, its control, and any others."""
    return in_order((method for found in measured.values() for _, method in found.values), (WG, PERMUTED))


def forest_figure(measured: Measured, names: Sequence[str], paper: Mapping[str, Sequence[float]]) -> Figure:
    """Draw every run's improvement with its interval, but no control's, beside the paper's [%] (NaN: it has none)."""
    styles = looks([method for method in methods_in(measured) if method != PERMUTED], LOOKS)
    with page_style():
        figure, panels = _panels(measured, list(names))
        for panel, (metric, found) in zip(panels, measured.items(), strict=True):
            for place in range(len(names)):
                _line(panel, place, found, [place], styles)
            panel.plot(paper[metric], np.arange(len(names)), **PAPER)
        names_of = {WG: "WG (ours)"}
        legend_above(figure, {**styles, "paper": PAPER}, label=lambda name: names_of.get(name) or plot_label(name))
    return figure


def sweep_figure(measured: Measured, factors: Sequence[Factor]) -> Figure:
    """Draw the mean improvement at every level of every factor, of WG, of the control, and of any other method."""
    lines: list[tuple[str, list[int]]] = []
    for factor in factors:
        lines.append((f"{factor.name} (and with it {', '.join(factor.also)})" if factor.also else factor.name, []))
        of_levels = {level: np.flatnonzero(np.array(factor.levels) == level).tolist() for level in factor.levels}
        lines += of_levels.items()
    styles = looks(methods_in(measured), LOOKS)
    with page_style():
        figure, panels = _panels(measured, [name for name, _ in lines])
        for panel, found in zip(panels, measured.values(), strict=True):
            for line, (_, places) in enumerate(lines):
                _line(panel, line, found, places, styles)
        for tick, (_, places) in zip(panels[0].get_yticklabels(), lines, strict=True):
            tick.set_fontweight("normal" if places else "bold")
        legend_above(figure, styles)
    return figure


def _line(axes: Axes, line: int, found: Improvements, places: Sequence[int], styles: Mapping[str, Style]) -> None:
    """Draw each method's mean over some runs with its interval, and where there are several the single ones small."""
    for turn, (method, look) in enumerate(styles.items()):
        if not (keys := found.keys(method, places)):
            continue
        height = line + 0.56 * (turn - (len(styles) - 1) / 2) / max(2, len(styles))  # keeps methods apart
        points(axes, [height], pd.DataFrame([found.mean(keys)], columns=["mean", "low", "high"]), look, markersize=7)
        if len(keys) > 1:
            values = [found.values[key] for key in keys]
            axes.plot(values, [height] * len(values), ".", color=look["color"], markersize=4, alpha=0.6)


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
