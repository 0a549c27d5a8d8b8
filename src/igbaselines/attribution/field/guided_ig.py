"""Guided IG: features with small gradients move first (Kapishnikov et al. 2021, arXiv:2106.09788, algorithm 1).

Every step lessens the distance to the input, sum_i |x_i - z_i|, by an even share. It takes the gradient once, and moves
that `fraction` of the features which have the smallest |g_i| until the distance is what it should be; features that
have arrived make way for the next. Each stays within `max_dist` of the straight path. All pairs walk at once.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.engine.hooks import Gradients


@dataclass(frozen=True)
class Guided:
    """The walk of Guided IG; it follows the gradient, so implementation counts, but its sum is f(x) - f(x').

    Args:
        fraction: of the features that move at a time, in (0, 1].
        max_dist: how far a feature may be from the straight path, in shares of its way; 0 gives Integrated Gradients
            by a left Riemann sum, 1 lets it go anywhere between baseline and input.
    """

    fraction: float = 0.25
    max_dist: float = 0.02

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction is a share of the features in (0, 1], got {self.fraction}")
        if not 0 <= self.max_dist <= 1:
            raise ValueError(f"max_dist is a share of the way in [0, 1], got {self.max_dist}")

    def walk(
        self,
        gradients: Gradients,
        inputs: Float[Tensor, "p *features"],
        baselines: Float[Tensor, "p *features"],
        rows: Int[Tensor, " p"],
        n_steps: int,
    ) -> Float[Tensor, "p *features"]:
        """Walk all pairs and return the sums of gradient x move."""
        ends, starts = inputs.flatten(1), baselines.flatten(1)
        here, total = starts.clone(), torch.zeros_like(ends)
        whole = (ends - starts).abs().sum(dim=1)
        for step in range(n_steps):
            gradient = gradients(here.view(inputs.shape), rows).flatten(1)
            corridor = _Corridor.of(starts, ends, (step + 1) / n_steps, self.max_dist)
            there = self._step(here, gradient, corridor, whole * (1 - (step + 1) / n_steps))
            total += gradient * (there - here)
            here = there
        return total.view(inputs.shape)

    def _step(
        self,
        here: Float[Tensor, "p d"],
        gradient: Float[Tensor, "p d"],
        corridor: "_Corridor",
        left: Float[Tensor, " p"],
    ) -> Float[Tensor, "p d"]:
        """Move the features of small gradients until so much of the distance is left."""
        z = corridor.not_behind(here)
        # Of those with the smallest gradients as many as the place in their order says, and all that equal the last.
        place = int(self.fraction * (z.shape[1] - 1))
        size, arrived = gradient.abs(), z == corridor.ahead
        tolerance = 1e-9 * torch.maximum(left, left.new_ones(()))
        if z.dtype != torch.float64:
            tolerance = torch.finfo(z.dtype).eps * corridor.whole
        for _ in range(z.shape[1] + 1):  # a round ends a pair's step or brings a feature to where it may go
            excess = (z - corridor.ends).abs().sum(dim=1) - left
            going = (excess > tolerance) & ~arrived.all(dim=1)
            if not going.any():  # the host waits for the device here
                break
            cost = size.masked_fill(arrived, torch.inf)
            limit = cost.kthvalue(place + 1, dim=1, keepdim=True).values
            chosen: Bool[Tensor, "p d"] = (cost <= limit) & ~arrived & going[:, None]
            reach = ((z - corridor.ahead).abs() * chosen).sum(dim=1)
            part = torch.where(reach > 0, excess / torch.where(reach > 0, reach, 1), 1).clamp_max(1)[:, None]
            moved = torch.where(part < 1, z + part * (corridor.ahead - z), corridor.ahead)
            z = torch.where(chosen, moved, z)
            arrived = arrived | (z == corridor.ahead)
        return z


@dataclass(frozen=True)
class _Corridor:
    """Where features may be at the end of a step: between `behind` and `ahead`, both on the straight path."""

    behind: Float[Tensor, "p d"]
    ahead: Float[Tensor, "p d"]
    ends: Float[Tensor, "p d"]
    whole: Float[Tensor, " p"]

    @classmethod
    def of(cls, starts: Tensor, ends: Tensor, alpha: float, max_dist: float) -> "_Corridor":
        way = ends - starts
        least, most = max(alpha - max_dist, 0.0), min(alpha + max_dist, 1.0)
        ahead = ends if most == 1 else starts + most * way
        return cls(starts + least * way, ahead, ends, way.abs().sum(dim=1))

    def not_behind(self, here: Float[Tensor, "p d"]) -> Float[Tensor, "p d"]:
        """Bring features that lag to where they may be."""
        lags = (self.ends - here).abs() > (self.ends - self.behind).abs()
        return torch.where(lags, self.behind, here)
