"""The parts of Shapley IG's error: what they are, against closed forms and sums taken one by one; and the whole run."""

import itertools
import json
import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import Given
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.common.errors import UserError
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.gridworld.data.dataset import GridWorld
from igbaselines.studies.gridworld.experiments.errors import Split, run
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution, GridworldErrorsEvaluation
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.tasks import Background, Lazy
from tests.commands import Command
from tests.small_tasks import task_of

pytestmark = pytest.mark.usefixtures("one_thread")

FEATURES = ["goal_row", "goal_column", "key_row"]
WORLDS = GridWorld(size=5, n_worlds=10, held_out=3, traps=1, walls=1, features=FEATURES)
SMOOTH = GridValueRecipe([6], True, 0.01, 0.0, 256, epochs=1)
ATTRIBUTION = GridworldAttribution(references=["mean"], background=4, steps=4, most_nodes=8)
EVALUATION = GridworldErrorsEvaluation(
    architectures={"additive": replace(SMOOTH, interactions=False), "smooth": SMOOTH},
    networks=2,
    states=3,
    coalitions=4,
    counts=[2, 4, 8],
    players=[3, 2],
    players_architecture="smooth",
    players_networks=1,
)


def attempt(folder: Path, **changed: Any) -> pd.DataFrame:
    given = Run(Rows("e", "d", "m", 0), folder / "checkpoints", folder, folder, torch.device("cpu"), 0, None, 1)
    settings: dict[str, Any] = {"dataset": WORLDS, "attribution": ATTRIBUTION, "evaluation": EVALUATION}
    of_run = {name: value for name, value in changed.items() if name not in settings}
    chosen = settings | {name: value for name, value in changed.items() if name in settings}
    run(replace(given, **of_run), model=None, **chosen)
    return given.rows.frame()


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_run_measures_every_part_and_is_taken_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        rows = attempt(tmp_path)
        trained = [message for message in caplog.messages if "trained in" in message]
        again = attempt(tmp_path)
    assert len(trained) == 5  # two architectures twice, and one network of two players
    assert [message for message in caplog.messages if "trained in" in message] == trained
    pd.testing.assert_frame_equal(again, rows)
    parts = rows[(rows["study"] == "parts") & (rows["metric"] == "relative_l2")]
    table = parts.pivot_table(index=["architecture", "network", "unit"], columns="method", values="value")
    assert len(table) == 2 * 2 * 3
    found = table[["sampling", "quadrature", "paths", "imputer"]]
    assert (table["all_parts"] <= found.sum(axis=1) + 1e-9).all()
    additive, smooth = table.loc["additive"], table.loc["smooth"]
    assert additive["paths"].max() < 1e-4 < smooth["paths"].min()
    assert additive["bound"].isna().all()
    assert (smooth["paths"] <= smooth["bound"]).all()
    shares = rows.loc[rows["metric"] == "share_of_bound", "value"]
    assert shares.between(0, 1).all()
    players = rows[rows["study"] == "players"].groupby("players")["coalitions"].unique()
    assert [[int(one) for one in sampled] for sampled in players] == [[2], [2, 4]]  # fewer than there are


def shapley_ig(f: Any, x: Tensor, absent: Tensor, nodes: int = 4000) -> list[float]:
    """SIG with all coalitions by its definition, one coalition and one player after the other, by the midpoint rule."""
    n, found = len(x), [0.0] * len(x)
    steps = (torch.arange(nodes, dtype=torch.float64) + 0.5) / nodes
    for player in range(n):
        others = [other for other in range(n) if other != player]
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for members in itertools.combinations(others, size):
                start = absent.clone()
                start[list(members)] = x[list(members)]
                points = (start + steps[:, None] * (x - start)).requires_grad_()
                (gradients,) = torch.autograd.grad(f(points).sum(), points)
                found[player] += weight * ((x - start)[player] * gradients[:, player].mean()).item()
    return found


def test_parts_are_what_they_are_called() -> None:
    """Of f = x y + z (x - y)^2 everything is known: exact values by hand, SIG by its definition."""

    def f(x: Tensor) -> Tensor:
        return x[:, 0] * x[:, 1] + x[:, 2] * (x[:, 0] - x[:, 1]) ** 2

    x = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
    exact = torch.tensor([[0.5, -0.5, 0.25]], dtype=torch.float64)  # stands for known values
    interventional = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    known = {"zero": exact, "background": interventional}
    absent = torch.zeros(1, 3, dtype=torch.float64)
    task = task_of(
        f, x, Background(absent, absent[0]), imputers={"zero": Given(absent)}, known=Lazy(known, known.__getitem__)
    )
    split = Split(0, task, replace(ATTRIBUTION, references=["zero"]))
    rows = split.parts("zero", 4)
    distances = rows[rows["metric"] == "relative_l2"].set_index("method")["value"]
    sig = torch.tensor([shapley_ig(f, x[0], absent[0])], dtype=torch.float64)
    ig = AveragedGradients(Given(absent)).attribute(task, torch.Generator()).attributions
    assert distances["paths"] == pytest.approx((sig - exact).norm().item(), rel=1e-5)
    assert distances["ig_paths"] == pytest.approx((ig - exact).norm().item(), rel=1e-5)
    assert distances["imputer"] == pytest.approx((exact - interventional).norm().item())
    assert distances["quadrature"] < 1e-12  # a polynomial of third degree
    sampled = split.shapley_ig("zero", 4, 4)
    assert distances["sampling"] == pytest.approx((sampled - sig).norm().item(), rel=1e-4)
    assert distances["all_parts"] == pytest.approx((sampled - interventional).norm().item())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"attribution": AttributionSettings()}, "needs attribution=shapley_gridworld"),
        ({"attribution": replace(ATTRIBUTION, references=["mean", "background"])}, "give zero, mean or both"),
        ({"attribution": replace(ATTRIBUTION, references=["zero"])}, "takes the mean for absent features"),
        ({"attribution": replace(ATTRIBUTION, background=100_000)}, "background=100000, but there are"),
        ({"evaluation": replace(EVALUATION, states=4)}, "states=4 must be at most dataset.held_out=3"),
        ({"evaluation": replace(EVALUATION, players=[20])}, "players=20, but a state has 14 features"),
        (
            {"dataset": replace(WORLDS, features=["goal_row", "goal_column", "has_key"])},
            "players=3 takes the first 3 features that a state has, and dataset.features are others",
        ),
        ({"methods": {"ig_zero": object()}}, "takes Shapley IG apart and nothing else: leave ig_zero out"),
    ],
)
def test_settings_that_do_not_go_together(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as error:
        attempt(tmp_path, **changed)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"architectures": {}}, "architectures is empty"),
        ({"architectures": {"a/b": SMOOTH}}, r"evaluation\.architectures"),
        ({"players_architecture": "relu"}, "players_architecture=relu is unknown: additive or smooth"),
        ({"counts": []}, r"counts=\[\]: 3 players have 8 coalitions, and none of these is fewer"),
        ({"counts": [8, 16]}, r"3 players have 8 coalitions, and none of these is fewer"),
        ({"coalitions": 0}, "coalitions must be at least 1"),
    ],
)
def test_an_evaluation_that_will_not_do(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(EVALUATION, **changed)


@pytest.mark.slow
def test_smoke(command: Command) -> None:
    result = command("experiment=shapley_errors", "scale=smoke")
    assert result.returncode == 0, result.stderr + result.stdout
    (folder,) = command.runs()
    assert {path.stem for path in (folder / "figures").glob("*.png")} == {"figure_errors", "figure_guideline"}
    tables = {path.stem for path in (folder / "tables").glob("*.csv")}
    assert {"parts", "parts_summary", "bound", "players", "guideline", "networks", "claims"} <= tables
    claims = json.loads((folder / "claims.json").read_text())
    tested = [claim for claim in claims if claim["verdict"] != "not tested"]
    assert len(tested) == len(claims) - 2  # smoke has no 12 and 14 players
