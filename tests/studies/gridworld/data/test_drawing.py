"""Pictures: every thing is seen on its cell and nowhere else."""

import numpy as np
import pytest

from igbaselines.studies.gridworld.data.drawing import draw_world
from igbaselines.studies.gridworld.data.worlds import Worlds
from tests.studies.gridworld.gridworld_maps import CORRIDOR, ROOMS, state_of, world_of

CELL = 24
COLOURS = {
    "wall": (62, 68, 80),
    "door": (146, 94, 52),
    "posts": (104, 64, 34),
    "key": (232, 178, 38),
    "goal": (58, 158, 92),
    "trap": (206, 66, 58),
    "agent": (44, 108, 190),
}


def cells_with(name: str, world: Worlds, state: int) -> list[tuple[int, int]]:
    """Cells that have at least five pixels of a thing's colour."""
    picture = draw_world(world, state, CELL)[:-1, :-1]
    same = (picture == COLOURS[name]).all(axis=2)
    count = same.reshape(world.size, CELL, world.size, CELL).sum(axis=(1, 3))
    return [(int(row), int(column)) for row, column in np.argwhere(count >= 5)]


def test_each_thing_is_on_its_cell() -> None:
    world = world_of(ROOMS)
    state = state_of(4, 1)
    assert cells_with("wall", world, state) == [(0, 2), (2, 2), (3, 2), (4, 2)]
    assert cells_with("door", world, state) == [(1, 2)]
    assert cells_with("key", world, state)[-1] == (2, 0)
    assert cells_with("goal", world, state) == [(0, 4)]
    assert cells_with("trap", world, state) == [(1, 4), (3, 1)]
    assert cells_with("agent", world, state) == [(4, 1)]


def test_the_key_goes_with_the_agent_and_the_door_opens() -> None:
    world = world_of(ROOMS)
    state = state_of(4, 1, True)
    assert cells_with("key", world, state) == [(4, 1)]
    assert cells_with("door", world, state) == []
    assert cells_with("posts", world, state) == [(1, 2)]


def test_a_door_in_a_row_is_drawn_lying() -> None:
    standing = world_of(ROOMS)
    lying = Worlds(
        standing.walls.swapaxes(1, 2),
        standing.traps.swapaxes(1, 2),
        standing.goal[:, ::-1],
        standing.key[:, ::-1],
        standing.door[:, ::-1],
    )
    door = draw_world(standing, 0)[CELL + 1 : 2 * CELL, 2 * CELL + 1 : 3 * CELL]
    turned = draw_world(lying, 0)[2 * CELL + 1 : 3 * CELL, CELL + 1 : 2 * CELL]
    np.testing.assert_array_equal(door.swapaxes(0, 1), turned)


def test_without_a_door_neither_it_nor_the_key_is_drawn() -> None:
    assert cells_with("door", world_of(CORRIDOR), 0) == cells_with("key", world_of(CORRIDOR), 0) == []


@pytest.mark.parametrize("cell", [8, 24, 37])
def test_the_size_of_the_picture(cell: int) -> None:
    picture = draw_world(world_of(ROOMS), 0, cell)
    assert picture.shape == (5 * cell + 1, 5 * cell + 1, 3)
    assert picture.dtype == np.uint8


def test_what_cannot_be_drawn() -> None:
    world = world_of(ROOMS)
    with pytest.raises(ValueError, match="one world can be drawn, got 2"):
        draw_world(world[np.array([0, 0])], 0)
    with pytest.raises(ValueError, match="there is no state 50: a world of size 5 has 50"):
        draw_world(world, 50)
