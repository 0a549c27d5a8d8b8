"""Reading the rows of the image experiments: methods, metrics, and values by image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from igbaselines.reporting.statistics.estimates import require_finite
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.studies.hep.reporting.curves import select

EG = "expected_gradients"
WG = "weighted_gradients"
FILTERED = "filtered_weighted_gradients"
PERMUTED = "permuted_weights"
IG = "ig"
REMOVED = "removed_"


@dataclass(frozen=True)
class Metric:
    """A metric of an attribution of an image: what it is called, and in which direction it is better."""

    label: str
    lower_is_better: bool


METRICS = {
    "deletion_auc": Metric("AUC of deletion", lower_is_better=True),
    "overlap_auc": Metric("AUC of overlap", lower_is_better=False),
    "insertion_auc": Metric("AUC of insertion", lower_is_better=False),
    "pointing_game": Metric("pointing game", lower_is_better=False),
    "map_variance": Metric("relative variance of the map", lower_is_better=True),
    "consistency": Metric("consistency between networks", lower_is_better=False),
    "completeness_gap": Metric("relative completeness gap", lower_is_better=True),
}
TABLE_1 = ("deletion_auc", "overlap_auc")  # the metrics of the paper's Table 1


def methods_of(rows: pd.DataFrame, metric: str) -> list[str]:
    """List the methods that a metric was measured of, in the order of the rows."""
    return [str(method) for method in rows.loc[rows["metric"] == metric, "method"].unique()]


def by_image(rows: pd.DataFrame, metric: str, methods: Sequence[str]) -> pd.DataFrame:
    """Lay out a metric: images down, methods across.

    Raises:
        NotTestable: where a method was not measured, or an image has two values or lacks one: what is left would
            hide it.
    """
    table = _by_image(rows, metric, methods)
    require_finite(table.to_numpy(float))
    return table


def _by_image(rows: pd.DataFrame, metric: str, methods: Sequence[str]) -> pd.DataFrame:
    columns = {method: select(rows, metric, method).set_index("unit")["value"] for method in methods}
    for method, column in columns.items():
        if not column.index.is_unique:
            twice = column.index[column.index.duplicated()][0]
            raise NotTestable(f"image {twice!r} has several values of {metric!r} of method {method!r}")
    return pd.DataFrame(columns).sort_index()


def by_finite_image(rows: pd.DataFrame, metric: str, methods: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Lay out a metric over the images on which all methods have a finite value, and count the images left out.

    For tables, which print that count; a claim is not judged on a part of the images.

    Raises:
        NotTestable: where a method was not measured, or an image has two values.
    """
    table = _by_image(rows, metric, methods)
    finite = np.isfinite(table.to_numpy(float)).all(axis=1)
    return table[finite], int((~finite).sum())


def values_of(table: pd.DataFrame, method: str) -> np.ndarray:
    """Take a column as plain numbers."""
    return table[method].to_numpy(float)


def by_baseline(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Lay out a metric of the single baselines: images down, baselines across, in the order of the rows.

    Raises:
        NotTestable: where it was not measured.
    """
    found = select(rows, metric, IG)
    if "baseline" not in found or found["baseline"].isna().any() or found.duplicated(["unit", "baseline"]).any():
        raise NotTestable(f"the run has no {metric!r} by image and baseline")
    table = found.pivot(index="unit", columns="baseline", values="value")
    return table[list(found["baseline"].unique())]


def removals(rows: pd.DataFrame, metric: str) -> dict[int, str]:
    """Find the methods without their least fit baselines: number removed -> method; 0 is WG itself."""
    found = {int(name.removeprefix(REMOVED)): name for name in methods_of(rows, metric) if name.startswith(REMOVED)}
    return {0: WG} | dict(sorted(found.items())) if found else {}
