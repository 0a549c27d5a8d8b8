"""Reading the rows of shapley_images: its studies, and Shapley Integrated Gradients against another method."""

import pandas as pd

from igbaselines.reporting.rows import in_order, look_up
from igbaselines.reporting.tables import advantage, paired_line
from igbaselines.studies.images.reporting.rows import METRICS

SIG, CONTROL = "shapley_ig", "ig_absent"
METHODS = "methods"
SWEEPS = ("patch", "coalitions")  # studies that are named after the column that they vary
NOT_JUDGED = ("gradient_points", "seconds", "completeness_gap")  # what a map costs, and what its sum lacks


def of_study(rows: pd.DataFrame, study: str) -> pd.DataFrame:
    """Take the rows of a study: every image has one value of a metric for each method, or setting."""
    return rows[rows["study"] == study] if "study" in rows else rows.iloc[:0]


def setting_of(rows: pd.DataFrame, study: str, value: int) -> pd.DataFrame:
    """Take the rows of Shapley Integrated Gradients in one setting of a study, and of the methods beside it."""
    varied, beside = of_study(rows, study), of_study(rows, METHODS)
    return pd.concat([varied[varied[study] == value], beside[beside["method"] != SIG]])


def settings(rows: pd.DataFrame, study: str) -> list[int]:
    """List the settings of a study, rising."""
    varied = of_study(rows, study)
    return sorted({int(value) for value in varied[study].dropna()}) if study in varied else []


def judged(rows: pd.DataFrame) -> list[str]:
    """List the metrics by which methods are compared, those that are known first."""
    return [metric for metric in in_order(rows["metric"], tuple(METRICS)) if metric not in NOT_JUDGED]


def advantage_of(rows: pd.DataFrame, metric: str, method: str) -> tuple[float, float, float] | None:
    """Shapley Integrated Gradients' advantage over another method on the same images, and its 95 % interval.

    Returns:
        More than zero where it is better; None where they were not both measured.
    """
    line = paired_line(rows, metric, SIG, method, ("SIG", "baseline"))
    return None if line is None else advantage(line, look_up(metric, METRICS))
