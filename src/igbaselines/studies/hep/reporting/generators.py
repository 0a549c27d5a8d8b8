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
FLOOR_WORDS = "two random halves of the reference: two samples of one distribution, of half as many events"


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure of the comparison.

    Args:
        folder: a run's folder; `comparison.npz` is drawn where it is there.
        rows: of the run.
        printed: of no paper.
    """
    tables = {"distances": distances_table(rows), "two_sample_auc": auc_table(rows), "processes": processes_table(rows)}
    write_tables(folder, tables)
    name = str(rows["dataset"].iloc[0])
    drawings: dict[str, Drawing] = {
        "figure_two_sample_auc": (auc_figure(tables["two_sample_auc"]), _auc_caption(name, rows)),
        "figure_worst_features": (distances_figure(tables["distances"]), _distances_caption(name)),
    }
    if (path := folder / "comparison.npz").exists():
        drawn = read_arrays(TwoSamples, path)
        drawings["figure_distributions"] = distributions_figure(drawn, name), _distributions_caption(name)
        drawings["figure_correlations"] = correlations_figure(drawn, name), _correlations_caption(name)
    save_figures(folder, drawings)


def distances_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The distances of each process and feature, the farthest feature of a process first.

    Returns:
        Columns process, feature, distance, mean_shift and whatever else was measured of a feature; each beside those of
        the reference's halves.
    """
    table = _wide(rows[rows["feature"].notna()], ["process", "feature"], ("distance", "mean_shift"))
    table["process"] = pd.Categorical(table["process"], in_order(rows["process"]))
    table = table.sort_values(["process", "distance"], ascending=[True, False], kind="stable", ignore_index=True)
    return table.astype({"process": str})


def auc_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The AUC of each process and family of features: its mean over the folds with its 95 % interval.

    Returns:
        Columns process, family, method, mean, low and high; the method is the sample, or the reference's halves.
    """
    keys = ["process", "family", "method"]
    groups = rows[rows["metric"] == "two_sample_auc"].groupby(keys, sort=False)
    lines = [
        dict(zip([*keys, "mean", "low", "high"], [*key, *cross_validated(found["value"].to_numpy(float))], strict=True))
        for key, found in groups
    ]
    return sorted_lines(pd.DataFrame(lines), keys, {"process": (), "family": (), "method": METHODS})


def processes_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What there is of each process, and how far the correlations of its features agree.

    Returns:
        Columns process, and of both samples events, effective_events, correlation_agreement, and whatever else was
        measured of a process.
    """
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


def _auc_caption(name: str, rows: pd.DataFrame) -> str:
    folds = rows.loc[rows["metric"] == "two_sample_auc", "unit"].nunique()
    return (
        f"ROC AUC of boosted trees that are to tell events of {name} from events of the reference sample, given a "
        f"family of features; 0.5: they cannot. Mean over {folds} folds, each judged by trees that were trained on the "
        "others, with its 95 % t-interval, corrected for the training events that folds share (Nadeau and Bengio). "
        f"Hollow: the same for {FLOOR_WORDS}."
    )


def _distances_caption(name: str) -> str:
    return (
        f"The features whose distributions differ most between {name} and the reference sample, by the Kolmogorov-"
        "Smirnov distance: the largest difference between the two cumulative distributions. Beside each bar the shift "
        "of the mean in standard deviations of the reference. Black: the distance between "
        f"{FLOOR_WORDS}."
    )


def _distributions_caption(name: str) -> str:
    return (
        f"Distributions of some features in {name} (lines) and in the reference sample (filled), each process "
        "normalised by itself; masses and momenta in GeV. The outermost tails are cut off."
    )


def _correlations_caption(name: str) -> str:
    return (
        f"Correlation matrices of all features in {name}, in the reference sample, and their difference, whose "
        "colours end at 0.5. Lines part the families of features."
    )
