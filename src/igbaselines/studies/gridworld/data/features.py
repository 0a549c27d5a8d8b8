"""What a value network sees of a GridWorld state: positions relative to the agent, and what is around it."""

import numpy as np
from jaxtyping import Bool, Float32, Int

from igbaselines.studies.gridworld.data.dynamics import ACTIONS, blocked
from igbaselines.studies.gridworld.data.worlds import Worlds

FEATURES = (
    "goal_row",
    "goal_column",
    "key_row",
    "key_column",
    "door_row",
    "door_column",
    "has_key",
    "door_between",
    "trap_row",
    "trap_column",
    *(f"wall_{action}" for action in ACTIONS),
)


def features_of(worlds: Worlds) -> Float32[np.ndarray, "w states 14"]:
    """The features of every state, in the order of `FEATURES`.

    Offsets are the thing's cell minus the agent's, in cells: of the goal, of the key (0 when held), of the door, and
    of the nearest trap by |rows| + |columns| (the first in row-major order of equally near ones; 0 without traps).
    The others are 1 where they hold and 0 elsewhere: `has_key`; `door_between`, the agent is beyond the dividing wall
    as seen from the goal (0 on the door's own cell); `wall_up` and so on, a wall, the edge or the closed door stops
    that move. Without a door what belongs to it and to the key is 0.
    """
    n = worlds.size
    agent = np.stack(np.divmod(np.arange(worlds.states) % n**2, n), axis=1)
    has_key = np.broadcast_to(np.arange(worlds.states) >= n**2, (len(worlds), worlds.states))
    parted = worlds.has_door[:, None, None]
    columns = [
        worlds.goal[:, None] - agent,
        np.where(parted & ~has_key[:, :, None], worlds.key[:, None] - agent, 0),
        np.where(parted, worlds.door[:, None] - agent, 0),
        (has_key & worlds.has_door[:, None])[:, :, None],
        _door_between(worlds, agent)[:, :, None],
        np.tile(_trap_offsets(worlds, agent[: n**2]), (1, 2, 1)),
        blocked(worlds),
    ]
    return np.concatenate(columns, axis=2, dtype=np.float32)


def _door_between(worlds: Worlds, agent: Int[np.ndarray, "states 2"]) -> Bool[np.ndarray, "w states"]:
    axis = worlds.divided_by_column.astype(np.int64)
    every = np.arange(len(worlds))
    line = worlds.door[every, axis]
    own, goal = np.sign(agent[:, axis].T - line[:, None]), np.sign(worlds.goal[every, axis] - line)
    return (own == -goal[:, None]) & worlds.has_door[:, None]


def _trap_offsets(worlds: Worlds, cells: Int[np.ndarray, "cells 2"]) -> Int[np.ndarray, "w cells 2"]:
    offsets = np.zeros((len(worlds), *cells.shape), dtype=np.int64)
    for world in range(len(worlds)):  # not all at once: every cell against every other would not fit for many worlds
        traps = np.argwhere(worlds.traps[world])
        if len(traps):
            between = traps[None] - cells[:, None]
            nearest = np.abs(between).sum(axis=2).argmin(axis=1)
            offsets[world] = between[np.arange(len(cells)), nearest]
    return offsets
