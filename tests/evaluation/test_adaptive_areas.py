"""Adaptive areas against the area of the curve with every count there is."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from igbaselines.evaluation.adaptive_areas import Areas, deletion_areas
from igbaselines.metrics.perturbation_curves import ShareGrid, area, deletion_curves

PIXELS = 600


@dataclass
class Curves:
    """Scores by the share of the pixels that are masked; images are white and fills black."""

    functions: list[Callable[[Tensor], Tensor]]
    asked: int = 0

    def __call__(self, pictures: Tensor, source: Tensor) -> Tensor:
        self.asked += len(pictures)
        masked = (pictures[:, 0] == 0).double().mean(dim=(1, 2))
        values = torch.stack([function(masked) for function in self.functions])
        return values.gather(0, source[None])[0]


FALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "early": lambda share: torch.exp(-30 * share),
    "late": lambda share: torch.sigmoid(40 * (0.8 - share)),
    "at once": lambda share: (share < 0.303).double(),
    "evenly": lambda share: 1 - share,
    "in waves": lambda share: (1 - share) * (0.75 + 0.25 * torch.cos(20 * share)),
    "not at all": lambda share: torch.full_like(share, 0.7),
}


def arguments(score: Curves, pixels: int = PIXELS) -> tuple[Curves, Tensor, Tensor, Tensor, Tensor]:
    n = len(score.functions)
    white = torch.ones(n, 3, 1, pixels)
    importance = torch.rand(n, 1, pixels, generator=torch.Generator().manual_seed(2))
    return score, white, torch.zeros_like(white), importance, torch.arange(n)


def exact(score: Curves, pixels: int = PIXELS) -> Tensor:
    every = ShareGrid(pixels)
    return area(deletion_curves(*arguments(score, pixels), every, 1000), every)


def adaptive(score: Curves, tolerance: float, max_batch: int = 16) -> Areas:
    return deletion_areas(*arguments(score), tolerance, max_batch)


@pytest.mark.parametrize("name", FALLS)
@pytest.mark.parametrize("tolerance", [0.02, 0.002])
def test_areas_are_within_the_tolerance(name: str, tolerance: float) -> None:
    score = Curves([FALLS[name]])
    found = adaptive(score, tolerance)
    # One picture a point, and none twice.
    assert score.asked == int(found.points) < PIXELS / 2
    assert float(found.errors) <= tolerance
    assert float((found.areas - exact(score)).abs()) <= tolerance


def test_without_tolerance_to_speak_of_every_bend_is_found() -> None:
    score = Curves(list(FALLS.values()))
    torch.testing.assert_close(adaptive(score, 1e-13).areas, exact(score), rtol=0, atol=1e-9)


def test_points_gather_where_a_curve_bends() -> None:
    """With as many points in equal steps a jump and an early fall are known less well."""
    score = Curves([FALLS["early"], FALLS["at once"]])
    found = adaptive(score, 0.002)
    equal = ShareGrid(int(found.points.max()) - 1)
    error = (area(deletion_curves(*arguments(score), equal, 100), equal) - exact(score)).abs()
    assert torch.all((found.areas - exact(score)).abs() < error / 2)
    straight = adaptive(Curves([FALLS["evenly"], FALLS["not at all"]]), 0.002)
    assert straight.points.tolist() == [17, 17]  # those that it begins with, and one between each of them


def test_areas_do_not_depend_on_the_batch_or_on_the_other_curves() -> None:
    together = adaptive(Curves(list(FALLS.values())), 0.005, max_batch=100)
    one_by_one = adaptive(Curves(list(FALLS.values())), 0.005, max_batch=1)
    for name, expected in vars(together).items():
        assert torch.equal(getattr(one_by_one, name), expected)
    for place, function in enumerate(FALLS.values()):
        alone = adaptive(Curves([function]), 0.005)
        torch.testing.assert_close(alone.areas[0], together.areas[place])
        assert alone.points[0] == together.points[place]


@pytest.mark.parametrize("pixels", [1, 2, 5])
def test_tiny_images(pixels: int) -> None:
    score = Curves([FALLS["early"], FALLS["late"]])
    found = deletion_areas(*arguments(score, pixels), 1e-6, 10)
    torch.testing.assert_close(found.areas, exact(score, pixels))
    assert torch.all(found.points <= pixels + 1)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_refuses_no_tolerance(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance is an error of areas"):
        adaptive(Curves([FALLS["early"]]), tolerance)
