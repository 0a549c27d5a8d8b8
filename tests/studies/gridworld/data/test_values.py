"""Optimal values against worlds solved by hand, and against a linear solve of the policy."""

from itertools import pairwise

import numpy as np
import pytest

from igbaselines.studies.gridworld.data.dynamics import acting_states
from igbaselines.studies.gridworld.data.values import optimal_values
from igbaselines.studies.gridworld.data.worlds import Worlds, draw_worlds
from tests.studies.gridworld.gridworld_maps import CORRIDOR, LOCKED, map_of, slow_acting, slow_move, state_of, world_of

STEP, DISCOUNT = -0.04, 0.95


def value_at_distance(moves: int) -> float:
    """The last of so many certain moves gives 1, each other one the step reward."""
    return DISCOUNT ** (moves - 1) + STEP * (1 - DISCOUNT ** (moves - 1)) / (1 - DISCOUNT)


def values(world: Worlds, slip: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    value, action_value = optimal_values(world, slip=slip, step_reward=STEP, discount=DISCOUNT)
    return value[0], action_value[0]


def test_a_corridor_has_the_closed_form() -> None:
    value, action_value = values(world_of(CORRIDOR))
    assert value[:4] == pytest.approx([value_at_distance(4 - cell) for cell in range(4)], abs=1e-12)
    stays, left = STEP + DISCOUNT * value[1], STEP + DISCOUNT * value[0]
    assert action_value[1] == pytest.approx([stays, stays, left, value[1]], abs=1e-12)
    assert (value[4:] == 0).all()


def test_the_key_is_fetched_before_the_door() -> None:
    value, action_value = values(world_of(LOCKED))
    assert value[[1, 2]] == pytest.approx([value_at_distance(1 + 4), value_at_distance(2 + 4)], abs=1e-12)
    holding = [state_of(0, column, True) for column in range(4)]
    assert value[holding] == pytest.approx([value_at_distance(4 - column) for column in range(4)], abs=1e-12)
    assert action_value[1].argmax() == 2
    assert action_value[2].argmax() == 2
    assert value[[0, 3]].tolist() == [0, 0]  # nobody stands on the key or the door without the key


def test_slipping_in_two_cells_solved_by_hand() -> None:
    slip = 0.3
    # right is meant in both; cell 0: right to cell 1, else it stays; cell 1: right to the goal, left to cell 0
    to = np.array([[3 / 4 * slip, 1 - slip + slip / 4], [slip / 4, slip / 2]])
    goal = np.array([0, 1 - slip + slip / 4])
    expected = np.linalg.solve(np.eye(2) - DISCOUNT * to, goal + STEP * to.sum(axis=1))
    assert values(world_of("..G ### ###"), slip)[0][:2] == pytest.approx(expected, abs=1e-9)


def test_without_a_choice_all_actions_are_worth_the_same() -> None:
    _, action_value = values(world_of(CORRIDOR), slip=1.0)
    assert (action_value[:4] == action_value[:4, :1]).all()


def test_beside_a_trap_a_longer_way_is_worth_more() -> None:
    """With slips the agent keeps away from traps that stand at the short way."""
    world = world_of("XXX#. ....G ..... ..... .....")
    certain, slipping = (values(world, slip)[1][state_of(1, 0)].argmax() for slip in (0.0, 0.5))
    assert certain == 3
    assert slipping == 1


@pytest.mark.parametrize(("slip", "door", "discount"), [(0.0, True, 0.95), (0.1, True, 0.999), (0.4, False, 0.7)])
def test_the_best_actions_are_worth_what_a_linear_solve_says(
    slip: float, door: bool, discount: float, rng: np.random.Generator
) -> None:
    """The slow agent follows the best actions: its linear equations have the values, and no action does better."""
    worlds = draw_worlds(rng, 5, size=5, traps=3, walls=2, door=door)
    found, action_values = optimal_values(worlds, slip=slip, step_reward=STEP, discount=discount)
    for index in range(len(worlds)):
        rows, states = map_of(worlds[index]), worlds.states
        chance, reward = np.zeros((states, 4, states)), np.zeros((states, 4))
        for state in filter(lambda state: slow_acting(rows, state), range(states)):
            for meant in range(4):
                for action, share in [(meant, 1 - slip), *((any_, slip / 4) for any_ in range(4))]:
                    to, gain, ends = slow_move(rows, state, action, STEP)
                    reward[state, meant] += share * gain
                    chance[state, meant, to] += 0 if ends else share
        best = action_values[index].argmax(axis=1), np.arange(states)
        value = np.linalg.solve(np.eye(states) - discount * chance[best[1], best[0]], reward[best[1], best[0]])
        np.testing.assert_allclose(found[index], value, atol=1e-6)
        np.testing.assert_allclose(action_values[index], reward + discount * chance @ value, atol=1e-6)
        assert (found[index] >= (reward + discount * chance @ value).max(axis=1) - 1e-6).all()


def test_values_are_those_of_each_world_alone_and_zero_where_nobody_acts(rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 8, size=6, traps=3, walls=3, door=True)
    value, action_value = optimal_values(worlds, slip=0.1, step_reward=STEP, discount=DISCOUNT)
    assert (value[~acting_states(worlds)] == 0).all()
    assert (action_value[~acting_states(worlds)] == 0).all()
    assert (value == action_value.max(axis=2)).all()
    for index in range(len(worlds)):
        np.testing.assert_allclose(values(worlds[index], slip=0.1)[0], value[index], atol=1e-8)


def test_values_fall_with_the_chance_to_slip(rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 20, size=7, traps=3, walls=4, door=True)
    means = [
        optimal_values(worlds, slip=s, step_reward=STEP, discount=DISCOUNT)[0].mean() for s in (0.0, 0.1, 0.5, 1.0)
    ]
    assert all(more > less for more, less in pairwise(means))


def test_values_that_do_not_converge_are_an_error() -> None:
    """A walled-in agent loses without end, and more than the sweeps allow for."""
    with pytest.raises(ArithmeticError, match=r"have not converged to 1e-10 in \d+ sweeps"):
        optimal_values(world_of(".#G ### ###"), slip=0.0, step_reward=-1e6, discount=0.5)
