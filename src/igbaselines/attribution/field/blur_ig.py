"""Blur IG: from a blurred picture to the picture, through scale space (Xu et al. 2020, arXiv:2004.03383).

    phi_i = integral_0^1 g_i(z(a)) * dz_i/da da,    z(a): x, blurred with sigma(a) = max_sigma * (1 - a)^power

The paper and its released code (saliency) go down evenly in sigma, power 1, by a right Riemann sum; their option `sqrt`
is power 1/2. Most of what a network sees changes while sigma is below a pixel or two, so that even steps of sigma miss
it unless there are many; a higher power has more nodes there. Black stands behind the edges in the released code, and
the slope is a difference between two blurs; both are choices here.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.budget import Budget
from igbaselines.attribution.engine.path import path_attribution
from igbaselines.attribution.engine.quadrature import Midpoint, QuadratureRule
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.image_baselines import gaussian_kernel, gaussian_kernel_slope, spread
from igbaselines.tasks import Task

MOST_NODES = 128  # of a path for a budget


@dataclass(frozen=True)
class ScaleSpace:
    """The path of Blur IG.

    Args:
        max_sigma: of the Gaussian where the path starts [pixels].
        power: of the way that is still to go; 1 takes even steps of sigma.
        mirrored: whether the picture is mirrored at its edges, so that colours stay what they were; else black is
            behind them.
        difference: the slope is that between sigma and so much more [pixels]; None takes the derivative.
    """

    pictures_only: ClassVar[bool] = True
    max_sigma: float = 50.0
    power: float = 1.0
    mirrored: bool = True
    difference: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("max_sigma", self.max_sigma), ("power", self.power), ("difference", self.difference)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} of a ScaleSpace is positive, got {value}")

    def start(self, pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the pictures where their paths start."""
        return self._at(pictures, self.max_sigma)

    def points_and_moves(
        self,
        inputs: Float[Tensor, "p c h w"],
        baselines: Float[Tensor, "p c h w"],
        nodes: Float[Tensor, "p s"],
    ) -> tuple[Float[Tensor, "p s c h w"], Float[Tensor, "p s c h w"]]:
        """Return the blurred pictures, and how they change; the nodes of all pairs are the same."""
        points, moves = [], []
        for left in (1 - nodes[0].double()).tolist():
            sigma = self.max_sigma * left**self.power
            blurred = self._at(inputs, sigma)
            points.append(blurred)
            to_sigma = -self.power * self.max_sigma * left ** (self.power - 1) if left > 0 or self.power == 1 else 0.0
            moves.append(to_sigma * self._slope(inputs, sigma, blurred) if to_sigma else torch.zeros_like(inputs))
        return torch.stack(points, dim=1), torch.stack(moves, dim=1)

    def _at(self, pictures: Tensor, sigma: float) -> Tensor:
        if sigma == 0:
            return pictures
        down, across = (_matrix(size, sigma, self.mirrored, False) for size in pictures.shape[-2:])
        return down.to(pictures) @ pictures @ across.to(pictures).T

    def _slope(self, pictures: Tensor, sigma: float, blurred: Tensor) -> Tensor:
        if self.difference is not None:
            return (self._at(pictures, sigma + self.difference) - blurred) / self.difference
        if sigma == 0:
            return torch.zeros_like(pictures)
        down, across = (_matrix(size, sigma, self.mirrored, False).to(pictures) for size in pictures.shape[-2:])
        grows_down, grows_across = (
            _matrix(size, sigma, self.mirrored, True).to(pictures) for size in pictures.shape[-2:]
        )
        return grows_down @ pictures @ across.T + down @ pictures @ grows_across.T


@lru_cache(maxsize=512)  # of a path's nodes, for chunk after chunk
def _matrix(size: int, sigma: float, mirrored: bool, slope: bool) -> Tensor:
    return spread(size, gaussian_kernel_slope(sigma) if slope else gaussian_kernel(sigma), mirrored)


@dataclass(frozen=True)
class BlurIG:
    """Integrated gradients along a path of blurred pictures.

    Args:
        path: how they are blurred.
        rule: the quadrature rule, the same for all pictures.
    """

    path: ScaleSpace = field(default_factory=ScaleSpace)
    rule: QuadratureRule = field(default_factory=lambda: Midpoint(32))

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Attribute the task's function to pixels and players; baselines are the blurred pictures."""
        starts = self.path.start(task.inputs)[:, None]
        found = path_attribution(
            task.f, task.inputs, starts, None, self.rule, task.targets, task.max_batch, path=self.path
        )
        return replace(found, players=task.player_map.sums(found.attributions))

    def within(self, task: Task, budget: Budget) -> "BlurIG":
        """The method for a budget: as many nodes as it pays for, at most `MOST_NODES`.

        Raises:
            TooSmallBudgetError: where the budget does not pay for a node.
        """
        rule: Any = self.rule
        return replace(self, rule=replace(rule, n_steps=min(MOST_NODES, budget.pays(gradients=1))))
