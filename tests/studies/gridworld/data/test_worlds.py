"""Random worlds: what they hold, and that each can be solved."""

from typing import Any

import numpy as np
import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.gridworld.data.worlds import Worlds, draw_worlds, joined, solvable
from tests.studies.gridworld.gridworld_maps import CORRIDOR, LOCKED, ROOMS, map_of, slow_acting, slow_move, world_of

KIND: dict[str, Any] = {"size": 7, "traps": 3, "walls": 4, "door": True}


def equal(first: Worlds, second: Worlds) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in vars(first))


def slowly_solvable(world: Worlds) -> bool:
    """Whether the goal is reached from every state without the key, by a search through the agent's states."""
    rows = map_of(world)

    def reaches_goal(start: int) -> bool:
        seen, left = {start}, [start]
        while left:
            here = left.pop()
            for state, reward, ends in (slow_move(rows, here, action, 0.0) for action in range(4)):
                if reward > 0:
                    return True
                if not ends and state not in seen:
                    seen.add(state)
                    left.append(state)
        return False

    return all(reaches_goal(state) for state in range(world.size**2) if slow_acting(rows, state))


@pytest.mark.parametrize("size", [5, 7, 10])
def test_a_world_has_two_rooms_a_door_and_what_is_asked_for(size: int, rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 100, **KIND | {"size": size})
    assert len(worlds) == 100
    for index in range(100):
        grid = np.array([list(row) for row in map_of(worlds[index])])
        assert [int((grid == thing).sum()) for thing in "#XGKD"] == [4 + size - 1, 3, 1, 1, 1]
        by_column = worlds.divided_by_column[index]
        line = worlds.door[index, int(by_column)]
        assert set((grid if by_column else grid.T)[:, line]) == {"#", "D"}
        assert 0 < line < size - 1
        sides = [np.sign(place[index, int(by_column)] - line) for place in (worlds.key, worlds.goal)]
        assert sorted(sides) == [-1, 1]


def test_walls_keys_and_goals_are_on_either_side(rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 400, **KIND)
    by_column = worlds.divided_by_column
    assert 0.4 < by_column.mean() < 0.6
    every, axis = np.arange(400), by_column.astype(int)
    goal_after = worlds.goal[every, axis] > worlds.door[every, axis]
    assert 0.4 < goal_after.mean() < 0.6


def test_without_a_door_there_is_one_room_and_no_key(rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 50, **KIND | {"door": False})
    assert not worlds.has_door.any()
    assert not worlds.divided_by_column.any()
    assert (worlds.key == -1).all()
    assert (worlds.door == -1).all()
    assert (worlds.walls.sum(axis=(1, 2)) == 4).all()


@pytest.mark.parametrize("door", [True, False])
def test_solvable_agrees_with_a_search_through_the_agents_states(door: bool, rng: np.random.Generator) -> None:
    """Of worlds that were made unsolvable in part, by a wall or trap on a random cell."""
    worlds = draw_worlds(rng, 150, **KIND | {"size": 5, "door": door})
    free = ~(worlds.walls | worlds.traps)
    for place in (worlds.goal, worlds.key, worlds.door):
        free[np.arange(150), place[:, 0], place[:, 1]] &= place[:, 0] < 0
    more = np.where(free, rng.random(free.shape), -1).reshape(150, -1).argmax(axis=1)
    for grid, index in ((worlds.walls, slice(0, 75)), (worlds.traps, slice(75, 150))):
        grid.reshape(150, -1)[np.arange(150)[index], more[index]] = True
    expected = [slowly_solvable(worlds[index]) for index in range(150)]
    assert solvable(worlds).tolist() == expected
    assert 20 < sum(expected) < 130


def test_drawn_worlds_can_be_solved(rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 40, **KIND)
    assert all(slowly_solvable(worlds[index]) for index in range(40))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CORRIDOR, True),
        (LOCKED, True),
        (ROOMS, True),
        ("..X.G ##### ##### ##### #####", False),  # only through a trap
        ("..#.G ..#.. ..D.. ..#X# K.###", True),
        ("..#.G ..#.. X.D.. .X#.. K.#..", False),  # the key is cut off
        ("..#.G ..#X# K.D.. ..#.. ..#..", False),  # the door does not lead to the goal
    ],
)
def test_solvable_of_worlds_by_hand(text: str, expected: bool) -> None:
    assert solvable(world_of(text)).tolist() == [expected]


def test_the_first_worlds_do_not_depend_on_how_many_are_drawn() -> None:
    few, many = (draw_worlds(np.random.default_rng(5), count, **KIND) for count in (3, 200))
    assert equal(few, many[:3])
    assert not equal(few, draw_worlds(np.random.default_rng(6), 3, **KIND))


def test_some_of_the_worlds(rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 6, **KIND)
    assert len(worlds[2]) == 1
    assert equal(worlds[2], worlds[2:3])
    assert equal(joined([worlds[1], worlds[4]]), worlds[np.array([1, 4])])
    assert equal(worlds[np.arange(6) > 3], worlds[4:])


def test_cells_and_states_are_numbered_by_rows() -> None:
    world = world_of(ROOMS)
    assert world.states == 50
    assert world.cell(world.goal).tolist() == [4]
    assert world.cell(world.key).tolist() == [10]
    assert world_of(CORRIDOR).cell(world_of(CORRIDOR).key).tolist() == [-1]


def test_walls_that_leave_no_solvable_world_end_in_one_line(rng: np.random.Generator) -> None:
    with pytest.raises(UserError, match=r"size 15 with 60 walls and 15 traps only \d+ can be solved: lower") as error:
        draw_worlds(rng, 100, size=15, walls=60, traps=15, door=True)
    assert "\n" not in str(error.value)
