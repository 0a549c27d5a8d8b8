"""Flat pictures of a GridWorld state, made by numpy alone: they need no window system."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, UInt8

from igbaselines.studies.gridworld.data.worlds import Worlds

_FINE = 4  # points along a pixel's edge that its colour is the mean of: smooth outlines
_FLOOR = (246, 243, 236)
_LINE = (224, 219, 208)
_WALL = (62, 68, 80)
_BROWN = (146, 94, 52)
_DARK_BROWN = (104, 64, 34)
_GOLD = (232, 178, 38)
_GREEN = (58, 158, 92)
_RED = (206, 66, 58)
_BLUE = (44, 108, 190)
_WHITE = (255, 255, 255)

_Mask = Bool[np.ndarray, "fine fine"]
_Position = Float[np.ndarray, "fine fine"]  # in a cell, from -1 to 1
_Drawn = Iterator[tuple[_Mask, tuple[int, int, int]]]  # where, and in which colour


def draw_world(world: Worlds, state: int, cell: int = 24) -> UInt8[np.ndarray, "h w 3"]:
    """Draw one world and the agent in it, RGB, size * cell + 1 pixels along an edge: the last line closes the grid.

    Walls are dark, the door brown (its leaf is gone when the key is held), the key gold, the goal green, traps red and
    the agent a blue disc, with a small key on it when it holds the key.

    Raises:
        ValueError: if `world` is not one world or the state does not exist.
    """
    if len(world) != 1:
        raise ValueError(f"one world can be drawn, got {len(world)}: choose one by worlds[index]")
    if not 0 <= state < world.states:
        raise ValueError(f"there is no state {state}: a world of size {world.size} has {world.states}")
    n, fine = world.size, cell * _FINE
    has_key, agent = divmod(state, n**2)
    picture = np.full((n * cell + 1, n * cell + 1, 3), _LINE, dtype=np.uint8)
    y, x = (np.indices((fine, fine)) + 0.5) / fine * 2 - 1
    for row, column in np.ndindex(n, n):
        tile = np.full((fine, fine, 3), _FLOOR, dtype=float)
        tile[:_FINE] = tile[:, :_FINE] = _LINE  # of the grid
        for mask, colour in _things(world, (row, column), bool(has_key), row * n + column == agent, y, x):
            tile[mask] = colour
        shrunk = tile.reshape(cell, _FINE, cell, _FINE, 3).mean(axis=(1, 3))
        picture[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = shrunk.round()
    return picture


def _things(world: Worlds, place: tuple[int, int], has_key: bool, agent: bool, y: _Position, x: _Position) -> _Drawn:
    """What is on a cell, from bottom to top."""
    if world.walls[0, *place]:
        yield np.ones_like(x, dtype=bool), _WALL
    if (place == world.door[0]).all():
        yield from _door(has_key, y if world.divided_by_column[0] else x, x if world.divided_by_column[0] else y)
    if world.traps[0, *place]:
        yield from _trap(y, x)
    if (place == world.goal[0]).all():
        yield from _goal(y, x)
    if (place == world.key[0]).all() and not has_key:
        yield from ((mask, _GOLD) for mask in _key(y, x))
    if agent:
        yield np.hypot(y, x) < 0.74, _WHITE
        yield np.hypot(y, x) < 0.66, _BLUE
        if has_key:
            yield from ((mask, _GOLD) for mask in _key(1.7 * y, 1.7 * x))


def _door(is_open: bool, along: _Position, across: _Position) -> _Drawn:
    """Posts at the wall's ends; between them the leaf with its lock, unless it is open."""
    yield np.abs(along) > 0.76, _DARK_BROWN
    if not is_open:
        yield (np.abs(along) <= 0.76) & (np.abs(across) < 0.5), _BROWN
        yield np.hypot(along - 0.4, across) < 0.16, _GOLD


def _trap(y: _Position, x: _Position) -> _Drawn:
    inside = np.maximum(np.abs(y), np.abs(x)) < 0.78
    yield inside, _RED
    yield inside & (np.minimum(np.abs(y - x), np.abs(y + x)) < 0.24) & (np.hypot(y, x) < 0.66), _WHITE


def _goal(y: _Position, x: _Position) -> _Drawn:
    """A flag on a green cell."""
    yield np.maximum(np.abs(y), np.abs(x)) < 0.86, _GREEN
    yield (np.abs(x + 0.34) < 0.08) & (np.abs(y) < 0.6), _WHITE
    yield (x > -0.34) & (x < 0.5 - np.abs(y + 0.24) * 2.0) & (np.abs(y + 0.24) < 0.36), _WHITE


def _key(y: _Position, x: _Position) -> Iterator[_Mask]:
    """Bow, shank and two teeth."""
    bow = np.hypot(y, x + 0.4)
    yield (bow < 0.38) & (bow > 0.17)
    yield (np.abs(y) < 0.1) & (x > -0.08) & (x < 0.76)
    yield ((np.abs(x - 0.42) < 0.09) | (np.abs(x - 0.67) < 0.09)) & (y >= 0) & (y < 0.36)
