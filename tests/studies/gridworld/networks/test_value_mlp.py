"""The networks of grid values: what they compute, and what the additive one cannot."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import AffineStem, GaussLegendre, path_attribution
from igbaselines.models.standardise import Standardise
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.value_mlp import (
    ActionAdvantage,
    AdditiveGridValue,
    AttentionGridValue,
    GridValueMLP,
    GridValueNetwork,
    for_network,
)

FEATURES = 6


def recipe(interactions: bool, hidden: list[int]) -> GridValueRecipe:
    return GridValueRecipe(
        hidden=hidden, interactions=interactions, learning_rate=1e-2, weight_decay=0.0, batch_size=8, epochs=1
    )


@pytest.fixture
def standardise(generator: torch.Generator) -> Standardise:
    return Standardise(torch.randn(FEATURES, generator=generator), torch.rand(FEATURES, generator=generator) + 0.5)


KINDS = {"interactions": recipe(True, [12, 9]), "additive": recipe(False, [12, 9])}
KINDS["attention"] = replace(KINDS["interactions"], heads=3)


@pytest.fixture(params=KINDS)
def network(request: pytest.FixtureRequest, standardise: Standardise, generator: torch.Generator) -> GridValueNetwork:
    return for_network(KINDS[request.param], standardise, generator)


@pytest.fixture
def x(generator: torch.Generator) -> Tensor:
    return torch.randn(5, FEATURES, generator=generator)


def additive(standardise: Standardise, hidden: list[int], generator: torch.Generator) -> AdditiveGridValue:
    network = for_network(recipe(False, hidden), standardise, generator)
    assert isinstance(network, AdditiveGridValue)
    return network


def test_is_linear_layers_with_swish_between(standardise: Standardise, generator: torch.Generator, x: Tensor) -> None:
    network = for_network(recipe(True, [12, 9]), standardise, generator)
    assert isinstance(network, GridValueMLP)
    first, second, last = network.linear
    expected = nn.Sequential(standardise, first, nn.SiLU(), second, nn.SiLU(), last)
    assert network(x).shape == (5, 5)
    torch.testing.assert_close(network(x), expected(x))


@pytest.mark.parametrize("hidden", [[4], [7, 3], [5, 4, 3]])
def test_additive_is_a_sum_of_one_network_a_feature(
    standardise: Standardise, generator: torch.Generator, x: Tensor, hidden: list[int]
) -> None:
    network = additive(standardise, hidden, generator)
    expected = network.bias[-1].expand(5, 5)
    for feature in range(FEATURES):
        a = standardise(x)[:, feature : feature + 1]
        for weight, bias in zip(network.weight[:-1], network.bias[:-1], strict=True):
            a = nn.functional.silu(a @ weight[feature] + bias[feature])
        expected = expected + a @ network.weight[-1][feature]
    torch.testing.assert_close(network(x), expected)


def test_attention_is_that_of_pytorch(standardise: Standardise, generator: torch.Generator, x: Tensor) -> None:
    """Against MultiheadAttention with the same weights, and layers written out."""
    network = for_network(KINDS["attention"], standardise, generator)
    assert isinstance(network, AttentionGridValue)
    project, join, widen, narrow, head = network.linear
    attention = nn.MultiheadAttention(12, 3, batch_first=True)
    weights = {"in_proj_weight": project.weight, "in_proj_bias": project.bias}
    attention.load_state_dict(weights | {"out_proj.weight": join.weight, "out_proj.bias": join.bias})
    tokens = standardise(x)[:, :, None] * network.embedding + network.offset
    tokens = tokens + attention(tokens, tokens, tokens, need_weights=False)[0]
    tokens = tokens + narrow(nn.functional.silu(widen(tokens)))
    torch.testing.assert_close(network(x), head(tokens.mean(1)))


@pytest.mark.parametrize("kind", KINDS)
def test_relu_takes_the_place_of_swish(kind: str, standardise: Standardise, x: Tensor) -> None:
    """Far out both are the same."""
    swish, relu = (
        for_network(replace(KINDS[kind], activation=name), standardise, torch.Generator().manual_seed(0))
        for name in ("swish", "relu")
    )
    assert not torch.allclose(swish(x), relu(x), rtol=1e-3)
    if kind != "attention":  # in which tokens far out attend to one alone
        torch.testing.assert_close(relu(1e6 * x), swish(1e6 * x), rtol=1e-3, atol=0)


def test_features_interact_only_where_they_may(network: GridValueNetwork, x: Tensor) -> None:
    """f(a, b) - f(a, b') does not depend on a exactly where a and b do not interact."""
    other = x.clone()
    other[:, 0] += 1.0
    change = network(other) - network(x)
    elsewhere_x, elsewhere = x.clone(), other.clone()
    for states in (elsewhere_x, elsewhere):
        states[:, 1:] -= 2.0
    interaction = (network(elsewhere) - network(elsewhere_x) - change).abs().max()
    assert change.abs().max() > 1e-3
    assert (interaction > 1e-4) != isinstance(network, AdditiveGridValue)


@pytest.mark.parametrize("advantage", [False, True])
def test_declares_an_affine_stem(network: GridValueNetwork, advantage: bool, x: Tensor) -> None:
    model = ActionAdvantage(network) if advantage else network
    assert isinstance(model, AffineStem)
    torch.testing.assert_close(model.after_stem(model.affine_stem(x)), model(x))
    halfway = (model.affine_stem(x) + model.affine_stem(-3 * x)) / 2
    torch.testing.assert_close(model.affine_stem(-x), halfway)


def test_advantage_compares_the_actions(network: GridValueNetwork, x: Tensor) -> None:
    action_value = network(x)[:, 1:]
    advantage = ActionAdvantage(network)(x)
    assert advantage.shape == (5, 4)
    torch.testing.assert_close(advantage.sum(1), torch.zeros(5), rtol=0, atol=1e-6)
    for one, other in ((0, 1), (2, 3), (0, 3)):
        difference = action_value[:, one] - action_value[:, other]
        torch.testing.assert_close(advantage[:, one] - advantage[:, other], difference)


def test_the_engine_explains_an_action(network: GridValueNetwork, x: Tensor) -> None:
    model, target = ActionAdvantage(network.double()), torch.tensor([3, 0, 1, 2, 0])
    inputs, baselines = x.double(), torch.zeros(1, FEATURES, dtype=torch.float64)
    result = path_attribution(model, inputs, baselines, rule=GaussLegendre(32), target=target)
    torch.testing.assert_close(result.f_inputs, model(inputs).gather(1, target[:, None]).squeeze(1))
    torch.testing.assert_close(result.completeness_gap, torch.zeros_like(result.completeness_gap), rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_come_from_the_generator_alone(standardise: Standardise, kind: str) -> None:
    before = torch.get_rng_state()
    states = []
    for seed in (3, 3, 4):
        generator = torch.Generator().manual_seed(seed)
        states.append(for_network(KINDS[kind], standardise, generator).state_dict())
        torch.rand(1)  # elsewhere, random numbers are drawn too
    torch.set_rng_state(before)
    for name in states[0]:
        assert torch.equal(states[0][name], states[1][name])
        assert torch.equal(states[0][name], states[2][name]) == name.startswith("standardise.")


@pytest.mark.parametrize("interactions", [True, False])
def test_global_state_stays_as_it_was(standardise: Standardise, generator: torch.Generator, interactions: bool) -> None:
    before = torch.get_rng_state()
    for_network(recipe(interactions, [12]), standardise, generator)
    assert torch.equal(torch.get_rng_state(), before)


def test_initial_weights_are_spread_by_the_fan_in(standardise: Standardise, generator: torch.Generator) -> None:
    mlp = for_network(recipe(True, [400, 100]), standardise, generator)
    alone = for_network(recipe(False, [100, 400]), standardise, generator)
    expected = {mlp: (FEATURES, 400, 100), alone: (1, 100, FEATURES * 400)}
    for network, fans in expected.items():
        for (weight, bias, _), fan_in in zip(network.layers(), fans, strict=True):
            bound = 1 / math.sqrt(fan_in)
            assert weight.abs().max() <= bound
            assert bias.abs().max() <= bound
            assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_takes_device_and_dtype_of_the_standardisation(device: torch.device, x: Tensor) -> None:
    for kind in KINDS.values():
        for dtype in (torch.float32, torch.float64):
            standardise = Standardise(torch.zeros(FEATURES), torch.ones(FEATURES)).to(device, dtype)
            network = for_network(kind, standardise, torch.Generator().manual_seed(0))
            outputs = network(x.to(device, dtype))
            assert (outputs.device.type, outputs.dtype) == (device.type, dtype)
