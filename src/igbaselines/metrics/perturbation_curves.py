"""Deletion and insertion curves and their areas (2505.03201, section 6.1 and Appendix A).

The score of an image's class while its pixels are masked in the order of their importance, or revealed in that order.
How many are masked at which point is a grid: that of the paper's text, or that of its released code. Pixels are ordered
by `attribution.perturbation.pixel_ranks`; what masked pixels become is a `attribution.masking.MaskValue`.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.perturbation import Score, nearest_count, perturbed_scores, pixel_ranks


@runtime_checkable
class PerturbationGrid(Protocol):
    """The points of a curve: how many pixels are masked (deletion) or revealed (insertion), and their positions."""

    def positions(self) -> Float[Tensor, " points"]:
        """Return the position of each point in [0, 1], rising, float64; `area` integrates over it."""
        ...

    def counts(self, importance: Float[Tensor, "r h w"]) -> Int[Tensor, "r points"]:
        """Return the number of most important pixels at each point, int64."""
        ...


@dataclass(frozen=True)
class ShareGrid:
    """The paper's grid: the share (k / steps) ** power of the pixels for k = 0..steps, from none to all.

    The count is rounded to the nearest, halves up. The area is over [0, 1], so that a score which stays at s has
    area s. Deletion curves fall at the beginning: with power 2, 40 steps have the error of 100 equal ones.

    Args:
        steps: number of steps between none and all, at least 1.
        power: 1 for equal steps, as in the paper; 2 for steps that grow.

    Raises:
        ValueError: for fewer than one step, or a power below 1.
    """

    steps: int = 100
    power: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.power < 1:
            raise ValueError(f"a grid needs steps and power of at least one, got {self.steps} and {self.power}")

    def positions(self) -> Float[Tensor, " points"]:
        """Return the shares of the pixels."""
        return (torch.arange(self.steps + 1, dtype=torch.float64) / self.steps) ** self.power

    def counts(self, importance: Float[Tensor, "r h w"]) -> Int[Tensor, "r points"]:
        """Return the number of most important pixels at each point."""
        pixels = importance[0].numel()
        part = torch.arange(self.steps + 1, device=importance.device) ** self.power
        return nearest_count(torch.full_like(part, pixels), part, self.steps**self.power).expand(len(importance), -1)


@dataclass(frozen=True)
class PercentileGrid:
    """The released code's grid: the pixels at or over the p-th percentile of the importance, for p = 0..99.

    It runs the other way and lacks one end: p = 0 takes every pixel, p = 99 the most important hundredth, and there is
    no point without any. Pixels of equal importance go together, so a constant map takes all pixels at every p.
    Percentiles are numpy's (linear interpolation), in exact arithmetic. The area is the trapezoid over p of the code,
    a 0..99 scale, divided by 100: a score which stays at s has area 0.99 s.
    """

    def positions(self) -> Float[Tensor, " points"]:
        """Return p / 100: about the share of the pixels that are left out."""
        return torch.arange(100, dtype=torch.float64) / 100

    def counts(self, importance: Float[Tensor, "r h w"]) -> Int[Tensor, "r points"]:
        """Return the number of pixels at or over each percentile."""
        ordered = importance.flatten(1).sort(dim=1).values
        pixels = ordered.shape[1]
        # The percentile lies at p (pixels - 1) / 100 in the order. Interpolated there, it is over the value below, if
        # they differ, and not over the value above: the pixels from it on are those from the value above on.
        above = -(-torch.arange(100, device=importance.device) * (pixels - 1) // 100)
        return pixels - torch.searchsorted(ordered, ordered[:, above].contiguous())


def deletion_curves(
    score: Score,
    images: Float[Tensor, "n c h w"],
    fills: Float[Tensor, "n c h w"],
    importance: Float[Tensor, "r h w"],
    image_of_rank: Int[Tensor, " r"],
    grid: PerturbationGrid,
    max_batch: int,
) -> Float[Tensor, "r points"]:
    """Score each image while its most important pixels are masked; a LOWER area is better.

    With `ShareGrid` a curve goes from the image itself to the fill. Values and area are in the score's range, [0, 1]
    for a probability. Of equally important pixels the first in row-major order is masked first (`PercentileGrid` masks
    them together).

    Args:
        score: the scored output, such as the softmax probability of the class.
        images: pixels in [0, 1].
        fills: what masked pixels become in each image.
        importance: maps of the pixels, higher is more important.
        image_of_rank: the image that each map belongs to.
        grid: how many pixels are masked at each point.
        max_batch: the largest number of pictures that are scored at once.

    Raises:
        ValueError: for an importance that is NaN, a score that is not finite, and shapes that do not fit.
    """
    return _curves(score, images, fills, importance, image_of_rank, grid, max_batch, keep=False)


def insertion_curves(
    score: Score,
    images: Float[Tensor, "n c h w"],
    fills: Float[Tensor, "n c h w"],
    importance: Float[Tensor, "r h w"],
    image_of_rank: Int[Tensor, " r"],
    grid: PerturbationGrid,
    max_batch: int,
) -> Float[Tensor, "r points"]:
    """Score each image's fill while its most important pixels are revealed; a HIGHER area is better.

    With `ShareGrid` a curve goes from the fill to the image itself. Everything else is as in `deletion_curves`.
    """
    return _curves(score, images, fills, importance, image_of_rank, grid, max_batch, keep=True)


def area(curves: Float[Tensor, "r points"], grid: PerturbationGrid) -> Float[Tensor, " r"]:
    """Area under each curve by the trapezoidal rule over the grid's positions, float64.

    Raises:
        ValueError: where the curves are not of this grid.
    """
    positions = grid.positions().to(curves.device)
    if curves.shape[1] != len(positions):
        raise ValueError(f"curves {tuple(curves.shape)} do not fit a grid of {len(positions)} points")
    return torch.trapezoid(curves.double(), positions, dim=1)


def _curves(
    score: Score,
    images: Float[Tensor, "n c h w"],
    fills: Float[Tensor, "n c h w"],
    importance: Float[Tensor, "r h w"],
    image_of_rank: Int[Tensor, " r"],
    grid: PerturbationGrid,
    max_batch: int,
    keep: bool,
) -> Float[Tensor, "r points"]:
    ranks = pixel_ranks(importance)
    counts = grid.counts(importance)
    ranking = torch.arange(len(ranks), device=ranks.device)[:, None].expand_as(counts)
    scores = perturbed_scores(
        score,
        images,
        fills,
        ranks,
        image_of_rank,
        ranking.flatten(),
        counts.flatten(),
        keep=keep,
        max_batch=max_batch,
    )
    return scores.reshape(counts.shape)
