"""States of grid worlds as a task: background, strata, imputers and the values that are known."""

import numpy as np
import pytest
import torch

from igbaselines.attribution.baselines import PerStratum
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.attribution.shapley.estimators import ShapleySampling
from igbaselines.attribution.weighting import ByStratum
from igbaselines.models.standardise import Standardise
from igbaselines.studies.gridworld.data.dataset import GridStates, GridWorld
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.value_mlp import for_network
from igbaselines.studies.gridworld.tasks import FirstExamples, state_task
from igbaselines.tasks import Task

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def states() -> GridStates:
    return GridWorld(size=5, n_worlds=8, held_out=3, features=["goal_row", "goal_column", "has_key"]).load()


def task_of(states: GridStates, explained: str = "value") -> Task:
    recipe = GridValueRecipe([8], True, 0.01, 0.0, 256, epochs=1)
    seed = torch.Generator().manual_seed(0)
    network = for_network(recipe, Standardise.of(torch.from_numpy(states.features)), seed)
    settings = GridworldAttribution(explained=explained, background=4)
    return state_task("network", network, states, states.explained(6, 0), settings, 0, torch.device("cpu"))


def test_the_background_is_the_training_states(states: GridStates) -> None:
    task, train = task_of(states), ~states.held_out
    assert sorted(task.background.examples.tolist()) == sorted(states.features[train].tolist())
    assert task.background.centre.numpy() == pytest.approx(states.features[train].mean(axis=0), abs=1e-6)
    low, high = task.background.bounds()
    assert (low.tolist(), high.tolist()) == (
        states.features[train].min(axis=0).tolist(),
        states.features[train].max(axis=0).tolist(),
    )
    held_out = {f"world_{world}" for world in np.unique(states.world[states.held_out])}
    assert {unit.partition("_state")[0] for unit in task.units} <= held_out


def test_strata_are_best_actions_by_frequency(states: GridStates) -> None:
    background, train = task_of(states).background, ~states.held_out
    best = states.action_value[train].argmax(axis=1)
    assert background.stratum is not None
    assert background.stratum_weight is not None
    assert background.stratum_weight.tolist() == pytest.approx([(best == action).mean() for action in range(4)])
    by_row = {tuple(row) for row in np.column_stack([states.features[train], best]).tolist()}
    found = torch.cat([background.examples, background.stratum[:, None].float()], dim=1)
    assert {tuple(row) for row in found.tolist()} == by_row


def test_methods_of_strata_explain_states(states: GridStates, generator: torch.Generator) -> None:
    method = AveragedGradients(PerStratum(5, ByStratum()))
    found = method.attribute(task_of(states), generator)
    assert found.attributions.sum(dim=1).numpy() == pytest.approx(found.change.numpy(), abs=1e-4)


@pytest.mark.parametrize("explained", ["value", "action"])
@pytest.mark.parametrize("imputer", ["zero", "mean", "background"])
def test_known_are_exact_shapley_values(
    imputer: str, explained: str, states: GridStates, generator: torch.Generator
) -> None:
    task = task_of(states, explained)
    exact = ShapleySampling(imputer, coalitions=None).attribute(task, generator)
    assert exact.players is not None
    assert task.known[imputer].numpy() == pytest.approx(exact.players.numpy(), abs=1e-6)


def test_a_sample_in_turn(states: GridStates, generator: torch.Generator) -> None:
    task = task_of(states)
    examples = task.background.examples
    baselines, weights = FirstExamples(4, count=6).draw(task.inputs, task.background, generator)
    assert torch.equal(baselines, examples[[0, 1, 2, 3, 0, 1]])
    assert weights.tolist() == [1 / 6] * 6
    assert torch.equal(FirstExamples(4).draw(task.inputs, task.background, generator)[0], examples[:4])
