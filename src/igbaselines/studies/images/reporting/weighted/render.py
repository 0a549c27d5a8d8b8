"""Tables and figures of 2505.03201, Weighted Average Gradients, from one run: one network on one data set."""

from pathlib import Path

import pandas as pd

from igbaselines.common.arrays import read_arrays
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.overlays import example_figure, overlay_caption
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
    write_tables(folder, run_tables(rows, printed))
    drawings: dict[str, Drawing] = {}
    for number, path in enumerate(sorted((folder / "examples").glob("*.npz")), start=1):
        shown = read_arrays(ExplainedPhotograph, path)
        caption = f"Figure 1 ({number}). {overlay_caption(shown, path.stem)}"
        drawings[f"figure_1_{number}"] = example_figure(shown), caption
    if removal := Removal.of_run(rows):
        drawings["figure_2"] = removal_figure(removal, printed.tables.get("figure_2", {})), removal.caption
    drawings["deletion_curves"] = curves_figure(rows), CURVES_CAPTION
    drawings["weights"] = weights_figure(rows), WEIGHTS_CAPTION
    save_figures(folder, drawings, printed.figures)
