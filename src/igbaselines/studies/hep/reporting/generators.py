"""Tables and figures of a sample of events beside a reference: there is no claim to test."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.statistics.estimates import CONFIDENCE
from igbaselines.reporting.style import save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.studies.hep.reporting.generators_figures import (
    auc_figure,
    correlations_figure,
    distances_figure,
    distributions_figure,
    load_drawn,
)

SAMPLE, REFERENCE, FLOOR = "sample", "reference", "reference_halves"
FLOOR_WORDS = "two random halves of the reference: two samples of one distribution, of half as many events"


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure of the comparison.

    Args:
        folder: a run's folder; `comparison.npz` is drawn where it is there.
        rows: of the run.
        printed: of no paper.
    """
    distances, aucs = distances_table(rows), auc_table(rows)
    write_table(distances, folder, "distances")
    write_table(aucs, folder, "two_sample_auc")
    write_table(processes_table(rows), folder, "processes")
    name = str(rows["dataset"].iloc[0])
    figures: dict[str, tuple[Figure, str]] = {
        "figure_two_sample_auc": (auc_figure(aucs), _auc_caption(name, rows)),
        "figure_worst_features": (distances_figure(distances), _distances_caption(name)),
    }
    if (path := folder / "comparison.npz").exists():
        drawn = load_drawn(path)
        figures["figure_distributions"] = distributions_figure(drawn, name), _distributions_caption(name)
        figures["figure_correlations"] = correlations_figure(drawn, name), _correlations_caption(name)
    for file, (figure, caption) in figures.items():
        save_figure(figure, folder, file, caption)


def distances_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The distances of each process and feature, the farthest feature of a process first.

    Returns:
        Columns process, feature, distance, distance_reference_halves and mean_shift.
    """
    index = ["process", "feature"]
    distance, shift = (_by_method(rows, metric, index) for metric in ("distance", "mean_shift"))
    table = pd.DataFrame(
        {"distance": distance[SAMPLE], f"distance_{FLOOR}": distance[FLOOR], "mean_shift": shift[SAMPLE]}
    ).reset_index()
    table["process"] = pd.Categorical(table["process"], _in_order(rows, "process"))
    table = table.sort_values(["process", "distance"], ascending=[True, False], kind="stable", ignore_index=True)
    return table.astype({"process": str})


def auc_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The AUC of each process and family of features: its mean over the folds with its 95 % interval.

    Returns:
        Columns process, family; auc, low and high; and the same of the reference's halves.
    """
    found = rows[rows["metric"] == "two_sample_auc"]
    lines = []
    for process in _in_order(found, "process"):
        for family in _in_order(found, "family"):
            of_both = found[(found["process"] == process) & (found["family"] == family)]
            line: dict[str, object] = {"process": process, "family": family}
            for method, ending in ((SAMPLE, ""), (FLOOR, f"_{FLOOR}")):
                auc, low, high = cross_validated(of_both.loc[of_both["method"] == method, "value"].to_numpy(float))
                line |= {f"auc{ending}": auc, f"low{ending}": low, f"high{ending}": high}
            lines.append(line)
    return pd.DataFrame(lines)


def processes_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What there is of each process, and how far the correlations of its features agree.

    Returns:
        Columns process, events and effective_events of both, correlation_agreement and that of the reference's halves.
    """
    columns: dict[str, pd.Series[float]] = {}
    for metric, methods in (
        ("events", (SAMPLE, REFERENCE)),
        ("effective_events", (SAMPLE, REFERENCE)),
        ("correlation_agreement", (SAMPLE, FLOOR)),
    ):
        values = _by_method(rows, metric, ["process"])
        columns |= {f"{metric}_{method}": values[method] for method in methods}
    table = pd.DataFrame(columns).reindex(_in_order(rows, "process")).rename_axis("process").reset_index()
    return table.astype({f"events_{SAMPLE}": int, f"events_{REFERENCE}": int})


def _by_method(rows: pd.DataFrame, metric: str, index: list[str]) -> pd.DataFrame:
    return rows[rows["metric"] == metric].pivot(index=index, columns="method", values="value")


def _in_order(rows: pd.DataFrame, column: str) -> list[str]:
    """The values of a column in the order in which they come."""
    return [str(value) for value in rows[column].dropna().unique()]


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
