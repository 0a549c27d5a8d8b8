"""The fast copy of every network of the zoo computes what the network computes, whatever is done with its parts."""

import copy

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import (
    Adaptive,
    GaussLegendre,
    Midpoint,
    QuadratureRule,
    RandomPoint,
    Trapezoid,
    path_attribution,
)
from igbaselines.models.inference import for_gradients
from tests.models.networks import ACTIVATIONS, KINDS, TREATMENTS, WAYS, Unit, make
from tests.models.test_inference import snapshot, value_and_gradient

SLOW = pytest.mark.slow
NETWORKS = [  # each way with one kind of layer, and with the others in the slow tests
    pytest.param(kind, way, (row + column) % len(ACTIVATIONS), marks=() if row == column % len(KINDS) else SLOW)
    for row, kind in enumerate(KINDS)
    for column, way in enumerate([*WAYS, *(treatment.__name__ for treatment in TREATMENTS)])
]
EVERY = pytest.mark.parametrize(("kind", "way", "activation"), NETWORKS)
RULES: tuple[QuadratureRule, ...] = (GaussLegendre(5), Midpoint(4), Trapezoid(3), RandomPoint(), Adaptive(1e-6, 16))
# Of weight_norm and script; and of networks that have a hook in front of what has no gradient.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def inputs(network: Unit, n: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, *network.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


def assert_same(fast: nn.Module, plain: nn.Module, x: Tensor, tolerance: float) -> None:
    for found, wanted in zip(value_and_gradient(fast, x), value_and_gradient(plain, x), strict=True):
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@EVERY
def test_values_and_gradients(kind: str, way: str, activation: int) -> None:
    network, plain = make(kind, way, activation), make(kind, way, activation).eval()
    before, x = snapshot(network), inputs(network, 3)
    fast = for_gradients(network)
    with torch.no_grad():
        torch.testing.assert_close(fast(x[:1]), plain(x[:1]), rtol=1e-10, atol=1e-10)
    assert_same(fast, plain, x, 1e-10)
    assert snapshot(network) == before


@pytest.mark.parametrize(("kind", "way", "activation"), [one.values for one in NETWORKS if one.values[0] == "pictures"])
def test_in_single_precision_with_fused_activations(kind: str, way: str, activation: int) -> None:
    network, plain = (make(kind, way, activation, torch.float32) for _ in range(2))
    assert_same(for_gradients(network), plain.eval(), inputs(network, 3, torch.float32), 1e-4)


@pytest.mark.slow
@EVERY
def test_attributions_by_every_rule_and_in_every_chunk(kind: str, way: str, activation: int) -> None:
    network, plain = make(kind, way, activation), make(kind, way, activation).eval()
    fast = for_gradients(network)
    x, target = inputs(network, 5), torch.tensor([0, 2])

    def attributions(f: nn.Module, rule: QuadratureRule, chunk: int | None) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return path_attribution(
            f, x[:2], x[2:], rule=rule, target=target, max_batch=chunk, generator=generator
        ).attributions

    for rule, chunks in zip(RULES, ((1, 2, 3, None), (1,), (2,), (7,), (None,)), strict=True):
        expected = attributions(plain, rule, None)
        for chunk in chunks:
            torch.testing.assert_close(attributions(fast, rule, chunk), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("called", [False, True])
def test_a_copy_of_the_copy_is_its_own(called: bool) -> None:
    network, plain = make("pictures", "plain", 0), make("pictures", "plain", 0).eval()
    fast, x = for_gradients(network), inputs(network, 3)
    if called:
        fast(x)
    again, twice = copy.deepcopy(fast), for_gradients(fast)
    with torch.no_grad():
        for parameter in fast.parameters():
            parameter.zero_()
    for other in (again, twice):
        assert_same(other, plain, x, 1e-10)
    assert not fast(x).any()
