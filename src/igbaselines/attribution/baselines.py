"""Where baselines come from: constants, and examples drawn from a reference sample."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.weighting import Uniform, Weighting


@dataclass(frozen=True)
class Reference:
    """What baselines may be made of, in the space of the network's inputs.

    Args:
        examples: a sample of inputs, such as background events or photographs.
        centre: the input that the network's standardisation maps to zero.
        stratum: for each example the index of its stratum, such as its process; None where there are none.
        stratum_weight: weight of each stratum, such as its cross-section; None where unknown.
    """

    examples: Float[Tensor, "m *features"]
    centre: Float[Tensor, " *features"]
    stratum: Int[Tensor, " m"] | None = None
    stratum_weight: Float[Tensor, " s"] | None = None


@runtime_checkable
class BaselineSource(Protocol):
    """Gives the baselines of a method and their weights."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "k *features"] | Float[Tensor, "n k *features"], Float[Tensor, " k"]]:
        """Return baselines, shared or one set an input, and weights that sum to one (float64).

        Args:
            inputs: what will be explained.
            reference: what baselines may be made of.
            generator: on the CPU.
        """
        ...


@dataclass(frozen=True)
class ZeroPhysical:
    """The blank baseline: a zero vector in the units of the inputs (2412.13864, B_0)."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 *features"], Float[Tensor, " 1"]]:
        """Return zeros."""
        zero = torch.zeros_like(reference.centre)[None]
        return zero, torch.ones(1, dtype=torch.float64, device=zero.device)


@dataclass(frozen=True)
class ZeroStandardised:
    """The blank baseline at the standardised input: the mean of the training part (2412.13864, B_0)."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 *features"], Float[Tensor, " 1"]]:
        """Return the input that standardises to zero."""
        centre = reference.centre[None]
        return centre, torch.ones(1, dtype=torch.float64, device=centre.device)


@dataclass(frozen=True)
class PerStratum:
    """The same number of examples of every stratum (2412.13864: 20 events of each background).

    Args:
        count: examples of each stratum, drawn without replacement.
        weighting: how they are weighted.
    """

    count: int
    weighting: Weighting = field(default_factory=Uniform)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"PerStratum needs at least one example of each stratum, got count={self.count}")

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "k *features"], Float[Tensor, " k"]]:
        """Draw the examples; the same generator state gives the same ones whatever the weighting.

        Raises:
            ValueError: where there are no strata, or one has too few examples.
        """
        if reference.stratum is None:
            raise ValueError("PerStratum needs the stratum of each example")
        chosen = []
        stratum_of_example = reference.stratum.cpu()
        for stratum in stratum_of_example.unique().tolist():
            members = (stratum_of_example == stratum).nonzero().squeeze(1)
            if len(members) < self.count:
                raise ValueError(f"stratum {stratum} has {len(members)} examples, {self.count} are needed")
            chosen.append(members[torch.randperm(len(members), generator=generator)[: self.count]])
        index = torch.cat(chosen).to(reference.examples.device)
        weights = self.weighting.weights(reference.stratum[index], reference.stratum_weight)
        return reference.examples[index], weights
