"""What searches for baselines have in common: the network's outputs and gradients, and steps towards a level set."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.tasks import Background

# From the network's outputs, (m,) or (m, classes), and the places of their inputs to what shall become zero.
Level: TypeAlias = Callable[[Float[Tensor, "m ..."], Int[Tensor, " m"]], Float[Tensor, " m"]]

PICTURES_AT_ONCE, ROWS_AT_ONCE = 8, 4096
TINY = 1e-30  # under the square of a gradient that is none


class Asked:
    """The network of a background, asked in chunks.

    Raises:
        ValueError: where the background was not told of a network, as that of every task is.
    """

    def __init__(self, background: Background) -> None:
        if background.network is None:
            raise ValueError("these baselines are found by asking the network: they are of tasks alone")
        self.network, self.targets = background.network, background.targets
        self.low, self.high = background.bounds()
        # Steps are in units of the features' ranges; one without a range stays what it is.
        self.square = (self.high - self.low).square()

    def outputs(self, points: Float[Tensor, "m *features"]) -> Float[Tensor, "m ..."]:
        """Return all outputs at some points, without a graph."""
        with evaluation_mode(self.network), torch.no_grad():
            return torch.cat([self.network(some.clone()) for some in points.split(_at_once(points))])

    def level(self, level: Level, points: Float[Tensor, "n *features"]) -> Float[Tensor, " n"]:
        """Return the level at a point of every input."""
        return level(self.outputs(points), torch.arange(len(points), device=points.device))

    def step(
        self, level: Level, points: Float[Tensor, "n *features"], share: float = 1.0
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n *features"]]:
        """Return the level at the points, and where a linear one would be (1 - share) of it; within the ranges.

        For a level that is nowhere negative this is the step of Polyak (1987).
        """
        found, moved = [], []
        rows = torch.arange(len(points), device=points.device)
        with evaluation_mode(self.network), torch.inference_mode(False), torch.enable_grad():
            for some, z in zip(rows.split(_at_once(points)), points.split(_at_once(points)), strict=True):
                leaf = z.detach().clone().requires_grad_()
                value = level(self.network(leaf.clone()), some)
                (gradient,) = torch.autograd.grad(value.sum(), leaf)
                slope = (self.square * gradient.square()).flatten(1).sum(dim=1).clamp_min(TINY)
                size = (share * value.detach() / slope).view(-1, *[1] * (z.dim() - 1))
                moved.append((z - size * self.square * gradient).clamp(self.low, self.high))
                found.append(value.detach())
        return torch.cat(found), torch.cat(moved)


def _at_once(points: Tensor) -> int:
    return PICTURES_AT_ONCE if points.dim() == 4 else ROWS_AT_ONCE
