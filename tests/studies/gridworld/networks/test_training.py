"""Training on grid values: it learns what can be learnt, the same again from the same seed, and a file restores it."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hydra import compose, initialize_config_dir
from sklearn.metrics import r2_score
from torch import Tensor

from igbaselines.common.places import PROJECT_ROOT
from igbaselines.common.randomness import generator_for
from igbaselines.common.tensors import load_tensors, save_tensors
from igbaselines.models.standardise import Standardise
from igbaselines.running.config import register
from igbaselines.running.targets import instantiate
from igbaselines.studies.gridworld.data.dataset import GridWorld
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.training import train_value
from igbaselines.studies.gridworld.networks.value_mlp import GridValueNetwork, for_network

SEED = (1, 2)


def r_squared(predicted: Tensor, true: Tensor) -> float:
    return float(r2_score(true.flatten(), predicted.flatten()))


class States(NamedTuple):
    features: Tensor
    value: Tensor
    action_value: Tensor


@pytest.fixture
def recipe() -> GridValueRecipe:
    return GridValueRecipe(
        hidden=[24, 24], interactions=True, learning_rate=1e-2, weight_decay=1e-2, batch_size=64, epochs=25
    )


@pytest.fixture
def states(generator: torch.Generator) -> States:
    """Values far from zero that need the product of two features, and actions that differ by a third."""
    x = torch.randn(1500, 4, generator=generator) * torch.tensor([1.0, 5.0, 0.1, 2.0]) + 3
    z = (x - 3) / torch.tensor([1.0, 5.0, 0.1, 2.0])
    value = 7 + 0.3 * torch.tanh(z[:, 0] * z[:, 1])
    return States(x, value, value[:, None] + 0.1 * torch.sin(z[:, 2:3] + torch.arange(4)))


def test_learns_values_and_actions(states: States, recipe: GridValueRecipe) -> None:
    train, test = (States(*(part[rows] for part in states)) for rows in (slice(0, 1200), slice(1200, None)))
    outputs = train_value(*train, recipe, SEED)(test.features)
    assert r_squared(outputs[:, 0], test.value) > 0.9
    assert r_squared(outputs[:, 1:], test.action_value) > 0.9
    differences = [q - q.mean(1, keepdim=True) for q in (outputs[:, 1:], test.action_value)]
    assert r_squared(*differences) > 0.9
    additive = train_value(*train, replace(recipe, interactions=False), SEED)(test.features)
    assert r_squared(additive[:, 0], test.value) < 0.2  # the value is all interaction
    differences[0] = additive[:, 1:] - additive[:, 1:].mean(1, keepdim=True)
    assert r_squared(*differences) > 0.9  # the actions differ by one feature


def test_the_recipe_of_the_project_learns_grid_worlds(one_thread: None) -> None:
    """Held-out worlds are new to the network, and it trains on fewer than the project's 300."""
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf" / "model"), version_base="1.3"):
        recipe = instantiate(compose("grid_value_mlp", ["epochs=20"]))
    worlds = GridWorld(n_worlds=150, held_out=30).load()
    features, value, action_value = (
        torch.from_numpy(part).float() for part in (worlds.features, worlds.value, worlds.action_value)
    )
    held_out = torch.from_numpy(worlds.held_out)
    network = train_value(features[~held_out], value[~held_out], action_value[~held_out], recipe, SEED)
    outputs = network(features[held_out])
    assert r_squared(outputs[:, 0], value[held_out]) > 0.8
    assert r_squared(outputs[:, 1:], action_value[held_out]) > 0.8


@pytest.mark.parametrize("interactions", [True, False])
def test_the_seed_decides(states: States, recipe: GridValueRecipe, interactions: bool) -> None:
    recipe = replace(recipe, interactions=interactions, epochs=2)
    before = torch.get_rng_state()
    once, again, other = (train_value(*states, recipe, seed) for seed in (SEED, SEED, (1, 3)))
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in once.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
        assert torch.equal(tensor, other.state_dict()[name]) == name.startswith("standardise.")


def test_units_of_the_targets_do_not_matter(states: States, recipe: GridValueRecipe) -> None:
    double = States(*(part.double() for part in states))
    recipe = replace(recipe, epochs=3)
    network = train_value(*double, recipe, SEED)
    scaled = train_value(double.features, 1e4 * double.value - 5, 1e4 * double.action_value + 5, recipe, SEED)
    shift = torch.tensor([-5.0, 5, 5, 5, 5])
    torch.testing.assert_close(scaled(double.features), 1e4 * network(double.features) + shift)


def test_follows_the_loss_downhill(states: States, recipe: GridValueRecipe) -> None:
    """The loss that is documented, of all states in one step: a small step goes along its negative gradient."""
    double = States(*(part.double() for part in states))
    recipe = replace(recipe, batch_size=len(states.value), epochs=1, learning_rate=1e-6, weight_decay=0.0)
    trained = train_value(*double, recipe, SEED)
    start = for_network(recipe, Standardise.of(double.features), generator_for(*SEED, 0))
    target = torch.cat([double.value[:, None], double.action_value], dim=1)
    mean = target.mean(0)
    scale = (target - mean).square().mean().sqrt()

    def loss(network: GridValueNetwork) -> Tensor:
        squared = ((network(double.features) - target) / scale).square()
        total: Tensor = squared[:, 0].mean() + squared[:, 1:].mean()
        return total

    with torch.no_grad():
        weight, bias, _ = start.layers()[-1]
        weight.mul_(scale)
        bias.mul_(scale).add_(mean)
    gradients = torch.autograd.grad(loss(start), list(start.parameters()))
    for now, then, gradient in zip(trained.parameters(), start.parameters(), gradients, strict=True):
        moved = (now - then)[gradient.abs() > 1e-6]
        assert torch.equal(moved.sign(), -gradient[gradient.abs() > 1e-6].sign())  # Adam's first step is the sign
    assert loss(trained) < loss(start)


def test_a_constant_feature_is_left_alone(states: States, recipe: GridValueRecipe) -> None:
    features = states.features.clone()
    features[:, 1] = 4.0
    assert Standardise.of(features).scale[1] == 1
    network = train_value(features, states.value, states.action_value, replace(recipe, epochs=1), SEED)
    assert torch.isfinite(network(features)).all()


def test_constant_values_are_learnt(states: States, recipe: GridValueRecipe) -> None:
    value, action_value = torch.full_like(states.value, 3.0), torch.full_like(states.action_value, 3.0)
    outputs = train_value(states.features, value, action_value, recipe, SEED)(states.features)
    torch.testing.assert_close(outputs, torch.full_like(outputs, 3.0), rtol=0, atol=0.05)


@pytest.mark.parametrize("count", [1, 2, 65])
def test_few_states_are_enough(states: States, recipe: GridValueRecipe, count: int) -> None:
    few = States(*(part[:count] for part in states))
    assert torch.isfinite(train_value(*few, replace(recipe, epochs=1), SEED)(few.features)).all()


def test_comes_back_frozen_and_leaves_the_threads(states: States, recipe: GridValueRecipe) -> None:
    threads = torch.get_num_threads()
    network = train_value(*states, replace(recipe, epochs=3), SEED)
    assert torch.get_num_threads() == threads
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("interactions", [True, False])
def test_a_file_restores_it(states: States, recipe: GridValueRecipe, interactions: bool, tmp_path: Path) -> None:
    recipe = replace(recipe, interactions=interactions, epochs=1)
    network = train_value(*states, recipe, SEED)
    save_tensors(tmp_path / "network.safetensors", network.state_dict())
    state = load_tensors(tmp_path / "network.safetensors")
    assert state is not None
    blank = for_network(recipe, Standardise.of(torch.zeros(2, 4)), generator_for(9))
    blank.load_state_dict(state)
    assert torch.equal(blank(states.features), network(states.features))


def test_trains_where_the_states_are(states: States, recipe: GridValueRecipe, device: torch.device) -> None:
    there = States(*(part.to(device) for part in states))
    outputs = train_value(*there, replace(recipe, epochs=2), SEED)(there.features)
    assert outputs.device.type == device.type
    assert torch.isfinite(outputs).all()


def test_divergence_is_said(states: States, recipe: GridValueRecipe) -> None:
    with pytest.raises(FloatingPointError, match="training diverged: choose a lower"):
        train_value(*states, replace(recipe, learning_rate=1e30, epochs=3), SEED)
