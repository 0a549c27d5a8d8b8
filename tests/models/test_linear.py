"""Products outside of autograd: the same numbers from either library, and no graph."""

import warnings

import pytest
import torch
from torch import Tensor, nn

from igbaselines.models.linear import FEWEST_POINTS, linear_without_graph


@pytest.mark.parametrize("points", [0, 1, FEWEST_POINTS - 1, FEWEST_POINTS, 1000])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_is_a_linear_layer(
    points: int,
    biased: bool,
    transposed: bool,
    dtype: torch.dtype,
    generator: torch.Generator,
    device: torch.device,
) -> None:
    layer = nn.Linear(17, 30, bias=biased).to(device, dtype)
    weight = layer.weight.detach().T.contiguous().T if transposed else layer.weight
    x = torch.randn(points, 17, generator=generator).to(device, dtype)
    found = linear_without_graph(x, weight, layer.bias)
    assert not found.requires_grad
    torch.testing.assert_close(found, layer(x).detach())


def test_without_onednn_it_is_torchs_own(generator: torch.Generator) -> None:
    x, weight = torch.randn(FEWEST_POINTS, 40, generator=generator), torch.randn(50, 40, generator=generator)
    found = products(x, weight)
    assert ("mkldnn" in found.operators) == torch.backends.mkldnn.is_available()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of what the switch does elsewhere
        with torch.backends.mkldnn.flags(enabled=False):
            plain = products(x, weight)
    assert "mkldnn" not in plain.operators
    torch.testing.assert_close(found.result, plain.result)


class Products:
    """A product, and the operators of torch that made it."""

    def __init__(self, result: Tensor, operators: str) -> None:
        self.result, self.operators = result, operators


def products(x: Tensor, weight: Tensor) -> Products:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        result = linear_without_graph(x, weight)
    return Products(result, " ".join(event.key for event in profile.key_averages()))
