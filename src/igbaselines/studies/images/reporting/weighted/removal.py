"""Figure 2 of 2505.03201: the AUC of deletion as the least fit baselines are removed, in one run or over networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.statistics.resampling import interval_of, joint_means
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import add_caption, new_figure, page_style
from igbaselines.studies.hep.reporting.figures import CONTROL_STYLE, STYLES
from igbaselines.studies.images.reporting.rows import EG, PERMUTED, by_image, methods_of, removals

METRIC = "deletion_auc"
WG_STYLE, EG_STYLE = STYLES[2], STYLES[0]
PAPER_STYLE = {"color": "black", "marker": "D", "linestyle": "none", "markerfacecolor": "white"}


@dataclass(frozen=True)
class Removal:
    """What is left of the AUC of deletion by the number of removed baselines.

    Args:
        auc: index: number removed; columns value, low, high: the mean AUC over the images.
        change: the same of its change from none removed [%], paired.
        lines: method -> (value, low, high) of the methods beside: EG, and WG with permuted weights.
        of: what the means are over.
    """

    auc: pd.DataFrame
    change: pd.DataFrame
    lines: Mapping[str, tuple[float, float, float]]
    of: str

    @classmethod
    def of_run(cls, rows: pd.DataFrame) -> "Removal | None":
        """Read a run; None where it removed no baseline or lacks values."""
        table = removal_table(rows)
        return None if table is None else cls.of_tables([table], f"{len(table)} images")

    @classmethod
    def of_tables(cls, tables: Sequence[pd.DataFrame], of: str) -> "Removal":
        """Average over runs on the same data set; their images are resampled together.

        Args:
            tables: of `removal_table`, with the columns of the first.
            of: what the mean is over.
        """
        columns = [column for column in tables[0] if all(column in table for table in tables)]
        means = np.mean([table[columns].mean().to_numpy(float) for table in tables], axis=0)
        replicates = np.mean(joint_means([table[columns] for table in tables]), axis=0)
        removed = [place for place, column in enumerate(columns) if isinstance(column, int)]
        numbers = [int(str(columns[place])) for place in removed]
        first = removed[0]
        change = 100 * (replicates[:, removed] / replicates[:, [first]] - 1)
        images = min(len(table) for table in tables)
        low, high = interval_of(replicates, images)
        return cls(
            auc=_table(numbers, means[removed], interval_of(replicates[:, removed], images)),
            change=_table(numbers, 100 * (means[removed] / means[first] - 1), interval_of(change, images)),
            lines={
                str(column): (float(means[place]), float(low[place]), float(high[place]))
                for place, column in enumerate(columns)
                if place not in removed
            },
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
    """Lay out the AUC of deletion: images down; numbers removed (0: WG itself), then EG and the control, across.

    Returns:
        None where no baseline was removed, or an image lacks a value.
    """
    removed = removals(rows, METRIC)
    beside = [method for method in (EG, PERMUTED) if method in methods_of(rows, METRIC)]
    try:
        table = by_image(rows, METRIC, [*removed.values(), *beside])
    except NotTestable:
        return None
    table.columns = pd.Index([*removed, *beside], dtype=object)
    return table if removed and (table.mean() > 0).all() else None


def removal_figure(removal: Removal, printed: Mapping[int, float], statement: str) -> Figure:
    """Draw the mean AUC against the number of removed baselines, and below it the change from none removed.

    Args:
        removal: what was measured.
        printed: number removed -> the paper's AUC [%].
        statement: what the paper says of the figure; empty: nothing is printed.
    """
    with page_style():
        figure = new_figure(7.5, 7.5)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 3])
        _line(upper, removal.auc, label="WG")
        _beside(upper, removal)
        _line(lower, removal.change, label=None)
        if 0 in printed:
            places = [number for number in printed if number > 0]
            change = [100 * (printed[number] / printed[0] - 1) for number in places]
            lower.plot(places, change, label="paper", markersize=6, **PAPER_STYLE)
            lower.legend(loc="best")
        lower.axhline(0, color="black", linewidth=0.8)
        lower.set_xticks(range(max(*removal.auc.index, *printed) + 1))
        lower.xaxis.set_minor_locator(NullLocator())
        lower.set_xlabel("least fit baselines removed")
        upper.set_ylabel("mean AUC of deletion")
        lower.set_ylabel("change [%]")
        upper.legend(loc="best")
        if statement:
            add_caption(figure, statement)
    return figure


def _line(axes: Axes, table: pd.DataFrame, label: str | None) -> None:
    numbers = list(table.index)
    axes.fill_between(numbers, table["low"], table["high"], color=WG_STYLE["color"], alpha=0.15, linewidth=0)
    axes.plot(numbers, table["value"], label=label, markersize=6, **WG_STYLE)


def _beside(axes: Axes, removal: Removal) -> None:
    """Draw EG with its band, and the control as a thin line, across the whole width."""
    for method, (value, low, high) in removal.lines.items():
        look = EG_STYLE if method == EG else CONTROL_STYLE
        if method == EG:
            axes.axhspan(low, high, color=look["color"], alpha=0.1, linewidth=0)
        axes.axhline(value, label=plot_label(method), color=look["color"], linestyle="--" if method == EG else ":")


def _table(numbers: list[int], values: np.ndarray, interval: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"value": values, "low": interval[0], "high": interval[1]}, index=numbers)
