"""Tables of 2505.03201 from the rows of one run: Table 1, Table 2, methods, baselines, and images left out."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.rows import by_finite_unit, in_order, look_up, methods_of
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.tables import Line, methods_table, paired_line
from igbaselines.studies.images.reporting.rows import EG, FILTERED, IG, METRICS, WG, by_baseline, of_images, selection

PERCENT = 100  # Table 2 prints the AUC of deletion in percent
QUANTILES = {"median": 0.5, "q95": 0.95, "max": 1.0}
OF_BASELINES = ("d_alpha", "d_alpha_share", "weight", "f_baseline")
TOLD_APART = ("reached", "filtered_weight", "completeness_gap")  # of single baselines, not by their means


def run_tables(rows: pd.DataFrame, printed: Printed) -> dict[str, pd.DataFrame]:
    """Make every table of a run."""
    model = str(rows["model"].iloc[0]) if len(rows) else ""
    found = of_images(rows)
    return {
        "table_1": _lines(table_1_line(found, metric, printed, model) for metric in metrics_of(found)),
        "table_2": _lines([table_2_line(found, printed, model)]),
        "methods": methods_table(found, METRICS, "images"),
        "baselines": baselines_table(rows),
        "completeness": completeness_table(rows),
        "selection": selection(rows),
    }


def metrics_of(rows: pd.DataFrame) -> list[str]:
    """List what was measured once an image, those that are known first."""
    return in_order(of_images(rows)["metric"], tuple(METRICS))


def table_1_line(rows: pd.DataFrame, metric: str, printed: Printed, model: str) -> Line | None:
    """Compare WG with EG in one metric, beside the paper's numbers; None where it was not measured.

    The paper names a t-test and no pairing; the interval of the improvement is the paired bootstrap's.
    """
    found = paired_line(rows, metric, EG, WG, ("EG", "WG"), "images")
    if found is None:
        return None
    known = look_up(metric, METRICS)
    line: Line = {"metric": known.label, "better": known.better or ""} | found
    if known.better is not None:
        line |= _improvement(by_finite_unit(rows, metric, (EG, WG))[0], known.sign)
    said = _printed(printed, "table_1", metric, model)
    if metric in printed.tables.get("table_1", {}):
        named = {"eg": "EG", "wg": "WG", "improvement": "improvement_%", "p": "p"}
        line |= {f"paper_{name}": said.get(key, np.nan) for key, name in named.items()}
    return line


def table_2_line(rows: pd.DataFrame, printed: Printed, model: str) -> Line | None:
    """Compare filtered WG with WG in the AUC of deletion [%], beside the paper's numbers."""
    percent = rows.assign(value=PERCENT * rows["value"])
    said = _printed(printed, "table_2", model)
    line = paired_line(percent, "deletion_auc", FILTERED, WG, ("filtered_WG_%", "WG_%"), "images")
    paper = {"paper_WG_%": said.get("wg", np.nan), "paper_filtered_WG_%": said.get("filtered", np.nan)}
    return None if line is None else line | paper


def baselines_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What each baseline was worth: means over the images, and how often it was filtered out.

    `share_reached`: of the images, where masking brought f down to alpha f(x) at all; elsewhere D_alpha is a bound.
    """
    columns: dict[str, pd.Series[float]] = {}
    for metric in in_order(rows.loc[rows["method"] == IG, "metric"], OF_BASELINES):
        if metric not in TOLD_APART and (table := _by_baseline(rows, metric)) is not None:
            columns[f"mean_{metric}"] = table.mean()
    if (reached := _by_baseline(rows, "reached")) is not None:
        columns["share_reached"] = reached.mean()
    if (filtered := _by_baseline(rows, "filtered_weight")) is not None:
        columns |= {"times_filtered_out": (filtered == 0).sum(), "images": filtered.notna().sum()}
    return pd.DataFrame(columns).rename_axis("baseline").reset_index() if columns else pd.DataFrame()


def completeness_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Quantiles over the images of the relative completeness gap: of every method, and of IG from every baseline.

    The quantiles are of the finite gaps, and those that are not finite are counted: where a baseline is the image
    itself, the gap is 0 / 0. For averages, the largest |sum of the weights - 1| stands beside.
    """
    methods = methods_of(of_images(rows), "completeness_gap")
    gaps = {method: _measured(rows, "completeness_gap", method) for method in methods}
    if (single := _by_baseline(rows, "completeness_gap")) is not None:
        gaps |= {f"IG from {name}": single[name].to_numpy(float) for name in single}
    lines = []
    for name, values in gaps.items():
        finite = values[np.isfinite(values)]
        line: Line = {"method": name, "images": len(finite)}
        line |= {key: np.quantile(finite, q) if len(finite) else np.nan for key, q in QUANTILES.items()}
        line["not_finite"] = len(values) - len(finite)
        if len(sums := _measured(rows, "weight_sum_gap", name)):
            line["largest_weight_sum_gap"] = sums.max()
        lines.append(line)
    return pd.DataFrame(lines)


def _measured(rows: pd.DataFrame, metric: str, method: str) -> np.ndarray:
    return rows.loc[(rows["metric"] == metric) & (rows["method"] == method), "value"].to_numpy(float)


def _improvement(table: pd.DataFrame, sign: int) -> dict[str, float]:
    """The improvement of the mean with its interval; a few images give no interval, and a zero reference no ratio."""
    reference, method = table[EG].to_numpy(), table[WG].to_numpy()
    value, low, high = np.nan, np.nan, np.nan
    if reference.mean():
        value = float(paired.improvement(reference.mean(), method.mean(), sign))
    with suppress(NotTestable):
        found = paired.relative_improvement(reference, method, sign)
        value, low, high = found.value, found.low, found.high
    return {"improvement_%": value, "improvement_low": low, "improvement_high": high}


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


def _lines(lines: Iterable[Line | None]) -> pd.DataFrame:
    return pd.DataFrame([line for line in lines if line is not None])
