"""Reading the rows of shapley_images: its studies, and Shapley Integrated Gradients against another method."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.studies.images.reporting.rows import METRICS, Metric, by_finite_image, values_of

SIG, CONTROL = "shapley_ig", "ig_absent"
METHODS = "methods"
SWEEPS = ("patch", "coalitions")  # studies that are named after the column that they vary
JUDGED = ("deletion_auc", "insertion_auc", "overlap_auc", "pointing_game", "consistency")
COSTS: Mapping[str, Metric] = {
    "gradient_points": Metric("gradient points", lower_is_better=True),
    "seconds": Metric("seconds", lower_is_better=True),
}
KNOWN: Mapping[str, Metric] = {**{name: METRICS[name] for name in (*JUDGED, "completeness_gap")}, **COSTS}


def of_study(rows: pd.DataFrame, study: str) -> pd.DataFrame:
    """Take the rows of a study: every image has one value of a metric for each method, or setting."""
    return rows[rows["study"] == study] if "study" in rows else rows.iloc[:0]


def setting_of(rows: pd.DataFrame, study: str, value: int) -> pd.DataFrame:
    """Take the rows of Shapley Integrated Gradients in one setting of a study, and of the methods beside it."""
    varied = of_study(rows, study)
    beside = of_study(rows, METHODS)
    return pd.concat([varied[varied[study] == value], beside[beside["method"] != SIG]])


def settings(rows: pd.DataFrame, study: str) -> list[int]:
    """List the settings of a study, rising."""
    varied = of_study(rows, study)
    return sorted({int(value) for value in varied[study].dropna()}) if study in varied else []


@dataclass(frozen=True)
class Advantage:
    """Shapley Integrated Gradients against another method on the same images.

    Args:
        metric: one of `KNOWN`.
        method: the other one.
        found: the comparison; differences are SIG minus the other.
        left_out: images on which either has no finite value.
    """

    metric: str
    method: str
    found: paired.Comparison
    left_out: int

    @classmethod
    def of(cls, rows: pd.DataFrame, metric: str, method: str) -> "Advantage | None":
        """Compare image by image; None where they were not both measured."""
        try:
            table, left_out = by_finite_image(rows, metric, (SIG, method))
            return cls(metric, method, paired.compare(values_of(table, SIG), values_of(table, method)), left_out)
        except NotTestable:
            return None

    def interval(self) -> tuple[float, float, float]:
        """Mean, lower and upper end of SIG's advantage: turned so that more than zero is better."""
        if KNOWN[self.metric].lower_is_better:
            return -self.found.difference, -self.found.high, -self.found.low
        return self.found.difference, self.found.low, self.found.high

    def words(self, p_value: float, level: float = 0.05) -> str:
        """Who is better, where a p-value that was corrected for all comparisons resolves it."""
        if not np.isfinite(p_value) or p_value >= level:
            return "not resolved"
        return "SIG better" if self.interval()[0] > 0 else "baseline better"
