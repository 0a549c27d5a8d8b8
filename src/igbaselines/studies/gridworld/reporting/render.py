"""Tables and figures of 2310.04821, Shapley Integrated Gradients, on GridWorld, where exact values are known."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from igbaselines.common.arrays import read_arrays
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import Drawing, save_figures
from igbaselines.reporting.tables import write_tables
from igbaselines.studies.gridworld.artifacts import ExplainedState
from igbaselines.studies.gridworld.reporting.figures import (
    FLOOR,
    agreement_figure,
    cost_figure,
    counts_of,
    q_figure,
    studies_figure,
)
from igbaselines.studies.gridworld.reporting.states import MOST_STATES, states_caption, states_figure
from igbaselines.studies.gridworld.reporting.tables import run_tables

INTERVAL = "95 % t-interval over the states"


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure for which there are rows or examples.

    Args:
        folder: a run's folder; the first of `examples/*.npz` are drawn as figure_states.
        rows: of the run.
        printed: what the paper says of the figures.
    """
    tables = run_tables(rows)
    write_tables(folder, tables)
    paths = sorted((folder / "examples").glob("*.npz"))[:MOST_STATES]
    states = [read_arrays(ExplainedState, path) for path in paths]
    drawings: dict[str, Drawing] = {"figure_states": (states_figure(states), states_caption(states))}
    for name, draw, caption in (
        ("agreement", agreement_figure, _agreement_caption),
        ("cost", cost_figure, _cost_caption),
        ("q", q_figure, _q_caption),
    ):
        if name in tables:
            drawings[f"figure_{name}"] = draw(tables[name]), caption(tables[name])
    drawings["figure_studies"] = studies_figure(tables), _studies_caption(tables)
    save_figures(folder, drawings, printed.figures)


def _agreement_caption(table: pd.DataFrame) -> str:
    spent = ""
    if "evaluations" in table and table["evaluations"].notna().any():
        spent = f" Every method may spend the same; the most spent on a state is {table['evaluations'].max():.4g}."
    return (
        f"Cosine similarity of attributions to the exact Shapley values with the same reference: mean of "
        f"{counts_of(table)}, with its {INTERVAL}; the best method on average on top. Ringed: plain Integrated "
        f"Gradients that takes this reference.{spent}"
    )


def _cost_caption(table: pd.DataFrame) -> str:
    return (
        "Distance from the exact Shapley values against the evaluations (gradient points, or network evaluations) "
        f"spent on a state; lower is nearer. Mean of {counts_of(table)}; bands are its {INTERVAL}. Dotted lines go on "
        f"where a method has converged and spends no more. SIG with few coalitions is near plain IG, on which it "
        f"falls back for features that no coalition excludes. Values below {FLOOR:g} are drawn at {FLOOR:g}."
    )


def _q_caption(table: pd.DataFrame) -> str:
    return (
        "Agreement with the exact Shapley values (the mean for absent features) against Q, the share of all coalitions "
        "that is sampled; 100 % takes every coalition once with its exact weight; with few, the empty coalition stands "
        "in where a feature is in all of them. Similarity is better higher, distance lower. Mean of "
        f"{counts_of(table)}; bands are its {INTERVAL}."
    )


def _studies_caption(tables: Mapping[str, pd.DataFrame]) -> str:
    words = {
        "players": "Number of players: other networks with fewer or more features, each with its own exact values",
        "interactions": "Interactions: networks that can have them (filled), and additive ones (hollow), in which a "
        "feature contributes the same to every coalition",
        "stability": "Stability: similarity of the attributions of a state between networks trained from different "
        "seeds (mean over pairs of networks); the exact values (ringed) say how much the networks themselves differ",
    }
    parts = [f"{text} ({counts_of(tables[name])})." for name, text in words.items() if name in tables]
    return f"{' '.join(parts)} Points are means over the states, lines their 95 % t-intervals."
