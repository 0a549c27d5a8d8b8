"""Tables and figures of a sample of events beside a reference: there is no claim to test."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from igbaselines.common.arrays import read_arrays
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.rows import in_order
from igbaselines.reporting.statistics.estimates import CONFIDENCE
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import sorted_lines, write_tables
from igbaselines.studies.hep.artifacts import TwoSamples
from igbaselines.studies.hep.reporting.generators_figures import (
    FLOOR,
    REFERENCE,
    SAMPLE,
    auc_figure,
    correlations_figure,
    distances_figure,
    distributions_figure,
)

METHODS = (SAMPLE, REFERENCE, FLOOR)


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure of the comparison; `comparison.npz` is drawn where it is there."""
    tables = {"distances": distances_table(rows), "two_sample_auc": auc_table(rows), "processes": processes_table(rows)}
    write_tables(folder, tables)
    name = str(rows["dataset"].iloc[0])
    drawings: dict[str, Drawing] = {
        "figure_two_sample_auc": auc_figure(tables["two_sample_auc"], name),
        "figure_worst_features": distances_figure(tables["distances"], name),
    }
    if (path := folder / "comparison.npz").exists():
        drawn = read_arrays(TwoSamples, path)
        drawings["figure_distributions"] = distributions_figure(drawn, name)
        drawings["figure_correlations"] = correlations_figure(drawn, name)
    save_figures(folder, drawings)


def distances_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The distances of each process and feature, the farthest feature of a process first.

    Whatever was measured of a feature stands beside that of the reference's halves.
    """
    table = _wide(rows[rows["feature"].notna()], ["process", "feature"], ("distance", "mean_shift"))
    table["process"] = pd.Categorical(table["process"], in_order(rows["process"]))
    table = table.sort_values(["process", "distance"], ascending=[True, False], kind="stable", ignore_index=True)
    return table.astype({"process": str})


def auc_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The AUC by process, family of features, and method: its mean over the folds with its 95 % interval."""
    keys = ["process", "family", "method"]
    names = [*keys, "mean", "low", "high", "folds"]
    groups = rows[rows["metric"] == "two_sample_auc"].groupby(keys, sort=False)
    lines = [
        dict(zip(names, [*key, *cross_validated(found["value"].to_numpy(float)), len(found)], strict=True))
        for key, found in groups
    ]
    return sorted_lines(pd.DataFrame(lines), keys, {"process": (), "family": (), "method": METHODS})


def processes_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What there is of each process, how far correlations of its features agree, and what else was measured of it."""
    of_processes = rows[rows["feature"].isna() & rows["family"].isna()]
    table = _wide(of_processes, ["process"], ("events", "effective_events", "correlation_agreement"))
    counts = {name: int for name in table if str(name).startswith("events")}
    return table.set_index("process").reindex(in_order(rows["process"])).reset_index().astype(counts)


def _wide(rows: pd.DataFrame, index: list[str], first: tuple[str, ...]) -> pd.DataFrame:
    """Lay out every metric and method across: `distance` is the sample's, `distance_reference_halves` theirs."""
    wide = rows.pivot(index=index, columns=["metric", "method"], values="value")
    measured = [
        (metric, method)
        for metric in in_order(wide.columns.get_level_values(0), first)
        for method in in_order(wide.columns.get_level_values(1), METHODS)
        if (metric, method) in wide
    ]
    alone = [metric for metric, method in measured if method == REFERENCE]  # both samples are named there
    names = [
        metric if method == SAMPLE and metric not in alone else f"{metric}_{method}" for metric, method in measured
    ]
    return wide[measured].set_axis(names, axis=1).reset_index()


def cross_validated(folds: np.ndarray) -> tuple[float, float, float]:
    """A mean over at least two folds, and the ends of its 95 % interval.

    Folds train on each other's events and so agree too well: the variance of the t-interval is that of Nadeau and
    Bengio (2003, doi:10.1023/A:1024068626366), 1/K + 1/(K - 1) times that of a fold instead of 1/K.
    """
    k = len(folds)
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, k - 1) * folds.std(ddof=1) * np.sqrt(1 / k + 1 / (k - 1))
    return float(folds.mean()), float(folds.mean() - reach), float(folds.mean() + reach)
