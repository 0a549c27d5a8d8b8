"""GridWorld as a Gymnasium environment: `gymnasium.make("igbaselines/GridWorld-v0")`.

It moves agents by the same table that the exact values come from, so a policy can be rolled out in the very worlds that
a network was explained in.
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from igbaselines.common.errors import UserError
from igbaselines.studies.gridworld.data.dataset import GridWorld
from igbaselines.studies.gridworld.data.drawing import draw_world
from igbaselines.studies.gridworld.data.dynamics import (
    ACTIONS,
    acting_states,
    slip,
    start_states,
    step_limit,
    transitions,
)
from igbaselines.studies.gridworld.data.features import FEATURES, bounds, features_of
from igbaselines.studies.gridworld.data.worlds import Worlds

try:
    import gymnasium
    from gymnasium import spaces
except ModuleNotFoundError as error:
    raise UserError('gymnasium is not installed: pip install "igbaselines[gridworld]"') from error

ENV_ID = "igbaselines/GridWorld-v0"


class GridWorldEnv(gymnasium.Env[Float32[np.ndarray, " d"], np.int64]):
    """One agent in a world: it observes the chosen features and moves up, down, left or right.

    Args:
        settings: kind of world, rules and features; its `n_worlds`, `held_out`, `seed` and `discount` play no part.
        worlds: take one of these in each episode; None draws a new one.
        render_mode: `rgb_array` or None.

    Raises:
        UserError: for a render mode that there is not.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012 (Gymnasium declares it like this)

    def __init__(
        self, settings: GridWorld | None = None, worlds: Worlds | None = None, render_mode: str | None = None
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f"render_mode must be rgb_array or None, got {render_mode!r}")
        self.render_mode = render_mode
        self._settings = settings if settings is not None else GridWorld()
        self._worlds = worlds
        size = self._settings.size if worlds is None else worlds.size
        self._columns = [FEATURES.index(name) for name in self._settings.features]
        least, most = np.array([bounds(name, size) for name in self._settings.features], dtype=np.float32).T
        self.observation_space = spaces.Box(least, most, dtype=np.float32)
        self.action_space = spaces.Discrete(len(ACTIONS))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32[np.ndarray, " d"], dict[str, Any]]:
        """Start an episode in a random world and state.

        Args:
            seed: of everything random from here on; None goes on with what there is.
            options: `world`, an index into the given worlds, and `state`, where the agent starts.

        Raises:
            UserError: if there is no such option or world, or no agent can act in that state.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := set(options) - {"world", "state"}:
            raise UserError(f"unknown reset option {min(unknown)!r}: world or state")
        self._world = self._choose_world(options.get("world"))
        self._moves = transitions(self._world, self._settings.step_reward)
        self._features = features_of(self._world)[0][:, self._columns]
        self._state = self._choose_state(options.get("state"))
        self._steps = 0
        return self._observation(), self._info()

    def step(self, action: np.int64 | int) -> tuple[Float32[np.ndarray, " d"], float, bool, bool, dict[str, Any]]:
        """Move, or slip; the episode is cut off after 4 * size ** 2 moves.

        Raises:
            ValueError: if there is no such action.
        """
        if not self.action_space.contains(action):
            raise ValueError(f"an action must lie in 0..{len(ACTIONS) - 1} ({', '.join(ACTIONS)}), got {action}")
        taken = int(slip(self.np_random, np.array([action]), self._settings.slip)[0])
        before, self._state = self._state, int(self._moves.next_state[0, self._state, taken])
        self._steps += 1
        terminated = bool(self._moves.ends[0, before, taken])
        truncated = not terminated and self._steps >= step_limit(self._world.size)
        return self._observation(), float(self._moves.reward[0, before, taken]), terminated, truncated, self._info()

    def render(self) -> UInt8[np.ndarray, "h w 3"] | None:
        """Picture of the state, None without a render mode."""
        return draw_world(self._world, self._state) if self.render_mode == "rgb_array" else None

    def _choose_world(self, index: int | None) -> Worlds:
        if self._worlds is None:
            if index is not None:
                raise UserError("reset option world needs worlds to choose from: GridWorldEnv(worlds=...)")
            return self._settings.draw(self.np_random, 1)
        if index is None:
            index = int(self.np_random.integers(len(self._worlds)))
        if not 0 <= index < len(self._worlds):
            raise UserError(f"reset option world must lie in 0..{len(self._worlds) - 1}, got {index}")
        return self._worlds[index]

    def _choose_state(self, state: int | None) -> int:
        if state is None:
            return int(start_states(self.np_random, self._world)[0])
        if not 0 <= state < self._world.states or not acting_states(self._world)[0, state]:
            raise UserError(f"reset option state: no agent can act in state {state} of this world")
        return int(state)

    def _observation(self) -> Float32[np.ndarray, " d"]:
        return self._features[self._state].copy()

    def _info(self) -> dict[str, Any]:
        return {"state": self._state}


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:{GridWorldEnv.__name__}")
