"""The network of 2412.13864."""

import pytest
import torch
from torch import nn

from igbaselines.attribution import AffineStem
from igbaselines.models.dnn import DNN, Probability, Standardise


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


def test_the_statistics_travel_with_the_network(network: DNN) -> None:
    assert {"standardise.mean", "standardise.scale"} <= set(network.state_dict())
    assert not any(name.startswith("standardise") for name, _ in network.named_parameters())
