"""How few players hold the attributions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from igbaselines.metrics.base import Maps, Quantity, Scores
from igbaselines.tasks import Task


def gini_index(sizes: Float[Tensor, "n p"]) -> Float64[Tensor, " n"]:
    """The Gini index of magnitudes: 0 where all are the same, 1 - 1/p where one has it all; NaN where all are zero."""
    ordered = sizes.double().abs().sort(dim=1).values
    p = ordered.shape[1]
    place = torch.arange(1, p + 1, dtype=torch.float64, device=sizes.device)
    found: Tensor = ((2 * place - p - 1) * ordered).sum(1) / (p * ordered.sum(1))
    return found


@dataclass(frozen=True)
class Sparseness:
    """Gini index of the players' magnitudes (Chalasani et al. 2020, arXiv:1810.06583; quantus' `Sparseness`).

    Neither direction is better: a network that looks at everything has no sparse explanation that is true. It can be
    fooled by a map that names one player, whichever.
    """

    @property
    def quantity(self) -> Quantity:
        """In neither direction better."""
        return Quantity("sparseness", "Gini index of magnitudes")

    def why_not(self, task: Task) -> str | None:
        """Any task will do."""
        return None

    def score(self, task: Task, attributions: Maps, generator: torch.Generator) -> Scores:
        """Return the indices; NaN for attributions of zero."""
        return gini_index(task.player_map.importance(attributions.double(), "magnitude"))
