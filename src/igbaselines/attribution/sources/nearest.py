"""The nearest example of another class: a contrast that exists (nearest unlike neighbour; Dasarathy 1995)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.baselines import Drawn, Inputs, TooFewExamplesError, equal_weights
from igbaselines.tasks import Background


@dataclass(frozen=True)
class NearestOther:
    """The nearest examples of other strata than the input's own, by Euclidean distance in units of features' ranges.

    Where inputs are of no stratum, as signal events among background, every example is of another; never the input
    itself.

    Args:
        count: examples an input; fewer where there are fewer.
    """

    baselines_an_input: ClassVar[int] = 1  # of a count of 1
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count of nearest examples must be at least 1, got {self.count}")

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Find them.

        Raises:
            TooFewExamplesError: where an input has no example of another class.
        """
        distances = distances_in_ranges(inputs, background)
        barred = distances == 0
        if background.stratum is not None and background.own is not None:
            barred = barred | (background.stratum == background.own[:, None])
        there = int((~barred).sum(dim=1).min())
        if not there:
            raise TooFewExamplesError("an input has no example of another class")
        count = min(self.count, there)
        nearest = distances.masked_fill(barred, torch.inf).argsort(dim=1, stable=True)[:, :count]
        return background.examples[nearest], equal_weights(inputs, count)


def distances_in_ranges(inputs: Inputs, background: Background) -> Float[Tensor, "n m"]:
    """Return the distance of every input to every example; features without a range count as they stand."""
    low, high = background.bounds()
    span = torch.where(high > low, high - low, 1)
    # Not by products, which cdist takes for many points: an example that is the input is at distance 0.
    return torch.cdist(
        (inputs / span).flatten(1),
        (background.examples / span).flatten(1),
        compute_mode="donot_use_mm_for_euclid_dist",
    )
