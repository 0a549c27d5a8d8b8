"""Tables and figures of 2310.04821, Shapley Integrated Gradients, from a run on photographs."""

from pathlib import Path

import pandas as pd

from igbaselines.common.arrays import read_folder
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.shapley.figures import (
    advantages_figure,
    grid_figure,
    methods_figure,
    sweeps_figure,
)
from igbaselines.studies.images.reporting.shapley.tables import METHODS, of_study, run_tables


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
    examples = read_folder(ExplainedPhotograph, folder / "examples").items()
    drawings: dict[str, Drawing] = {
        f"figure_overlays_{number}": grid_figure(shown, name, patch)
        for number, (name, shown) in enumerate(examples, start=1)
    }
    drawings["figure_methods"] = methods_figure(rows)
    drawings["figure_advantages"] = advantages_figure(rows)
    drawings["figure_sweeps"] = sweeps_figure(rows)
    save_figures(folder, drawings)
