"""Baselines for pictures, in pixel space: constants, noise, blur, and other photographs (2505.03201, 6.1).

Black is `baselines.ZeroPhysical` (zero in pixel space) and the mean colour of the training data is
`baselines.ZeroStandardised` (zero after normalisation): two baselines that are often taken for one another.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.baselines import BaselineSource, Reference
from igbaselines.attribution.masking import gaussian_blur


def _equal_weights(baselines: Tensor, count: int) -> Float[Tensor, " k"]:
    return torch.full((count,), 1 / count, dtype=torch.float64, device=baselines.device)


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
        return baseline, _equal_weights(baseline, 1)


@dataclass(frozen=True)
class UniformNoise:
    """Pixels drawn uniformly from [0, 1], each channel for itself; anew for every input.

    Args:
        count: pictures an input.
    """

    count: int = 1

    def draw(
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n k c h w"], Float[Tensor, " k"]]:
        """Draw the noise on the CPU, so that it is the same for every device."""
        shape = (len(inputs), self.count, *inputs.shape[1:])
        noise = torch.rand(shape, generator=generator).to(inputs)
        return noise, _equal_weights(noise, self.count)


@dataclass(frozen=True)
class GaussianNoise:
    """The input under Gaussian noise, cut to [0, 1]; anew for every input.

    Args:
        sigma: standard deviation, in units of the pixel range.
        count: pictures an input.
    """

    sigma: float = 0.5
    count: int = 1

    def draw(
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n k c h w"], Float[Tensor, " k"]]:
        """Draw the noise on the CPU, so that it is the same for every device."""
        shape = (len(inputs), self.count, *inputs.shape[1:])
        noise = self.sigma * torch.randn(shape, generator=generator).to(inputs)
        return (inputs.unsqueeze(1) + noise).clamp(0, 1), _equal_weights(inputs, self.count)


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
        return gaussian_blur(inputs, self.sigma).unsqueeze(1), _equal_weights(inputs, 1)


@dataclass(frozen=True)
class MeanExample:
    """The mean of the reference photographs, pixel by pixel."""

    def draw(
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 c h w"], Float[Tensor, " 1"]]:
        """Return the mean photograph."""
        return reference.examples.mean(dim=0, keepdim=True), _equal_weights(inputs, 1)


@dataclass(frozen=True)
class Examples:
    """Other photographs, drawn without replacement for every input; never the input itself.

    Args:
        count: photographs an input.
    """

    count: int = 1

    def draw(
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n k c h w"], Float[Tensor, " k"]]:
        """Draw the photographs.

        Raises:
            ValueError: where too few are left without the input itself.
        """
        drawn = []
        for picture in inputs:
            other = (reference.examples != picture).flatten(1).any(dim=1).cpu().nonzero().squeeze(1)
            if len(other) < self.count:
                raise ValueError(f"{self.count} photographs beside the explained one are needed, found {len(other)}")
            chosen = other[torch.randperm(len(other), generator=generator)[: self.count]]
            drawn.append(reference.examples[chosen.to(reference.examples.device)])
        return torch.stack(drawn), _equal_weights(inputs, self.count)


@dataclass(frozen=True)
class FirstExample:
    """The first photograph for every input, also for itself: what the released code of 2505.03201 does."""

    def draw(
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "1 c h w"], Float[Tensor, " 1"]]:
        """Return the first photograph."""
        return reference.examples[:1], _equal_weights(inputs, 1)


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
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n k c h w"], Float[Tensor, " k"]]:
        """Draw from every source in turn."""
        drawn = torch.cat(list(self._of_each_source(inputs, reference, generator).values()), dim=1)
        return drawn, _equal_weights(inputs, drawn.shape[1])

    def draw_named(
        self, inputs: Float[Tensor, "n c h w"], reference: Reference, generator: torch.Generator
    ) -> tuple[list[str], Float[Tensor, "n k c h w"]]:
        """Draw, and name every baseline by its source: `black`, `uniform_1`, `uniform_2`, ..."""
        names, drawn = [], self._of_each_source(inputs, reference, generator)
        for name, baselines in drawn.items():
            count = baselines.shape[1]
            names += [name] if count == 1 else [f"{name}_{index + 1}" for index in range(count)]
        return names, torch.cat(list(drawn.values()), dim=1)

    def _of_each_source(
        self, inputs: Tensor, reference: Reference, generator: torch.Generator
    ) -> dict[str, Float[Tensor, "n _ c h w"]]:
        drawn = {}
        for name, source in self.sources.items():
            baselines, _ = source.draw(inputs, reference, generator)
            drawn[name] = (
                baselines if baselines.dim() > inputs.dim() else baselines.expand(len(inputs), *baselines.shape)
            )
        return drawn
