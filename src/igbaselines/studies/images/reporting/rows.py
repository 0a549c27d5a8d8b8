"""Reading the rows of the image experiments: methods, metrics, and values by baseline."""

import pandas as pd

from igbaselines.reporting.rows import MetricLook, methods_of, select
from igbaselines.reporting.statistics.verdicts import NotTestable

EG = "expected_gradients"
WG = "weighted_gradients"
FILTERED = "filtered_weighted_gradients"
PERMUTED = "permuted_weights"
IG = "ig"  # stands for the single baselines
REMOVED = "removed_"
BY_MASK = "_by_mask"  # ends the names of metrics that were measured by the masks of fitness and of metric

METRICS = {
    "deletion_auc": MetricLook("AUC of deletion", "lower"),
    "overlap_auc": MetricLook("AUC of overlap", "higher"),
    "insertion_auc": MetricLook("AUC of insertion", "higher"),
    "pointing_game": MetricLook("pointing game", "higher"),
    "draw_variance": MetricLook("variance of the map, over EG's squared norm", "lower"),
    "consistency": MetricLook("consistency between networks", "higher"),
    "completeness_gap": MetricLook("relative completeness gap", "lower"),
    "gradient_points": MetricLook("gradient points", "lower"),
    "seconds": MetricLook("seconds", "lower"),
}
TABLE_1 = ("deletion_auc", "overlap_auc")  # the metrics of the paper's Table 1


def of_images(rows: pd.DataFrame) -> pd.DataFrame:
    """Take what was measured once an image of each method: not of single baselines, curves, masks, or all together."""
    kept = ~rows["method"].isin([IG, "data", "network"]) & (rows["metric"] != "weight_sum_gap")
    kept &= ~rows["metric"].str.endswith(BY_MASK)
    for column in ("k", "baseline"):
        kept &= rows[column].isna() if column in rows else True
    return rows[kept]


def added_methods(rows: pd.DataFrame, metric: str) -> list[str]:
    """List the methods of a metric that are not of the paper."""
    known = (EG, WG, FILTERED, PERMUTED, IG)
    return [name for name in methods_of(rows, metric) if name not in known and not name.startswith(REMOVED)]


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


def selection(rows: pd.DataFrame) -> pd.DataFrame:
    """How many images were used, how many were left out and why, and the network's accuracy on those looked at."""
    found = rows[rows["metric"].isin(["images_used", "images_left_out", "top1"])]
    reasons = found["reason"] if "reason" in found else pd.Series(pd.NA, index=found.index)
    what = found["metric"].str.replace("_", " ")
    return pd.DataFrame({"what": what, "reason": reasons.fillna(""), "value": found["value"]})
