"""Weights of the baselines: how much each of them counts in the average.

They come from the strata that baselines were drawn from (2412.13864), or from how well each of them explains the input
(2505.03201).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Weighting(Protocol):
    """Weights from the stratum that each baseline was drawn from, such as a background process."""

    def weights(self, stratum: Int[Tensor, " k"], stratum_weight: Float[Tensor, " s"] | None) -> Float[Tensor, " k"]:
        """Return weights that sum to one; the strata's own, such as cross-sections, are None where unknown."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Every baseline counts the same: p_D uniform in 2412.13864, eq. 2 (B_bg)."""

    def weights(self, stratum: Int[Tensor, " k"], stratum_weight: Float[Tensor, " s"] | None) -> Float[Tensor, " k"]:
        """Return 1/k for each."""
        return torch.full(stratum.shape, 1 / len(stratum), dtype=torch.float64, device=stratum.device)


def _logarithm(weight: Float[Tensor, " s"]) -> Float[Tensor, " s"]:
    """Logarithm of one plus the weight over the least one: no unit goes in, and the least stratum keeps a share."""
    return torch.log1p(weight / weight.min())


def _percentile(weight: Float[Tensor, " s"]) -> Float[Tensor, " s"]:
    """Share of the strata that weigh as much or less: only the order of the weights counts."""
    return (weight[:, None] >= weight).double().mean(dim=1)


TRANSFORMS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "proportional": torch.clone,
    "square_root": torch.sqrt,
    "logarithm": _logarithm,
    "percentile": _percentile,
}


@dataclass(frozen=True)
class ByStratum:
    """A stratum counts by its weight: p_D by cross-section in 2412.13864, eq. 2 (B_bgw).

    Args:
        transform: what of the weight counts. Cross-sections that span orders of magnitude leave only the largest
            strata of `proportional`; `square_root`, `logarithm` (of one plus the weight over the least one) and
            `percentile` (the share of strata that weigh as much or less) even them out.
    """

    needs_stratum_weights: ClassVar[bool] = True
    transform: str = "proportional"

    def __post_init__(self) -> None:
        if self.transform not in TRANSFORMS:
            raise ValueError(f"transform={self.transform} is unknown: {' or '.join(TRANSFORMS)}")

    def weights(self, stratum: Int[Tensor, " k"], stratum_weight: Float[Tensor, " s"] | None) -> Float[Tensor, " k"]:
        """Return the stratum's transformed weight over the number of its baselines, normalised.

        Raises:
            ValueError: where the strata have no weights.
        """
        if stratum_weight is None:
            raise ValueError("baselines weighted by stratum need the weight of each stratum (a cross-section)")
        # Only the strata that baselines come from: the weights also hold the signal's.
        present, position, members = stratum.unique(return_inverse=True, return_counts=True)
        weights: Tensor = (TRANSFORMS[self.transform](stratum_weight.double()[present]) / members)[position]
        return weights / weights.sum()


@runtime_checkable
class FitnessWeighting(Protocol):
    """Weights from the fitness of each baseline for each input."""

    def of_fitness(self, d_alpha: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return weights that sum to one for each input, float64; d_alpha: pixels that have to go, fewer is fitter."""
        ...


@dataclass(frozen=True)
class EqualFitness:
    """Every baseline counts the same, however well it explains: expected gradients (2505.03201, eq. 5)."""

    def of_fitness(self, d_alpha: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return 1/k for each."""
        return torch.full_like(d_alpha, 1 / d_alpha.shape[1], dtype=torch.float64)


@dataclass(frozen=True)
class InverseFitness:
    """Weights proportional to 1 / D_alpha (2505.03201, eq. 8), without the baselines that explain too badly.

    A D_alpha of 0, which the released search can give, counts as 1: one pixel is the least that can go.

    Args:
        filter_below: baselines whose weight is below this multiple of the mean weight drop out, and the others are
            normalised anew; 0 keeps all (the released code filters at 0.25).
    """

    filter_below: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.filter_below <= 1:
            raise ValueError(f"filter_below is a multiple of the mean weight in [0, 1], got {self.filter_below}")

    def of_fitness(self, d_alpha: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return the weights; the fittest baseline is never below the mean and so always stays."""
        weights = _normalised(1 / d_alpha.double().clamp_min(1))
        return _normalised(torch.where(weights < self.filter_below / d_alpha.shape[1], 0, weights))


@dataclass(frozen=True)
class WithoutLeastFit:
    """The weights of eq. 8 without the least fit baselines (2505.03201, Figure 2).

    Args:
        removed: how many drop out; of equally fit ones the last.
    """

    removed: int

    def __post_init__(self) -> None:
        if self.removed < 0:
            raise ValueError(f"removed counts baselines, got {self.removed}")

    def of_fitness(self, d_alpha: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return the weights.

        Raises:
            ValueError: where no baseline would be left.
        """
        kept = d_alpha.shape[1] - self.removed
        if kept < 1:
            raise ValueError(f"{self.removed} of {d_alpha.shape[1]} baselines cannot be removed: one has to stay")
        fittest = d_alpha.argsort(dim=1, stable=True)[:, :kept]
        inverse = 1 / d_alpha.double().clamp_min(1)
        return _normalised(torch.zeros_like(inverse).scatter(1, fittest, inverse.gather(1, fittest)))


@dataclass(frozen=True)
class NextFitness:
    """A control: the weights of eq. 8, of each baseline given to the next: as uneven, and of no baseline's fitness."""

    def of_fitness(self, d_alpha: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return the weights."""
        return InverseFitness().of_fitness(d_alpha).roll(1, dims=1)


@dataclass(frozen=True)
class OthersFitness:
    """A control: for each input the mean weights of the other inputs, so that none is judged by its own fitness.

    Where a place means a kind of baseline, such as black in a set, this keeps what is known of the kind.
    """

    needs_other_inputs: ClassVar[bool] = True

    def of_fitness(self, d_alpha: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return the weights.

        Raises:
            ValueError: for a single input, which has no others.
        """
        if len(d_alpha) < 2:
            raise ValueError("weights of the other inputs need two inputs at least")
        own = InverseFitness().of_fitness(d_alpha)
        return (own.sum(dim=0) - own) / (len(own) - 1)


@dataclass(frozen=True)
class Fittest:
    """The fittest baseline alone, of equally fit ones the first: what is left of 2505.03201, Figure 2, in the end."""

    def of_fitness(self, d_alpha: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Return 1 for one baseline of each input."""
        return torch.nn.functional.one_hot(d_alpha.argmin(dim=1), d_alpha.shape[1]).double()


def _normalised(weights: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    return weights / weights.sum(dim=1, keepdim=True)
