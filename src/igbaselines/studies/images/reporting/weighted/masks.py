"""Fitness mask by metric mask: how far WG leads where it is judged by the mask that made it, and elsewhere."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from igbaselines.reporting.plots import legend_above, name_lines, points
from igbaselines.reporting.rows import look_up, select
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import require_finite
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import GREY, Style, looks, new_figure, page_style
from igbaselines.studies.images.reporting.rows import BY_MASK, EG, METRICS, WG

NOTHING = "nothing"  # is masked by overlap
MEASURED = ("deletion_auc", "insertion_auc", "overlap_auc")
OWN = "*"
CAPTION = (
    "WG's improvement over EG by what the metric masks pixels with, for each mask of WG's fitness: of the mean over "
    "the images, with its paired 95 % bootstrap interval. Filled: the metric masks as the fitness did, the circle. "
    "Overlap with the object masks nothing."
)


Pair = tuple[str, str]  # the mask of the fitness, and that of the metric


@dataclass(frozen=True)
class Crossed:
    """The areas of one metric by masks, for each image."""

    eg: Mapping[str, "pd.Series[float]"]  # by the mask of the metric
    wg: Mapping[Pair, "pd.Series[float]"]
    sign: int  # turns the metric so that more is better

    @classmethod
    def of(cls, rows: pd.DataFrame, metric: str) -> "Crossed":
        """Read a metric of a run, by the name that it has in the rows.

        Raises:
            NotTestable: where it was not measured by masks, or a value is missing.
        """
        if not rows["metric"].str.endswith(BY_MASK).any():
            raise NotTestable("nothing was measured by masks: evaluation/masks=three names some")
        eg, wg = (_by_masks(select(rows, metric, method)) for method in (EG, WG))
        require_finite(pd.DataFrame({**eg, **wg}).to_numpy(float))
        sign = look_up(metric.removesuffix(BY_MASK), METRICS).sign
        return cls({mask: values for (_, mask), values in eg.items()}, wg, sign)

    @property
    def fitness(self) -> list[str]:
        """The masks of the fitness."""
        return list(dict.fromkeys(fitness for fitness, _ in self.wg))

    @property
    def leads(self) -> dict[Pair, "pd.Series[float]"]:
        """By how much WG is better than EG."""
        return {pair: self.sign * (values - self.eg[pair[1]]) for pair, values in self.wg.items()}

    def improvement(self, pair: Pair) -> dict[str, float]:
        """WG's improvement over EG in percent with the ends of its interval; NaN where there is none."""
        eg, wg = (values.sort_index().to_numpy(float) for values in (self.eg[pair[1]], self.wg[pair]))
        found = dict.fromkeys(("mean", "low", "high"), np.nan)
        if eg.mean():
            found["mean"] = float(paired.improvement(eg.mean(), wg.mean(), self.sign))
        with suppress(NotTestable):
            of = paired.relative_improvement(eg, wg, self.sign)
            found = {"mean": of.value, "low": of.low, "high": of.high}
        return found


def _by_masks(rows: pd.DataFrame) -> dict[Pair, "pd.Series[float]"]:
    """Values by image, of each pair of masks in the order of the rows."""
    masks = rows.reindex(columns=["fitness_mask", "metric_mask"]).fillna(NOTHING).astype(str)
    pairs = list(zip(*(masks[column] for column in masks), strict=True))
    each = {pair: rows[[one == pair for one in pairs]] for pair in dict.fromkeys(pairs)}
    return {(fitness, mask): of.set_index("unit")["value"].astype(float) for (fitness, mask), of in each.items()}


def crossed(rows: pd.DataFrame) -> dict[str, Crossed]:
    """Every metric that was measured by masks, by its name without."""
    found = {}
    for metric in MEASURED:
        with suppress(NotTestable):
            found[metric] = Crossed.of(rows, metric + BY_MASK)
    return found


def masks_table(measured: Mapping[str, Crossed]) -> pd.DataFrame:
    """The two-way table of each metric: masks of the fitness down, those of the metric across; OWN where they agree."""
    lines = []
    for metric, of in measured.items():
        for fitness in of.fitness:
            line = {"metric": METRICS[metric].label, "fitness_mask": fitness}
            lines.append(line | {mask: _cell(of.improvement((fitness, mask)), mask == fitness) for mask in of.eg})
    return pd.DataFrame(lines).fillna("")


def _cell(found: Mapping[str, float], own: bool) -> str:
    """An improvement with its interval, where there is one."""
    interval = "" if np.isnan(found["low"]) else " ({low:.1f} to {high:.1f})".format(**found)
    return f"{found['mean']:.1f}{interval}{OWN if own else ''}"


def masks_figure(measured: Mapping[str, Crossed]) -> Figure | None:
    """Draw the improvement over EG: a line for each metric and its mask, a colour for each mask of the fitness."""
    lines = [(metric, mask) for metric, of in measured.items() for mask in of.eg]
    if not lines:
        return None
    fitness = next(iter(measured.values())).fitness
    styles: dict[str, Style] = {name: dict(look) | {"linestyle": "none"} for name, look in looks(fitness).items()}
    with page_style():
        figure = new_figure(7.5, 1.4 + 0.5 * len(lines))
        axes = figure.subplots()
        axes.axvline(0, color="black", linewidth=0.8)
        for line, (metric, mask) in enumerate(lines):
            for place, (name, look) in enumerate(styles.items()):
                height = line + 0.6 * ((place + 0.5) / len(styles) - 0.5)
                table = pd.DataFrame([measured[metric].improvement((name, mask))])
                points(axes, [height], table, look, markerfacecolor=look["color"] if name == mask else "white")
            if line and metric != lines[line - 1][0]:
                axes.axhline(line - 0.5, color=GREY, linewidth=0.5)
        name_lines(axes, [_line(metric, mask) for metric, mask in lines])
        axes.set_xlabel("improvement of WG over EG [%]")
        legend_above(figure, styles, label=lambda name: f"fitness: {_words(name)}")
    return figure


def _line(metric: str, mask: str) -> str:
    name = METRICS[metric].label.removeprefix("AUC of ")
    return name if mask == NOTHING else f"{name}, mask: {_words(mask)}"


def _words(mask: str) -> str:
    return mask.replace("_", " ")
