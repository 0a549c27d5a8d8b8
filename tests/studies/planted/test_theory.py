"""What theory says of methods on planted functions: where they are exact, and how wrong they are elsewhere."""

import math

import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import Examples, Given, PerStratum
from igbaselines.attribution.engine.quadrature import GaussLegendre
from igbaselines.attribution.fitness import Fitness
from igbaselines.attribution.methods import AveragedGradients, Method, attribute_all
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.attribution.weighting import ByStratum, InverseFitness
from igbaselines.studies.planted.function import PlantedFunction
from igbaselines.studies.planted.known import shapley_values
from igbaselines.tasks import Imputer, Task
from tests import small_tasks
from tests.studies.planted.planted_tasks import alone, function_of, task_of


def assert_same(found: Tensor, expected: Tensor) -> None:
    """Up to the error of quadrature, of smooth features with eight nodes or more."""
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def attributed(method: Method, task: Task, seed: int = 0) -> Tensor:
    return method.attribute(task, torch.Generator().manual_seed(seed)).attributions


def averaged(baselines: Imputer | str, n_steps: int = 12) -> AveragedGradients:
    return AveragedGradients(baselines, GaussLegendre(n_steps))


def slope(errors: dict[int, float]) -> float:
    """The exponent by which errors change with a count, from the first to the last."""
    (first, *_, last) = errors
    return math.log(errors[last] / errors[first]) / math.log(last / first)


@pytest.mark.parametrize("reference", ["zero", "mean", "background"])
def test_integrated_gradients_are_exact_where_features_add_up(reference: str) -> None:
    # Of `background` these are expected gradients over exactly the set that defines the truth.
    task = task_of("additive")
    assert_same(attributed(averaged(reference), task), task.known[reference])


def test_another_baseline_is_wrong_by_what_it_gives_itself() -> None:
    task = task_of("additive")
    error = attributed(averaged("zero"), task) - task.known["mean"]
    expected = alone(task, task.background.centre) - alone(task, torch.zeros_like(task.background.centre))
    assert expected.abs().max() > 0.1
    assert_same(error, expected.expand_as(error))


def test_expected_gradients_are_wrong_by_a_sample_mean_of_few_examples() -> None:
    task, count = task_of("additive", inputs=400), 6
    error = attributed(averaged(Examples(count)), task) - task.known["background"]
    examples = len(task.background.examples)
    # Without replacement: the variance of a mean is (N - k) / (N - 1) / k of the population's.
    variance = alone(task, task.background.examples).var(dim=0, correction=0).sum()
    expected = variance / count * (examples - count) / (examples - 1)
    assert error.square().sum(dim=1).mean() == pytest.approx(float(expected), rel=0.1)


def test_weighted_gradients_are_wrong_by_a_weighted_mean() -> None:
    task = task_of("additive", inputs=20)
    baselines = task.background.examples[:6]
    method = AveragedGradients(Given(baselines), GaussLegendre(12), InverseFitness(), Fitness(mask="mean"))
    found = method.attribute(task, torch.Generator())
    assert found.weights is not None
    assert (found.weights.std(dim=1) > 0.01).any()  # the fitness tells baselines apart
    expected = alone(task, task.inputs) - found.weights @ alone(task, baselines)
    assert_same(found.attributions, expected)


def test_strata_in_proportion_give_the_background_and_equal_strata_another_one() -> None:
    task = task_of("additive", inputs=1, examples=200)
    examples, stratum = alone(task, task.background.examples), task.background.stratum
    assert stratum is not None
    of_strata = torch.stack([examples[stratum == index].mean(dim=0) for index in range(2)])
    expected = {
        "weighted": task.known["background"][0],
        "equal": alone(task, task.inputs)[0] - of_strata.mean(dim=0),
    }
    methods = {"weighted": averaged(PerStratum(20, ByStratum())), "equal": averaged(PerStratum(20))}
    found = [attribute_all(methods, task, torch.Generator().manual_seed(seed)) for seed in range(60)]
    for name in methods:
        draws = torch.cat([each[name].attributions for each in found])
        spread = draws.std(dim=0) / math.sqrt(len(draws))
        assert ((draws.mean(dim=0) - expected[name]).abs() < 4 * spread).all(), name
        assert ((expected["equal"] - expected["weighted"]).abs() > 8 * spread).any()


@pytest.mark.parametrize("coalitions", [1, 7])
@pytest.mark.parametrize("method", [ShapleyIG, ShapleySampling])
def test_any_coalitions_will_do_where_features_add_up(
    method: type[ShapleyIG] | type[ShapleySampling], coalitions: int
) -> None:
    task = task_of("additive")
    assert_same(attributed(method("mean", coalitions), task), task.known["mean"])


def test_the_sampler_comes_to_the_known_values_at_its_monte_carlo_rate() -> None:
    task = task_of("interactions", inputs=60, features=12)
    errors = {
        count: float((attributed(ShapleySampling("mean", count), task) - task.known["mean"]).square().mean().sqrt())
        for count in (32, 128, 512, 2048)
    }
    assert slope(errors) == pytest.approx(-1 / 2, abs=0.06)
    assert errors[32] < 0.3


def test_all_coalitions_give_the_known_values() -> None:
    task = task_of("interactions")
    found = attributed(ShapleySampling("mean", coalitions=None), task)
    torch.testing.assert_close(found, task.known["mean"], rtol=0, atol=1e-12)


def test_shapley_ig_has_a_monte_carlo_rate_and_a_limit_of_its_own() -> None:
    task = task_of("interactions", inputs=40)
    limit = attributed(ShapleyIG("mean", coalitions=None), task)
    errors = {
        count: float((attributed(ShapleyIG("mean", count), task) - limit).square().mean().sqrt())
        for count in (64, 256, 1024)
    }
    assert slope(errors) == pytest.approx(-1 / 2, abs=0.1)
    bias = float((limit - task.known["mean"]).square().mean().sqrt())
    assert bias > 3 * errors[1024]


def test_the_limit_of_shapley_ig_on_a_pair_is_half_of_ig_and_half_of_a_joining() -> None:
    # Of the coalitions that exclude one of the two, half hold the other: then it moves alone, else both do.
    ones, no = torch.ones(2), torch.zeros(2, dtype=torch.bool)
    pair = PlantedFunction(ones, torch.tensor([0.3, -0.2]), 0 * ones, torch.tensor([[0, 1, 2]]), ones[:1], no)
    x = torch.tensor([[1.0, 0.7], [-0.5, 1.2]], dtype=torch.float64)
    task = small_tasks.task_of(pair, x)
    start = torch.zeros_like(x)
    here, there = pair.responses(x), pair.responses(start)
    joins_last = (here - there) * here.flip(1)
    found = attributed(ShapleyIG(Given(start[:1]), coalitions=None, rule=GaussLegendre(16)), task)
    plain = attributed(averaged(Given(start[:1])), task)
    assert_same(found, (plain + joins_last) / 2)
    exact = shapley_values(pair, x, start[:, None], torch.ones(1))
    assert (found - exact).abs().max() > 0.05


def test_a_gradient_is_zero_where_a_feature_is_saturated_and_its_contribution_is_not() -> None:
    task = task_of("saturating", inputs=30)
    f = function_of(task)
    saturated = (f.frequency * task.inputs + f.phase).abs() > f.largest
    assert 0.1 < saturated.double().mean() < 0.3  # of every third feature more than half
    point = task.inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(point).sum(), point)
    assert ((gradient * task.inputs)[saturated] == 0).all()
    assert (gradient[~saturated] != 0).all()
    known = task.known["mean"]
    assert (known[saturated].abs() > 0.2).all()
    errors = {n: float((attributed(averaged("mean", n), task) - known).abs().max()) for n in (32, 128, 512)}
    assert slope(errors) < -1.5  # a kink of the gradient: second order, where smooth features need eight nodes
    assert errors[32] < 0.02


METHODS: dict[str, Method] = {
    "ig": averaged("mean"),
    "expected gradients": averaged(Examples(6)),
    "background": averaged(PerStratum(4, ByStratum())),
    "weighted gradients": AveragedGradients(Examples(6), GaussLegendre(8), InverseFitness(), Fitness(mask="mean")),
    "shapley ig": ShapleyIG("background", 16),
}


@pytest.mark.parametrize("name", METHODS)
def test_features_that_do_nothing_get_nothing(name: str) -> None:
    task = task_of("irrelevant", inputs=10)
    found, nothing = attributed(METHODS[name], task), (task.known["mean"] == 0).all(dim=0)
    assert nothing.sum() == 4
    assert (found[:, nothing] == 0).all()
    assert (found[:, ~nothing] != 0).all()
