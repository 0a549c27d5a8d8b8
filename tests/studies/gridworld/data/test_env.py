"""The environment: Gymnasium's own checks, and the same moves as the values come from."""

import importlib
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from igbaselines.common.errors import UserError
from igbaselines.studies.gridworld.data import env as gridworld_env
from igbaselines.studies.gridworld.data.dataset import GridStates, GridWorld
from igbaselines.studies.gridworld.data.dynamics import greedy_success, step_limit
from igbaselines.studies.gridworld.data.env import ENV_ID, GridWorldEnv
from igbaselines.studies.gridworld.data.features import FEATURES
from tests.studies.gridworld.gridworld_maps import CORRIDOR, LOCKED, state_of, world_of

DOWN, LEFT, RIGHT = 1, 2, 3
STILL = GridWorld(slip=0.0)


@pytest.fixture(scope="module")
def states() -> GridStates:
    return GridWorld(n_worlds=30, held_out=8).load()


@pytest.mark.parametrize(
    "settings", [GridWorld(), GridWorld(size=5, door=False, features=list(FEATURES)), GridWorld(traps=0, slip=1.0)]
)
def test_gymnasium_finds_nothing_to_complain_about(settings: GridWorld) -> None:
    check_env(gymnasium.make(ENV_ID, settings=settings, render_mode="rgb_array").unwrapped)


def test_it_is_registered_once_however_often_it_is_imported() -> None:
    importlib.reload(gridworld_env)
    assert gymnasium.make(ENV_ID).observation_space.shape == (10,)


def play(env: GridWorldEnv, seed: int, actions: np.ndarray) -> list[Any]:
    seen: list[Any] = [env.reset(seed=seed)[0].tolist()]
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        seen.append((observation.tolist(), reward, terminated, truncated, info))
        if terminated:
            break
    return seen


def test_the_seed_decides_world_start_and_slips(rng: np.random.Generator) -> None:
    actions = rng.integers(4, size=60)
    first, again, other = (play(GridWorldEnv(GridWorld(slip=0.5)), seed, actions) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_episodes_go_on_to_other_worlds() -> None:
    env = GridWorldEnv()
    env.reset(seed=0)
    assert len({tuple(env.reset()[0].tolist()) for _ in range(20)}) > 15


def test_an_episode_by_hand() -> None:
    env = GridWorldEnv(STILL, worlds=world_of(LOCKED))
    observation, info = env.reset(seed=0, options={"state": 1})
    assert observation.tolist() == [0, 3, 0, -1, 0, 2, 0, 1, 0, 0]
    assert info == {"state": 1}
    rewards = []
    for action, state in [(RIGHT, 2), (RIGHT, 2), (LEFT, 1), (LEFT, 25), *((RIGHT, 25 + cell) for cell in range(1, 5))]:
        observation, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        assert (info["state"], truncated) == (state, False)
        assert terminated == (state == state_of(0, 4, True))
        assert env.observation_space.contains(observation)
    assert rewards == [-0.04] * 7 + [1.0]
    assert observation.tolist() == [0, 0, 0, 0, 0, -1, 1, 0, 0, 0]


def test_an_episode_is_cut_off() -> None:
    env = GridWorldEnv(STILL, worlds=world_of(CORRIDOR))
    env.reset(seed=0)
    ends = [env.step(DOWN)[2:4] for _ in range(step_limit(5))]
    assert ends == [(False, False)] * 99 + [(False, True)]


def test_the_last_move_may_still_reach_the_goal() -> None:
    env = GridWorldEnv(STILL, worlds=world_of(CORRIDOR))
    env.reset(seed=0, options={"state": 3})
    for _ in range(step_limit(5) - 1):
        env.step(DOWN)
    assert env.step(RIGHT)[1:4] == (1.0, True, False)


def test_slips_are_as_frequent_as_they_should_be() -> None:
    env = GridWorldEnv(GridWorld(slip=0.4), worlds=world_of(CORRIDOR))
    env.reset(seed=0)
    moved = []
    for _ in range(600):
        env.reset(options={"state": 1})
        moved.append(env.step(LEFT)[4]["state"] - 1)
    share = [moved.count(step) / 600 for step in (-1, 0, 1)]
    np.testing.assert_allclose(share, [0.6 + 0.1, 0.2, 0.1], atol=0.09)


@pytest.mark.parametrize("policy", ["best", "random"])
def test_rollouts_agree_with_the_environment(policy: str, states: GridStates, rng: np.random.Generator) -> None:
    best = states.action_value.argmax(axis=1)
    table = states.policy(best if policy == "best" else np.where(rng.random(len(best)) < 0.9, best, 0))
    env, reached = GridWorldEnv(STILL, worlds=states.worlds), []
    for world in range(len(states.worlds)):
        _, info = env.reset(options={"world": world, "state": int(states.start[world])})
        reward, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, info = env.step(table[world, info["state"]])
            over = terminated or truncated
        reached.append(reward == 1)
    assert greedy_success(states.worlds, table, states.start, rng, 0.0) == pytest.approx(np.mean(reached))
    assert np.mean(reached) == 1 if policy == "best" else 0 < np.mean(reached) < 1


def test_the_return_of_the_best_policy_is_the_value(states: GridStates) -> None:
    """Discounted returns of many episodes from one state of the environment's, with slips."""
    settings, row = GridWorld(), int(states.explained(1, 0)[0])
    table = states.policy(states.action_value.argmax(axis=1))[states.world[row]]
    env, returns = GridWorldEnv(settings, worlds=states.worlds), []
    env.reset(seed=0)
    for _ in range(400):
        _, info = env.reset(options={"world": int(states.world[row]), "state": int(states.state[row])})
        total, weight, over = 0.0, 1.0, False
        while not over:
            _, reward, terminated, truncated, info = env.step(table[info["state"]])
            total, weight, over = total + weight * reward, weight * settings.discount, terminated or truncated
        returns.append(total)
    assert abs(np.mean(returns) - states.value[row]) < 4.5 * np.std(returns) / np.sqrt(len(returns))


def test_a_picture_only_where_asked_for() -> None:
    env = GridWorldEnv(render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture is not None
    assert picture.shape == (169, 169, 3)
    silent = GridWorldEnv()
    silent.reset(seed=0)
    assert silent.render() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wrold": 1}, "unknown reset option 'wrold': world or state"),
        ({"world": 2}, "reset option world must lie in 0..1, got 2"),
        ({"state": 4}, "reset option state: no agent can act in state 4 of this world"),
        ({"state": 99}, "reset option state: no agent can act in state 99"),
    ],
)
def test_wrong_options_end_in_one_line(options: dict[str, int], message: str) -> None:
    env = GridWorldEnv(worlds=world_of(CORRIDOR)[np.zeros(2, dtype=int)])
    with pytest.raises(UserError, match=message):
        env.reset(options=options)


def test_wrong_worlds_modes_and_actions() -> None:
    with pytest.raises(UserError, match="reset option world needs worlds to choose from"):
        GridWorldEnv().reset(options={"world": 0})
    with pytest.raises(UserError, match="render_mode must be rgb_array or None, got 'human'"):
        GridWorldEnv(render_mode="human")
    env = GridWorldEnv()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"an action must lie in 0\.\.3 \(up, down, left, right\), got -1"):
        env.step(-1)


def test_without_gymnasium_the_message_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "from igbaselines.common.errors import UserError\n"
        "try: import igbaselines.studies.gridworld.data.env\n"
        "except UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == 'gymnasium is not installed: pip install "igbaselines[gridworld]"\n'
