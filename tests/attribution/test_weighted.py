"""Weighted Gradients: the paper's algorithm written out in loops, its axioms, and where it meets expected gradients."""

import numpy as np
import pytest
import torch
from igbaselines.attribution.weighted import Fitness, class_score, pixel_importance, reweighted
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, Midpoint, path_attribution
from igbaselines.attribution.baselines import BaselineSet, UniformNoise, ZeroBaseline
from igbaselines.attribution.fitness import BinarySearch
from igbaselines.attribution.image_baselines import Blurred, Constant
from igbaselines.attribution.methods import expected_gradients, filtered_weighted_gradients, weighted_gradients
from igbaselines.tasks import Background
from igbaselines.tasks.imputers import Black

TOGETHER = BaselineSet(
    {"black": ZeroBaseline(), "white": Constant(1.0), "noise": UniformNoise(2), "blur": Blurred(2.0)}
)
FITNESS = Fitness(BinarySearch(tolerance=0.0), Black())


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(3)
    layers = (nn.Conv2d(3, 6, 3, padding=1), nn.SiLU(), nn.Conv2d(6, 4, 3, stride=2), nn.SiLU(), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(4 * 3 * 3, 5), nn.Softmax(dim=1)).double().eval()


@pytest.fixture
def inputs(generator: torch.Generator) -> Tensor:
    return torch.rand(3, 3, 8, 8, generator=generator, dtype=torch.float64)


@pytest.fixture
def reference(inputs: Tensor) -> Background:
    return Background(examples=inputs, centre=torch.full_like(inputs[0], 0.5))


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def halving_count(network: nn.Module, picture: np.ndarray, ig: np.ndarray, target: int) -> int:
    """Bisection over the pixels in the order of their attributions, one picture at a time."""

    def probability(count: int) -> float:
        order = np.argsort(-ig.sum(axis=0).ravel(), kind="stable")
        masked = picture.copy().reshape(3, -1)
        masked[:, order[:count]] = 0
        with torch.no_grad():
            return float(network(torch.from_numpy(masked.reshape(1, *picture.shape)))[0, target])

    low, high, bound = 0, int(ig[0].size), 0.5 * probability(0)
    if probability(high) > bound:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if probability(middle) > bound else (low, middle)
    return high


def test_the_published_algorithm_in_loops(network: nn.Module, inputs: Tensor, reference: Background) -> None:
    targets = torch.tensor([1, 4, 0])
    method = weighted_gradients(TOGETHER, reference, Midpoint(7), FITNESS, max_batch=11)
    result = method.attribute(network, inputs, targets, seeded())
    baselines, _ = TOGETHER.draw(inputs, reference, seeded())
    for i, picture in enumerate(inputs.numpy()):
        maps, inverse = [], []
        for baseline in baselines[i].numpy():
            gradients = []
            for step in range(7):
                point = torch.from_numpy(baseline + (step + 0.5) / 7 * (picture - baseline))[None].requires_grad_()
                gradients.append(torch.autograd.grad(network(point)[0, targets[i]], point)[0][0].numpy())
            maps.append((picture - baseline) * np.mean(gradients, axis=0))
            inverse.append(1 / halving_count(network, picture, maps[-1], int(targets[i])))
        expected = sum(w * m for w, m in zip(np.array(inverse) / sum(inverse), maps, strict=True))
        np.testing.assert_allclose(result.attributions[i].numpy(), expected, rtol=0, atol=1e-13)
        assert result.weights is not None
        np.testing.assert_allclose(result.weights[i].numpy(), np.array(inverse) / sum(inverse), rtol=1e-12)


def test_completeness_with_the_weighted_baselines(network: nn.Module, inputs: Tensor, reference: Background) -> None:
    method = weighted_gradients(TOGETHER, reference, GaussLegendre(40), FITNESS)
    result = method.attribute(network, inputs, torch.tensor([1, 4, 0]), seeded())
    assert result.weights is not None
    change = (result.weights * (result.f_inputs[:, None] - result.f_baselines)).sum(dim=1)
    torch.testing.assert_close(result.attributions.flatten(1).sum(dim=1), change, rtol=0, atol=1e-10)


def test_one_baseline_leaves_nothing_to_weigh(network: nn.Module, inputs: Tensor, reference: Background) -> None:
    targets, one = torch.tensor([1, 4, 0]), BaselineSet({"black": ZeroBaseline()})
    weighted = weighted_gradients(one, reference, Midpoint(5), FITNESS).attribute(network, inputs, targets, seeded())
    expected = expected_gradients(one, reference, Midpoint(5)).attribute(network, inputs, targets, seeded())
    torch.testing.assert_close(weighted.attributions, expected.attributions, rtol=0, atol=1e-15)


def test_the_filter_only_takes_away(network: nn.Module, inputs: Tensor, reference: Background) -> None:
    targets = torch.tensor([1, 4, 0])
    plain, filtered = (
        make(TOGETHER, reference, Midpoint(5), FITNESS).attribute(network, inputs, targets, seeded())
        for make in (weighted_gradients, filtered_weighted_gradients)
    )
    assert plain.weights is not None
    assert filtered.weights is not None
    kept = plain.weights >= 0.25 / 5
    assert torch.equal(filtered.weights > 0, kept)
    torch.testing.assert_close(filtered.weights, plain.weights * kept / (plain.weights * kept).sum(1, keepdim=True))


def test_reweighting_is_the_engines_own_average(network: nn.Module, inputs: Tensor, reference: Background) -> None:
    baselines, _ = TOGETHER.draw(inputs, reference, seeded())
    weights = torch.rand(3, 5, generator=seeded(), dtype=torch.float64)
    targets = torch.tensor([1, 4, 0])
    direct = path_attribution(network, inputs, baselines, weights, Midpoint(3), targets)
    kept = path_attribution(network, inputs, baselines, rule=Midpoint(3), target=targets, keep_per_baseline=True)
    torch.testing.assert_close(reweighted(kept, weights).attributions, direct.attributions, rtol=0, atol=1e-14)


def test_importance_of_a_pixel() -> None:
    attributions = torch.tensor([1.0, -2.0, 0.5]).view(3, 1, 1)
    assert pixel_importance(attributions, "signed").item() == -0.5
    assert pixel_importance(attributions, "magnitude").item() == 3.5
    with pytest.raises(ValueError, match="signed or magnitude"):
        pixel_importance(attributions, "squared")


def test_a_score_without_classes_is_the_output_itself(inputs: Tensor) -> None:
    source = torch.tensor([0, 1, 2])
    torch.testing.assert_close(
        class_score(lambda x: x.flatten(1).sum(1), None)(inputs, source), inputs.flatten(1).sum(1)
    )


def test_the_model_is_scored_as_it_is_used_and_left_as_it_was(inputs: Tensor, reference: Background) -> None:
    torch.manual_seed(3)
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 5))
    network = nn.Sequential(*layers, nn.Softmax(dim=1)).double()
    targets = torch.tensor([1, 4, 0], dtype=torch.int32)
    method = weighted_gradients(TOGETHER, reference, Midpoint(3), FITNESS)
    expected = method.attribute(network.eval(), inputs, targets, seeded())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = method.attribute(network.train(), inputs, targets, seeded())
    torch.testing.assert_close(found.attributions, expected.attributions, rtol=0, atol=1e-14)
    assert all(module.training for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
