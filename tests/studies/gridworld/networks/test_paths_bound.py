"""The part of Shapley IG's error that its paths make: zero without interactions, and never above its bound."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from igbaselines.attribution import GaussLegendre
from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.shapley.estimators import ShapleyIG
from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.models.mlp import MLP
from igbaselines.models.standardise import Standardise
from igbaselines.studies.gridworld.networks.paths_bound import LIMITS, derivative_bounds, paths_bound
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.value_mlp import for_network
from tests.small_tasks import players_of, task_of

PLAYERS = 5


def paths_part(f: Callable[[Tensor], Tensor], x: Tensor, nodes: int = 32) -> Tensor:
    """SIG with all coalitions less the exact Shapley values, zero for absent features."""
    sig = players_of(
        ShapleyIG(ZeroBaseline(), None, rule=GaussLegendre(nodes)).attribute(task_of(f, x), torch.Generator())
    )
    return sig - exact_shapley_values(f, x, 0).values


def network(hidden: list[int], generator: torch.Generator, *, additive: bool = False, activation: str = "swish") -> MLP:
    """One with random weights, float64, and interactions as strong as training makes them."""
    recipe = GridValueRecipe(hidden, not additive, 0.01, 0.0, 8, 1, activation)
    standardise = Standardise(torch.randn(PLAYERS, generator=generator), torch.rand(PLAYERS, generator=generator) + 0.5)
    made = for_network(recipe, standardise.double(), generator).double()
    for weight, _, _ in made.layers():
        weight.data *= 3
    return made.requires_grad_(False).eval()  # type: ignore[return-value]


def test_a_product_meets_its_bound() -> None:
    """For f = x y each feature gets 3/4 of f and should get 1/2: a quarter of the mixed derivative is left."""
    part = paths_part(lambda x: x[:, 0] * x[:, 1], torch.tensor([[2.0, 3.0]], dtype=torch.float64))
    torch.testing.assert_close(part, torch.tensor([[1.5, 1.5]], dtype=torch.float64))


@pytest.mark.parametrize("activation", LIMITS)
def test_without_interactions_nothing_but_quadrature_is_left(activation: str, generator: torch.Generator) -> None:
    additive = network([6, 4], generator, additive=True, activation=activation)
    x = torch.randn(4, PLAYERS, generator=generator, dtype=torch.float64)
    errors = [paths_part(lambda x: additive(x)[:, 0], x, nodes).abs().max().item() for nodes in (4, 64)]
    assert errors[0] > 1e-5
    assert errors[1] < (1e-10 if activation == "swish" else errors[0] / 8)  # a kink is not integrated exactly


@pytest.mark.parametrize("activation", LIMITS)
@pytest.mark.parametrize("hidden", [[8], [8, 8]])
def test_random_networks_keep_to_the_bound(hidden: list[int], activation: str, generator: torch.Generator) -> None:
    reached = []
    for _ in range(5):
        made = network(hidden, generator, activation=activation)
        x = 3 * torch.randn(6, PLAYERS, generator=generator, dtype=torch.float64)
        most = paths_bound(made, 1, x)
        reached.append((paths_part(lambda x, made=made: made(x)[:, 1], x).abs() / most).max().item())  # type: ignore[misc]
    assert max(reached) <= 1
    assert max(reached) > (0.02 if len(hidden) == 1 else 1e-4)  # it says something


def test_one_unit_meets_its_bounds_near_zero() -> None:
    """Swish bends most at zero, by 1/2: there v w_i w_j / 2 is the mixed derivative."""
    made = MLP(Standardise(torch.zeros(2), torch.tensor([1.0, 2.0])), [1], 1).double()
    weight, v = torch.tensor([[3.0, -4.0]]).double(), 5.0
    for (to_weight, to_bias, _), value in zip(made.layers(), (weight, torch.tensor([[v]]).double()), strict=True):
        to_weight.data, to_bias.data = value, torch.zeros_like(to_bias)
    _, second = derivative_bounds(made, 0)
    hessian = torch.autograd.functional.hessian(lambda x: made(x[None]).squeeze(), torch.zeros(2, dtype=torch.float64))
    assert second is not None
    assert second[0, 1].item() == pytest.approx(v * 3 * 2 / 2)
    assert hessian[0, 1].abs().item() == pytest.approx(second[0, 1].item())
    near = torch.tensor([[0.01, 0.02]], dtype=torch.float64)
    torch.testing.assert_close(
        paths_part(lambda x: made(x)[:, 0], near).abs(), paths_bound(made, 0, near), rtol=1e-3, atol=0
    )


def test_no_hessian_exceeds_the_bound_of_second_derivatives(generator: torch.Generator) -> None:
    made = network([7, 6, 5], generator)
    first, second = derivative_bounds(made, 2)
    assert second is not None
    for x in torch.randn(20, PLAYERS, generator=generator, dtype=torch.float64):
        gradient = torch.autograd.functional.jacobian(lambda x: made(x[None])[0, 2], x)
        hessian = torch.autograd.functional.hessian(lambda x: made(x[None])[0, 2], x).fill_diagonal_(0)
        assert (gradient.abs() <= first).all()
        assert (hessian.abs() <= second).all()
