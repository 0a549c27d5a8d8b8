"""Tables and figures of 2310.04821, Shapley Integrated Gradients, from a run on photographs."""

from pathlib import Path

import pandas as pd

from igbaselines.common.arrays import read_folder
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.shapley import figures
from igbaselines.studies.images.reporting.shapley.tables import METHODS, of_study, run_tables


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure of a run; its `examples/*.npz` are figure_overlays_1, ..."""
    write_tables(folder, run_tables(rows))
    main = of_study(rows, METHODS)
    patch = int(main["patch"].dropna().iloc[0]) if "patch" in main and main["patch"].notna().any() else None
    examples = read_folder(ExplainedPhotograph, folder / "examples").items()
    drawings: dict[str, Drawing] = {
        f"figure_overlays_{number}": figures.grid_figure(shown, name, patch)
        for number, (name, shown) in enumerate(examples, start=1)
    }
    drawings["figure_methods"] = figures.methods_figure(rows)
    drawings["figure_advantages"] = figures.advantages_figure(rows)
    drawings["figure_sweeps"] = figures.sweeps_figure(rows)
    save_figures(folder, drawings)
