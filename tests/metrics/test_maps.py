"""The judge of maps against pictures masked one by one, and the comparison of two networks against scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from igbaselines.common.randomness import generator_for
from igbaselines.metrics.maps import MapJudge, map_consistency, relative_gap
from igbaselines.metrics.perturbation_curves import ShareGrid
from igbaselines.tasks.imputers import Colour

SIDE, STEPS = 6, 9


def score(pictures: Tensor, source: Tensor) -> Tensor:
    """Falls with every masked pixel, with some more than with others."""
    weight = torch.linspace(0.1, 1, SIDE * SIDE).view(SIDE, SIDE)
    return (pictures.mean(dim=1) * weight).sum(dim=(1, 2)).tanh()


@pytest.fixture
def photograph() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=generator_for(1))


@pytest.fixture
def maps() -> Tensor:
    return torch.randn(4, 3, SIDE, SIDE, generator=generator_for(2))


def judge(ranking: str = "signed", max_batch: int = 5, released: bool = False) -> MapJudge:
    return MapJudge(Colour([0.2, 0.5, 0.7]), ShareGrid(STEPS, 1), ranking, released, max_batch)


@pytest.mark.parametrize("ranking", ["signed", "magnitude"])
def test_curves_are_those_of_pictures_masked_one_by_one(photograph: Tensor, maps: Tensor, ranking: str) -> None:
    found = judge(ranking).judge(score, photograph, maps, None, [2, 0])
    assert set(found.of_all) == {"deletion_auc"}
    fill = torch.tensor([0.2, 0.5, 0.7]).view(3, 1)
    for place, attributions in enumerate(maps):
        importance = (attributions if ranking == "signed" else attributions.abs()).sum(dim=0).flatten()
        order = sorted(range(SIDE * SIDE), key=lambda pixel: -float(importance[pixel]))
        deleted: list[float] = []
        inserted: list[float] = []
        for step in range(STEPS + 1):
            top = order[: round(SIDE * SIDE * step / STEPS)]
            without, alone = photograph.clone().flatten(2), fill.expand(3, SIDE * SIDE).clone()[None]
            without[0][:, top] = fill
            alone[0][:, top] = photograph.flatten(2)[0][:, top]
            for curve, picture in ((deleted, without), (inserted, alone)):
                curve.append(score(picture.view(1, 3, SIDE, SIDE), torch.zeros(1)).item())
        np.testing.assert_allclose(found.deletion[place], deleted, rtol=1e-6)
        assert found.of_all["deletion_auc"][place].item() == pytest.approx(np.trapezoid(deleted, dx=1 / STEPS))
        if place in (0, 2):
            of_chosen = [2, 0].index(place)
            np.testing.assert_allclose(found.insertion[of_chosen], inserted, rtol=1e-6)
            area = np.trapezoid(inserted, dx=1 / STEPS)
            assert found.insertion_auc[of_chosen].item() == pytest.approx(area)


def test_a_map_on_the_object_and_one_off_it(photograph: Tensor) -> None:
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[1:4, 2:5] = True
    on_object = mask.float().expand(3, SIDE, SIDE)
    found = judge().judge(score, photograph, torch.stack([on_object, 1 - on_object]), mask, [])
    assert found.of_all["overlap_auc"].tolist() == [1, 0]
    assert found.of_all["pointing_game"].tolist() == [1, 0]
    assert found.insertion_auc.shape == (0,)


def test_values_do_not_depend_on_the_batch_or_on_the_other_maps(photograph: Tensor, maps: Tensor) -> None:
    together = judge(max_batch=64).judge(score, photograph, maps, None, range(len(maps)))
    for place in range(len(maps)):
        alone = judge(max_batch=1).judge(score, photograph, maps[place : place + 1], None, [0])
        torch.testing.assert_close(alone.of_all["deletion_auc"][0], together.of_all["deletion_auc"][place])
        torch.testing.assert_close(alone.insertion_auc[0], together.insertion_auc[place])


def test_the_gap_is_relative_to_the_change() -> None:
    maps = torch.stack([torch.full((3, 2, 2), 0.25), torch.full((3, 2, 2), -0.5)])
    gap = relative_gap(maps, torch.tensor([2.0, -6.0], dtype=torch.float64))
    assert gap.tolist() == [0.5, 0]  # |3 - 2| / 2, and -6 as it should be


def test_consistency_is_the_rank_correlation_of_cells(maps: Tensor) -> None:
    others = maps + torch.randn(maps.shape, generator=generator_for(3))
    found = map_consistency(maps, others, 3)
    cells, of_others = (
        some.double().sum(dim=1).reshape(-1, 3, 2, 3, 2).mean(dim=(2, 4)).flatten(1).numpy() for some in (maps, others)
    )
    for place in range(len(maps)):
        expected = stats.spearmanr(cells[place], of_others[place]).statistic
        assert found[place].item() == pytest.approx(expected)


def test_consistency_of_a_map_with_itself_its_opposite_and_nothing(maps: Tensor) -> None:
    one = maps[:1]
    found = map_consistency(torch.cat([one, one, one]), torch.cat([7 * one, -one, torch.zeros_like(one)]), 3)
    assert found[:2].tolist() == pytest.approx([1, -1])
    assert math.isnan(found[2])
