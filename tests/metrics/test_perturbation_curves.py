"""Deletion and insertion curves of pixels, patches and columns, against loops in numpy."""

import math
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution.baselines import Given, MeanExample, UniformNoise, ZeroBaseline
from igbaselines.attribution.image_baselines import CornerMean
from igbaselines.attribution.perturbation import Perturbed
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import DeletionAUC, Quantity, judged
from igbaselines.metrics.base import MOVES
from igbaselines.metrics.perturbation_curves import (
    PercentileGrid,
    PerturbationGrid,
    ShareGrid,
    area,
    perturbation_curves,
)
from igbaselines.tasks import EachFeature, FeatureMask, Patches, Pixels, PlayerMap, Players, Score, Task
from tests.small_tasks import task_of

GRIDS = [ShareGrid(), ShareGrid(7), ShareGrid(6, power=2), PercentileGrid()]
IMAGE_OF_RANK = torch.tensor([0, 1, 1, 0, 2])
# Whose percentiles fall between pixels, where numpy's rounding does not matter.
SHAPES = [(7, 9), (10, 13), (1, 6), (1, 1)]
LEVELS = ["random", "few", "constant"]


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """The images here are small."""


def make_importance(kind: str, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    if kind == "random":
        return torch.randn(5, *shape, generator=generator)
    return torch.randint(1 if kind == "constant" else 4, (5, *shape), generator=generator).float()


def perturbed(
    score: Score, images: Tensor, fills: Tensor, maps: Tensor, image_of_rank: Tensor, max_batch: int
) -> Perturbed:
    """Images with maps of their pixels."""
    players = PlayerMap(Pixels(), images.shape[1:], images.device)
    return Perturbed(score, images, fills, players, maps.flatten(1), image_of_rank, max_batch)


def make_score(shape: tuple[int, int]) -> Score:
    """A small network's probability of each image's class."""
    torch.manual_seed(4)
    height, width = shape
    flat = nn.Flatten()
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.SiLU(), flat, nn.Linear(4 * height * width, 3), nn.Softmax(1)
    )
    model = model.double().eval()

    def score(pictures: Tensor, source: Tensor) -> Tensor:
        probabilities: Tensor = model(pictures)
        return probabilities.gather(1, source[:, None])[:, 0]

    return score


def plain_masks(grid: PerturbationGrid, importance: np.ndarray) -> list[np.ndarray]:
    """The most important pixels at each point, by the grids' definitions."""
    if isinstance(grid, PercentileGrid):
        return [importance >= np.percentile(importance, p) for p in range(100)]
    assert isinstance(grid, ShareGrid)
    places = sorted(np.ndindex(importance.shape), key=lambda place: -importance[place])
    masks = []
    for k in range(grid.steps + 1):
        mask = np.zeros(importance.shape, dtype=bool)
        for place in places[: math.floor(importance.size * Fraction(k, grid.steps) ** grid.power + Fraction(1, 2))]:
            mask[place] = True
        masks.append(mask)
    return masks


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_counts(grid: PerturbationGrid, kind: str, shape: tuple[int, int], generator: torch.Generator) -> None:
    importance = make_importance(kind, shape, generator)
    expected = [[int(mask.sum()) for mask in plain_masks(grid, each.double().numpy())] for each in importance]
    assert grid.counts(importance.flatten(1)).tolist() == expected


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("shape", SHAPES[:1])
def test_curves_and_areas(
    grid: PerturbationGrid, kind: str, shape: tuple[int, int], generator: torch.Generator
) -> None:
    images, fills = torch.rand(2, 3, 3, *shape, generator=generator, dtype=torch.float64)
    importance = make_importance(kind, shape, generator)
    score = make_score(shape)
    masked = perturbed(score, images, fills, importance, IMAGE_OF_RANK, max_batch=16)
    deletion, insertion = (perturbation_curves(masked, grid, keep) for keep in (False, True))
    for r, i in enumerate(IMAGE_OF_RANK.tolist()):
        masks = plain_masks(grid, importance[r].double().numpy())
        for curves, inside, outside in ((deletion, fills, images), (insertion, images, fills)):
            pictures = np.stack([np.where(mask, inside[i].numpy(), outside[i].numpy()) for mask in masks])
            with torch.no_grad():
                expected = score(torch.from_numpy(pictures), torch.full((len(masks),), i)).numpy()
            np.testing.assert_allclose(curves[r].numpy(), expected, atol=1e-12)
            where = np.arange(100) / 100  # percentiles 0..99
            if isinstance(grid, ShareGrid):
                where = np.linspace(0, 1, grid.steps + 1) ** grid.power
            assert float(area(curves, grid)[r]) == pytest.approx(np.trapezoid(expected, where), abs=1e-12)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_curves_do_not_depend_on_the_batch(keep: bool, grid: PerturbationGrid, generator: torch.Generator) -> None:
    images, fills = torch.rand(2, 3, 3, 4, 6, generator=generator, dtype=torch.float64)
    maps = torch.randn(5, 4, 6, generator=generator)
    one, many = (perturbed(make_score((4, 6)), images, fills, maps, IMAGE_OF_RANK, most) for most in (1, 1000))
    torch.testing.assert_close(perturbation_curves(one, grid, keep), perturbation_curves(many, grid, keep))


def test_uniform_curves_run_from_end_to_end(generator: torch.Generator) -> None:
    images, fills = torch.rand(2, 3, 3, 4, 6, generator=generator, dtype=torch.float64)
    score = make_score((4, 6))
    masked = perturbed(score, images, fills, torch.randn(5, 4, 6, generator=generator), IMAGE_OF_RANK, 32)
    ends = [score(images, torch.arange(3))[IMAGE_OF_RANK], score(fills, torch.arange(3))[IMAGE_OF_RANK]]
    torch.testing.assert_close(perturbation_curves(masked, ShareGrid())[:, [0, -1]], torch.stack(ends, dim=1))
    torch.testing.assert_close(
        perturbation_curves(masked, ShareGrid(), keep=True)[:, [-1, 0]], torch.stack(ends, dim=1)
    )


def test_deletion_is_the_insertion_of_the_others(generator: torch.Generator) -> None:
    images, fills = torch.rand(2, 3, 3, 4, 6, generator=generator, dtype=torch.float64)
    importance = torch.randn(5, 4, 6, generator=generator)
    # 24 pixels in 6 steps: no rounding, so that the counts of both add up.
    masked = perturbed(make_score((4, 6)), images, fills, importance, IMAGE_OF_RANK, 32)
    deletion = perturbation_curves(masked, ShareGrid(6))
    insertion = perturbation_curves(replace(masked, importance=-masked.importance), ShareGrid(6), keep=True)
    torch.testing.assert_close(deletion, insertion.flip(1))
    torch.testing.assert_close(area(deletion, ShareGrid(6)), area(insertion, ShareGrid(6)))


@pytest.mark.parametrize(("grid", "share"), [(ShareGrid(), 1.0), (ShareGrid(3), 1.0), (PercentileGrid(), 0.99)])
def test_area_of_a_score_that_stays(grid: PerturbationGrid, share: float, device: torch.device) -> None:
    curves = torch.full((2, len(grid.positions())), 0.3, device=device)
    assert area(curves, grid).tolist() == pytest.approx([0.3 * share] * 2, abs=1e-7)


def brightness(pictures: Tensor, source: Tensor) -> Tensor:
    """Share of the pixels that are white."""
    return pictures.mean(dim=(1, 2, 3))


def test_by_hand_on_two_by_two() -> None:
    """Pixels of importance 3 1 / 1 0, white on black fill; the score is the share that is left."""
    white = torch.ones(1, 3, 2, 2)
    importance = torch.tensor([[[3.0, 1.0], [1.0, 0.0]]])
    masked = perturbed(brightness, white, torch.zeros_like(white), importance, torch.tensor([0]), 10)
    uniform = perturbation_curves(masked, ShareGrid(4))
    assert uniform.tolist() == [[1, 0.75, 0.5, 0.25, 0]]
    assert area(uniform, ShareGrid(4)).tolist() == [0.5]
    # The order is 0 1 1 3 at 0, 33.3, 66.7 and 100 %: p = 0 takes four pixels, p = 1..66 the two ties and the 3,
    # p = 67..99 the 3 alone.
    released = perturbation_curves(masked, PercentileGrid())
    assert released.tolist() == [[0, *[0.25] * 66, *[0.75] * 33]]
    by_hand = (0.25 / 2 + 65 * 0.25 + (0.25 + 0.75) / 2 + 32 * 0.75) / 100
    assert float(area(released, PercentileGrid())) == pytest.approx(by_hand, abs=1e-12)
    revealed = perturbation_curves(masked, PercentileGrid(), keep=True)
    assert revealed.tolist() == [[1, *[0.75] * 66, *[0.25] * 33]]


def test_percentiles_that_fall_on_a_pixel(device: torch.device) -> None:
    """Of the values 0..100 the p-th percentile is p: it goes, and with it all over it."""
    importance = torch.arange(101.0, device=device).flip(0)[None]
    assert PercentileGrid().counts(importance).tolist() == [[101 - p for p in range(100)]]


def test_percentiles_of_a_constant_map_take_everything() -> None:
    white = torch.ones(1, 3, 3, 3)
    masked = perturbed(brightness, white, torch.zeros_like(white), torch.zeros(1, 3, 3), torch.tensor([0]), 10)
    assert perturbation_curves(masked, PercentileGrid()).tolist() == [[0.0] * 100]
    share_left = [k / 9 for k in range(9, -1, -1)]
    assert perturbation_curves(masked, ShareGrid(9))[0].tolist() == pytest.approx(share_left)


def test_a_better_order_has_the_lower_deletion_and_the_higher_insertion(device: torch.device) -> None:
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).to(device)
    brightest = images.sum(dim=1)
    maps = torch.cat([brightest, -brightest])
    source = torch.zeros(2, dtype=torch.long, device=device)
    masked = perturbed(brightness, images, torch.zeros_like(images), maps, source, 64)
    best, worst = area(perturbation_curves(masked, ShareGrid()), ShareGrid()).tolist()
    assert best < worst
    best, worst = area(perturbation_curves(masked, ShareGrid(), keep=True), ShareGrid()).tolist()
    assert best > worst


def test_refuses_an_empty_grid() -> None:
    with pytest.raises(ValueError, match="at least one, got 0 and 1"):
        ShareGrid(0)
    with pytest.raises(ValueError, match="at least one, got 5 and 0"):
        ShareGrid(5, power=0)


def test_refuses_curves_of_another_grid() -> None:
    with pytest.raises(ValueError, match=r"curves \(2, 100\) do not fit a grid of 101 points"):
        area(torch.zeros(2, 100), ShareGrid())


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_refuses_importance_that_is_not_a_number(grid: PerturbationGrid) -> None:
    white = torch.ones(1, 3, 1, 2)
    importance = torch.tensor([[[math.nan, 1.0]]])
    with pytest.raises(ValueError, match="1 are NaN"):
        perturbation_curves(perturbed(brightness, white, white, importance, torch.tensor([0]), 10), grid)


# As a metric of tasks

STEPS = 9
SETTINGS: list[tuple[tuple[int, ...], Players]] = [
    ((3, 6, 6), Pixels()),
    ((3, 6, 5), Patches(2, 3)),
    ((3, 4, 4), EachFeature()),
    ((12,), EachFeature()),
    ((12,), FeatureMask(torch.arange(12) * 5 % 7)),
]


def task_and_maps(shape: tuple[int, ...], players: Players, generator: torch.Generator) -> tuple[Task, Tensor]:
    inputs, others = torch.rand(2, 3, *shape, generator=generator, dtype=torch.float64)
    slopes = torch.linspace(0.1, 1, inputs[0].numel()).double().view(shape)

    def f(points: Tensor) -> Tensor:
        """Falls with every absent player, with some more than with others."""
        return (points * slopes).flatten(1).sum(dim=1).tanh()

    maps = torch.randn(3, *shape, generator=generator, dtype=torch.float64)
    imputers = {"zero": ZeroBaseline(), "other": Given(others[:1])}
    return task_of(f, inputs, players=players, imputers=imputers, max_batch=5), maps


def plain_curve(task: Task, row: int, values: Tensor, absent: Tensor, insertion: bool) -> list[float]:
    """The output while players go or come, one point after another."""
    player_of = task.players.of(task.inputs.shape[1:])
    count = int(player_of.max()) + 1
    order = sorted(range(count), key=lambda player: -float(values[player_of == player].sum()))
    curve = []
    for step in range(STEPS + 1):
        point = absent.clone() if insertion else task.inputs[row].clone()
        for player in order[: math.floor(count * step / STEPS + 0.5)]:
            point[player_of == player] = (task.inputs[row] if insertion else absent)[player_of == player]
        curve.append(float(task.f(point[None])))
    return curve


@pytest.mark.parametrize("insertion", [False, True])
@pytest.mark.parametrize("ranking", ["signed", "magnitude"])
@pytest.mark.parametrize(("shape", "players"), SETTINGS, ids=str)
def test_areas_are_those_of_players_taken_one_by_one(
    shape: tuple[int, ...], players: Players, ranking: str, insertion: bool, generator: torch.Generator
) -> None:
    task, maps = task_and_maps(shape, players, generator)
    metric = DeletionAUC("other", ShareGrid(STEPS), ranking, insertion)
    curves, areas = metric.curves(task, maps, torch.arange(len(maps)), generator), metric.score(task, maps, generator)
    absent, _ = task.imputers["other"].draw(task.inputs, task.background, generator)
    for row in range(3):
        values = maps[row] if ranking == "signed" else maps[row].abs()
        expected = plain_curve(task, row, values, absent[0], insertion)
        np.testing.assert_allclose(curves[row], expected, rtol=1e-12)
        assert areas[row].item() == pytest.approx(np.trapezoid(expected, dx=1 / STEPS))


def test_areas_do_not_depend_on_the_batch_or_on_other_inputs(generator: torch.Generator) -> None:
    task, maps = task_and_maps((3, 6, 6), Pixels(), generator)
    together = DeletionAUC(grid=ShareGrid(STEPS)).score(replace(task, max_batch=64), maps, generator)
    assert together.dtype == torch.float64
    for row in range(3):
        alone = replace(task.take([row]), max_batch=1)
        found = DeletionAUC(grid=ShareGrid(STEPS)).score(alone, maps[row : row + 1], generator)
        torch.testing.assert_close(found[0], together[row])


def test_any_number_of_maps_of_an_input(generator: torch.Generator) -> None:
    task, maps = task_and_maps((12,), EachFeature(), generator)
    metric, source = DeletionAUC(MeanExample(), ShareGrid(STEPS)), torch.tensor([2, 0, 2, 2])
    found = metric.curves(task, maps[[0, 1, 2, 0]], source, generator)
    first = torch.tensor([0])
    alone = [
        metric.curves(task.take([int(i)]), maps[[r]], first, generator)
        for i, r in zip(source, [0, 1, 2, 0], strict=True)
    ]
    # The mean example is that of the background, which some inputs keep.
    torch.testing.assert_close(found, torch.cat(alone))


@pytest.mark.parametrize("insertion", [False, True])
def test_maps_judged_together_are_as_each_alone(insertion: bool, generator: torch.Generator) -> None:
    task, first = task_and_maps((12,), EachFeature(), generator)
    _, second = task_and_maps((12,), EachFeature(), generator)
    maps = {"first": first, "second": second, "in the same order": 3 * first}
    metric = DeletionAUC(UniformNoise(), ShareGrid(STEPS), insertion=insertion)
    found = judged(metric, task, maps, partial(generator_for, 0))
    assert list(found) == list(maps)
    for name, each in maps.items():
        torch.testing.assert_close(found[name], metric.score(task, each, generator_for(0)))
    assert found["first"].equal(found["in the same order"])


def test_a_score_of_ones_own_is_not_passed_over(generator: torch.Generator) -> None:
    class Negative(DeletionAUC):
        def score(self, task: Task, attributions: Tensor, generator: torch.Generator) -> Tensor:
            return -super().score(task, attributions, generator)

    task, maps = task_and_maps((12,), EachFeature(), generator)
    plain, own = (judged(kind(), task, {"a": maps}, partial(generator_for, 0))["a"] for kind in (DeletionAUC, Negative))
    assert own.equal(-plain)


def test_equal_orders_are_scored_once(generator: torch.Generator) -> None:
    task, maps = task_and_maps((12,), EachFeature(), generator)
    scored = []

    def score(points: Tensor, of: Tensor) -> Tensor:
        scored.append(len(points))
        return points.sum(1)

    counting = replace(task, score=score, max_batch=1000)
    source = torch.tensor([0, 0, 1, 1, 1])
    metric = DeletionAUC(MeanExample(), ShareGrid(12))
    found = metric.curves(counting, maps[[0, 0, 0, 1, 1]] * torch.tensor([1, 2, 1, 1, 5.0])[:, None], source, generator)
    assert found[0].equal(found[1])
    assert found[3].equal(found[4])
    assert not found[2].equal(found[3])
    ends, between = 2 * 2, 11  # of two inputs; of each of three orders
    assert scored[-1] == ends + 3 * between


def test_the_score_of_the_task_is_followed_and_its_network_evaluated(generator: torch.Generator) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)).double().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    inputs = torch.rand(4, 6, generator=generator, dtype=torch.float64)
    task = task_of(network, inputs, targets=torch.tensor([0, 2, 1, 1]), imputers={"zero": ZeroBaseline()})
    found = DeletionAUC().score(task, inputs, generator)
    assert all(module.training for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    torch.testing.assert_close(DeletionAUC().score(replace(task, f=network.eval()), inputs, generator), found)
    constant = replace(task, score=lambda points, source: 0.25 + 0 * points[:, 0])
    assert DeletionAUC().score(constant, inputs, generator).tolist() == pytest.approx([0.25] * 4)


def test_a_random_imputer_draws_from_the_generator(generator: torch.Generator) -> None:
    task, maps = task_and_maps((12,), EachFeature(), generator)
    metric = DeletionAUC(UniformNoise(3), ShareGrid(STEPS))
    one, again, other = (metric.score(task, maps, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


def test_names_and_directions() -> None:
    deletion = Quantity("deletion_auc", "AUC of deletion", "score", "lower", MOVES)
    assert DeletionAUC().quantity == deletion
    insertion = replace(deletion, name="insertion_auc", label="AUC of insertion", better="higher")
    assert DeletionAUC(insertion=True).quantity == insertion
    named = DeletionAUC("mean", name="deletion_auc_mean").quantity
    assert named == replace(deletion, name="deletion_auc_mean", label="AUC of deletion (mean)")


def test_says_why_a_task_cannot_be_judged(generator: torch.Generator) -> None:
    table, _ = task_and_maps((12,), EachFeature(), generator)
    pictures, _ = task_and_maps((3, 6, 6), Pixels(), generator)
    assert DeletionAUC("mean").why_not(table) == "the task has no imputer 'mean'"
    assert DeletionAUC(CornerMean()).why_not(table) == "its imputer CornerMean is of pictures"
    for metric, task in ((DeletionAUC(), table), (DeletionAUC(CornerMean()), pictures), (DeletionAUC("other"), table)):
        assert metric.why_not(task) is None
    with pytest.raises(ValueError, match="ranking=squared is unknown: signed or magnitude"):
        DeletionAUC(ranking="squared")
