"""States of random GridWorlds with their exact optimal values, for networks that learn them (arXiv:2310.04821)."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from igbaselines.common.errors import UserError
from igbaselines.common.values import SEED, value
from igbaselines.studies.gridworld.data.dynamics import acting_states, start_states
from igbaselines.studies.gridworld.data.features import FEATURES, features_of
from igbaselines.studies.gridworld.data.values import optimal_values
from igbaselines.studies.gridworld.data.worlds import Worlds, draw_worlds


@dataclass(frozen=True)
class GridStates:
    """All states in which an agent acts, of several worlds."""

    features: Float32[np.ndarray, "s d"]  # the chosen features: offsets in cells, the others 0 or 1
    feature_names: tuple[str, ...]  # a name for each column
    value: Float[np.ndarray, " s"]  # value of the optimal policy
    action_value: Float[np.ndarray, "s 4"]  # of each action (up, down, left, right) followed by the optimal policy
    world: Int[np.ndarray, " s"]  # for each state the index of its world
    state: Int[np.ndarray, " s"]  # its index among the world's states (`Worlds.states`)
    held_out: Bool[np.ndarray, " s"]  # whether its world is kept from training
    worlds: Worlds  # the worlds
    start: Int[np.ndarray, " w"]  # for each world a random state without the key, as an index among the world's states

    def __len__(self) -> int:
        return len(self.features)

    def with_features(self, names: Sequence[str]) -> "GridStates":
        """The same states seen through other features, in the order of `names`."""
        features = features_of(self.worlds)[self.world, self.state]
        return replace(self, features=features[:, [FEATURES.index(name) for name in names]], feature_names=tuple(names))

    def explained(self, count: int, seed: int) -> Int[np.ndarray, " n"]:
        """Rows of random held-out states: one a world, then a second of each world, and so on.

        States of one world are no independent units. With the same seed the first states do not depend on `count`.

        Raises:
            UserError: if fewer states are held out.
        """
        rows = np.flatnonzero(self.held_out)
        if not 1 <= count <= len(rows):
            raise UserError(f"between 1 and {len(rows)} held-out states can be explained, asked for {count}")
        rows = np.random.default_rng(seed).permutation(rows)
        turn = np.empty(len(rows), dtype=np.int64)
        for world in np.unique(self.world[rows]):
            own = self.world[rows] == world
            turn[own] = np.arange(own.sum())
        return rows[np.argsort(turn, kind="stable")][:count]

    def policy(self, action: Int[np.ndarray, " s"]) -> Int[np.ndarray, "w states"]:
        """A table for `greedy_success`, from the action in each of these states; "up" where no agent acts."""
        table = np.zeros((len(self.worlds), self.worlds.states), dtype=np.int64)
        table[self.world, self.state] = action
        return table


@dataclass
class GridWorld:
    """Random worlds of one kind."""

    size: int = 7  # cells along an edge
    n_worlds: int = 400  # worlds, with those held out. Worlds of a seed stay the same when it grows: more are appended.
    held_out: int = 100  # worlds, the last ones, that no network is trained on
    traps: int = 3  # traps in each world
    walls: int = 4  # wall cells beside those of the dividing wall
    door: bool = True  # part each world by a wall with a locked door
    slip: float = 0.1  # probability that any of the four actions happens instead of the one meant
    step_reward: float = -0.04  # of a move that does not end the episode
    discount: float = 0.95  # of a step
    features: list[str] = field(default_factory=lambda: list(FEATURES[:10]))  # names of the features, of `FEATURES`
    seed: int = field(default=0, metadata=value(SEED))  # of the worlds

    def __post_init__(self) -> None:
        ranges = {
            "size": (5, 15),
            "n_worlds": (2, 100_000),
            "held_out": (1, self.n_worlds - 1),
            "traps": (0, self.size**2 // 3),
            "walls": (0, self.size**2 // 3 - self.traps),
            "slip": (0, 1),
            "step_reward": (-1, 0),
            "discount": (0.01, 0.999),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise UserError(f"dataset.{name} must lie in {least}..{most}, got {getattr(self, name)}")
        if self.seed < 0:
            raise UserError(f"dataset.seed must not be negative, got {self.seed}")
        _check_features(self.features)

    def domain(self) -> str:
        """The domain whose dataset it can be (`igbaselines.running.study.OfDomain`)."""
        return "gridworld"

    def checksum(self) -> None:
        """None: the configuration says everything."""

    def load(self) -> GridStates:
        """Draw the worlds and compute the values of their states; under a second for 500 small worlds."""
        rng, start_rng = np.random.default_rng(self.seed).spawn(2)
        worlds = draw_worlds(rng, self.n_worlds, size=self.size, traps=self.traps, walls=self.walls, door=self.door)
        value, action_value = optimal_values(worlds, self.slip, self.step_reward, self.discount)
        world, state = np.nonzero(acting_states(worlds))
        columns = [FEATURES.index(name) for name in self.features]
        return GridStates(
            features=features_of(worlds)[world, state][:, columns],
            feature_names=tuple(self.features),
            value=value[world, state],
            action_value=action_value[world, state],
            world=world,
            state=state,
            held_out=world >= self.n_worlds - self.held_out,
            worlds=worlds,
            start=start_states(start_rng, worlds),
        )


def _check_features(names: Sequence[str]) -> None:
    listed = ", ".join(FEATURES)
    for name in names:
        if name not in FEATURES:
            near = difflib.get_close_matches(name.lower(), FEATURES, n=1, cutoff=0.0)
            raise UserError(f"dataset.features: {name!r} is unknown, did you mean {near[0]}? There are {listed}")
        if names.count(name) > 1:
            raise UserError(f"dataset.features: {name!r} is given {names.count(name)} times, once is enough")
    if len(names) < 2:
        raise UserError(f"dataset.features must hold 2 to {len(FEATURES)} names, got {len(names)}: choose of {listed}")
