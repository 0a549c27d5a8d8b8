"""Tables and figures of 2505.03201, Weighted Average Gradients, from one run: one network on one data set."""

from pathlib import Path

import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.studies.images.reporting.overlays import example_figure, load_explanation, overlay_caption
from igbaselines.studies.images.reporting.weighted.figures import curves_figure, weights_figure
from igbaselines.studies.images.reporting.weighted.removal import Removal, removal_figure
from igbaselines.studies.images.reporting.weighted.tables import run_tables

CURVES_CAPTION = (
    "Probability of the class against the share of pixels masked (or revealed), the most important first: mean over "
    "the images with its 95 % t-interval."
)
WEIGHTS_CAPTION = (
    "Weights of the baselines over the images: boxes span the quartiles, whiskers the 5 % and 95 % quantiles; points "
    "are images. The dashed line is EG's equal weight."
)


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure for which there are rows or examples.

    Args:
        folder: a run's folder; `examples/*.npz` are drawn as figure_1_1, figure_1_2, ...
        rows: of the run.
        printed: the paper's numbers and statements.
    """
    for name, table in run_tables(rows, printed).items():
        write_table(table, folder, name)
    for number, path in enumerate(sorted((folder / "examples").glob("*.npz")), start=1):
        shown = load_explanation(path)
        caption = f"Figure 1 ({number}). {overlay_caption(shown)}"
        save_figure(example_figure(shown), folder, f"figure_1_{number}", caption)
    if removal := Removal.of_run(rows):
        statement = printed.figures.get("figure_2", {}).get("statement", "")
        drawn = removal_figure(removal, printed.tables.get("figure_2", {}), statement)
        save_figure(drawn, folder, "figure_2", removal.caption)
    if curves := curves_figure(rows):
        save_figure(curves, folder, "deletion_curves", CURVES_CAPTION)
    if weights := weights_figure(rows):
        save_figure(weights, folder, "weights", WEIGHTS_CAPTION)
