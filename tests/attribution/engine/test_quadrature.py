"""Quadrature rules against closed forms: a golden number would only repeat our own mistakes."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from igbaselines.attribution import (
    GaussLegendre,
    Midpoint,
    QuadratureRule,
    RandomPoint,
    Rotated,
    Trapezoid,
    path_attribution,
)
from igbaselines.attribution.engine.quadrature import AtInput
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import DNN

Make = Callable[..., nn.Module]

RULES = [Midpoint, Trapezoid, GaussLegendre]


def integrate(rule: QuadratureRule, power: int) -> float:
    nodes, weights = rule.nodes_and_weights()
    return float((weights * nodes**power).sum())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [2, 3, 7, 50, 300])
def test_integrates_a_linear_function_exactly(rule: type, steps: int) -> None:
    assert integrate(rule(steps), 0) == pytest.approx(1, abs=1e-14)
    assert integrate(rule(steps), 1) == pytest.approx(1 / 2, abs=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_nodes_lie_on_the_path_and_are_double(rule: type) -> None:
    nodes, weights = rule(64).nodes_and_weights()
    assert nodes.dtype == weights.dtype == torch.float64
    assert len(nodes) == len(weights) == 64
    assert torch.all((nodes >= 0) & (nodes <= 1))
    assert torch.all(weights > 0)


@pytest.mark.parametrize("rule", [Midpoint, Trapezoid])
@pytest.mark.parametrize("power", [2, 3, 5])
def test_converges_at_second_order(rule: type, power: int) -> None:
    intervals = (16, 32, 64)  # a trapezoid has one node more than intervals
    extra = 1 if rule is Trapezoid else 0
    errors = [abs(integrate(rule(steps + extra), power) - 1 / (power + 1)) for steps in intervals]
    orders = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    assert orders == pytest.approx([2, 2], abs=0.01)


@pytest.mark.parametrize("steps", [1, 2, 5, 16])
def test_gauss_legendre_is_exact_to_its_degree_and_no_further(steps: int) -> None:
    for power in range(2 * steps):
        assert integrate(GaussLegendre(steps), power) == pytest.approx(1 / (power + 1), abs=1e-14)
    error = abs(integrate(GaussLegendre(steps), 2 * steps) - 1 / (2 * steps + 1))
    # The classical error term: (s!)^4 / ((2s + 1) (2s)!^2).
    expected = math.factorial(steps) ** 4 / ((2 * steps + 1) * math.factorial(2 * steps) ** 2)
    assert error == pytest.approx(expected, rel=1e-6, abs=1e-15)


def test_trapezoid_has_both_ends_at_half_weight() -> None:
    nodes, weights = Trapezoid(5).nodes_and_weights()
    assert nodes.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert weights.tolist() == [0.125, 0.25, 0.25, 0.25, 0.125]


@pytest.mark.parametrize(
    ("rule", "least", "given"),
    [(Midpoint, "one step", 0), (GaussLegendre, "one step", -1), (Trapezoid, "two steps", 1)],
)
def test_refuses_too_few_steps(rule: type, least: str, given: int) -> None:
    with pytest.raises(ValueError, match=f"{rule.__name__} quadrature rule needs at least {least}, got {given}"):
        rule(given)


def test_rules_compare_by_value() -> None:
    assert GaussLegendre(8) == GaussLegendre(8) != GaussLegendre(9)


@pytest.mark.parametrize("max_batch", [None, 1, 3])
def test_at_the_input_a_path_from_zero_is_gradient_x_input(
    max_batch: int | None, make_cnn: Make, generator: torch.Generator
) -> None:
    network, target = make_cnn(classes=3), torch.tensor([2, 0, 1, 1, 0])
    inputs = torch.randn(5, 2, 8, 8, generator=generator, dtype=torch.float64)
    points = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(points).gather(1, target[:, None]).sum(), points)
    zero = torch.zeros_like(inputs[:1])
    found = path_attribution(network, inputs, zero, rule=AtInput(), target=target, max_batch=max_batch)
    torch.testing.assert_close(found.attributions, inputs * gradient, rtol=0, atol=1e-13)
    assert found.gradient_points.tolist() == [1] * 5
    # From elsewhere it is the gradient there, times the way.
    start = torch.randn(5, 3, 2, 8, 8, generator=generator, dtype=torch.float64)
    found = path_attribution(network, inputs, start, rule=AtInput(), target=target, max_batch=max_batch)
    torch.testing.assert_close(found.attributions, (inputs - start.mean(1)) * gradient, rtol=0, atol=1e-13)


def test_at_the_input_behind_a_stem(generator: torch.Generator) -> None:
    torch.manual_seed(0)
    network = DNN(Standardise(torch.ones(6), torch.full((6,), 2.0)), [8, 8], 0.1).double().eval()
    points = torch.randn(4, 6, generator=generator, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(network(points).sum(), points)
    found = path_attribution(network, points.detach(), torch.zeros(1, 6, dtype=torch.float64), rule=AtInput())
    torch.testing.assert_close(found.attributions, points.detach() * gradient, rtol=0, atol=1e-13)


def test_random_point_needs_a_generator() -> None:
    with pytest.raises(ValueError, match="pass generator="):
        RandomPoint().nodes_and_weights((2, 3))


def test_random_point_draws_for_each_pair_and_again_the_same() -> None:
    nodes, weights = RandomPoint().nodes_and_weights((4, 5), torch.Generator().manual_seed(1))
    again, _ = RandomPoint().nodes_and_weights((4, 5), torch.Generator().manual_seed(1))
    other, _ = RandomPoint().nodes_and_weights((4, 5), torch.Generator().manual_seed(2))
    assert nodes.shape == (4, 5, 1)
    assert weights.tolist() == [1]
    assert len(nodes.unique()) == 20
    assert torch.equal(nodes, again)
    assert not torch.equal(nodes, other)


def test_random_point_reads_no_global_state() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    RandomPoint().nodes_and_weights((3, 3), torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_random_point_is_uniform() -> None:
    nodes, _ = RandomPoint().nodes_and_weights((100, 400), torch.Generator().manual_seed(0))
    for power in (1, 2, 3):
        mean, variance = 1 / (power + 1), 1 / (2 * power + 1) - 1 / (power + 1) ** 2
        assert float((nodes**power).mean()) == pytest.approx(mean, abs=4 * math.sqrt(variance / 40_000))


def test_rotated_nodes_are_even_on_each_path_and_over_all() -> None:
    nodes, weights = Rotated(4).nodes_and_weights((5, 30), torch.Generator().manual_seed(1))
    assert nodes.shape == (5, 30, 4)
    torch.testing.assert_close(nodes.diff(dim=-1), torch.full((5, 30, 3), 0.25, dtype=torch.float64))
    assert weights.tolist() == [0.25] * 4
    assert nodes.min() >= 0
    assert nodes.max() < 1
    # Gaps of a lattice of golden ratio have three sizes at most, the largest under three of an even one's (Sos 1958).
    gaps = nodes.flatten(1).sort(dim=1).values.diff(dim=1)
    assert gaps.max() < 3 / 120
    assert not torch.equal(nodes[0], nodes[1])


def test_one_rotated_node_a_path_is_right_on_average() -> None:
    """Of equal baselines the average is a rule of as many nodes as there are baselines."""
    x, starts = torch.ones(200, 1, dtype=torch.float64), torch.zeros(34, 1, dtype=torch.float64)
    found = {
        rule: path_attribution(
            lambda p: p[:, 0] ** 3, x, starts, rule=rule, generator=torch.Generator().manual_seed(0)
        ).attributions
        for rule in (Rotated(1), RandomPoint())
    }
    errors = {rule: (one - 1).square().mean().sqrt().item() for rule, one in found.items()}
    assert errors[Rotated(1)] < 3 / 34
    assert errors[Rotated(1)] < errors[RandomPoint()] / 2
    assert found[Rotated(1)].mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("max_batch", [1, 7])
def test_rotated_nodes_need_a_generator_and_no_chunk_shows(max_batch: int) -> None:
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with pytest.raises(ValueError, match="Rotated draws its shifts"):
        path_attribution(lambda p: p.prod(dim=1), x, 0, rule=Rotated(2))
    whole, cut = (
        path_attribution(
            lambda p: p.prod(dim=1),
            x,
            -x[:2],
            rule=Rotated(3),
            max_batch=most,
            generator=torch.Generator().manual_seed(0),
        ).attributions
        for most in (None, max_batch)
    )
    torch.testing.assert_close(whole, cut, rtol=1e-12, atol=1e-14)
