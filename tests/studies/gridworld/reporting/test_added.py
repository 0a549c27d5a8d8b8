"""A method, a metric and a reference of one's own stand in every table and figure of GridWorld."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from igbaselines.studies.gridworld.artifacts import ExplainedState
from igbaselines.studies.gridworld.reporting.figures import agreement_figure, cost_figure, q_figure, studies_figure
from igbaselines.studies.gridworld.reporting.states import states_figure
from igbaselines.studies.gridworld.reporting.tables import run_tables
from tests.reporting.added import METHOD, METRIC, says, with_method, with_metric, words_of
from tests.studies.gridworld.reporting.shapley_rows import small_run

TABLES = (
    "agreement",
    "agreement_summary",
    "against_plain_ig",
    "cost",
    "q",
    "players",
    "interactions",
    "stability",
    "time",
)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return run_tables(with_metric(with_method(small_run(), "shapley_ig"), "cosine"))


def drawn(name: str, tables: dict[str, pd.DataFrame]) -> Figure | None:
    if name in ("players", "interactions", "stability"):
        return studies_figure({name: tables[name]})[0]
    return {"agreement": agreement_figure, "cost": cost_figure, "q": q_figure}[name](tables[name])[0]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_the_method(tables: dict[str, pd.DataFrame], name: str) -> None:
    assert METHOD in says(tables[name])


@pytest.mark.parametrize("name", ["agreement", "agreement_summary", "against_plain_ig", "cost", "q", "players"])
def test_every_table_of_metrics_has_the_metric(tables: dict[str, pd.DataFrame], name: str) -> None:
    assert METRIC in says(tables[name])


@pytest.mark.parametrize("name", ["agreement", "cost", "q", "players", "interactions", "stability"])
def test_every_figure_has_the_method(tables: dict[str, pd.DataFrame], name: str) -> None:
    assert METHOD in words_of(drawn(name, tables))


@pytest.mark.parametrize("name", ["cost", "q"])
def test_a_metric_has_a_panel(tables: dict[str, pd.DataFrame], name: str) -> None:
    assert "my metric" in words_of(drawn(name, tables))


def test_a_reference_has_a_panel_and_lines() -> None:
    rows = small_run()
    mine = rows[rows["reference"] == "mean"].assign(reference="mine")
    mine = mine[mine["study"].isin(["agreement", "cost"])]
    plain = mine[mine["method"] == "ig_mean"].assign(method="ig_mine")
    tables = run_tables(pd.concat([rows, mine, plain], ignore_index=True))
    for name in ("agreement", "cost"):
        assert "reference: mine" in words_of(drawn(name, tables))
    assert "mine" in set(tables["against_plain_ig"]["reference"])


def test_a_state_is_drawn_with_the_method() -> None:
    state = ExplainedState(
        world=np.zeros((4, 4, 3), dtype=np.uint8),
        feature_names=np.array(["a", "b"]),
        feature_values=np.array([1.0, 2.0]),
        methods=np.array(["exact", "shapley_ig", METHOD]),
        attributions=np.ones((3, 2)),
        reference="mean",
        title="value",
    )
    assert METHOD in words_of(states_figure([state])[0])
