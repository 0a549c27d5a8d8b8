"""Deletion and insertion curves, against loops in numpy."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution.perturbation import Score
from igbaselines.metrics.perturbation_curves import (
    PercentileGrid,
    PerturbationGrid,
    ShareGrid,
    area,
    deletion_curves,
    insertion_curves,
)

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
    assert grid.counts(importance).tolist() == expected


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("shape", SHAPES[:1])
def test_curves_and_areas(
    grid: PerturbationGrid, kind: str, shape: tuple[int, int], generator: torch.Generator
) -> None:
    images, fills = torch.rand(2, 3, 3, *shape, generator=generator, dtype=torch.float64)
    importance = make_importance(kind, shape, generator)
    score = make_score(shape)
    deletion = deletion_curves(score, images, fills, importance, IMAGE_OF_RANK, grid, max_batch=16)
    insertion = insertion_curves(score, images, fills, importance, IMAGE_OF_RANK, grid, max_batch=16)
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


@pytest.mark.parametrize("curves", [deletion_curves, insertion_curves])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_curves_do_not_depend_on_the_batch(
    curves: Callable[..., Tensor], grid: PerturbationGrid, generator: torch.Generator
) -> None:
    images, fills = torch.rand(2, 3, 3, 4, 6, generator=generator, dtype=torch.float64)
    arguments = (make_score((4, 6)), images, fills, torch.randn(5, 4, 6, generator=generator), IMAGE_OF_RANK, grid)
    torch.testing.assert_close(curves(*arguments, max_batch=1), curves(*arguments, max_batch=1000))


def test_uniform_curves_run_from_end_to_end(generator: torch.Generator) -> None:
    images, fills = torch.rand(2, 3, 3, 4, 6, generator=generator, dtype=torch.float64)
    score = make_score((4, 6))
    arguments = (score, images, fills, torch.randn(5, 4, 6, generator=generator), IMAGE_OF_RANK, ShareGrid(), 32)
    ends = [score(images, torch.arange(3))[IMAGE_OF_RANK], score(fills, torch.arange(3))[IMAGE_OF_RANK]]
    torch.testing.assert_close(deletion_curves(*arguments)[:, [0, -1]], torch.stack(ends, dim=1))
    torch.testing.assert_close(insertion_curves(*arguments)[:, [-1, 0]], torch.stack(ends, dim=1))


def test_deletion_is_the_insertion_of_the_others(generator: torch.Generator) -> None:
    images, fills = torch.rand(2, 3, 3, 4, 6, generator=generator, dtype=torch.float64)
    importance = torch.randn(5, 4, 6, generator=generator)
    # 24 pixels in 6 steps: no rounding, so that the counts of both add up.
    rest = (IMAGE_OF_RANK, ShareGrid(6), 32)
    deletion = deletion_curves(make_score((4, 6)), images, fills, importance, *rest)
    insertion = insertion_curves(make_score((4, 6)), images, fills, -importance, *rest)
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
    arguments = (
        brightness,
        white,
        torch.zeros_like(white),
        torch.tensor([[[3.0, 1.0], [1.0, 0.0]]]),
        torch.tensor([0]),
    )
    uniform = deletion_curves(*arguments, ShareGrid(4), 10)
    assert uniform.tolist() == [[1, 0.75, 0.5, 0.25, 0]]
    assert area(uniform, ShareGrid(4)).tolist() == [0.5]
    # The order is 0 1 1 3 at 0, 33.3, 66.7 and 100 %: p = 0 takes four pixels, p = 1..66 the two ties and the 3,
    # p = 67..99 the 3 alone.
    released = deletion_curves(*arguments, PercentileGrid(), 10)
    assert released.tolist() == [[0, *[0.25] * 66, *[0.75] * 33]]
    by_hand = (0.25 / 2 + 65 * 0.25 + (0.25 + 0.75) / 2 + 32 * 0.75) / 100
    assert float(area(released, PercentileGrid())) == pytest.approx(by_hand, abs=1e-12)
    revealed = insertion_curves(*arguments, PercentileGrid(), 10)
    assert revealed.tolist() == [[1, *[0.75] * 66, *[0.25] * 33]]


def test_percentiles_that_fall_on_a_pixel(device: torch.device) -> None:
    """Of the values 0..100 the p-th percentile is p: it goes, and with it all over it."""
    importance = torch.arange(101.0, device=device).flip(0).reshape(1, 1, 101)
    assert PercentileGrid().counts(importance).tolist() == [[101 - p for p in range(100)]]


def test_percentiles_of_a_constant_map_take_everything() -> None:
    white = torch.ones(1, 3, 3, 3)
    arguments = (brightness, white, torch.zeros_like(white), torch.zeros(1, 3, 3), torch.tensor([0]))
    assert deletion_curves(*arguments, PercentileGrid(), 10).tolist() == [[0.0] * 100]
    assert deletion_curves(*arguments, ShareGrid(9), 10)[0].tolist() == pytest.approx([k / 9 for k in range(9, -1, -1)])


def test_a_better_order_has_the_lower_deletion_and_the_higher_insertion(device: torch.device) -> None:
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).to(device)
    brightest = images.sum(dim=1)
    maps = torch.cat([brightest, -brightest])
    source = torch.zeros(2, dtype=torch.long, device=device)
    arguments = (brightness, images, torch.zeros_like(images), maps, source, ShareGrid(), 64)
    best, worst = area(deletion_curves(*arguments), ShareGrid()).tolist()
    assert best < worst
    best, worst = area(insertion_curves(*arguments), ShareGrid()).tolist()
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
        deletion_curves(brightness, white, white, importance, torch.tensor([0]), grid, 10)
