"""Heads over frozen features: what they replace, what they learn, and that the seed is all that is random."""

import pytest
import torch
from torch import Tensor, nn

from igbaselines.common.errors import UserError
from igbaselines.studies.images.networks.heads import features_of, random_crops, trained_head, with_head
from igbaselines.studies.images.networks.network import ImageNetwork

SIDE, CLASSES = 8, 5


@pytest.fixture
def network(generator: torch.Generator) -> ImageNetwork:
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 6), nn.ReLU())
    inner.append(nn.Sequential(nn.Dropout(), nn.Linear(6, CLASSES)))
    for parameter in inner.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 3
    return ImageNetwork(inner, [0.5] * 3, [0.25] * 3).eval()


@pytest.fixture
def pictures(generator: torch.Generator) -> Tensor:
    return torch.rand(12, 3, SIDE, SIDE, generator=generator)


def test_a_head_stands_in_the_place_of_the_last_linear_layer(network: ImageNetwork, pictures: Tensor) -> None:
    before = network(pictures)
    features = features_of(network, pictures)
    assert features.shape == (12, 6)
    head = nn.Sequential(nn.Linear(6, 7), nn.SiLU(), nn.Linear(7, CLASSES))
    headed = with_head(network, head)
    torch.testing.assert_close(headed(pictures), head(features), rtol=1e-4, atol=1e-5)  # in other batches
    assert not any(parameter.requires_grad for parameter in headed.parameters())
    torch.testing.assert_close(network(pictures), before, rtol=0, atol=0)


def test_a_head_learns_and_the_seed_decides(network: ImageNetwork, pictures: Tensor) -> None:
    features, labels = features_of(network, pictures), torch.arange(12) % CLASSES
    heads = [trained_head(network, features, labels, 32, 200, (0, "heads", number)) for number in (0, 0, 1)]
    assert (heads[0](features).argmax(dim=1) == labels).all()
    outputs = [head(features) for head in heads]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.allclose(outputs[0], outputs[2], atol=1e-2)


def test_global_random_numbers_are_left_alone(network: ImageNetwork, pictures: Tensor) -> None:
    before = torch.get_rng_state()
    trained_head(network, features_of(network, pictures), torch.zeros(12, dtype=torch.int64), 2, 1, (0,))
    assert torch.equal(torch.get_rng_state(), before)


def test_crops_are_parts_of_the_photograph(generator: torch.Generator) -> None:
    """Of a ramp from left to right a crop is a shorter one, that falls where it is mirrored."""
    ramp = torch.linspace(0, 1, 64).expand(3, 64, 64)
    crops = random_crops(ramp, 40, generator)
    assert crops.shape == (40, 3, 64, 64)
    rise = crops[:, 0, 32, -8] - crops[:, 0, 32, 8]
    assert 5 < (rise < 0).sum() < 35
    whole = (ramp[0, 32, -8] - ramp[0, 32, 8]).item()
    assert rise.abs().min() > 0.45 * whole
    assert rise.abs().max() <= 1.05 * whole
    assert crops.unique(dim=0).shape[0] > 30


def test_a_network_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(UserError, match="Sequential has no linear layer at its end"):
        with_head(ImageNetwork(nn.Sequential(nn.Flatten()), [0.5] * 3, [0.25] * 3), nn.Identity())
