"""ROAD: known fills, the imputation of quantus (that of the paper's code), and curves of patches and pixels."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from quantus.functions.perturb_func import noisy_linear_imputation
from torch import Tensor

from igbaselines.metrics.road import ROAD, noisy_linear_fill
from igbaselines.tasks import EachFeature, FeatureMask, Patches, Pixels, Task
from tests.small_tasks import task_of


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """The pictures here are small."""


def brightness(points: Tensor) -> Tensor:
    return points.flatten(1).mean(1)


def pictures(generator: torch.Generator) -> Task:
    return task_of(brightness, torch.rand(2, 3, 6, 8, generator=generator), players=Pixels())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_it_is_the_imputation_of_quantus(share: float, generator: torch.Generator) -> None:
    picture = torch.randn(3, 9, 7, generator=generator, dtype=torch.float64)
    missing = torch.rand(9, 7, generator=generator) < share
    ours = noisy_linear_fill(picture, missing, 0.0, generator)
    absent: Any = np.flatnonzero(missing.numpy())
    theirs = noisy_linear_imputation(picture.numpy(), absent, noise=0.0)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)


def test_a_plane_is_filled_in_as_it_was(generator: torch.Generator) -> None:
    """The weighted mean of a pixel's neighbours is its own value, wherever the picture is linear."""
    row, column = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    plane = torch.stack([row + 2 * column, torch.full((8, 8), 3.0)])
    missing = torch.zeros(8, 8, dtype=torch.bool)
    missing[2:6, 1:7] = True
    torch.testing.assert_close(noisy_linear_fill(plane, missing, 0.0, generator), plane)
    noisy = noisy_linear_fill(plane, missing, 0.1, generator) - plane
    assert (noisy[:, ~missing] == 0).all()
    assert 0.05 < noisy[:, missing].std() < 0.2
    assert noisy_linear_fill(plane, torch.zeros_like(missing), 1.0, generator) is plane
    with pytest.raises(ValueError, match="all 64 pixels are missing"):
        noisy_linear_fill(plane, torch.ones_like(missing), 0.0, generator)


def test_scores_of_pictures_without_their_first_players(generator: torch.Generator) -> None:
    task = replace(pictures(generator), players=Patches(3, 2))  # eight
    maps = torch.randn(task.inputs.shape, generator=generator)
    found = ROAD((25, 50), noise=0.0).curves(task, maps, generator)
    importance = task.player_map.sums(maps)
    for place, count in ((0, 2), (1, 4)):
        for which in range(2):
            missing = torch.isin(task.player_map.player_of[0], importance[which].topk(count).indices)
            filled = noisy_linear_fill(task.inputs[which], missing, 0.0, generator)
            assert found[which, place].item() == pytest.approx(brightness(filled[None]).item(), rel=1e-6)


def test_the_score_of_the_task_is_followed_in_chunks(generator: torch.Generator) -> None:
    task, metric = pictures(generator), ROAD()
    maps, seed = torch.randn(task.inputs.shape, generator=generator), torch.Generator().manual_seed
    found = metric.score(task, maps, seed(1))
    assert found.dtype == torch.float64
    assert torch.equal(metric.score(replace(task, max_batch=2), maps, seed(1)), found)
    assert not torch.equal(metric.score(task, maps, seed(2)), found)
    followed = replace(task, score=lambda points, source: 10.0 * source + 0 * points[:, 0, 0, 0])
    assert metric.score(followed, maps, generator).tolist() == [0, 10]  # each point knows its input


def test_one_object_is_found(generator: torch.Generator) -> None:
    """A bright square in the dark: a map of it takes the score away at once, its opposite keeps it."""
    inputs = torch.zeros(1, 1, 8, 8)
    inputs[..., 2:4, 2:4] = 1
    task = task_of(brightness, inputs, players=Pixels())
    right, wrong = (ROAD(noise=0.0).score(task, maps, generator) for maps in (inputs, -inputs))
    assert right.item() == pytest.approx(0, abs=1e-6)
    assert wrong.item() > 0.03


def test_some_player_stays(generator: torch.Generator) -> None:
    task = replace(pictures(generator), players=Patches(6, 4))  # two
    assert torch.isfinite(ROAD().score(task, torch.rand(task.inputs.shape, generator=generator), generator)).all()


def test_what_cannot_be_judged_is_said(generator: torch.Generator) -> None:
    task = pictures(generator)
    assert ROAD().why_not(task) is None
    table = task_of(lambda points: points.sum(1), torch.rand(2, 5, generator=generator))
    assert ROAD().why_not(table) == "pixels are filled in from their neighbours, and these are no pictures"
    assert ROAD().why_not(replace(task, players=EachFeature())) == "a player has some channels of a pixel, and not all"
    one = replace(task, players=FeatureMask(torch.zeros(3, 6, 8, dtype=torch.int64)))
    assert ROAD().why_not(one) == "there is one player"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"percentages": (0, 10)}, "must lie between 0 and 100"),
        ({"percentages": (100,)}, "must lie between 0 and 100"),
        ({"percentages": ()}, "must lie between 0 and 100"),
        ({"noise": -1.0}, "noise must not be negative"),
        ({"ranking": "squared"}, "ranking=squared is unknown"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ROAD(**settings)  # type: ignore[arg-type]
