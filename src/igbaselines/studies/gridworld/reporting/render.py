"""Tables and figures of 2310.04821, Shapley Integrated Gradients, on GridWorld, where exact values are known."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import add_caption, page_style, save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.studies.gridworld.reporting.figures import FLOOR, agreement_figure, cost_figure, counts_of, q_figure
from igbaselines.studies.gridworld.reporting.states import MOST_STATES, load_state, states_caption, states_figure
from igbaselines.studies.gridworld.reporting.studies import studies_figure
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
    for name, table in tables.items():
        write_table(table, folder, name)
    states = [load_state(path) for path in sorted((folder / "examples").glob("*.npz"))[:MOST_STATES]]
    if states:
        save_figure(states_figure(states), folder, "figure_states", states_caption(states))
    for name, (figure, caption) in _figures(tables).items():
        if statement := printed.figures.get(name, {}).get("statement"):
            with page_style():
                add_caption(figure, statement)
        save_figure(figure, folder, name, caption)


def _figures(tables: dict[str, pd.DataFrame]) -> dict[str, tuple[Figure, str]]:
    """Draw the tables that there are; every figure comes with its caption."""
    drawn: dict[str, tuple[Figure, str]] = {}
    if "agreement" in tables and (tables["agreement"]["metric"] == "cosine").any():
        drawn["figure_agreement"] = agreement_figure(tables["agreement"]), _agreement_caption(tables["agreement"])
    if "cost" in tables:
        drawn["figure_cost"] = cost_figure(tables["cost"]), _cost_caption(tables["cost"])
    if "q" in tables:
        drawn["figure_q"] = q_figure(tables["q"]), _q_caption(tables["q"])
    if studies := studies_figure(tables):
        drawn["figure_studies"] = studies, _studies_caption(tables)
    return drawn


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


def _studies_caption(tables: dict[str, pd.DataFrame]) -> str:
    words = {
        "players": "Number of players: other networks with fewer or more features, each with its own exact values",
        "interactions": "Interactions: networks that can have them (filled), and additive ones (hollow), in which a "
        "feature contributes the same to every coalition",
        "stability": "Stability: similarity of the attributions of a state between networks trained from different "
        "seeds (mean over pairs of networks); the exact values (ringed) say how much the networks themselves differ",
    }
    parts = [f"{text} ({counts_of(tables[name])})." for name, text in words.items() if name in tables]
    return f"{' '.join(parts)} Points are means over the states, lines their 95 % t-intervals."
