"""Worlds of the GridWorld study (arXiv:2310.04821): two rooms, a locked door between them, a key, a goal and traps.

The paper's own worlds are not public; these have what it names, states whose value depends on many features at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Int

from igbaselines.common.errors import UserError

_BATCH = 64  # worlds drawn at a time: a fixed number, so that the first worlds do not depend on how many are asked for
_PATIENCE = 20_000  # draws before a share of solvable worlds is believed
_LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class Worlds:
    """Several worlds of one size; cells are (row, column), counted from the upper left."""

    walls: Bool[np.ndarray, "w size size"]  # cells that cannot be entered, without the door
    traps: Bool[np.ndarray, "w size size"]  # cells that end an episode badly
    goal: Int[np.ndarray, "w 2"]  # cell that ends it well
    key: Int[np.ndarray, "w 2"]  # cell where the agent picks up the key; (-1, -1) in a world without a door
    door: Int[np.ndarray, "w 2"]  # cell that only an agent with the key can enter; (-1, -1) in a world without a door

    def __len__(self) -> int:
        return len(self.walls)

    def __getitem__(self, index: int | np.int64 | slice | Int[np.ndarray, " n"] | Bool[np.ndarray, " w"]) -> "Worlds":
        """Some of the worlds, in the order of the index; an integer gives one world, still as `Worlds`."""
        chosen = [index] if isinstance(index, int | np.integer) else index
        return Worlds(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def size(self) -> int:
        """Cells along an edge."""
        return self.walls.shape[-1]

    @property
    def states(self) -> int:
        """States of a world: has_key * size ** 2 + row * size + column. Not in all of them an agent can be."""
        return 2 * self.size**2

    @property
    def has_door(self) -> Bool[np.ndarray, " w"]:
        """Whether a world is parted."""
        return self.door[:, 0] >= 0

    @property
    def divided_by_column(self) -> Bool[np.ndarray, " w"]:
        """Whether the dividing wall is the door's column and not its row."""
        every = np.arange(len(self))
        in_column = self.walls[every, :, self.door[:, 1]].sum(axis=1)
        in_row = self.walls[every, self.door[:, 0], :].sum(axis=1)
        return self.has_door & (in_column >= in_row)

    def cell(self, place: Int[np.ndarray, "w 2"]) -> Int[np.ndarray, " w"]:
        """Index of a cell, row * size + column; -1 for (-1, -1)."""
        return np.where(place[:, 0] < 0, -1, place[:, 0] * self.size + place[:, 1])


def joined(worlds: Sequence[Worlds]) -> Worlds:
    """Worlds of one size, one after the other."""
    return Worlds(*(np.concatenate([getattr(part, field.name) for part in worlds]) for field in fields(Worlds)))


def draw_worlds(rng: np.random.Generator, count: int, *, size: int, traps: int, walls: int, door: bool) -> Worlds:
    """Draw worlds at random; those in which some free cell is cut off from the goal are drawn again.

    From the same state of `rng` the first worlds are the same for every `count`. `walls` come beside those of the
    dividing wall, in which there is a `door`, whose key lies in the room that the goal is not in.

    Raises:
        UserError: if hardly any world with so many walls and traps can be solved.
    """
    found: list[Worlds] = []
    kept = drawn = 0
    while kept < count:
        if drawn >= _PATIENCE and kept < _LEAST_SHARE * drawn:
            raise UserError(
                f"of {drawn} worlds of size {size} with {walls} walls and {traps} traps only {kept} can be solved: "
                "lower dataset.walls or dataset.traps"
            )
        worlds = _candidates(rng, size, traps, walls, door)
        found.append(worlds[solvable(worlds)])
        kept += len(found[-1])
        drawn += _BATCH
    return joined(found)[:count]


def solvable(worlds: Worlds) -> Bool[np.ndarray, " w"]:
    """Whether from every free cell the goal can be reached without a trap on the way.

    The door is the only way between the rooms, so when all free cells hang together with the door open, those of each
    room hang together: the key can be reached in its room, and the goal from its room without the key.
    """
    free = ~worlds.walls & ~worlds.traps
    reached = np.zeros_like(free)
    reached[np.arange(len(worlds)), worlds.goal[:, 0], worlds.goal[:, 1]] = True
    while True:
        grown = reached.copy()
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown[:, :, 1:] |= reached[:, :, :-1]
        grown[:, :, :-1] |= reached[:, :, 1:]
        grown &= free
        if (grown == reached).all():
            return (reached == free).all(axis=(1, 2))
        reached = grown


def _candidates(rng: np.random.Generator, size: int, traps: int, walls: int, door: bool) -> Worlds:
    """A batch of worlds, solvable or not."""
    wall, goal_room, key_room, door_place = _rooms(rng, size) if door else _one_room(size)
    score = rng.random((_BATCH, size**2))  # things take the free cells in the order of a random score
    every = np.arange(_BATCH)
    goal = np.where(goal_room.reshape(_BATCH, -1), score, -1).argmax(axis=1)
    key = np.where(key_room.reshape(_BATCH, -1), score, -1).argmax(axis=1)
    rest = (goal_room | key_room).reshape(_BATCH, -1)
    rest[every, goal] = False
    if door:
        rest[every, key] = False
    order = np.where(rest, score, -1).argsort(axis=1)[:, ::-1]
    wall, trap = wall.reshape(_BATCH, -1), np.zeros((_BATCH, size**2), dtype=bool)
    wall[every[:, None], order[:, :walls]] = True
    trap[every[:, None], order[:, walls : walls + traps]] = True
    grid = (_BATCH, size, size)
    key_place = np.stack(np.divmod(key, size), axis=1) if door else door_place
    goal_place = np.stack(np.divmod(goal, size), axis=1)
    return Worlds(wall.reshape(grid), trap.reshape(grid), goal_place, key_place, door_place)


_Cells = Bool[np.ndarray, "w size size"]
_Rooms = tuple[_Cells, _Cells, _Cells, Int[np.ndarray, "w 2"]]


def _rooms(rng: np.random.Generator, size: int) -> _Rooms:
    """The dividing wall, the room of the goal, that of the key, and the door between them."""
    line = rng.integers(1, size - 1, _BATCH)  # never at the edge: no room would be left there
    gap = rng.integers(size, size=_BATCH)
    goal_side = rng.choice([-1, 1], _BATCH)[:, None, None]
    flipped = rng.random(_BATCH) < 0.5  # the wall is a row
    row, column = np.indices((size, size))
    side = np.sign(column - line[:, None, None])
    door = side == 0
    door &= row == gap[:, None, None]
    side, door = (np.where(flipped[:, None, None], grid.swapaxes(1, 2), grid) for grid in (side, door))
    return (side == 0) & ~door, side == goal_side, side == -goal_side, np.argwhere(door)[:, 1:]


def _one_room(size: int) -> _Rooms:
    grid = (_BATCH, size, size)
    none = np.full((_BATCH, 2), -1, dtype=np.int64)
    return np.zeros(grid, dtype=bool), np.ones(grid, dtype=bool), np.zeros(grid, dtype=bool), none
