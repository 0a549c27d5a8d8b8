"""Methods as objects are the engine with their baselines, weights and rule put in."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, Midpoint, RandomPoint, path_attribution
from igbaselines.attribution.baselines import PerStratum, TrainingMean
from igbaselines.attribution.methods import AveragedGradients, expected_gradients, ig
from igbaselines.attribution.weighting import ByStratum
from igbaselines.tasks import Background

Make = Callable[..., nn.Module]


@pytest.fixture
def reference(generator: torch.Generator) -> Background:
    return Background(
        examples=torch.randn(30, 6, generator=generator, dtype=torch.float64),
        stratum=torch.arange(30) % 3,
        stratum_weight=torch.tensor([1.0, 5.0, 2.0]),
        centre=torch.full((6,), 0.25, dtype=torch.float64),
    )


@pytest.fixture
def inputs(generator: torch.Generator) -> Tensor:
    return torch.randn(4, 6, generator=generator, dtype=torch.float64)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_ig_is_the_path_from_one_baseline(reference: Background, inputs: Tensor, make_mlp: Make) -> None:
    method = ig(TrainingMean(), reference)
    assert method.rule == GaussLegendre(32)
    result = method.attribute(make_mlp(), inputs, None, seeded())
    expected = path_attribution(make_mlp(), inputs, reference.centre[None])
    torch.testing.assert_close(result.attributions, expected.attributions, rtol=0, atol=1e-14)
    assert result.completeness_gap.shape == (4, 1)


def test_averages_over_weighted_baselines_of_a_class(reference: Background, inputs: Tensor, make_mlp: Make) -> None:
    source, target = PerStratum(2, ByStratum()), torch.tensor([0, 2, 1, 1])
    method = AveragedGradients(source, reference, Midpoint(5), max_batch=3)
    result = method.attribute(make_mlp(classes=3), inputs, target, seeded())
    baselines, weights = source.draw(inputs, reference, seeded())
    expected = path_attribution(make_mlp(classes=3), inputs, baselines, weights, Midpoint(5), target)
    torch.testing.assert_close(result.attributions, expected.attributions, rtol=0, atol=1e-14)
    assert result.weights is not None
    torch.testing.assert_close(result.weights, weights.expand(4, 6), rtol=0, atol=1e-15)


def test_expected_gradients_draw_one_point_a_path(reference: Background, inputs: Tensor, make_mlp: Make) -> None:
    method = expected_gradients(PerStratum(3), reference)
    assert method.rule == RandomPoint()
    one, again, other = (method.attribute(make_mlp(), inputs, None, seeded(s)).attributions for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


def test_expected_gradients_converge_to_the_integral(reference: Background, inputs: Tensor, make_mlp: Make) -> None:
    every = PerStratum(10)  # all examples, so that the nodes alone are random
    exact = expected_gradients(every, reference, GaussLegendre(32))
    truth = exact.attribute(make_mlp(), inputs, None, seeded()).attributions
    method = expected_gradients(every, reference)
    draws = torch.stack([method.attribute(make_mlp(), inputs, None, seeded(s)).attributions for s in range(64)])
    standard_error = draws.std(0) / 8
    assert torch.all((draws.mean(0) - truth).abs() < 5 * standard_error)
    assert standard_error.max() < 0.2 * truth.abs().max()


def test_methods_touch_no_global_random_state(reference: Background, inputs: Tensor, make_mlp: Make) -> None:
    network = make_mlp()
    before = torch.get_rng_state()
    expected_gradients(PerStratum(3), reference).attribute(network, inputs, None, seeded())
    assert torch.equal(torch.get_rng_state(), before)
