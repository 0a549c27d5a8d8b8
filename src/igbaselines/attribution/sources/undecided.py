"""The uniform-output baseline: an input near the explained one about which the network is undecided.

"An input that the network is neutral about" is what Sundararajan et al. (2017, section 3) ask of a baseline. Here it is
found by descent from the input itself: on the Kullback-Leibler divergence of the class probabilities from uniform ones,
or on the distance of a single output from its neutral level.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import Drawn, Inputs, equal_weights
from igbaselines.attribution.budget import Budget
from igbaselines.attribution.sources.asking import Asked
from igbaselines.tasks import Background


@dataclass(frozen=True)
class Undecided:
    """The most undecided input that a number of steps come to.

    Args:
        level: the neutral value of a single output; 0 of a logit, 0.5 of a probability.
        n_steps: gradients that the descent takes, at least 1.
    """

    baselines_an_input: ClassVar[int] = 1
    search_forwards: ClassVar[int] = 1
    level: float = 0.0
    n_steps: int = 20

    def __post_init__(self) -> None:
        if self.n_steps < 1:
            raise ValueError(f"n_steps of the descent must be at least 1, got {self.n_steps}")

    @property
    def search_gradients(self) -> int:
        """Gradients spent on each baseline."""
        return self.n_steps

    def within(self, budget: Budget) -> "Undecided":
        """The search for a budget: fewer steps where it does not pay for all of them."""
        steps = budget.pays(gradients=1, apart=self.search_forwards)
        return replace(self, n_steps=min(self.n_steps, steps))

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Descend from every input; the best point on the way is taken."""
        asked = Asked(background)
        here = best = inputs
        least = torch.full_like(inputs.flatten(1)[:, 0], torch.inf)
        for step in range(self.n_steps + 1):
            if step < self.n_steps:
                found, there = asked.step(self._decided, here)
            else:
                found, there = asked.level(self._decided, here), here
            better = found < least
            best = torch.where(better.view(-1, *[1] * (inputs.dim() - 1)), here, best)
            least, here = torch.where(better, found, least), there
        return best.unsqueeze(1), equal_weights(inputs, 1)

    def _decided(self, outputs: Float[Tensor, "m ..."], rows: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        if outputs.dim() == 1:
            return (outputs - self.level).abs()
        return -outputs.log_softmax(dim=1).mean(dim=1) - math.log(outputs.shape[1])
