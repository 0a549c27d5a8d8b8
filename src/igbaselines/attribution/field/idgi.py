"""IDGI: important direction gradient integration (Yang et al. 2023, arXiv:2303.14242, algorithm 1).

From node to node f changes by df. Only the part of the move along the gradient can have changed it, so df goes to the
features by their share in the squared gradient at the start of the step:

    phi_i = sum_s (f_{s+1} - f_s) * g_i(s)^2 / |g(s)|^2

Attributions sum to f(x) - f(x') whatever the number of steps, but where a gradient vanishes altogether. They do not
look at the way that a feature has gone: one that stands still from baseline to input gets its share too.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class ImportantDirection:
    """The change of f by the features' share in the squared gradient; goes with a left Riemann sum, or any nodes."""

    needs_values: ClassVar[bool] = True
    gives_up: ClassVar[str | None] = None

    def integrate(
        self,
        gradients: Float[Tensor, "p s *features"],
        moves: Float[Tensor, "p _ *features"],
        coefficients: Float[Tensor, "p s"],
        values: Float[Tensor, "p t"] | None,
    ) -> Float[Tensor, "p *features"]:
        """Sum df g^2 / |g|^2 over the steps; one without a gradient gives nothing to anyone."""
        assert values is not None, "asked for by needs_values"
        # By the largest component first: the square of what is small would vanish.
        flat = gradients.flatten(2)
        largest = flat.abs().amax(dim=2, keepdim=True)
        square = (flat / torch.where(largest > 0, largest, 1)).square()
        norm = square.sum(dim=2)
        share = values.diff(dim=1) / torch.where(norm > 0, norm, 1)
        return (share.unsqueeze(1) @ square).view(gradients[:, 0].shape)
