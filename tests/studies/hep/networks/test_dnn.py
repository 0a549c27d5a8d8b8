"""The network of 2412.13864."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import AffineStem, ClosedFormGradient, GaussLegendre, path_attribution
from igbaselines.models.inference import for_gradients
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import ACTIVATIONS, DNN, Probability


@pytest.fixture
def network(generator: torch.Generator) -> DNN:
    standardise = Standardise(torch.randn(6, generator=generator), torch.rand(6, generator=generator) + 0.5)
    return DNN(standardise, [12, 9], 0.2)


def test_is_linear_batch_norm_swish_dropout(network: DNN, generator: torch.Generator) -> None:
    x = torch.randn(20, 6, generator=generator)
    expected = nn.Sequential(
        network.standardise,
        *(network.linear[0], network.norm[0], nn.SiLU(), nn.Dropout(0.2)),
        *(network.linear[1], network.norm[1], nn.SiLU(), nn.Dropout(0.2)),
        *(network.logit, nn.Flatten(0)),
    )
    for model in (network, expected):
        model.eval()
    torch.testing.assert_close(network(x), expected(x))
    outputs = []
    for model in (network, expected):
        model.train()
        torch.manual_seed(0)
        outputs.append(model(x))
    torch.testing.assert_close(outputs[0], outputs[1])


@pytest.mark.parametrize("probability", [False, True])
def test_declares_an_affine_stem(network: DNN, probability: bool, generator: torch.Generator) -> None:
    model = Probability(network.eval()) if probability else network.eval()
    assert isinstance(model, AffineStem)
    x, y = (torch.randn(5, 6, generator=generator) for _ in range(2))
    torch.testing.assert_close(model.after_stem(model.affine_stem(x)), model(x))
    halfway = (model.affine_stem(x) + model.affine_stem(y)) / 2
    torch.testing.assert_close(model.affine_stem((x + y) / 2), halfway)


def test_probability_is_the_sigmoid(network: DNN, generator: torch.Generator) -> None:
    x = torch.randn(5, 6, generator=generator)
    torch.testing.assert_close(Probability(network).eval()(x), torch.sigmoid(network(x)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_network_is_saved_whole_and_comes_back(activation: str, generator: torch.Generator, tmp_path: Path) -> None:
    network = DNN(Standardise(torch.zeros(4), torch.ones(4)), [5, 3], 0.1, activation).eval()
    torch.save(network, tmp_path / "network.pt")
    x = torch.randn(6, 4, generator=generator)
    again = torch.load(tmp_path / "network.pt", weights_only=False)
    torch.testing.assert_close(again(x), network(x), rtol=0, atol=0)


def test_the_statistics_travel_with_the_network(network: DNN) -> None:
    assert {"standardise.mean", "standardise.scale"} <= set(network.state_dict())
    assert not any(name.startswith("standardise") for name, _ in network.named_parameters())


@pytest.mark.parametrize("hidden", [[12], [12, 9], [12, 9, 7, 5]])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("points", [1, 300])
def test_the_closed_form_is_autograds_gradient(
    hidden: list[int], activation: str, folded: bool, points: int, generator: torch.Generator, device: torch.device
) -> None:
    network = DNN(Standardise(torch.zeros(6), torch.ones(6)), hidden, 0.2, activation)
    for norm in network.norm:
        assert isinstance(norm, nn.BatchNorm1d)
        for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
            assert tensor is not None
            nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)
    model = (for_gradients(network) if folded else network.eval()).to(device)
    assert isinstance(model, ClosedFormGradient)
    z = torch.randn(points, 12, generator=generator).to(device).requires_grad_()
    (expected,) = torch.autograd.grad(model.after_stem(z).sum(), z)
    found = model.gradient_after_stem(z)
    assert not found.requires_grad
    torch.testing.assert_close(found, expected)


def test_the_engine_takes_the_closed_form_and_gets_what_autograd_gives(
    network: DNN, generator: torch.Generator
) -> None:
    x, baselines = torch.randn(30, 6, generator=generator), torch.randn(4, 6, generator=generator)
    rule = GaussLegendre(8)
    fast = for_gradients(network)
    fast(x)  # the first call checks it, by autograd
    asked: list[bool] = []

    def after_stem(z: Tensor) -> Tensor:
        asked.append(z.requires_grad)
        return DNN.after_stem(fast, z)

    fast.after_stem = after_stem  # type: ignore[method-assign]
    found = path_attribution(fast, x, baselines, rule=rule, max_batch=256)
    assert asked
    assert not any(asked)
    plain = path_attribution(network.eval().forward, x, baselines, rule=rule)
    torch.testing.assert_close(found.attributions, plain.attributions)
    assert found.completeness_gap.abs().max() < 1e-4
