"""How an agent moves in a GridWorld: one table of moves that the values and the rollouts share."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from igbaselines.studies.gridworld.data.worlds import Worlds

ACTIONS = ("up", "down", "left", "right")
GOAL_REWARD = 1.0
TRAP_REWARD = -1.0
_MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class Transitions:
    """Where each action leads when the agent does not slip."""

    # State after the move. States in which no agent acts (walls, the goal, traps) lead to themselves.
    next_state: Int[np.ndarray, "w states 4"]
    # Of the move; that of the goal or a trap takes the place of the step's. 0 where no agent acts.
    reward: Float[np.ndarray, "w states 4"]
    ends: Bool[np.ndarray, "w states 4"]  # whether the episode ends with the move; true where no agent acts


def acting_states(worlds: Worlds) -> Bool[np.ndarray, "w states"]:
    """States in which an agent acts: on a free cell, on the door only with the key, on the key only holding it."""
    free = ~(worlds.walls | worlds.traps).reshape(len(worlds), -1)
    cells = np.arange(worlds.size**2)
    free &= cells != worlds.cell(worlds.goal)[:, None]
    without = free & (cells != worlds.cell(worlds.door)[:, None]) & (cells != worlds.cell(worlds.key)[:, None])
    return np.concatenate([without, free & worlds.has_door[:, None]], axis=1)


def blocked(worlds: Worlds) -> Bool[np.ndarray, "w states 4"]:
    """Whether a wall, the edge or, without the key, the door stops a move."""
    shut = worlds.walls.copy()
    parted = np.flatnonzero(worlds.has_door)
    shut[parted, worlds.door[parted, 0], worlds.door[parted, 1]] = True
    solid = np.stack([shut, worlds.walls], axis=1)
    framed = np.pad(solid, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=True)
    n = worlds.size
    neighbour = [framed[..., 1 + row : 1 + row + n, 1 + column : 1 + column + n] for row, column in _MOVES]
    return np.stack(neighbour, axis=-1).reshape(len(worlds), worlds.states, len(ACTIONS))


def transitions(worlds: Worlds, step_reward: float) -> Transitions:
    """The moves of every state, without slips: `slip` and `optimal_values` put those on top.

    The reward is of a move that does not end the episode, moved or stopped.
    """
    n = worlds.size
    state = np.arange(worlds.states)[:, None]
    step = np.array([row * n + column for row, column in _MOVES])
    cell = np.where(blocked(worlds), state % n**2, state % n**2 + step)
    has_key = (state >= n**2) | (cell == worlds.cell(worlds.key)[:, None, None])
    at_goal = cell == worlds.cell(worlds.goal)[:, None, None]
    trapped = worlds.traps.reshape(len(worlds), -1)[np.arange(len(worlds))[:, None, None], cell]
    acting = acting_states(worlds)[:, :, None]
    reward = np.where(at_goal, GOAL_REWARD, np.where(trapped, TRAP_REWARD, step_reward))
    return Transitions(
        next_state=np.where(acting, cell + n**2 * has_key, state),
        reward=np.where(acting, reward, 0.0),
        ends=at_goal | trapped | ~acting,
    )


def slip(rng: np.random.Generator, action: Int[np.ndarray, " e"], probability: float) -> Int[np.ndarray, " e"]:
    """What the agents do when they mean to do `action`: with this probability any of the four, all equally likely."""
    slips = rng.random(len(action)) < probability
    return np.where(slips, rng.integers(len(ACTIONS), size=len(action)), action)


def step_limit(size: int) -> int:
    """Moves after which an episode is cut off."""
    return 4 * size**2


def start_states(rng: np.random.Generator, worlds: Worlds) -> Int[np.ndarray, " w"]:
    """A random state without the key for each world, in either room."""
    acting = acting_states(worlds)[:, : worlds.size**2]
    return np.where(acting, rng.random(acting.shape), -1).argmax(axis=1)


def greedy_success(
    worlds: Worlds,
    policy: Int[np.ndarray, "w states"],
    starts: Int[np.ndarray, " w"],
    rng: np.random.Generator,
    slip_probability: float,
) -> float:
    """Share of episodes, one a world, that reach the goal in time where the policy is meant and the agent may slip."""
    moves = transitions(worlds, step_reward=0.0)
    every = np.arange(len(worlds))
    state, running = starts.copy(), np.ones(len(worlds), dtype=bool)
    for _ in range(step_limit(worlds.size)):
        action = slip(rng, policy[every, state], slip_probability)
        running &= ~moves.ends[every, state, action]
        state = moves.next_state[every, state, action]
        if not running.any():
            break
    return float((state % worlds.size**2 == worlds.cell(worlds.goal)).mean())
