"""The features of a state against what a person reads off a map, and against a slow computation."""

import numpy as np
import pytest

from igbaselines.studies.gridworld.data.dynamics import acting_states
from igbaselines.studies.gridworld.data.features import FEATURES, features_of
from igbaselines.studies.gridworld.data.worlds import Worlds, draw_worlds
from tests.studies.gridworld.gridworld_maps import CORRIDOR, ROOMS, map_of, slow_move, state_of, world_of


def named(world: Worlds, state: int) -> dict[str, float]:
    return dict(zip(FEATURES, features_of(world)[0, state].tolist(), strict=True))


def test_the_features_have_their_order() -> None:
    assert FEATURES[:6] == ("goal_row", "goal_column", "key_row", "key_column", "door_row", "door_column")
    assert FEATURES[6:10] == ("has_key", "door_between", "trap_row", "trap_column")
    assert FEATURES[10:] == ("wall_up", "wall_down", "wall_left", "wall_right")


def test_features_read_off_a_map() -> None:
    """ROOMS: the goal is at (0, 4), the key at (2, 0), the door at (1, 2), traps at (1, 4) and (3, 1)."""
    assert list(named(world_of(ROOMS), state_of(1, 1)).values()) == [-1, 3, 1, -1, 0, 1, 0, 1, 2, 0, 0, 0, 0, 1]
    assert list(named(world_of(ROOMS), state_of(1, 1, True)).values()) == [-1, 3, 0, 0, 0, 1, 1, 1, 2, 0, 0, 0, 0, 0]
    assert list(named(world_of(ROOMS), state_of(1, 2, True)).values()) == [-1, 2, 0, 0, 0, 0, 1, 0, 0, 2, 1, 1, 0, 0]
    assert list(named(world_of(ROOMS), state_of(0, 3)).values()) == [0, 1, 2, -3, 1, -1, 0, 0, 1, 1, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("..... .X... ..... ...X. ..G..", (-1, -1)),  # of equally near traps the first by rows
        ("..... ...X. ..... .X... ..G..", (-1, 1)),
        ("..... ..... ..... ...X. X.G..", (1, 1)),
        ("..... ..... ..... ..... ..G..", (0, 0)),
    ],
)
def test_the_nearest_trap(text: str, expected: tuple[int, int]) -> None:
    features = named(world_of(text), state_of(2, 2))
    assert (features["trap_row"], features["trap_column"]) == expected


def test_without_a_door_its_features_and_the_keys_are_zero() -> None:
    features = features_of(world_of(CORRIDOR))[0]
    assert (features[:, 2:8] == 0).all()
    assert features[:4, 1].tolist() == [4, 3, 2, 1]


def test_the_door_may_be_in_a_row() -> None:
    world = world_of("..... .K... ##D## ..... ...G.")
    assert [named(world, state_of(row, 2))["door_between"] for row in (0, 1, 3, 4)] == [1, 1, 0, 0]
    assert named(world, state_of(2, 2, True))["door_between"] == 0


def test_random_worlds_agree_with_a_slow_computation(rng: np.random.Generator) -> None:
    worlds = draw_worlds(rng, 10, size=6, traps=4, walls=3, door=True)
    table = features_of(worlds)
    for index, state in np.argwhere(acting_states(worlds)):
        rows = map_of(worlds[index])
        things = {rows[r][c]: (r, c) for r in range(6) for c in range(6)}
        has_key, (row, column) = state >= 36, divmod(state % 36, 6)
        by_column = all(line[things["D"][1]] in "#D" for line in rows)
        side = 1 if by_column else 0
        between = (things["G"][side] > things["D"][side]) != ((row, column)[side] > things["D"][side])
        traps = [(r - row, c - column) for r in range(6) for c in range(6) if rows[r][c] == "X"]
        trap = min(traps, key=lambda trap: abs(trap[0]) + abs(trap[1]))
        expected = [
            *np.subtract(things["G"], (row, column)),
            *((0, 0) if has_key else np.subtract(things["K"], (row, column))),
            *np.subtract(things["D"], (row, column)),
            has_key,
            between and (row, column)[side] != things["D"][side],
            *trap,
            *(slow_move(rows, int(state), action, 0.0)[0] == state for action in range(4)),
        ]
        np.testing.assert_array_equal(table[index, state], expected)


def test_features_stay_within_their_bounds_and_reach_them(rng: np.random.Generator) -> None:
    table = features_of(draw_worlds(rng, 400, size=5, traps=2, walls=1, door=True))
    assert table.dtype == np.float32
    for column, name in zip(np.moveaxis(table, 2, 0), FEATURES, strict=True):
        bounds = (-4, 4) if name.endswith(("_row", "_column")) else (0, 1)
        assert (column.min(), column.max()) == bounds, name
