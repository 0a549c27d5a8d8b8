"""Where baselines come from: zeros, noise, the farthest point, and examples drawn from a reference sample."""

from collections.abc import Mapping
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
        example_weight: how often each example counts among those of its stratum; None: all the same.
        low: least value of each feature; None for 0, as of pixels.
        high: largest value of each feature; None for 1, as of pixels.
    """

    examples: Float[Tensor, "m *features"]
    centre: Float[Tensor, " *features"]
    stratum: Int[Tensor, " m"] | None = None
    stratum_weight: Float[Tensor, " s"] | None = None
    example_weight: Float[Tensor, " m"] | None = None
    low: Float[Tensor, " *features"] | None = None
    high: Float[Tensor, " *features"] | None = None

    def bounds(self) -> tuple[Float[Tensor, " *features"], Float[Tensor, " *features"]]:
        """The least and the largest value of each feature."""
        low = torch.zeros_like(self.centre) if self.low is None else self.low
        return low, torch.ones_like(self.centre) if self.high is None else self.high


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


def equal_weights(like: Tensor, count: int) -> Float[Tensor, " k"]:
    """Return 1/count for each of so many baselines, on the device of `like`."""
    return torch.full((count,), 1 / count, dtype=torch.float64, device=like.device)


@dataclass(frozen=True)
class ZeroPhysical:
    """The blank baseline: a zero vector in the units of the inputs (2412.13864, B_0)."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 *features"], Float[Tensor, " 1"]]:
        """Return zeros."""
        zero = torch.zeros_like(reference.centre)[None]
        return zero, equal_weights(zero, 1)


@dataclass(frozen=True)
class ZeroStandardised:
    """The blank baseline at the standardised input: the mean of the training part (2412.13864, B_0)."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 *features"], Float[Tensor, " 1"]]:
        """Return the input that standardises to zero."""
        centre = reference.centre[None]
        return centre, equal_weights(centre, 1)


@dataclass(frozen=True, eq=False)
class Given:
    """Baselines that are there already, the same for every input.

    Args:
        baselines: all of them; each counts the same.
    """

    baselines: Float[Tensor, "k *features"]

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "k *features"], Float[Tensor, " k"]]:
        """Return them."""
        return self.baselines, equal_weights(self.baselines, len(self.baselines))


def _drawn(weight: Float[Tensor, " m"], count: int, generator: torch.Generator) -> Int[Tensor, " count"]:
    """Draw in proportion to the weights: with replacement, or many draws would favour the light ones.

    Where all weights are equal no example is drawn twice.
    """
    if (weight == weight[0]).all():
        return torch.randperm(len(weight), generator=generator)[:count]
    return torch.multinomial(weight, count, replacement=True, generator=generator)


@dataclass(frozen=True)
class PerStratum:
    """The same number of examples of every stratum (2412.13864: 20 events of each background).

    Args:
        count: examples of each stratum, drawn in proportion to their weights; without replacement where all are equal.
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
        weight = torch.ones(len(stratum_of_example))
        if reference.example_weight is not None:
            weight = reference.example_weight.cpu()
        for stratum in stratum_of_example.unique().tolist():
            members = (stratum_of_example == stratum).nonzero().squeeze(1)
            members = members[weight[members] > 0]
            if len(members) < self.count:
                raise ValueError(f"stratum {stratum} has {len(members)} examples, {self.count} are needed")
            chosen.append(members[_drawn(weight[members], self.count, generator)])
        index = torch.cat(chosen).to(reference.examples.device)
        weights = self.weighting.weights(reference.stratum[index], reference.stratum_weight)
        return reference.examples[index], weights


@dataclass(frozen=True)
class UniformNoise:
    """Every feature drawn uniformly from its range, each for itself; anew for every input.

    Args:
        count: baselines an input.
    """

    count: int = 1

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n k *features"], Float[Tensor, " k"]]:
        """Draw the noise on the CPU, so that it is the same for every device."""
        low, high = reference.bounds()
        share = torch.rand((len(inputs), self.count, *inputs.shape[1:]), generator=generator).to(inputs)
        return low + share * (high - low), equal_weights(inputs, self.count)


@dataclass(frozen=True)
class GaussianNoise:
    """The input under Gaussian noise, cut to the features' ranges; anew for every input.

    Args:
        sigma: standard deviation, in units of the range of each feature.
        count: baselines an input.
    """

    sigma: float = 0.5
    count: int = 1

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n k *features"], Float[Tensor, " k"]]:
        """Draw the noise on the CPU, so that it is the same for every device."""
        low, high = reference.bounds()
        noise = torch.randn((len(inputs), self.count, *inputs.shape[1:]), generator=generator).to(inputs)
        noisy = inputs.unsqueeze(1) + self.sigma * (high - low) * noise
        return noisy.clamp(low, high), equal_weights(inputs, self.count)


@dataclass(frozen=True)
class MaximumDistance:
    """The point of the features' ranges that is farthest from the input (Sturmfels et al. 2020)."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n 1 *features"], Float[Tensor, " 1"]]:
        """Return the farther end of every feature's range; in its middle the upper one."""
        low, high = reference.bounds()
        farthest = torch.where(inputs - low > high - inputs, low, high)
        return farthest.unsqueeze(1), equal_weights(inputs, 1)


@dataclass(frozen=True)
class MeanExample:
    """The mean of the reference examples, feature by feature."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 *features"], Float[Tensor, " 1"]]:
        """Return the mean example."""
        return reference.examples.mean(dim=0, keepdim=True), equal_weights(inputs, 1)


@dataclass(frozen=True)
class Examples:
    """Reference examples, drawn without replacement for every input; never the input itself.

    Args:
        count: examples an input.
    """

    count: int = 1

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n k *features"], Float[Tensor, " k"]]:
        """Draw the examples.

        Raises:
            ValueError: where too few are left without the input itself.
        """
        drawn = []
        for one in inputs:
            other = (reference.examples != one).flatten(1).any(dim=1).cpu().nonzero().squeeze(1)
            if len(other) < self.count:
                raise ValueError(f"{self.count} examples beside the explained one are needed, found {len(other)}")
            chosen = other[torch.randperm(len(other), generator=generator)[: self.count]]
            drawn.append(reference.examples[chosen.to(reference.examples.device)])
        return torch.stack(drawn), equal_weights(inputs, self.count)


@dataclass(frozen=True)
class FirstExample:
    """The first example for every input, also for itself: what the released code of 2505.03201 does."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 *features"], Float[Tensor, " 1"]]:
        """Return the first example."""
        return reference.examples[:1], equal_weights(inputs, 1)


@dataclass(frozen=True)
class Together:
    """Several sources as one set, in which every baseline counts the same.

    Args:
        sources: by name.
    """

    sources: Mapping[str, BaselineSource]

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("a set of baselines needs at least one source")

    def draw(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n k *features"], Float[Tensor, " k"]]:
        """Draw from every source in turn."""
        drawn = torch.cat(list(self._of_each_source(inputs, reference, generator).values()), dim=1)
        return drawn, equal_weights(inputs, drawn.shape[1])

    def draw_named(
        self, inputs: Float[Tensor, "n *features"], reference: Reference, generator: torch.Generator
    ) -> tuple[list[str], Float[Tensor, "n k *features"]]:
        """Draw, and name every baseline by its source: `black`, `uniform_1`, `uniform_2`, ..."""
        names, drawn = [], self._of_each_source(inputs, reference, generator)
        for name, baselines in drawn.items():
            count = baselines.shape[1]
            names += [name] if count == 1 else [f"{name}_{index + 1}" for index in range(count)]
        return names, torch.cat(list(drawn.values()), dim=1)

    def _of_each_source(
        self, inputs: Tensor, reference: Reference, generator: torch.Generator
    ) -> dict[str, Float[Tensor, "n _ *features"]]:
        drawn = {}
        for name, source in self.sources.items():
            baselines, _ = source.draw(inputs, reference, generator)
            drawn[name] = (
                baselines if baselines.dim() > inputs.dim() else baselines.expand(len(inputs), *baselines.shape)
            )
        return drawn
