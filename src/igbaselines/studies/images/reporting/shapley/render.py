"""Tables and figures of 2310.04821, Shapley Integrated Gradients, from a run on photographs."""

from pathlib import Path

import pandas as pd

from igbaselines.common.arrays import read_arrays
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.shapley.figures import (
    ADVANTAGE_CAPTION,
    METHODS_CAPTION,
    SWEEPS_CAPTION,
    advantages_figure,
    grid_caption,
    grid_figure,
    methods_figure,
    sweeps_figure,
)
from igbaselines.studies.images.reporting.shapley.rows import METHODS, of_study
from igbaselines.studies.images.reporting.shapley.tables import run_tables


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure for which there are rows or examples.

    Args:
        folder: a run's folder; `examples/*.npz` are drawn as figure_overlays_1, figure_overlays_2, ...
        rows: of the run.
        printed: the paper's numbers, of which it prints none for photographs.
    """
    write_tables(folder, run_tables(rows))
    main = of_study(rows, METHODS)
    patch = int(main["patch"].dropna().iloc[0]) if "patch" in main and main["patch"].notna().any() else None
    drawings: dict[str, Drawing] = {}
    for number, path in enumerate(sorted((folder / "examples").glob("*.npz")), start=1):
        shown = read_arrays(ExplainedPhotograph, path)
        caption = grid_caption(shown, path.stem, patch)
        drawings[f"figure_overlays_{number}"] = grid_figure(shown, patch), caption
    drawings["figure_methods"] = methods_figure(rows), METHODS_CAPTION
    drawings["figure_advantages"] = advantages_figure(rows), ADVANTAGE_CAPTION
    drawings["figure_sweeps"] = sweeps_figure(rows), SWEEPS_CAPTION
    save_figures(folder, drawings)
