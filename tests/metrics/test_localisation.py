"""Overlap with an object and the pointing game, against loops in numpy and by hand."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from igbaselines.metrics import OverlapAUC, PointingGame
from igbaselines.metrics.localisation import overlap_auc, overlap_curve, pointing_game
from igbaselines.tasks import EachFeature, Patches, Pixels, Players
from tests.small_tasks import task_of


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """The maps here are small."""


def plain_overlap(importance: np.ndarray, mask: np.ndarray, k: int, released: bool) -> float:
    """Take the most important pixels one by one and ask of each whether it lies on the object."""
    places = sorted(np.ndindex(importance.shape), key=lambda place: -importance[place])
    if released:
        count = int(mask.sum() * k / 100)
    else:
        count = max(1, math.floor(Fraction(int(mask.sum()) * k, 100) + Fraction(1, 2)))
    return sum(bool(mask[place]) for place in places[:count]) / count if count else 0.0


def make_maps(levels: int | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    shape = (12, 9, 14)
    if levels is None:
        importance = torch.randn(shape, generator=generator)
    else:
        importance = torch.randint(levels, shape, generator=generator).float()
    sizes = torch.linspace(0.05, 0.95, 12)[:, None, None]
    masks = torch.rand(shape, generator=generator) < sizes
    masks[0] = False
    masks[0, 3, 5] = True
    masks[1] = True
    return importance, masks


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("levels", [None, 3, 1])
def test_overlap(levels: int | None, released: bool, generator: torch.Generator, device: torch.device) -> None:
    importance, masks = make_maps(levels, generator)
    curves = overlap_curve(importance.to(device), masks.to(device), released).cpu()
    areas = overlap_auc(importance.to(device), masks.to(device), released).cpu()
    for r in range(len(masks)):
        expected = [plain_overlap(importance[r].numpy(), masks[r].numpy(), k, released) for k in range(1, 101)]
        np.testing.assert_allclose(curves[r].numpy(), expected, atol=1e-14)
        by_hand = np.trapezoid(expected, np.arange(1, 101)) / 100 if released else sum(expected) / 100
        assert float(areas[r]) == pytest.approx(by_hand, abs=1e-13)


@pytest.mark.parametrize("levels", [None, 3, 1])
def test_pointing_game(levels: int | None, generator: torch.Generator, device: torch.device) -> None:
    importance, masks = make_maps(levels, generator)
    expected = [float(masks[r].flatten()[np.argmax(importance[r].numpy())]) for r in range(len(masks))]
    assert pointing_game(importance.to(device), masks.to(device)).tolist() == expected


def test_the_object_itself_is_the_best_map(generator: torch.Generator) -> None:
    _, masks = make_maps(None, generator)
    on_object = masks.float()
    assert overlap_auc(on_object, masks).tolist() == [1.0] * 12
    assert pointing_game(on_object, masks).tolist() == [1.0] * 12
    # An object over less than half of the image: none of the P last pixels lies on it.
    small = masks.float().mean(dim=(1, 2)) < 0.5
    assert overlap_auc(-on_object[small], masks[small]).tolist() == [0.0] * int(small.sum())


def test_released_areas_by_hand() -> None:
    """Counts rounded down leave small objects without pixels; the trapezoid spans 99 of 100 percents."""
    importance = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]]).expand(3, -1, -1)
    masks = torch.tensor([[[1, 0], [0, 0]], [[1, 0], [1, 0]], [[1, 1], [1, 1]]], dtype=torch.bool)
    # One pixel: 0 for k = 1..99, and 1 at k = 100.
    # Two: 0 for k = 1..49, 1 for k = 50..99 (the first pixel), and 1/2 at k = 100.
    # Four, all of the image: 0 for k = 1..24, then 1.
    by_hand = [0.5, 0.5 + 49 + 0.75, 0.5 + 75]
    assert overlap_auc(importance, masks, released=True).tolist() == pytest.approx(
        [a / 100 for a in by_hand], abs=1e-14
    )
    # The paper's, which takes at least one pixel and rounds halves up: 1; 1 for k < 75, then 1/2; 1.
    assert overlap_auc(importance, masks).tolist() == pytest.approx([1, (74 + 26 / 2) / 100, 1], abs=1e-14)


def test_ties_go_by_rows() -> None:
    """On a constant 3 x 3 map the first pixels of the first row are the most important."""
    masks = torch.tensor([[[1, 0, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 1, 1]]], dtype=torch.bool)
    assert overlap_auc(torch.zeros(2, 3, 3), masks).tolist() == pytest.approx([(74 + 26 / 2) / 100, 0], abs=1e-14)
    assert pointing_game(torch.zeros(2, 3, 3), masks).tolist() == [1, 0]


def test_a_random_order_scores_the_share_of_the_object() -> None:
    """All 720 orders of 2 x 3 pixels, with an object of two."""
    orders = torch.tensor(list(itertools.permutations(range(6)))).reshape(-1, 2, 3).float()
    masks = torch.tensor([[False, True, False], [False, False, True]]).expand(len(orders), 2, 3)
    assert float(overlap_auc(orders, masks).mean()) == pytest.approx(1 / 3, abs=1e-12)
    assert float(pointing_game(orders, masks).mean()) == pytest.approx(1 / 3, abs=1e-12)


@pytest.mark.parametrize("released", [False, True])
def test_an_image_without_an_object_has_no_value(released: bool) -> None:
    masks = torch.zeros(2, 3, 4, dtype=torch.bool)
    masks[1, 1, 1] = True
    importance = masks.float()
    assert torch.isnan(overlap_curve(importance, masks, released)).all(dim=1).tolist() == [True, False]
    assert torch.isnan(overlap_auc(importance, masks, released)).tolist() == [True, False]
    assert torch.isnan(pointing_game(importance, masks)).tolist() == [True, False]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("metric", [overlap_auc, overlap_curve, pointing_game])
def test_refuses_masks_of_another_size(metric: type) -> None:
    with pytest.raises(ValueError, match=r"masks \(1, 4, 3\) do not fit importance \(1, 3, 4\)"):
        metric(torch.zeros(1, 3, 4), torch.zeros(1, 4, 3, dtype=torch.bool))


# As metrics of tasks


def brightness(pictures: Tensor) -> Tensor:
    return pictures.flatten(1).sum(1)


@pytest.mark.parametrize("players", [Pixels(), Patches(2, 2), EachFeature()], ids=str)
def test_a_map_on_the_object_and_one_off_it(players: Players, generator: torch.Generator) -> None:
    """Pixels are ordered whoever the players are."""
    mask = torch.zeros(2, 6, 6, dtype=torch.bool)
    mask[:, 1:4, 2:5] = True
    inputs = torch.rand(2, 3, 6, 6, generator=generator)
    task = task_of(brightness, inputs, players=players, masks=mask)
    on_object = mask[0].float().expand(3, 6, 6)
    maps = torch.stack([on_object, 1 - on_object])
    for metric in (OverlapAUC(), PointingGame()):
        assert metric.why_not(task) is None
        assert metric.score(task, maps, generator).tolist() == [1, 0]


@pytest.mark.parametrize("released", [False, True])
def test_channels_are_summed_as_the_ranking_says(released: bool, generator: torch.Generator) -> None:
    mask = torch.rand(4, 5, 7, generator=generator) < 0.3
    maps = torch.randn(4, 3, 5, 7, generator=generator)
    task = task_of(brightness, maps, masks=mask)
    for ranking, importance in (("signed", maps.sum(1)), ("magnitude", maps.abs().sum(1))):
        overlap = OverlapAUC(ranking, released).score(task, maps, generator)
        assert torch.equal(overlap, overlap_auc(importance, mask, released))
        assert torch.equal(PointingGame(ranking).score(task, maps, generator), pointing_game(importance, mask))


def test_tasks_without_outlines_cannot_be_judged(generator: torch.Generator) -> None:
    task = task_of(brightness, torch.rand(2, 3, 6, 6, generator=generator))
    for metric in (OverlapAUC(), PointingGame()):
        assert metric.why_not(task) == "no object is outlined"
        assert metric.quantity.better == "higher"
    with pytest.raises(ValueError, match="ranking=squared is unknown: signed or magnitude"):
        PointingGame("squared")
