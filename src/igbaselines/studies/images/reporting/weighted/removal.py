"""Figure 2 of 2505.03201: the AUC of deletion as the least fit baselines are removed, in one run or over networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import curve
from igbaselines.reporting.rows import by_method, methods_of
from igbaselines.reporting.statistics.paired import improvement
from igbaselines.reporting.statistics.resampling import interval_of, joint_means
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import CONTROL_STYLE, Style, looks, new_figure, page_style, style_of
from igbaselines.studies.images.reporting.rows import EG, PERMUTED, WG, added_methods, removals

METRIC = "deletion_auc"
LOOKS: Mapping[str, Style] = {
    EG: {**style_of(0), "linestyle": "--"},
    WG: style_of(2),
    PERMUTED: {**CONTROL_STYLE, "linestyle": ":"},
}
PAPER_STYLE: Style = {"color": "black", "marker": "D", "linestyle": "none", "markerfacecolor": "white"}


@dataclass(frozen=True)
class Removal:
    """What is left of the AUC of deletion by the number of removed baselines."""

    auc: pd.DataFrame  # index: number removed; columns mean, low, high: the mean AUC over the images
    change: pd.DataFrame  # the same of its change from none removed [%], paired
    beside: pd.DataFrame  # the same of the methods beside, by their names: EG, WG with permuted weights, and any other
    of: str  # what the means are over

    @classmethod
    def of_run(cls, rows: pd.DataFrame) -> "Removal | None":
        """Read a run; None where it removed no baseline or lacks values."""
        table = removal_table(rows)
        return None if table is None else cls.of_tables([table], f"{len(table)} images")

    @classmethod
    def of_tables(cls, tables: Sequence[pd.DataFrame], of: str) -> "Removal":
        """Average over runs on the same data set, in the columns that all have; their images are resampled together."""
        columns = [column for column in tables[0] if all(column in table for table in tables)]
        means = np.mean([table[columns].mean().to_numpy(float) for table in tables], axis=0)
        replicates = np.mean(joint_means([table[columns] for table in tables]), axis=0)
        numbers = [place for place, column in enumerate(columns) if isinstance(column, int)]
        first = numbers[0]
        images = min(len(table) for table in tables)

        def found(values: np.ndarray, drawn: np.ndarray, places: list[int]) -> pd.DataFrame:
            low, high = interval_of(drawn, images)[:, places]
            named = pd.Index([columns[place] for place in places])
            return pd.DataFrame({"mean": values[places], "low": low, "high": high}, index=named)

        change = improvement(replicates[:, [first]], replicates, 1)
        return cls(
            auc=found(means, replicates, numbers),
            change=found(improvement(means[first], means, 1), change, numbers),
            beside=found(means, replicates, [place for place in range(len(columns)) if place not in numbers]),
            of=of,
        )

    @property
    def caption(self) -> str:
        """Say what the figure shows."""
        return (
            f"Figure 2. Mean AUC of deletion of WG without its least fit baselines: mean of {self.of}, with 95 % "
            "bootstrap intervals over the images. Images differ far more than methods do: differences are seen in the "
            "lower panel, the change from none removed with its paired interval. Diamonds: the paper's numbers (it "
            "does not say of which network)."
        )


def removal_table(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Lay out the AUC of deletion: images down; numbers removed (0: WG itself), then the methods beside, across.

    None where no baseline was removed, or an image lacks a value.
    """
    removed = removals(rows, METRIC)
    beside = [method for method in (EG, PERMUTED) if method in methods_of(rows, METRIC)] + added_methods(rows, METRIC)
    try:
        table = by_method(rows, METRIC, [*removed.values(), *beside])
    except NotTestable:
        return None
    table.columns = pd.Index([*removed, *beside], dtype=object)
    return table if removed and (table.mean() > 0).all() else None


def removal_figure(removal: Removal, printed: Mapping[int, float]) -> Figure:
    """Draw the mean AUC by the number of removed baselines, and the change from none; beside the paper's [%]."""
    numbers = removal.auc.index.to_numpy(int)
    with page_style():
        figure = new_figure(7.5, 7.5)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 3])
        curve(upper, numbers, removal.auc, LOOKS[WG], label="WG", markersize=6)
        for method, look in looks(map(str, removal.beside.index), LOOKS).items():
            found = removal.beside.loc[method]
            if method != PERMUTED:
                upper.axhspan(found["low"], found["high"], color=look["color"], alpha=0.1, linewidth=0)
            upper.axhline(found["mean"], label=plot_label(method), color=look["color"], linestyle=look["linestyle"])
        curve(lower, numbers, removal.change, LOOKS[WG], markersize=6)
        if 0 in printed:
            places = [number for number in printed if number > 0]
            change = [float(improvement(printed[0], printed[number], 1)) for number in places]
            lower.plot(places, change, label="paper", markersize=6, **PAPER_STYLE)
            lower.legend(loc="best")
        lower.axhline(0, color="black", linewidth=0.8)
        lower.set_xticks(range(max(*numbers, *printed) + 1))
        lower.xaxis.set_minor_locator(NullLocator())
        lower.set_xlabel("least fit baselines removed")
        upper.set_ylabel("mean AUC of deletion")
        lower.set_ylabel("change [%]")
        upper.legend(loc="best")
    return figure
