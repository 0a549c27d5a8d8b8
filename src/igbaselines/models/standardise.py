"""The standardisation of features as the first step of a network: inputs and baselines stay in physical units."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Standardise(nn.Module):
    """(x - mean) / scale, as part of the model, so that a baseline can be zero in either space.

    Args:
        mean: mean of each feature over the training part, in physical units.
        scale: standard deviation of each feature, in physical units; 1 for a constant feature.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Float[Tensor, " d"], scale: Float[Tensor, " d"]) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    @classmethod
    def of(cls, features: Float[Tensor, "n d"]) -> "Standardise":
        """The standardisation of these features; a constant one keeps its scale."""
        return cls(features.mean(0), nonzero(features.std(0, correction=0)))

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Standardise features given in physical units."""
        return (x - self.mean) / self.scale


def nonzero(scale: Float[Tensor, "*d"]) -> Float[Tensor, "*d"]:
    """Standard deviations to divide by: 1 for what is constant."""
    return scale.where(scale > 0, torch.ones_like(scale))
