"""Baselines that only pictures have, in pixel space: one colour, and blur (2505.03201, 6.1).

Black is `baselines.ZeroPhysical` (zero in pixel space) and the mean colour of the training data is
`baselines.ZeroStandardised` (zero after normalisation): two baselines that are often taken for one another.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.baselines import Reference, equal_weights
from igbaselines.tasks.imputers import gaussian_blur


@dataclass(frozen=True)
class Constant:
    """One grey value everywhere: 0 is black, 1 white.

    Args:
        value: of every pixel and channel, in [0, 1].
    """

    value: float

    def draw(
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 c h w"], Float[Tensor, " 1"]]:
        """Return the constant picture."""
        baseline = torch.full_like(inputs[:1], self.value)
        return baseline, equal_weights(baseline, 1)


@dataclass(frozen=True)
class Blurred:
    """The input without its details.

    Args:
        sigma: of the Gaussian [pixels].
    """

    sigma: float = 10.0

    def draw(
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n 1 c h w"], Float[Tensor, " 1"]]:
        """Blur every input."""
        return gaussian_blur(inputs, self.sigma).unsqueeze(1), equal_weights(inputs, 1)
