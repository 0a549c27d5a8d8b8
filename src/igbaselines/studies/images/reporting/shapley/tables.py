"""Tables of 2310.04821 on photographs: its studies, and Shapley Integrated Gradients against the other methods."""

import numpy as np
import pandas as pd

from igbaselines.reporting.rows import in_order, look_up, methods_of
from igbaselines.reporting.tables import (
    Line,
    advantage,
    labelled,
    mean_line,
    means_table,
    methods_table,
    paired_line,
    who_is_better,
    with_holm,
)
from igbaselines.studies.images.reporting.rows import METRICS, selection

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

    More than zero where it is better; None where they were not both measured.
    """
    line = paired_line(rows, metric, SIG, method, ("SIG", "baseline"))
    return None if line is None else advantage(line, look_up(metric, METRICS))


def run_tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Make every table of a run."""
    return {
        "methods": methods_table(of_study(rows, METHODS), METRICS, "images"),
        "against_shapley_ig": against_table(rows),
        "patches": sweep_table(rows, "patch"),
        "coalitions": sweep_table(rows, "coalitions"),
        "consistency": consistency_table(rows),
        "selection": selection(rows),
    }


def against_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Shapley Integrated Gradients minus every other method, image by image.

    The p-values are two-sided; those with _holm are corrected for all lines of the table (Holm). A line is resolved
    where the paired t-test's corrected p-value is below 0.05.
    """
    found = of_study(rows, METHODS)
    lines = [
        {"metric": metric, "method": method} | line
        for metric in judged(found)
        for method in methods_of(found, metric)
        if method != SIG and (line := paired_line(found, metric, SIG, method, ("SIG", "baseline"), "images"))
    ]
    table = with_holm(pd.DataFrame(lines))
    records = table.to_dict("records")
    results = [who_is_better(line, look_up(line["metric"], METRICS), "SIG", "baseline") for line in records]
    return labelled(table.assign(result=results), METRICS)


def sweep_table(rows: pd.DataFrame, study: str) -> pd.DataFrame:
    """Mean and 95 % t-interval of every metric in every setting of a study.

    Beside them the mean advantage over plain IG from the same absent value, more than zero where the coalitions help,
    with its paired interval.
    """
    lines: list[Line] = []
    for value in settings(rows, study):
        found = setting_of(rows, study, value)
        of_sig = found[found["method"] == SIG]
        known = {name: of_sig[name].iloc[0] for name in (*SWEEPS, "players", "q") if name in of_sig}
        for metric in in_order(of_sig["metric"], tuple(METRICS)):
            values = of_sig.loc[of_sig["metric"] == metric, "value"].to_numpy(float)
            over = advantage_of(found, metric, CONTROL) if metric in judged(found) else None
            names = ("over_plain_ig", "over_plain_ig_low", "over_plain_ig_high")
            beside = dict(zip(names, over or (np.nan,) * 3, strict=True))
            lines.append(known | {"metric": metric} | mean_line(values, "images") | beside)
    table = labelled(pd.DataFrame(lines), METRICS)
    return table.astype({name: "Int64" for name in (*SWEEPS, "players") if name in table})


def consistency_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How well the maps for two networks agree, the most consistent method first."""
    found = of_study(rows, METHODS)
    found = found[found["metric"] == "consistency"]
    if found.empty:
        return pd.DataFrame()
    table = means_table(found, ("other_model", "method"), "images")
    return table.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
