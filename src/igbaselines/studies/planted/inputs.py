"""Where the inputs of planted functions come from: normal features, independent or correlated in blocks."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.common.randomness import generator_for
from igbaselines.studies.planted.settings import Kind, PlantedInputs

BLOCK = 4  # correlated features that share a factor


@dataclass(frozen=True)
class Distribution:
    """x_i = location_i + sqrt(r) t_block(i) + sqrt(1 - r) z_i with t, z standard normal: r correlates a block.

    A feature that is alone in its block is independent of all others, whatever r.

    Args:
        location: mean of each feature.
        block: of each feature, 0 to p - 1; features of one block share a factor.
        correlation: r.
        matters: whether the function depends on a feature.
    """

    location: Float[Tensor, " p"]
    block: Int[Tensor, " p"]
    correlation: float
    matters: Bool[Tensor, " p"]

    @classmethod
    def of(cls, kind: Kind, settings: PlantedInputs) -> "Distribution":
        """The distribution for a kind of function; features that matter stand anywhere among those that do not.

        Kinds with as many features share their means.
        """
        generator = generator_for(settings.seed, "planted: distribution")
        relevant = settings.features
        count = relevant + settings.irrelevant * kind.irrelevant
        location = 2 * torch.rand(count, dtype=torch.float64, generator=generator) - 1
        order = torch.randperm(count, generator=generator)  # those that matter first
        place = torch.arange(count)
        in_order = place // BLOCK if kind.correlated else place
        twins = min(relevant, settings.irrelevant // 2) if kind.irrelevant else 0
        in_order[relevant : relevant + twins] = in_order[:twins]
        block, matters = torch.empty_like(order), torch.zeros(count, dtype=torch.bool)
        block[order], matters[order[:relevant]] = in_order, True
        return cls(location, block, settings.correlation, matters)

    def draw(self, count: int, generator: torch.Generator) -> Float[Tensor, "{count} p"]:
        """Draw inputs, float64, on the CPU."""
        features = len(self.location)
        own, factors = torch.randn(2, count, features, dtype=torch.float64, generator=generator)
        of_block, alone = math.sqrt(self.correlation), math.sqrt(1 - self.correlation)
        x: Tensor = self.location + of_block * factors[:, self.block] + alone * own
        return x
