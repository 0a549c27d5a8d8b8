"""Tables of 2505.03201 from the rows of one run: Table 1, Table 2, methods, baselines, and images left out."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import mean_estimate
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.studies.images.reporting.rows import (
    EG,
    FILTERED,
    IG,
    METRICS,
    WG,
    by_baseline,
    by_finite_image,
    methods_of,
    values_of,
)

PERCENT = 100  # Table 2 prints the AUC of deletion in percent
QUANTILES = {"median": 0.5, "q95": 0.95, "max": 1.0}

Line = dict[str, Any]


def run_tables(rows: pd.DataFrame, printed: Printed) -> dict[str, pd.DataFrame]:
    """Make every table of a run for which there are rows."""
    model = str(rows["model"].iloc[0]) if len(rows) else ""
    tables = {
        "table_1": _lines(table_1_line(rows, metric, printed, model) for metric in METRICS),
        "table_2": _lines([table_2_line(rows, printed, model)]),
        "methods": methods_table(rows),
        "baselines": baselines_table(rows),
        "completeness": completeness_table(rows),
        "selection": selection_table(rows),
    }
    return {name: table for name, table in tables.items() if not table.empty}


def table_1_line(rows: pd.DataFrame, metric: str, printed: Printed, model: str) -> Line | None:
    """Compare WG with EG in one metric, beside the paper's numbers; None where it was not measured.

    The tests: Welch's t-test ignores that both methods saw the same images (the paper names a t-test and no pairing),
    the paired t-test and Wilcoxon's signed-rank test use it. The interval of the improvement is the paired
    bootstrap's. Images on which either method has no finite value are left out, and counted.
    """
    try:
        table, left_out = by_finite_image(rows, metric, (EG, WG))
        reference, method = values_of(table, EG), values_of(table, WG)
        found = paired.compare(reference, method)
    except NotTestable:
        return None
    known = METRICS[metric]
    line = {
        "metric": known.label,
        "better": "lower" if known.lower_is_better else "higher",
        "images": found.n,
        "not_finite": left_out,
        "EG": found.mean_a,
        "EG_sd": found.sd_a,
        "WG": found.mean_b,
        "WG_sd": found.sd_b,
    }
    line |= _improvement(reference, method, known.lower_is_better)
    line |= {"p_welch": found.p_unpaired, "p_paired_t": found.p_paired, "p_wilcoxon": found.p_wilcoxon}
    said = _printed(printed, "table_1", metric, model)
    if metric in printed.tables.get("table_1", {}):
        named = {"eg": "EG", "wg": "WG", "improvement": "improvement_%", "p": "p"}
        line |= {f"paper_{name}": said.get(key, np.nan) for key, name in named.items()}
    return line


def table_2_line(rows: pd.DataFrame, printed: Printed, model: str) -> Line | None:
    """Compare filtered WG with WG in the AUC of deletion [%], beside the paper's numbers."""
    try:
        table, left_out = by_finite_image(rows, "deletion_auc", (WG, FILTERED))
        table = table * PERCENT
        found = paired.compare(values_of(table, FILTERED), values_of(table, WG))
    except NotTestable:
        return None
    said = _printed(printed, "table_2", model)
    return {
        "images": found.n,
        "not_finite": left_out,
        "WG_%": found.mean_b,
        "filtered_WG_%": found.mean_a,
        "difference_%": found.difference,
        "low": found.low,
        "high": found.high,
        "p_welch": found.p_unpaired,
        "p_paired_t": found.p_paired,
        "p_wilcoxon": found.p_wilcoxon,
        "paper_WG_%": said.get("wg", np.nan),
        "paper_filtered_WG_%": said.get("filtered", np.nan),
    }


def methods_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % t-interval over the images of every metric of every method, and how many values were not finite."""
    lines = []
    for metric, known in METRICS.items():
        for method in methods_of(rows, metric):
            if method == IG:
                continue
            values = measured(rows, metric, method)
            finite = values[np.isfinite(values)]
            line: Line = {"metric": known.label, "method": method, "images": len(finite)}
            line |= mean_with_interval(finite) | {"not_finite": len(values) - len(finite)}
            lines.append(line)
    return pd.DataFrame(lines)


def measured(rows: pd.DataFrame, metric: str, method: str) -> np.ndarray:
    """Take a method's values of a metric as they are, missing ones included."""
    found = rows.loc[(rows["metric"] == metric) & (rows["method"] == method), "value"]
    return found.to_numpy(float)


def baselines_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What each baseline was worth: means over the images, and how often it was filtered out.

    `share_reached`: of the images, where masking brought f down to alpha f(x) at all; elsewhere D_alpha is a bound.
    """
    columns: dict[str, pd.Series[float]] = {}
    for metric in ("d_alpha", "d_alpha_share", "weight", "f_baseline"):
        if (table := _by_baseline(rows, metric)) is not None:
            columns[f"mean_{metric}"] = table.mean()
    if (reached := _by_baseline(rows, "reached")) is not None:
        columns["share_reached"] = reached.mean()
    if (filtered := _by_baseline(rows, "filtered_weight")) is not None:
        columns["times_filtered_out"] = (filtered == 0).sum()
        columns["images"] = filtered.notna().sum()
    found = pd.DataFrame(columns)
    return found.rename_axis("baseline").reset_index() if len(columns) else pd.DataFrame()


def completeness_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Quantiles over the images of the relative completeness gap: of the averages, and of IG from every baseline.

    The quantiles are of the finite gaps, and those that are not finite are counted: where a baseline is the image
    itself, the gap is 0 / 0. For the averages, the largest |sum of the weights - 1| stands beside.
    """
    gaps = {method: measured(rows, "completeness_gap", method) for method in (EG, WG)}
    if (single := _by_baseline(rows, "completeness_gap")) is not None:
        gaps |= {f"IG from {name}": single[name].to_numpy(float) for name in single}
    lines = []
    for name, values in gaps.items():
        finite = values[np.isfinite(values)]
        line: Line = {"method": name, "images": len(finite)}
        line |= {key: np.quantile(finite, q) if len(finite) else np.nan for key, q in QUANTILES.items()}
        line["not_finite"] = len(values) - len(finite)
        if len(sums := measured(rows, "weight_sum_gap", name)):
            line["largest_weight_sum_gap"] = sums.max()
        lines += [line] if len(values) else []
    return pd.DataFrame(lines)


def selection_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How many images were used, how many were left out and why, and the network's accuracy on those looked at."""
    found = rows[rows["metric"].isin(["images_used", "images_left_out", "top1"])]
    reasons = found["reason"] if "reason" in found else pd.Series(pd.NA, index=found.index)
    lines = [
        {"what": metric.replace("_", " "), "reason": "" if pd.isna(reason) else reason, "value": value}
        for metric, reason, value in zip(found["metric"], reasons, found["value"], strict=True)
    ]
    return pd.DataFrame(lines)


def _improvement(reference: np.ndarray, method: np.ndarray, lower_is_better: bool) -> dict[str, float]:
    """The improvement of the mean with its interval; a few images give no interval, and a zero reference no ratio."""
    sign = 1 if lower_is_better else -1
    mean = reference.mean()
    value, low, high = 100 * sign * (1 - method.mean() / mean) if mean else np.nan, np.nan, np.nan
    with suppress(NotTestable):
        found = paired.relative_improvement(reference, method, lower_is_better=lower_is_better)
        value, low, high = found.value, found.low, found.high
    return {"improvement_%": value, "improvement_low": low, "improvement_high": high}


def mean_with_interval(values: np.ndarray) -> dict[str, float]:
    """The cells mean, low and high of (n,) finite values: a 95 % t-interval, NaN where they are too few for one."""
    try:
        found = mean_estimate(values)
        return {"mean": found.value, "low": found.low, "high": found.high}
    except NotTestable:  # one image has a mean and no interval
        return {"mean": float(values.mean()) if len(values) else np.nan, "low": np.nan, "high": np.nan}


def _by_baseline(rows: pd.DataFrame, metric: str) -> pd.DataFrame | None:
    try:
        return by_baseline(rows, metric)
    except NotTestable:
        return None


def _printed(printed: Printed, *keys: str) -> Mapping[str, float]:
    """Follow keys into the paper's tables; empty where the paper has no such number."""
    found: Any = printed.tables
    for key in keys:
        found = found.get(key, {})
    return dict(found)


def _lines(lines: Any) -> pd.DataFrame:  # noqa: ANN401 (an iterable of lines or None)
    return pd.DataFrame([line for line in lines if line is not None])
