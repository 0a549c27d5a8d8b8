"""The boundary baseline of BIG: the nearest point that the network decides otherwise.

Boundary-based integrated gradients: Wang et al. 2022, arXiv:2103.11257.

The nearest point is not to be had for sure: the paper takes the best of several attacks. Here it is one, DeepFool
(Moosavi-Dezfooli et al. 2016, arXiv:1511.04599) towards the runner-up, deterministic and as cheap as it comes, and then
bisection between input and what it found, so that the baseline stands just behind the boundary.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import Drawn, Inputs, equal_weights
from igbaselines.attribution.budget import Budget
from igbaselines.attribution.sources.asking import Asked
from igbaselines.tasks import Background

OVERSHOOT = 1.02  # of a step, as in DeepFool: a linear boundary is passed, not touched


@dataclass(frozen=True)
class Boundary:
    """A near point behind the decision boundary; where none was found, the point that is nearest to being one.

    Args:
        level: where a single output is decided; 0 of a logit, 0.5 of a probability.
        n_steps: gradients of the attack at most, at least 1.
        n_bisections: halvings of the way from the input to what the attack found.
    """

    baselines_an_input: ClassVar[int] = 1
    level: float = 0.0
    n_steps: int = 10
    n_bisections: int = 6

    def __post_init__(self) -> None:
        if self.n_steps < 1 or self.n_bisections < 0:
            raise ValueError(f"n_steps >= 1 and n_bisections >= 0, got {self.n_steps} and {self.n_bisections}")

    @property
    def search_gradients(self) -> int:
        """Gradients spent on each baseline."""
        return self.n_steps

    @property
    def search_forwards(self) -> int:
        """Evaluations spent on each baseline."""
        return 2 + self.n_bisections

    def within(self, budget: Budget) -> "Boundary":
        """The search for a budget: a shorter attack where it does not pay for all of it."""
        steps = budget.pays(gradients=1, apart=self.search_forwards)
        return replace(self, n_steps=min(self.n_steps, steps))

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Attack every input, and go back as far as the decision stays the other one."""
        asked = Asked(background)

        def margin(outputs: Float[Tensor, "m ..."], rows: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
            if asked.targets is None:
                return outputs - self.level
            own = asked.targets.to(outputs.device, torch.int64)[rows][:, None]
            others = outputs.scatter(1, own, -torch.inf)
            return outputs.gather(1, own).squeeze(1) - others.amax(dim=1)

        side = asked.level(margin, inputs).sign()

        def left(outputs: Float[Tensor, "m ..."], rows: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
            return side[rows] * margin(outputs, rows)

        like = (-1, *[1] * (inputs.dim() - 1))
        here = best = inputs
        least = torch.full_like(side, torch.inf)
        for _ in range(self.n_steps):
            found, there = asked.step(left, here, OVERSHOOT)
            best, least = torch.where((found < least).view(like), here, best), torch.minimum(found, least)
            here = torch.where((found > 0).view(like), there, here)
        found = asked.level(left, here)
        best, least = torch.where((found < least).view(like), here, best), torch.minimum(found, least)
        near, far = torch.zeros_like(side), torch.ones_like(side)
        for _ in range(self.n_bisections):
            middle = (near + far) / 2
            behind = asked.level(left, torch.lerp(inputs, best, middle.view(like))) <= 0
            near, far = torch.where(behind, near, middle), torch.where(behind, middle, far)
        # Where nothing was behind, no middle was: the far end stays the best point.
        return torch.lerp(inputs, best, far.view(like)).unsqueeze(1), equal_weights(inputs, 1)
