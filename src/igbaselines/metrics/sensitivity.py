"""How much attributions change where the input hardly does (Yeh et al. 2019, arXiv:1901.09392)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.metrics.base import STABLE, Maps, Quantity, Scores
from igbaselines.tasks import Task


@dataclass(frozen=True)
class MaxSensitivity:
    """The largest relative change of the attributions within a small box around the input (Yeh et al. 2019, SENS_MAX).

    The maximum over draws of ||phi(x') - phi(x)|| / ||phi(x)||, where every feature of x' is drawn uniformly within
    `radius` of x, and phi are the players' attributions: single pixels change as noise does. Where every feature is a
    player it is captum's `sensitivity_max`, but for the radius, which is there in units of the inputs: features have
    units of their own, and here it is a share of each one's range.

    It can be fooled by a map that does not look: a constant one is as stable as can be. A method that draws its
    baselines for each input anew is charged for the draws.

    Args:
        radius: half the side of the box, in units of the range of each feature.
        draws: points an input; the maximum grows with them.
    """

    redraws: ClassVar[bool] = False
    radius: float = 0.02
    draws: int = 10

    def __post_init__(self) -> None:
        if self.radius <= 0 or self.draws < 1:
            raise ValueError(f"the box needs a radius and draws, got radius={self.radius} and draws={self.draws}")

    @property
    def quantity(self) -> Quantity:
        """Lower is better."""
        return Quantity("max_sensitivity", "max-sensitivity", better="lower", question=STABLE)

    def why_not(self, task: Task) -> str | None:
        """Any task will do whose features have a range."""
        low, high = task.background.bounds()
        return None if (high > low).any() else "no feature has a range"

    def variant(self, task: Task, generator: torch.Generator) -> Task:
        """Every input so many times, each with noise of its own."""
        repeated = task.take([place for place in range(len(task.inputs)) for _ in range(self.draws)])
        low, high = task.background.bounds()
        noise = torch.rand(repeated.inputs.shape, generator=generator).to(repeated.inputs) * 2 - 1
        return replace(repeated, inputs=repeated.inputs + self.radius * (high - low) * noise)

    def compare(self, task: Task, attributions: Maps, others: Float[Tensor, "nk *features"]) -> Scores:
        """Return the largest changes; NaN for attributions of zero, where captum divides by one."""
        before, after = (task.player_map.sums(maps.double()) for maps in (attributions, others))
        after = after.view(len(before), self.draws, -1)
        change = torch.linalg.vector_norm(after - before[:, None], dim=2).amax(1)
        size = torch.linalg.vector_norm(before, dim=1)
        found: Tensor = change / size.masked_fill(size == 0, torch.nan)
        return found
