"""The rules of moving, one by one and against a slow agent."""

from typing import Any

import numpy as np
import pytest

from igbaselines.studies.gridworld.data.dynamics import (
    acting_states,
    greedy_success,
    slip,
    start_states,
    step_limit,
    transitions,
)
from igbaselines.studies.gridworld.data.worlds import draw_worlds
from tests.studies.gridworld.gridworld_maps import (
    CORRIDOR,
    LOCKED,
    ROOMS,
    map_of,
    slow_acting,
    slow_move,
    state_of,
    world_of,
)

UP, DOWN, LEFT, RIGHT = range(4)
KIND: dict[str, Any] = {"size": 7, "traps": 3, "walls": 4}


@pytest.mark.parametrize(
    ("state", "action", "to", "reward", "ends"),
    [
        (state_of(1, 0), UP, state_of(0, 0), -0.1, False),
        (state_of(0, 0), DOWN, state_of(1, 0), -0.1, False),
        (state_of(0, 1), LEFT, state_of(0, 0), -0.1, False),
        (state_of(0, 0), RIGHT, state_of(0, 1), -0.1, False),
        (state_of(0, 1), RIGHT, state_of(0, 1), -0.1, False),  # a wall
        (state_of(2, 3), LEFT, state_of(2, 3), -0.1, False),  # a wall
        (state_of(0, 0), UP, state_of(0, 0), -0.1, False),  # the edges
        (state_of(0, 0), LEFT, state_of(0, 0), -0.1, False),
        (state_of(4, 4), DOWN, state_of(4, 4), -0.1, False),
        (state_of(4, 4), RIGHT, state_of(4, 4), -0.1, False),
        (state_of(1, 1), RIGHT, state_of(1, 1), -0.1, False),  # the closed door, from both sides
        (state_of(1, 3), LEFT, state_of(1, 3), -0.1, False),
        (state_of(1, 1, True), RIGHT, state_of(1, 2, True), -0.1, False),  # open with the key
        (state_of(1, 2, True), RIGHT, state_of(1, 3, True), -0.1, False),
        (state_of(1, 0), DOWN, state_of(2, 0, True), -0.1, False),  # picks the key up
        (state_of(2, 0, True), UP, state_of(1, 0, True), -0.1, False),  # and keeps it
        (state_of(0, 3), RIGHT, state_of(0, 4), 1.0, True),  # the goal
        (state_of(0, 3, True), RIGHT, state_of(0, 4, True), 1.0, True),
        (state_of(3, 0), RIGHT, state_of(3, 1), -1.0, True),  # a trap
        (state_of(2, 4), UP, state_of(1, 4), -1.0, True),
        (state_of(0, 4), LEFT, state_of(0, 4), 0.0, True),  # nobody acts at the goal, in a trap, in a wall,
        (state_of(3, 1), LEFT, state_of(3, 1), 0.0, True),
        (state_of(0, 2), LEFT, state_of(0, 2), 0.0, True),
        (state_of(2, 0), UP, state_of(2, 0), 0.0, True),  # on the key or the door without holding the key
        (state_of(1, 2), LEFT, state_of(1, 2), 0.0, True),
    ],
)
def test_each_rule(state: int, action: int, to: int, reward: float, ends: bool) -> None:
    moves = transitions(world_of(ROOMS), step_reward=-0.1)
    assert moves.next_state[0, state, action] == to
    assert moves.reward[0, state, action] == reward
    assert moves.ends[0, state, action] == ends


@pytest.mark.parametrize("door", [True, False])
def test_moves_agree_with_a_slow_agent_in_random_worlds(door: bool, rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 12, door=door, **KIND)
    moves, acting = transitions(worlds, step_reward=-0.04), acting_states(worlds)
    for index in range(len(worlds)):
        rows = map_of(worlds[index])
        for state in range(worlds.states):
            assert acting[index, state] == slow_acting(rows, state)
            for action in range(4):
                expected = slow_move(rows, state, action, -0.04) if acting[index, state] else (state, 0.0, True)
                found = (moves.next_state, moves.reward, moves.ends)
                assert tuple(part[index, state, action] for part in found) == expected


def test_moves_never_lead_to_where_nobody_can_be(rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 50, door=True, **KIND)
    moves = transitions(worlds, step_reward=-0.04)
    world, state, action = np.nonzero(~moves.ends)
    assert acting_states(worlds)[world, moves.next_state[world, state, action]].all()


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_a_slip_is_any_action_equally_likely(probability: float, rng: np.random.Generator) -> None:
    meant = np.full(40_000, LEFT)
    share = np.bincount(slip(rng, meant, probability), minlength=4) / len(meant)
    expected = np.full(4, probability / 4)
    expected[LEFT] += 1 - probability
    np.testing.assert_allclose(share, expected, atol=0.012)  # five standard errors
    assert (share[expected == 0] == 0).all()


def test_starts_are_random_states_without_the_key(rng: np.random.Generator) -> None:
    world = world_of(ROOMS)
    starts = start_states(rng, world[np.zeros(2000, dtype=int)])
    possible = np.flatnonzero(acting_states(world)[0, :25])
    count = np.bincount(starts, minlength=25)
    assert set(starts) == set(possible)
    assert count[possible].min() > 0.5 * 2000 / len(possible)


def success(
    text: str, action: int, start: int, slip_probability: float, episodes: int, rng: np.random.Generator
) -> float:
    worlds = world_of(text)[np.zeros(episodes, dtype=int)]
    policy = np.full((episodes, worlds.states), action)
    return greedy_success(worlds, policy, np.full(episodes, start), rng, slip_probability)


def test_success_is_reaching_the_goal(rng: np.random.Generator) -> None:
    assert success(CORRIDOR, RIGHT, 0, 0.0, 1, rng) == 1
    assert success(CORRIDOR, LEFT, 0, 0.0, 1, rng) == 0
    assert success(LOCKED, RIGHT, 1, 0.0, 1, rng) == 0  # the door is closed
    assert success(LOCKED, RIGHT, state_of(0, 1, True), 0.0, 1, rng) == 1
    assert success(ROOMS, RIGHT, state_of(3, 0), 0.0, 1, rng) == 0  # a trap


def test_slips_succeed_and_fail_as_often_as_they_should(rng: np.random.Generator) -> None:
    """One cell between a trap on the left and the goal on the right: a slip up or down is another try."""
    text, chance = "X.G ### ###", 0.6
    right, left = 1 - chance + chance / 4, chance / 4
    assert success(text, RIGHT, 1, chance, 20_000, rng) == pytest.approx(right / (right + left), abs=0.015)


def test_an_episode_is_cut_off_at_the_step_limit(rng: np.random.Generator) -> None:
    """A wanderer that slips always: its chance to arrive in time, from powers of the matrix of its moves."""
    size = 5
    assert step_limit(size) == 100
    step = np.zeros((6, 6))  # cells 0..4 of the corridor, of which 4 is the goal
    for cell in range(4):
        step[cell, [max(cell - 1, 0), cell + 1]] += 0.25
        step[cell, cell] += 0.5
    step[4, 4] = 1
    expected = np.linalg.matrix_power(step, 100)[0, 4]
    assert 0.5 < expected < 0.999
    assert success(CORRIDOR, LEFT, 0, 1.0, 20_000, rng) == pytest.approx(expected, abs=0.015)
