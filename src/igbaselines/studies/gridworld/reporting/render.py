"""Tables and figures of 2310.04821, Shapley Integrated Gradients, on GridWorld, where exact values are known."""

from pathlib import Path

import pandas as pd

from igbaselines.common.arrays import read_folder
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.studies.gridworld.artifacts import ExplainedState
from igbaselines.studies.gridworld.reporting.figures import agreement_figure, cost_figure, q_figure, studies_figure
from igbaselines.studies.gridworld.reporting.states import states_figure
from igbaselines.studies.gridworld.reporting.tables import run_tables


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure for which there are rows or examples (`examples/*.npz`) in a run's folder."""
    tables = run_tables(rows)
    write_tables(folder, tables)
    states = read_folder(ExplainedState, folder / "examples")
    drawings: dict[str, Drawing] = {"figure_states": states_figure(list(states.values()))}
    for name, draw in (("agreement", agreement_figure), ("cost", cost_figure), ("q", q_figure)):
        if name in tables:
            drawings[f"figure_{name}"] = draw(tables[name])
    drawings["figure_studies"] = studies_figure(tables)
    save_figures(folder, drawings, printed.figures)
