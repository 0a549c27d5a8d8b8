"""The background of a task: what baselines, and the values of absent players, may be made of."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Background:
    """Examples and what is known of them, in the space of the network's inputs.

    Args:
        examples: a sample of inputs, such as background events or photographs.
        centre: the input that the network's standardisation maps to zero.
        stratum: for each example the index of its stratum, such as its process; None where there are none.
        stratum_weight: weight of each stratum, such as its cross-section; None where unknown.
        example_weight: how often each example counts among those of its stratum; None: all the same.
        low: least value of each feature; None for 0, as of pixels.
        high: largest value of each feature; None for 1, as of pixels.
        own: for each explained input the index of the stratum that it is of itself, -1 for none of them; None where
            inputs are of none. Baselines drawn by stratum come from the others.
        network: the explained function, for baselines that are searched for by asking it; a task sets it.
        targets: the class of each explained input, as the task has it.
    """

    examples: Float[Tensor, "m *features"]
    centre: Float[Tensor, " *features"]
    stratum: Int[Tensor, " m"] | None = None
    stratum_weight: Float[Tensor, " s"] | None = None
    example_weight: Float[Tensor, " m"] | None = None
    low: Float[Tensor, " *features"] | None = None
    high: Float[Tensor, " *features"] | None = None
    own: Int[Tensor, " n"] | None = None
    network: Callable[[Tensor], Tensor] | None = None
    targets: Int[Tensor, " explained"] | None = None

    def asked_of(self, network: Callable[[Tensor], Tensor], targets: Int[Tensor, " explained"] | None) -> "Background":
        """The same, of a task that explains this function and these classes."""
        return replace(self, network=network, targets=targets)

    def bounds(self) -> tuple[Float[Tensor, " *features"], Float[Tensor, " *features"]]:
        """The least and the largest value of each feature."""
        low = torch.zeros_like(self.centre) if self.low is None else self.low
        return low, torch.ones_like(self.centre) if self.high is None else self.high
