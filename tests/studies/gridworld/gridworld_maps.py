"""GridWorlds drawn by hand, and a slow agent that knows nothing of the code's tables."""

import numpy as np

from igbaselines.studies.gridworld.data.worlds import Worlds

# '#' wall, 'D' door, 'K' key, 'G' goal, 'X' trap, '.' free
CORRIDOR = "....G ##### ##### ##### #####"
LOCKED = "K..DG ##### ##### ##### #####"
ROOMS = "..#.G ..D.X K.#.. .X#.. ..#.."


def world_of(text: str) -> Worlds:
    """One world from its rows, parted by blanks."""
    grid = np.array([list(row) for row in text.split()])

    def place(thing: str) -> np.ndarray:
        found = np.argwhere(grid == thing)
        return found if len(found) else np.full((1, 2), -1)

    return Worlds((grid == "#")[None], (grid == "X")[None], place("G"), place("K"), place("D"))


def map_of(world: Worlds) -> list[str]:
    """The rows of one world: `world_of` the other way round."""
    grid = np.full((world.size, world.size), ".")
    grid[world.walls[0]] = "#"
    grid[world.traps[0]] = "X"
    for thing, place in (("G", world.goal), ("K", world.key), ("D", world.door)):
        if place[0, 0] >= 0:
            assert grid[tuple(place[0])] == "."
            grid[tuple(place[0])] = thing
    return ["".join(row) for row in grid]


def state_of(row: int, column: int, has_key: bool = False, size: int = 5) -> int:
    return int(has_key) * size**2 + row * size + column


def slow_acting(rows: list[str], state: int) -> bool:
    """Whether an agent acts in a state, by the rules in words."""
    size = len(rows)
    has_key, cell = divmod(state, size**2)
    thing = rows[cell // size][cell % size]
    if has_key:
        return thing in ".DK" and any("K" in row for row in rows)
    return thing == "."


def slow_move(rows: list[str], state: int, action: int, step_reward: float) -> tuple[int, float, bool]:
    """Next state, reward and whether the episode ends, by the rules in words."""
    size = len(rows)
    has_key, cell = divmod(state, size**2)
    row, column = divmod(cell, size)
    to_row, to_column = row + (-1, 1, 0, 0)[action], column + (0, 0, -1, 1)[action]
    if not (0 <= to_row < size and 0 <= to_column < size):
        return state, step_reward, False
    thing = rows[to_row][to_column]
    if thing == "#" or (thing == "D" and not has_key):
        return state, step_reward, False
    to = state_of(to_row, to_column, bool(has_key) or thing == "K", size)
    return to, {"G": 1.0, "X": -1.0}.get(thing, step_reward), thing in "GX"
