"""TF32 as `benchmarks.emulated` has it: against the arithmetic of the bits, and against layers of rounded factors."""

import math
import struct

import pytest
import torch
from torch import Tensor, nn

from benchmarks.emulated import EmulatedTF32, to_tf32
from igbaselines.models.inference import for_gradients


def by_fractions(x: float) -> float:
    """The nearest number with 10 bits behind the first, ties away from zero; exact in float64."""
    if x == 0 or not math.isfinite(x):
        return x
    unit = 2.0 ** (max(math.frexp(x)[1] - 1, -126) - 10)  # below 2**-126 float32's units stay the same
    return math.copysign(math.floor(abs(x) / unit + 0.5) * unit, x)


def test_rounds_to_ten_bits_ties_away_from_zero(generator: torch.Generator) -> None:
    bits = torch.randint(-(2**31), 2**31 - 1, (20_000,), generator=generator).int()
    x = bits.view(torch.float32)
    x = x[x.isfinite() & (x.abs() < 3.4e38)]  # above, rounding ends in infinity
    ties = torch.tensor([1 + 2.0**-11, -1 - 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-11 - 2.0**-23, 2 - 2.0**-12, 0.0])
    x = torch.cat([x, ties])
    expected = [by_fractions(value) for value in x.tolist()]
    assert to_tf32(x).tolist() == expected
    assert {struct.unpack("I", struct.pack("f", value))[0] % 2**13 for value in expected} == {0}


def test_what_is_not_finite_stays() -> None:
    x = torch.tensor([math.inf, -math.inf])
    assert torch.equal(to_tf32(x), x)
    nan = torch.tensor([0x7FFFFFFF, 0x7F800001], dtype=torch.int32).view(torch.float32)
    assert to_tf32(nan).isnan().all()


def gradient(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_()
    output = network(leaf)
    (found,) = torch.autograd.grad((output * torch.linspace(-1, 1, output.shape[1])).sum(), leaf)
    return output.detach(), found


@pytest.mark.parametrize("network", [nn.Linear(12, 5), nn.Conv2d(3, 5, 3, padding=1)], ids=["linear", "convolution"])
def test_factors_are_rounded_both_ways_and_sums_are_not(
    network: nn.Linear | nn.Conv2d, generator: torch.Generator
) -> None:
    shape = (2, 12) if isinstance(network, nn.Linear) else (2, 3, 4, 4)
    x = torch.randn(shape, generator=generator)
    with EmulatedTF32():
        output, of_x = gradient(nn.Sequential(network, nn.Flatten()), x)
    rounded = nn.Linear(12, 5) if isinstance(network, nn.Linear) else nn.Conv2d(3, 5, 3, padding=1)
    rounded.load_state_dict(network.state_dict() | {"weight": to_tf32(network.weight.detach())})
    assert torch.equal(output, gradient(nn.Sequential(rounded, nn.Flatten()), to_tf32(x))[0])
    # The gradient that comes in is rounded as well.
    of_output = to_tf32(torch.linspace(-1, 1, output.shape[1])).expand_as(output)
    leaf = x.clone().requires_grad_()
    expected = torch.autograd.grad(rounded(leaf).flatten(1), leaf, of_output)[0]
    torch.testing.assert_close(of_x, expected, rtol=1e-6, atol=1e-6)
    exact, of_x_exactly = gradient(nn.Sequential(network, nn.Flatten()), x)
    assert 1e-5 < float((output - exact).norm() / exact.norm()) < 1e-3
    assert 1e-5 < float((of_x - of_x_exactly).norm() / of_x_exactly.norm()) < 1e-3


@pytest.mark.usefixtures("unchecked_shapes")  # jaxtyping refuses the proxies of a trace
def test_a_convolution_that_has_its_relu_in_it_is_rounded_too(generator: torch.Generator) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)).eval()
    fast, x = for_gradients(plain), torch.randn(2, 3, 4, 4, generator=generator)
    exact = fast(x)
    with EmulatedTF32():
        found, expected = gradient(fast, x), gradient(plain, x)
    assert not torch.equal(found[0], exact)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
