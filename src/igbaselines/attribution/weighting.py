"""Weights of the baselines: how much each of them counts in the average."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Weighting(Protocol):
    """Weights from the stratum that each baseline was drawn from."""

    def weights(self, stratum: Int[Tensor, " k"], stratum_weight: Float[Tensor, " s"] | None) -> Float[Tensor, " k"]:
        """Return weights that sum to one.

        Args:
            stratum: for each baseline the index of its stratum, such as a background process.
            stratum_weight: the weight of each stratum, such as its cross-section; None where unknown.
        """
        ...


@dataclass(frozen=True)
class Uniform:
    """Every baseline counts the same: p_D uniform in 2412.13864, eq. 2 (B_bg)."""

    def weights(self, stratum: Int[Tensor, " k"], stratum_weight: Float[Tensor, " s"] | None) -> Float[Tensor, " k"]:
        """Return 1/k for each."""
        return torch.full(stratum.shape, 1 / len(stratum), dtype=torch.float64, device=stratum.device)


@dataclass(frozen=True)
class ByStratum:
    """A stratum counts by its weight: p_D by cross-section in 2412.13864, eq. 2 (B_bgw)."""

    def weights(self, stratum: Int[Tensor, " k"], stratum_weight: Float[Tensor, " s"] | None) -> Float[Tensor, " k"]:
        """Return the stratum's weight over the number of its baselines, normalised.

        Raises:
            ValueError: where the strata have no weights.
        """
        if stratum_weight is None:
            raise ValueError("baselines weighted by stratum need the weight of each stratum (a cross-section)")
        members = torch.bincount(stratum, minlength=len(stratum_weight))
        weights = stratum_weight.double()[stratum] / members[stratum]
        return weights / weights.sum()
