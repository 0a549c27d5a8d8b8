"""Tables and figures of 2505.03201, Weighted Average Gradients, from one run: one network on one data set."""

from pathlib import Path

import pandas as pd

from igbaselines.common.arrays import read_folder
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.overlays import example_figure, overlay_caption
from igbaselines.studies.images.reporting.weighted import figures
from igbaselines.studies.images.reporting.weighted.masks import CAPTION, crossed, masks_figure, masks_table
from igbaselines.studies.images.reporting.weighted.removal import Removal, removal_figure
from igbaselines.studies.images.reporting.weighted.tables import run_tables


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure of a run; its `examples/*.npz` are drawn as figure_1_1, figure_1_2, ..."""
    measured = crossed(rows)
    write_tables(folder, run_tables(rows, printed) | {"masks": masks_table(measured)})
    drawings: dict[str, Drawing] = {}
    for number, (name, shown) in enumerate(read_folder(ExplainedPhotograph, folder / "examples").items(), start=1):
        caption = f"Figure 1 ({number}). {overlay_caption(shown, name)}"
        drawings[f"figure_1_{number}"] = example_figure(shown), caption
    if removal := Removal.of_run(rows):
        drawings["figure_2"] = removal_figure(removal, printed.tables.get("figure_2", {})), removal.caption
    drawings["deletion_curves"] = figures.curves_figure(rows), figures.CURVES_CAPTION
    drawings["weights"] = figures.weights_figure(rows), figures.WEIGHTS_CAPTION
    drawings["masks"] = masks_figure(measured), CAPTION
    save_figures(folder, drawings, printed.figures)
