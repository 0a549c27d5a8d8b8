"""The dataset: which states there are, which are held out and explained, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from igbaselines.common.errors import UserError
from igbaselines.studies.gridworld.data.dataset import GridStates, GridWorld
from igbaselines.studies.gridworld.data.dynamics import acting_states, greedy_success
from igbaselines.studies.gridworld.data.features import FEATURES, features_of
from igbaselines.studies.gridworld.data.values import optimal_values

CONFIG = Path(__file__).parents[4] / "conf" / "dataset" / "gridworld.yaml"


@pytest.fixture(scope="module")
def dataset() -> GridWorld:
    return GridWorld(n_worlds=30, held_out=8)


@pytest.fixture(scope="module")
def states(dataset: GridWorld) -> GridStates:
    return dataset.load()


def test_every_state_in_which_an_agent_acts_is_there_once(states: GridStates) -> None:
    table = np.zeros((30, states.worlds.states), dtype=int)
    np.add.at(table, (states.world, states.state), 1)
    assert (table == acting_states(states.worlds)).all()


def test_values_and_features_are_those_of_the_states(dataset: GridWorld, states: GridStates) -> None:
    value, action_value = optimal_values(
        states.worlds, slip=dataset.slip, step_reward=dataset.step_reward, discount=dataset.discount
    )
    at = (states.world, states.state)
    np.testing.assert_array_equal(states.value, value[at])
    np.testing.assert_array_equal(states.action_value, action_value[at])
    np.testing.assert_array_equal(states.features, features_of(states.worlds)[at][:, :10])
    assert states.features.shape == (len(states), 10)
    assert states.feature_names == FEATURES[:10]


def test_the_last_worlds_are_held_out_whole(states: GridStates) -> None:
    assert set(states.world[states.held_out]) == set(range(22, 30))
    assert set(states.world[~states.held_out]) == set(range(22))


def test_the_seed_decides_and_more_worlds_are_appended(dataset: GridWorld, states: GridStates) -> None:
    again, more, other = (
        dataset.load(),
        GridWorld(n_worlds=60, held_out=8).load(),
        GridWorld(n_worlds=30, held_out=8, seed=1).load(),
    )
    for name in ("features", "value", "action_value", "state"):
        np.testing.assert_array_equal(getattr(states, name), getattr(again, name))
        # the sweeps go on until the slowest world has converged
        np.testing.assert_allclose(getattr(states, name), getattr(more, name)[: len(states)], rtol=0, atol=1e-8)
    np.testing.assert_array_equal(states.start, more.start[:30])
    assert not np.array_equal(states.worlds.goal, other.worlds.goal)


def test_chosen_features_keep_the_order_that_was_asked_for(states: GridStates) -> None:
    names = ["trap_row", "goal_row", "wall_left"]
    chosen = GridWorld(n_worlds=30, held_out=8, features=names).load()
    assert chosen.feature_names == tuple(names)
    np.testing.assert_array_equal(chosen.features[:, :2], states.features[:, [8, 0]])
    seen = states.with_features(names)
    np.testing.assert_array_equal(seen.features, chosen.features)
    assert seen.feature_names == chosen.feature_names


def test_explained_states_come_from_as_many_held_out_worlds_as_there_are(states: GridStates) -> None:
    rows = states.explained(20, seed=3)
    assert states.held_out[rows].all()
    assert len(set(rows)) == 20
    for turn in (rows[:8], rows[8:16]):
        assert len(set(states.world[turn])) == 8
    np.testing.assert_array_equal(rows[:5], states.explained(5, seed=3))
    assert set(rows) != set(states.explained(20, seed=4))
    assert sorted(states.explained(int(states.held_out.sum()), 0)) == np.flatnonzero(states.held_out).tolist()


def test_explained_states_are_anywhere_in_a_world(states: GridStates) -> None:
    one_world = states.world == states.world[states.explained(1, 0)[0]]
    drawn = {int(row) for seed in range(400) for row in states.explained(8, seed) if one_world[row]}
    assert len(drawn) > 0.95 * one_world.sum()


@pytest.mark.parametrize("count", [0, 100_000])
def test_there_are_only_so_many_states_to_explain(count: int, states: GridStates) -> None:
    most = int(states.held_out.sum())
    with pytest.raises(UserError, match=f"between 1 and {most} held-out states can be explained, asked for {count}"):
        states.explained(count, 0)


def test_the_best_actions_reach_every_goal(states: GridStates, rng: np.random.Generator) -> None:
    policy = states.policy(states.action_value.argmax(axis=1))
    assert greedy_success(states.worlds, policy, states.start, rng, 0.0) == 1
    worst = states.policy(states.action_value.argmin(axis=1))
    assert greedy_success(states.worlds, worst, states.start, rng, 0.0) < 0.2


def test_without_a_door_no_state_holds_a_key() -> None:
    states = GridWorld(n_worlds=10, held_out=2, door=False, features=list(FEATURES)).load()
    assert (states.state < 49).all()
    assert (states.features[:, 2:8] == 0).all()


def test_the_file_of_values_says_the_defaults() -> None:
    values = yaml.safe_load(CONFIG.read_text())
    assert values.pop("defaults") == ["/schema/gridworld@_here_", "_self_"]
    assert GridWorld(**values) == GridWorld()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 3}, "dataset.size must lie in 5..15, got 3"),
        ({"size": 16}, "dataset.size must lie in 5..15, got 16"),
        ({"n_worlds": 1}, "dataset.n_worlds must lie in 2..100000, got 1"),
        ({"held_out": 400}, "dataset.held_out must lie in 1..399, got 400"),
        ({"held_out": 0}, "dataset.held_out must lie in 1..399, got 0"),
        ({"traps": -1}, "dataset.traps must lie in 0..16, got -1"),
        ({"walls": 14}, "dataset.walls must lie in 0..13, got 14"),
        ({"slip": 1.1}, "dataset.slip must lie in 0..1, got 1.1"),
        ({"slip": float("nan")}, "dataset.slip must lie in 0..1, got nan"),
        ({"step_reward": 0.1}, "dataset.step_reward must lie in -1..0, got 0.1"),
        ({"discount": 1.0}, "dataset.discount must lie in 0.01..0.999, got 1.0"),
        ({"seed": -1}, "dataset.seed must not be negative, got -1"),
        (
            {"features": ["goal_row"]},
            "dataset.features must hold 2 to 14 names, got 1: choose of goal_row, goal_column",
        ),
        (
            {"features": ["goal_row", "goal_colum"]},
            "dataset.features: 'goal_colum' is unknown, did you mean goal_column?",
        ),
        ({"features": ["goal_row", "key_row", "goal_row"]}, "dataset.features: 'goal_row' is given 2 times, once is"),
    ],
)
def test_what_will_not_do_ends_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        GridWorld(**changes)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_the_dataset_needs_no_torch() -> None:
    code = "import igbaselines.studies.gridworld.data.dataset, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
