"""Racing against the method without it: the same where the heat can do no harm, and fewer gradients where it drops."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import torch
from igbaselines.attribution.weighted import Fitness, WeightedGradients
from torch import Tensor, nn

from igbaselines.attribution import Midpoint
from igbaselines.attribution.baselines import BaselineSet, Given, UniformNoise, ZeroBaseline
from igbaselines.attribution.fitness import BinarySearch, MinimalDeletion
from igbaselines.attribution.image_baselines import Blurred, Constant
from igbaselines.attribution.methods import Method, filtered_weighted_gradients, weighted_gradients
from igbaselines.attribution.perturbation import Score
from igbaselines.attribution.racing import Racing
from igbaselines.tasks import Background
from igbaselines.tasks.imputers import Black

TOGETHER = BaselineSet(
    {"black": ZeroBaseline(), "white": Constant(1.0), "noise": UniformNoise(2), "blur": Blurred(2.0)}
)
SEARCH = BinarySearch(alpha=0.9, tolerance=0.0)
FITNESS = Fitness(SEARCH, Black())
STEPS = 12


class Counting(nn.Module):
    """A small network that counts the points it is differentiated at."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        layers = (nn.Conv2d(3, 6, 3, padding=1), nn.SiLU(), nn.Conv2d(6, 4, 3, stride=2), nn.SiLU(), nn.Flatten())
        last = nn.Linear(4 * 3 * 3, 5)
        self.layers = nn.Sequential(*layers, last, nn.Softmax(dim=1)).double()
        with torch.no_grad():  # sure of its class, so that masked pixels bring it down
            last.weight *= 30
        self.gradients = 0

    def forward(self, x: Tensor) -> Tensor:
        self.gradients += len(x) if x.requires_grad else 0
        probabilities: Tensor = self.layers(x)
        return probabilities


@pytest.fixture
def network() -> Counting:
    return Counting().eval()


@pytest.fixture
def inputs(generator: torch.Generator) -> Tensor:
    return torch.rand(3, 3, 8, 8, generator=generator, dtype=torch.float64)


@pytest.fixture
def method(inputs: Tensor) -> WeightedGradients:
    """It drops whatever is below the mean weight."""
    reference = Background(examples=inputs, centre=torch.full_like(inputs[0], 0.5))
    return filtered_weighted_gradients(TOGETHER, reference, Midpoint(STEPS), FITNESS, filter_below=1.0)


@pytest.fixture
def targets(network: Counting, inputs: Tensor) -> Tensor:
    probabilities: Tensor = network(inputs)
    return probabilities.argmax(dim=1)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def test_a_heat_that_drops_nothing_changes_nothing(
    network: Counting, inputs: Tensor, method: WeightedGradients, targets: Tensor
) -> None:
    plain = method.attribute(network, inputs, targets, seeded())
    raced = Racing(method, Midpoint(2), SEARCH, margin=0.0).attribute(network, inputs, targets, seeded())
    for name, expected in vars(plain).items():
        expected = expected + 2 if name == "gradients" else expected  # the heat's
        torch.testing.assert_close(getattr(raced, name), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("output", ["int64", "int32", "its largest class"])
def test_a_heat_that_sees_all_drops_what_the_filter_drops(
    network: Counting, inputs: Tensor, method: WeightedGradients, targets: Tensor, output: str
) -> None:
    model: nn.Module = network
    classes = {"int64": targets, "int32": targets.int(), "its largest class": None}[output]
    if classes is None:
        model = nn.Sequential(network, Largest())
    plain = method.attribute(model, inputs, classes, seeded())
    raced = Racing(method, method.rule, SEARCH, margin=1.0).attribute(model, inputs, classes, seeded())
    assert plain.weights is not None
    assert raced.weights is not None
    assert torch.any(plain.weights == 0)
    torch.testing.assert_close(raced.weights, plain.weights, rtol=0, atol=1e-12)
    torch.testing.assert_close(raced.attributions, plain.attributions, rtol=0, atol=1e-12)


class Largest(nn.Module):
    """The most probable class as the output."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(dim=1)


@pytest.mark.parametrize("max_batch", [7, 100])
def test_what_drops_out_costs_no_more_gradients(
    network: Counting, inputs: Tensor, method: WeightedGradients, targets: Tensor, max_batch: int
) -> None:
    race = Racing(replace(method, max_batch=max_batch), Midpoint(2), SEARCH, margin=0.8)
    before = network.gradients
    raced = race.attribute(network, inputs, targets, seeded())
    spent = network.gradients - before
    baselines, _ = TOGETHER.draw(inputs, method.reference, seeded())
    heat = replace(race.method, rule=Midpoint(2), fitness=replace(FITNESS, search=race.search))
    found, d_alpha = heat.judged(network, inputs, baselines, targets, seeded())
    survivors = race.survivors(d_alpha)
    assert 0 < int(survivors.sum()) < survivors.numel()
    assert spent == 2 * survivors.numel() + STEPS * int(survivors.sum())
    assert raced.weights is not None
    assert raced.per_baseline is not None
    assert found.per_baseline is not None
    assert torch.all(raced.weights[~survivors] == 0)
    torch.testing.assert_close(raced.weights.sum(dim=1), torch.ones(3, dtype=torch.float64))
    # The final's Integrated Gradients for those that went on, the heat's for the others.
    full = method.attribute(network, inputs, targets, seeded())
    assert full.per_baseline is not None
    expected = torch.where(survivors[..., None, None, None], full.per_baseline, found.per_baseline)
    torch.testing.assert_close(raced.per_baseline, expected, rtol=0, atol=1e-12)
    average = (raced.weights[..., None, None, None] * expected).sum(dim=1)
    torch.testing.assert_close(raced.attributions, average, rtol=0, atol=1e-12)


def test_baselines_shared_by_all_inputs(
    network: Counting, inputs: Tensor, method: WeightedGradients, targets: Tensor
) -> None:
    shared = replace(method, baselines=Given(inputs.flip(3)))
    plain = shared.attribute(network, inputs, targets, seeded())
    raced = Racing(shared, Midpoint(2), SEARCH, margin=0.0).attribute(network, inputs, targets, seeded())
    torch.testing.assert_close(raced.attributions, plain.attributions, rtol=0, atol=1e-12)


def test_the_wider_the_margin_the_more_go_on(method: WeightedGradients) -> None:
    d_alpha = torch.randint(1, 5000, (200, 5), generator=seeded())
    kept = [Racing(method, margin=margin).survivors(d_alpha) for margin in (0.0, 0.3, 0.6, 1.0)]
    assert kept[0].all()
    for wider, narrower in pairwise(kept):
        assert torch.all(wider | ~narrower)
        assert wider.sum() > narrower.sum()
    assert torch.equal(kept[-1], method.weighting.of_fitness(d_alpha) > 0)


def test_it_is_a_method_like_the_others(method: WeightedGradients) -> None:
    assert isinstance(Racing(method), Method)


def test_refuses_what_cannot_be_raced(method: WeightedGradients) -> None:
    with pytest.raises(ValueError, match="racing needs a filter"):
        Racing(weighted_gradients(TOGETHER, method.reference))
    with pytest.raises(ValueError, match="margin is a share"):
        Racing(method, margin=1.1)


@dataclass(frozen=True)
class Scripted:
    """A search that finds what it is told, whatever the score."""

    d_alpha: tuple[int, ...]

    def minimal_deletion(
        self, score: Score, images: Tensor, fills: Tensor, ranks: Tensor, image_of_rank: Tensor, max_batch: int
    ) -> MinimalDeletion:
        found = torch.tensor(self.d_alpha).repeat(len(ranks) // len(self.d_alpha))
        return MinimalDeletion(found, torch.zeros(len(found)), torch.ones(len(found), dtype=torch.bool))


def test_survivors_that_turn_out_less_fit_than_the_dropped_stay(
    network: Counting, inputs: Tensor, method: WeightedGradients, targets: Tensor
) -> None:
    fitness = replace(method.fitness, search=Scripted((50_000,)))  # less fit than any that the heat dropped
    raced = Racing(replace(method, fitness=fitness), Midpoint(2), Scripted((10, 1000, 1000, 1000, 1000)), margin=1.0)
    found = raced.attribute(network, inputs, targets, seeded())
    assert found.weights is not None
    assert found.weights[:, 0].tolist() == [1.0] * len(inputs)
    assert found.attributions.isfinite().all()
