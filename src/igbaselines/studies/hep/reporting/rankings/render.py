"""Tables and figures of the studies of rankings: the open questions of 2412.13864."""

from functools import partial
from pathlib import Path

import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.studies.hep.reporting.rankings.figures import ACCURACY, AGREEMENT, COMPARED, FIGURES
from igbaselines.studies.hep.reporting.rankings.tables import feature_places, means, paired_differences

TABLES = {
    "agreement": tuple(AGREEMENT),
    "classification": (ACCURACY, "balanced_accuracy", "roc_auc", "validation_loss"),
    "cost": ("seconds", "gradient_points"),
    "effective_baselines": ("effective_baselines",),
    "places": ("rank",),
}


def render(experiment: str, folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write the tables and the figure of a study of rankings."""
    tables = run_tables(experiment, rows)
    write_tables(folder, tables)
    save_figures(folder, {experiment.replace("hep", "figure", 1): FIGURES[experiment](tables)}, printed.figures)


# By these names the study's experiments are drawn.
sample_counts, weightings, combined, architectures, stability, scores = (partial(render, name) for name in FIGURES)


def run_tables(experiment: str, rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Make every table of a run for which there are rows; what no other table lists stands in `other_metrics`."""
    others = set(rows["metric"]) - {metric for metrics in TABLES.values() for metric in metrics}
    listed = {name: metrics for name, metrics in TABLES.items() if name != "places"} | {"other_metrics": tuple(others)}
    measured = {name: rows[rows["metric"].isin(metrics)] for name, metrics in listed.items()}
    tables = {name: means(found) for name, found in measured.items() if len(found)}
    tables["places"] = feature_places(rows)
    if experiment in COMPARED:
        tables["differences"] = paired_differences(rows, ACCURACY, *COMPARED[experiment])
    return tables
