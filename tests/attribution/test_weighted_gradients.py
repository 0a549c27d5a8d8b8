"""Weighted Gradients: the paper's algorithm written out in loops over players, its axioms, and expected gradients.

Players are pixels, as in the paper, patches, the columns of a table, or groups of them: one algorithm for all.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import Attribution, GaussLegendre, Midpoint, path_attribution
from igbaselines.attribution.baselines import BaselineSet, Examples, TrainingMean, UniformNoise, ZeroBaseline
from igbaselines.attribution.fitness import BinarySearch, Fitness
from igbaselines.attribution.image_baselines import Blurred, Constant
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.attribution.weighting import EqualFitness, InverseFitness
from igbaselines.tasks import Background, EachFeature, FeatureMask, Patches, Pixels, Players, Task, class_score
from tests.small_tasks import players_of, task_of

TOGETHER = BaselineSet(
    {"black": ZeroBaseline(), "white": Constant(1.0), "noise": UniformNoise(2), "blur": Blurred(2.0)}
)
OF_TABLES = BaselineSet({"zero": ZeroBaseline(), "noise": UniformNoise(2), "examples": Examples(2)})
ALPHA = 0.8  # of probabilities that never halve
FITNESS = Fitness(BinarySearch(ALPHA, tolerance=0.0), ZeroBaseline())


def weighted(rule: GaussLegendre | Midpoint, baselines: BaselineSet = TOGETHER) -> AveragedGradients:
    return AveragedGradients(baselines, rule, InverseFitness(), FITNESS)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(3)
    layers = (nn.Conv2d(3, 6, 3, padding=1), nn.SiLU(), nn.Conv2d(6, 4, 3, stride=2), nn.SiLU(), nn.Flatten())
    return sharp(nn.Sequential(*layers, nn.Linear(4 * 3 * 3, 5), nn.Softmax(dim=1)).double().eval())


def sharp(network: nn.Sequential) -> nn.Sequential:
    """With larger weights before the softmax, or no players would halve a probability."""
    last = network[-2]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight *= 8 if last.in_features == 16 else 100
    return network


@pytest.fixture
def task(network: nn.Module, generator: torch.Generator) -> Task:
    inputs = torch.rand(3, 3, 8, 8, generator=generator, dtype=torch.float64)
    background = Background(examples=inputs, centre=torch.full_like(inputs[0], 0.5))
    return task_of(network, inputs, background, network(inputs).argmax(1), players=Pixels(), max_batch=11)


@pytest.fixture
def table(generator: torch.Generator) -> Task:
    """Rows of twenty columns, whose background is other rows."""
    torch.manual_seed(4)
    layers = (nn.Linear(20, 16), nn.SiLU(), nn.Linear(16, 5), nn.Softmax(dim=1))
    inputs, others = torch.randn(2, 12, 20, generator=generator, dtype=torch.float64)
    background = Background(examples=others, centre=torch.full_like(inputs[0], 0.5))
    network = sharp(nn.Sequential(*layers).double())
    return task_of(network, inputs, background, network(inputs).argmax(1))


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def features_of(players: Players, shape: torch.Size) -> list[np.ndarray]:
    """The features of each player, as places in a flat input."""
    player_of = players.of(shape).flatten().numpy()
    return [np.flatnonzero(player_of == player) for player in range(player_of.max() + 1)]


def halving_count(
    task: Task, row: np.ndarray, absent: np.ndarray, ig: np.ndarray, target: int, fitness: Fitness
) -> int:
    """Bisection over the players in the order of their attributions, one input at a time."""
    members = features_of(task.players, task.inputs.shape[1:])
    values = np.abs(ig).ravel() if fitness.ranking == "magnitude" else ig.ravel()
    order = sorted(range(len(members)), key=lambda player: -values[members[player]].sum())

    assert isinstance(fitness.search, BinarySearch)

    def probability(count: int) -> float:
        without = row.copy().ravel()
        for player in order[:count]:
            without[members[player]] = absent.ravel()[members[player]]
        with torch.no_grad():
            return float(task.f(torch.from_numpy(without.reshape(1, *row.shape)))[0, target])

    low, high, bound = 0, len(members), fitness.search.alpha * probability(0)
    if probability(high) > bound:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if probability(middle) > bound else (low, middle)
    return high


def assert_published(task: Task, baselines: BaselineSet, absent: Tensor, fitness: Fitness) -> Attribution:
    """Compare with the algorithm as it is written down."""
    result = AveragedGradients(baselines, Midpoint(7), InverseFitness(), fitness).attribute(task, seeded())
    assert task.targets is not None
    drawn, _ = baselines.draw(task.inputs, task.background, seeded())
    for i, row in enumerate(task.inputs.numpy()):
        maps, inverse, target = [], [], int(task.targets[i])
        for baseline in drawn[i].numpy():
            gradients = []
            for step in range(7):
                point = torch.from_numpy(baseline + (step + 0.5) / 7 * (row - baseline))[None].requires_grad_()
                gradients.append(torch.autograd.grad(task.f(point)[0, target], point)[0][0].numpy())
            maps.append((row - baseline) * np.mean(gradients, axis=0))
            count = halving_count(task, row, absent.numpy(), maps[-1], target, fitness)
            inverse.append(1 / count)
        expected = sum(w * m for w, m in zip(np.array(inverse) / sum(inverse), maps, strict=True))
        np.testing.assert_allclose(result.attributions[i].numpy(), expected, rtol=0, atol=1e-13)
        assert result.weights is not None
        np.testing.assert_allclose(result.weights[i].numpy(), np.array(inverse) / sum(inverse), rtol=1e-12)
        members = features_of(task.players, task.inputs.shape[1:])
        of_players = [np.ravel(expected)[some].sum() for some in members]
        np.testing.assert_allclose(players_of(result)[i].numpy(), of_players, rtol=0, atol=1e-13)
    return result


@pytest.mark.parametrize("ranking", ["signed", "magnitude"])
@pytest.mark.parametrize("players", [Pixels(), Patches(2, 3), EachFeature()], ids=str)
def test_the_published_algorithm_in_loops_on_pictures(task: Task, players: Players, ranking: str) -> None:
    black = torch.zeros(3, 8, 8, dtype=torch.float64)
    found = assert_published(replace(task, players=players), TOGETHER, black, replace(FITNESS, ranking=ranking))
    assert found.weights is not None
    assert found.weights.std(dim=1).max() > 1e-3


@pytest.mark.parametrize("players", [EachFeature(), FeatureMask(torch.arange(20) * 3 % 20 % 7)])
@pytest.mark.parametrize("mask", [ZeroBaseline(), TrainingMean()], ids=["zero", "mean"])
def test_the_published_algorithm_in_loops_on_a_table(
    table: Task, players: Players, mask: ZeroBaseline | TrainingMean
) -> None:
    absent, _ = mask.draw(table.inputs, table.background, seeded())
    named = replace(table, players=players, imputers={"absent": mask})
    found = assert_published(named, OF_TABLES, absent[0], replace(FITNESS, mask="absent"))
    assert found.weights is not None
    assert found.weights.std(dim=1).max() > 1e-3


def test_what_judging_costs_is_counted(task: Task) -> None:
    """Each pair's own scores: one baseline after another, every point would be scored that often."""
    seen: list[int] = []

    def score(points: Tensor, source: Tensor) -> Tensor:
        seen.append(len(points))
        return class_score(task.f, task.targets)(points, source)

    for sections in (2, 6):
        fitness = replace(FITNESS, search=BinarySearch(ALPHA, tolerance=0.0, sections=sections))
        method = AveragedGradients(BaselineSet({"black": Blurred(1.0)}), Midpoint(3), InverseFitness(), fitness)
        seen.clear()
        found = method.attribute(replace(task, score=score), seeded())
        assert found.forwards is not None
        assert int(found.forwards.sum()) == sum(seen)
        assert torch.equal(found.evaluations, found.forwards + 3)
        assert found.fitness is not None
        assert found.fitness.d_alpha.shape == (3,)


def test_a_random_mask_is_drawn_from_the_generator(task: Task) -> None:
    noisy = AveragedGradients(TOGETHER, Midpoint(3), InverseFitness(), replace(FITNESS, mask=UniformNoise(3)))
    one, again, other = (noisy.attribute(task, seeded(seed)).weights for seed in (1, 1, 2))
    assert one is not None
    assert again is not None
    assert other is not None
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_completeness_with_the_weighted_baselines(task: Task) -> None:
    result = weighted(GaussLegendre(40)).attribute(task, seeded())
    assert result.weights is not None
    change = (result.weights * (result.f_inputs[:, None] - result.f_baselines)).sum(dim=1)
    torch.testing.assert_close(result.attributions.flatten(1).sum(dim=1), change, rtol=0, atol=1e-10)
    torch.testing.assert_close(result.change, change, rtol=0, atol=1e-14)


def test_one_baseline_leaves_nothing_to_weigh(task: Task) -> None:
    one = BaselineSet({"black": ZeroBaseline()})
    found = weighted(Midpoint(5), one).attribute(task, seeded())
    expected = AveragedGradients(one, Midpoint(5)).attribute(task, seeded())
    torch.testing.assert_close(found.attributions, expected.attributions, rtol=0, atol=1e-15)


def test_equal_fitness_is_expected_gradients(task: Task) -> None:
    equal = replace(weighted(Midpoint(5)), weighting=EqualFitness()).attribute(task, seeded())
    expected = AveragedGradients(TOGETHER, Midpoint(5)).attribute(task, seeded())
    torch.testing.assert_close(equal.attributions, expected.attributions, rtol=0, atol=1e-15)


def test_the_filter_only_takes_away(task: Task) -> None:
    plain, filtered = (
        replace(weighted(Midpoint(5)), weighting=InverseFitness(filter_below)).attribute(task, seeded()).weights
        for filter_below in (0.0, 0.25)
    )
    assert plain is not None
    assert filtered is not None
    kept = plain >= 0.25 / 5
    assert torch.equal(filtered > 0, kept)
    torch.testing.assert_close(filtered, plain * kept / (plain * kept).sum(1, keepdim=True))


def test_reweighting_is_the_engines_own_average(task: Task) -> None:
    baselines, _ = TOGETHER.draw(task.inputs, task.background, seeded())
    weights = torch.rand(3, 5, generator=seeded(), dtype=torch.float64)
    direct = path_attribution(task.f, task.inputs, baselines, weights, Midpoint(3), task.targets)
    arguments = (task.f, task.inputs, baselines, None, Midpoint(3), task.targets)
    kept = path_attribution(*arguments, keep_per_baseline=True)
    found = kept.reweighted(weights, task.player_map)
    torch.testing.assert_close(found.attributions, direct.attributions, rtol=0, atol=1e-14)
    torch.testing.assert_close(players_of(found), direct.attributions.sum(dim=1).flatten(1), rtol=0, atol=1e-14)
    some = kept.of_baselines(slice(1, 3))
    torch.testing.assert_close(some.f_baselines, kept.f_baselines[:, 1:3])
    assert some.gradient_points.tolist() == [6] * 3


def test_refuses_a_ranking_that_is_none() -> None:
    with pytest.raises(ValueError, match="ranking=squared is unknown: signed or magnitude"):
        Fitness(ranking="squared")


def test_a_score_without_classes_is_the_output_itself(task: Task) -> None:
    source = torch.tensor([0, 1, 2])
    score = class_score(lambda x: x.flatten(1).sum(1), None)
    torch.testing.assert_close(score(task.inputs, source), task.inputs.flatten(1).sum(1))


def test_the_model_is_scored_as_it_is_used_and_left_as_it_was(task: Task) -> None:
    torch.manual_seed(3)
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 5))
    network = nn.Sequential(*layers, nn.Softmax(dim=1)).double()
    own = replace(task, f=network, targets=torch.tensor([1, 4, 0], dtype=torch.int32))
    expected = weighted(Midpoint(3)).attribute(replace(own, f=network.eval()), seeded())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = weighted(Midpoint(3)).attribute(replace(own, f=network.train()), seeded())
    torch.testing.assert_close(found.attributions, expected.attributions, rtol=0, atol=1e-14)
    assert all(module.training for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
