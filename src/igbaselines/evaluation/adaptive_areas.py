"""Areas of deletion and insertion curves with points only where a curve bends (2505.03201, section 6.1).

A fixed grid spends most of its pictures where a curve is flat. Here each curve is cut in half where its area is least
known, until it is known well enough; marking all parts within a factor of the worst at once (Babuska and Rheinboldt
1978) fills the batch. For areas alone: the points differ from curve to curve, so that curves cannot be averaged.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.perturbation import Score, perturbed_scores, pixel_ranks
from igbaselines.metrics.perturbation_curves import ShareGrid

FIRST_POINTS = ShareGrid(8, power=2)
MARKED = 0.5  # parts of at least this share of the worst part's error are cut


@dataclass(frozen=True)
class Areas:
    """Areas under curves, and what they took.

    Args:
        areas: over [0, 1], as `perturbation_curves.area` with a fine `ShareGrid`, float64.
        errors: how far each may be off: the sum of what the last cuts have changed, float64.
        points: of each curve.
    """

    areas: Float[Tensor, " r"]
    errors: Float[Tensor, " r"]
    points: Int[Tensor, " r"]


@dataclass(frozen=True)
class _Parts:
    """Parts of all curves, in one row: between two counts of masked pixels each."""

    owner: Tensor
    left: Tensor
    right: Tensor
    f_left: Tensor
    f_right: Tensor
    error: Tensor

    @property
    def area(self) -> Float[Tensor, " m"]:
        return (self.right - self.left) * (self.f_left + self.f_right) / 2

    def __getitem__(self, chosen: Tensor) -> "_Parts":
        return _Parts(*(values[chosen] for values in vars(self).values()))

    def __add__(self, other: "_Parts") -> "_Parts":
        return _Parts(*(torch.cat(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True)))

    def total(self, values: Float[Tensor, " m"], curves: int) -> Float[Tensor, " r"]:
        """Sum of a value over the parts of each curve."""
        return values.new_zeros(curves).index_add(0, self.owner, values)

    def marked(self, curves: int, tolerance: float) -> Tensor:
        """The parts to be cut: the worst of the curves whose error is over the tolerance."""
        worst = self.error.new_zeros(curves).scatter_reduce(0, self.owner, self.error, "amax")
        unknown = self.total(self.error, curves) > tolerance
        return unknown[self.owner] & (self.error >= MARKED * worst[self.owner])

    def halves(self, middle: Int[Tensor, " m"], f_middle: Float[Tensor, " m"]) -> "_Parts":
        """Both halves of every part, with half of what the cut has changed as the error of each."""
        lower = _Parts(self.owner, self.left, middle, self.f_left, f_middle, self.error)
        upper = _Parts(self.owner, middle, self.right, f_middle, self.f_right, self.error)
        change = (lower.area + upper.area - self.area).abs() / 2
        both = lower + upper
        # Between neighbours there is no count, and nothing to be known.
        error = torch.where(both.right - both.left > 1, change.repeat(2), 0)
        return _Parts(both.owner, both.left, both.right, both.f_left, both.f_right, error)


def deletion_areas(
    score: Score,
    images: Float[Tensor, "n c h w"],
    fills: Float[Tensor, "n c h w"],
    importance: Float[Tensor, "r h w"],
    image_of_rank: Int[Tensor, " r"],
    tolerance: float,
    max_batch: int,
) -> Areas:
    """Areas under the deletion curves; the arguments but `tolerance` are those of `deletion_curves`.

    Areas do not depend on max_batch, nor on the other curves.

    Args:
        score: the scored output.
        images: pixels in [0, 1].
        fills: what masked pixels become in each image.
        importance: maps of the pixels, higher is more important.
        image_of_rank: the image that each map belongs to.
        tolerance: a curve is done when its error is at most this, in units of the score. The error is estimated and
            pessimistic: the true one is mostly many times smaller.
        max_batch: the largest number of pictures that are scored at once.

    Raises:
        ValueError: for a tolerance that is not positive, an importance that is NaN, a score that is not finite, and
            shapes that do not fit.
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance is an error of areas, more than 0, got {tolerance}")
    ranks = pixel_ranks(importance)

    def scores(ranking: Int[Tensor, " m"], counts: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        pictures = (images, fills, ranks, image_of_rank, ranking, counts)
        return perturbed_scores(score, *pictures, max_batch=max_batch).double()

    curves, pixels = len(ranks), ranks[0].numel()
    counts = FIRST_POINTS.counts(importance).unique_consecutive(dim=1)
    owner = torch.arange(curves, device=ranks.device)[:, None].expand_as(counts)
    f = scores(owner.flatten(), counts.flatten()).view_as(counts)
    ends = (owner[:, 1:], counts[:, :-1], counts[:, 1:], f[:, :-1], f[:, 1:])
    error = torch.where(counts.diff(dim=1) > 1, torch.inf, 0.0).double()  # nothing is known yet
    parts = _Parts(*(values.flatten() for values in (*ends, error)))
    while (marked := parts.marked(curves, tolerance * pixels)).any():
        cut = parts[marked]
        middle = (cut.left + cut.right) // 2
        parts = parts[~marked] + cut.halves(middle, scores(cut.owner, middle))
    points = torch.bincount(parts.owner, minlength=curves) + 1
    return Areas(parts.total(parts.area, curves) / pixels, parts.total(parts.error, curves) / pixels, points)
