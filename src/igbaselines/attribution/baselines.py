"""Where baselines come from: zeros, noise, the farthest point, and examples drawn from the background.

Each is an `Imputer`: what serves as a baseline serves as the value of absent players as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.weighting import Uniform, Weighting
from igbaselines.common.devices import sent
from igbaselines.tasks import Background, Imputer, draw, for_each

Inputs: TypeAlias = Float[Tensor, "n *features"]
# Baselines, shared (k, *features) or one set an input (n, k, *features), and their weights (k,), float64.
Drawn: TypeAlias = tuple[Float[Tensor, "..."], Float[Tensor, " k"]]


class TooFewExamplesError(ValueError):
    """The background has fewer examples than a source of baselines draws; the task is at fault, or what was asked."""


def equal_weights(like: Tensor, count: int) -> Float[Tensor, " k"]:
    """Return 1/count for each of so many baselines, on the device of `like`."""
    return torch.full((count,), 1 / count, dtype=torch.float64, device=like.device)


@dataclass(frozen=True)
class ZeroBaseline:
    """The blank baseline: a zero vector in the units of the inputs, black of pictures (2412.13864, B_0)."""

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Return zeros."""
        zero = torch.zeros_like(inputs[:1])
        return zero, equal_weights(zero, 1)


@dataclass(frozen=True)
class TrainingMean:
    """The blank baseline at the standardised input: the mean of the training part (2412.13864, B_0)."""

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Return the input that standardises to zero."""
        centre = background.centre[None]
        return centre, equal_weights(centre, 1)


@dataclass(frozen=True, eq=False)
class Given:
    """Baselines that are there already.

    Args:
        baselines: all of them, the same for every input or one set an input; each counts the same.
    """

    baselines: Float[Tensor, "k *features"] | Float[Tensor, "n k *features"]

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Return them."""
        own = self.baselines.dim() > inputs.dim()
        return self.baselines, equal_weights(self.baselines, self.baselines.shape[int(own)])


@dataclass(frozen=True)
class PerStratum:
    """The same number of examples of every stratum (2412.13864: 20 events of each background).

    Where the background has no strata, all of its examples are one.

    Args:
        count: examples of each stratum, drawn in proportion to their weights; without replacement where all are equal.
            Of negative weights, as generators beyond leading order give them, it is the magnitudes; an example carries
            the sign into its weight, and a stratum still counts as much as another.
        weighting: how they are weighted.
        at_most: take as many as there are where a stratum has fewer, instead of refusing.
        most: examples in all; of more, so many are kept by lot. None: all.
        others: an input that is of a stratum itself, such as a row of a table of its class, gets examples of the
            others alone: what signal and background are to 2412.13864, its own class and the others are to a table or a
            photograph. Strata come in turn, or by lot in proportion to their weights; every example counts the same.
    """

    count: int
    weighting: Weighting = field(default_factory=Uniform)
    at_most: bool = False
    most: int | None = None
    others: bool = False

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"PerStratum needs at least one example of each stratum, got count={self.count}")

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Draw the examples: the same from the same generator state, and from all strata whatever the weighting.

        Raises:
            TooFewExamplesError: where a stratum has too few examples.
            ValueError: where the weighting needs weights that are not known.
        """
        device = background.examples.device
        strata = background.stratum
        if self.others and strata is not None and background.own is not None:
            return self._of_others(strata, background.own, background, generator)
        if strata is None:
            strata = torch.zeros(len(background.examples), dtype=torch.int64, device=device)
        stratum_of_example, chosen = strata.cpu(), []
        sign = torch.ones(len(stratum_of_example), dtype=torch.float64)
        weight = sign.float()
        if background.example_weight is not None:
            weight, sign = background.example_weight.cpu().abs(), background.example_weight.cpu().sign().double()
        for stratum in stratum_of_example.unique().tolist():
            members = (stratum_of_example == stratum).nonzero().squeeze(1)
            members = members[weight[members] > 0]
            count = min(self.count, len(members)) if self.at_most else self.count
            if len(members) < count:
                raise TooFewExamplesError(f"stratum {stratum} has {len(members)} examples, {self.count} are needed")
            if count:
                drawn = members[_drawn(weight[members], count, generator)]
                while not sign[drawn].sum() > 0:  # they cancel, which all of them do not
                    if not (sign * weight)[members].sum() > 0:
                        raise ValueError(f"the weights of stratum {stratum} do not add up to more than 0")
                    drawn = members[_drawn(weight[members], count, generator)]
                chosen.append(drawn)
        index = torch.cat(chosen)
        if self.most is not None and len(index) > self.most:
            index = index[torch.randperm(len(index), generator=generator)[: self.most]]
        index = index.to(device)
        weights = self.weighting.weights(strata[index], background.stratum_weight)
        return background.examples[index], _signed(weights, strata[index], sign.to(device)[index])

    def _of_others(
        self, strata: Int[Tensor, " m"], own: Int[Tensor, " n"], background: Background, generator: torch.Generator
    ) -> Drawn:
        """Draw for every input from the strata that it is not of, with replacement; each example counts the same."""
        weight = torch.ones(len(strata)) if background.example_weight is None else background.example_weight.cpu()
        there = (weight > 0).nonzero().squeeze(1)
        present, position = strata.cpu()[there].unique(return_inverse=True)
        share = self.weighting.weights(present.to(strata.device), background.stratum_weight).cpu()
        is_other, even, drawn = present != own.cpu()[:, None], bool((share == share[0]).all()), []
        wanted = self.count * (least := int(is_other.sum(dim=1).min()))
        wanted = wanted if self.most is None else min(wanted, self.most)
        if not wanted:
            raise TooFewExamplesError("an input is of the only stratum there is: there are no others to draw from")
        for others in is_other:
            turns = others.nonzero().squeeze(1)[torch.randperm(int(others.sum()), generator=generator)[:least]]
            turns = turns.repeat(self.count)[:wanted]
            if not even:
                turns = torch.multinomial(share * others, wanted, replacement=True, generator=generator)
            for stratum, count in enumerate(torch.bincount(turns, minlength=len(present)).tolist()):
                members = there[position == stratum]
                if count:
                    chosen = torch.multinomial(weight[members], count, replacement=True, generator=generator)
                    drawn.append(members[chosen])
        index = torch.cat(drawn).view(len(own), wanted)
        together = background.examples[index.to(background.examples.device)]
        return together, equal_weights(together, wanted)


def _signed(weights: Float[Tensor, " k"], strata: Int[Tensor, " k"], sign: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """Give weights the signs of their examples; what a stratum counts, and so their sum, stays what it is."""
    if (sign > 0).all():
        return weights
    place = strata.unique(return_inverse=True)[1]
    zeros = weights.new_zeros(int(place.max()) + 1)
    of_stratum, signed = zeros.index_add(0, place, weights), zeros.index_add(0, place, weights * sign)
    return weights * sign * torch.where(signed > 0, of_stratum / signed, 0)[place]


def _drawn(weight: Float[Tensor, " m"], count: int, generator: torch.Generator) -> Int[Tensor, " count"]:
    """Draw in proportion to the weights: with replacement, or many draws would favour the light ones.

    Where all weights are equal no example is drawn twice.
    """
    if (weight == weight[0]).all():
        return torch.randperm(len(weight), generator=generator)[:count]
    return torch.multinomial(weight, count, replacement=True, generator=generator)


def _like(inputs: Inputs, drawn: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """What was drawn on the host as the inputs are, and where they are."""
    return sent(drawn.to(inputs.dtype), inputs.device)


@dataclass(frozen=True)
class UniformNoise:
    """Every feature drawn uniformly from its range, each for itself; anew for every input.

    Args:
        count: baselines an input.
    """

    count: int = 1

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Draw the noise on the CPU, so that it is the same for every device."""
        low, high = background.bounds()
        share = _like(inputs, torch.rand((len(inputs), self.count, *inputs.shape[1:]), generator=generator))
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

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Draw the noise on the CPU, so that it is the same for every device."""
        low, high = background.bounds()
        noise = _like(inputs, torch.randn((len(inputs), self.count, *inputs.shape[1:]), generator=generator))
        noisy = inputs.unsqueeze(1) + self.sigma * (high - low) * noise
        return noisy.clamp(low, high), equal_weights(inputs, self.count)


@dataclass(frozen=True)
class MaximumDistance:
    """The point of the features' ranges that is farthest from the input (Sturmfels et al. 2020)."""

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Return the farther end of every feature's range; in its middle the upper one."""
        low, high = background.bounds()
        farthest = torch.where(inputs - low > high - inputs, low, high)
        return farthest.unsqueeze(1), equal_weights(inputs, 1)


@dataclass(frozen=True)
class MeanExample:
    """The mean of the background's examples, feature by feature."""

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Return the mean example."""
        return background.examples.mean(dim=0, keepdim=True), equal_weights(inputs, 1)


@dataclass(frozen=True)
class Examples:
    """Examples of the background, drawn without replacement for every input; never the input itself.

    Args:
        count: examples an input.
        at_most: take as many as there are where these are fewer, instead of refusing.
    """

    count: int = 1
    at_most: bool = False

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Draw the examples.

        Raises:
            TooFewExamplesError: where too few are left without the input itself.
        """
        drawn, examples = [], background.examples.flatten(1)
        wanted = min(self.count, len(examples) - 1) if self.at_most else self.count
        flat = inputs.flatten(1)
        same = (flat[:, :1] == examples[:, 0]).cpu()  # of few: only they are compared to the end
        for one, may_be in zip(flat, same, strict=True):
            if len(few := may_be.nonzero().squeeze(1)):
                may_be[few] = (examples[sent(few, examples.device)] == one).all(dim=1).cpu()
            other = (~may_be).nonzero().squeeze(1)
            if len(other) < max(1, wanted):
                needed = f"{self.count} examples beside the explained one are needed"
                raise TooFewExamplesError(f"{needed}, found {len(other)}")
            chosen = other[torch.randperm(len(other), generator=generator)[:wanted]]
            drawn.append(background.examples[sent(chosen, background.examples.device)])
        return torch.stack(drawn), equal_weights(inputs, wanted)


@dataclass(frozen=True)
class FirstExample:
    """The first example for every input, also for itself: what the released code of 2505.03201 does."""

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Return the first example."""
        return background.examples[:1], equal_weights(inputs, 1)


@dataclass(frozen=True)
class BaselineSet:
    """Several sources as one set, in which every baseline counts the same.

    Args:
        sources: by name.
    """

    sources: Mapping[str, Imputer]

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("a set of baselines needs at least one source")

    def draw(self, inputs: Inputs, background: Background, generator: torch.Generator) -> Drawn:
        """Draw from every source in turn."""
        together = torch.stack(list(self.named(inputs, background, generator).values()), dim=1)
        return together, equal_weights(inputs, together.shape[1])

    def named(self, inputs: Inputs, background: Background, generator: torch.Generator) -> dict[str, Inputs]:
        """What `draw` draws, every baseline of each input by its source: `black`, `uniform_1`, `uniform_2`, ...

        Raises:
            ValueError: where two of them have one name.
        """
        found: dict[str, Inputs] = {}
        for name, source in self.sources.items():
            each = for_each(draw(source, inputs, background, generator)[0], inputs)
            names = [name] if each.shape[1] == 1 else [f"{name}_{index + 1}" for index in range(each.shape[1])]
            if taken := found.keys() & set(names):
                raise ValueError(f"two baselines are called {min(taken)}: give one of the sources another name")
            found |= dict(zip(names, each.unbind(dim=1), strict=True))
        return found
