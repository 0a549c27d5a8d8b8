"""Exact optimal values of GridWorld states, by value iteration in all worlds at once."""

import math

import numpy as np
from jaxtyping import Float

from igbaselines.studies.gridworld.data.dynamics import transitions
from igbaselines.studies.gridworld.data.worlds import Worlds

TOLERANCE = 1e-10  # of the largest change of a value in the last sweep


def optimal_values(
    worlds: Worlds, slip: float, step_reward: float, discount: float
) -> tuple[Float[np.ndarray, "w states"], Float[np.ndarray, "w states 4"]]:
    """Values of the optimal policy where with a probability `slip` any of the four actions happens, all equally likely.

    Returns:
        The value of each state and that of each action in it (up, down, left, right), float64; 0 in states where no
        agent acts. The value is the largest of the action values.

    Raises:
        ArithmeticError: if the values have not converged after as many sweeps as must do.
    """
    moves = transitions(worlds, step_reward)
    state, every = moves.next_state, np.arange(len(worlds))[:, None, None]
    goes_on = discount * ~moves.ends
    value = np.zeros(state.shape[:2])
    for _ in range(_sweeps(discount)):
        meant = moves.reward + goes_on * value[every, state]
        action_value = (1 - slip) * meant + slip * meant.mean(axis=2, keepdims=True)
        previous, value = value, action_value.max(axis=2)
        if np.abs(value - previous).max(initial=0.0) < TOLERANCE:
            return value, action_value
    raise ArithmeticError(f"the values have not converged to {TOLERANCE} in {_sweeps(discount)} sweeps")


def _sweeps(discount: float) -> int:
    """A sweep shrinks the change by the discount, and the first change is no larger than the largest reward, 1."""
    return math.ceil(math.log(TOLERANCE) / math.log(discount)) + 2
