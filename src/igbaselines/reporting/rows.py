"""Reading measured rows, whatever was measured: choosing them, laying them out, and what metrics are called."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.reporting.labels import metric_of_run
from igbaselines.reporting.statistics.estimates import require_finite
from igbaselines.reporting.statistics.verdicts import NotTestable

POOLED = "pooled"  # the unit of what was measured once for all units together


@dataclass(frozen=True)
class MetricLook:
    """What a metric is called, and in which direction it is better; None: in neither, or nobody said."""

    label: str
    better: str | None = None  # lower or higher

    @property
    def sign(self) -> int:
        """What turns a metric so that more is better; an unknown direction stays as it is."""
        return -1 if self.better == "lower" else 1


def look_up(metric: str, known: Mapping[str, MetricLook]) -> MetricLook:
    """What is known of a metric, or else what its run says; one that nobody knows is called by its name."""
    if metric in known:
        return known[metric]
    said = metric_of_run(metric) or {"label": metric.replace("_", " "), "better": ""}
    return MetricLook(said["label"], said["better"] or None)


def in_order(found: Iterable[Any], first: Sequence[str] = ()) -> list[str]:
    """List names once: those that are known in their order, then all others in the order in which they come."""
    names = dict.fromkeys(str(name) for name in found if name is not None and name == name)  # NaN is not itself
    return [*(name for name in first if name in names), *(name for name in names if name not in first)]


def methods_of(rows: pd.DataFrame, metric: str, first: Sequence[str] = ()) -> list[str]:
    """List the methods that a metric was measured of."""
    return in_order(rows.loc[rows["metric"] == metric, "method"], first)


def choose(rows: pd.DataFrame, where: Mapping[str, str | int | float]) -> pd.DataFrame:
    """Take the rows that have the given values in their columns; none where a column is missing."""
    kept = pd.Series(True, index=rows.index)
    for column, value in where.items():
        # A column of the other studies' rows is null, and what null equals is not known.
        kept &= (rows[column] == value).fillna(False).astype(bool) if column in rows else False
    return rows[kept]


def select(rows: pd.DataFrame, metric: str, method: str) -> pd.DataFrame:
    """Take the rows of one metric and method.

    Raises:
        NotTestable: where there are none.
    """
    found = rows[(rows["metric"] == metric) & (rows["method"] == method)]
    if found.empty:
        raise NotTestable(f"the run has no {metric!r} of method {method!r}")
    return found


def by_unit(rows: pd.DataFrame, metric: str, method: str, index: str) -> pd.DataFrame:
    """Lay out one metric and method as a table: `index` (feature or k) down, units across.

    Raises:
        NotTestable: where there are no rows.
    """
    return select(rows, metric, method).pivot(index=index, columns="unit", values="value").sort_index()


def by_method(rows: pd.DataFrame, metric: str, methods: Sequence[str]) -> pd.DataFrame:
    """Lay out a metric: units down, methods across.

    Raises:
        NotTestable: where a method was not measured, or a unit has two values or lacks one: what is left would hide it.
    """
    table = _by_method(rows, metric, methods)
    require_finite(table.to_numpy(float))
    return table


def by_finite_unit(rows: pd.DataFrame, metric: str, methods: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Lay out a metric over the units on which all methods have a finite value, and count the units left out.

    For tables, which print that count; a claim is not judged on a part of the units.

    Raises:
        NotTestable: where a method was not measured, or a unit has two values.
    """
    table = _by_method(rows, metric, methods)
    finite = np.isfinite(table.to_numpy(float)).all(axis=1)
    return table[finite], int((~finite).sum())


def _by_method(rows: pd.DataFrame, metric: str, methods: Sequence[str]) -> pd.DataFrame:
    columns = {method: select(rows, metric, method).set_index("unit")["value"] for method in methods}
    for method, column in columns.items():
        if not column.index.is_unique:
            twice = column.index[column.index.duplicated()][0]
            raise NotTestable(f"{twice!r} has several values of {metric!r} of {method!r}: choose among them")
    return pd.DataFrame(columns).sort_index().astype(float)


def unit_name(units: Iterable[object]) -> str:
    """Name what a unit is: `network` for network_0, network_1, ...; `unit` where they share no name."""
    names = {re.sub(r"_\d+$", "", str(unit)) for unit in units}
    return names.pop() if len(names) == 1 else "unit"
