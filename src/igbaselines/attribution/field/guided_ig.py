"""Guided IG: features with small gradients move first (Kapishnikov et al. 2021, arXiv:2106.09788, algorithm 1).

Every step lessens the distance to the input, sum_i |x_i - z_i|, by an even share. It takes the gradient once, and moves
that `fraction` of the features which have the smallest |g_i| until the distance is what it should be; features that
have arrived make way for the next. Each stays within `max_dist` of the straight path. All pairs walk at once.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.engine.hooks import Gradients


@dataclass(frozen=True)
class Guided:
    """The walk of Guided IG, which follows the gradient; as steps go to zero its sum is f(x) - f(x').

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
        """Move the features of small gradients until so much of the distance is left.

        They go in groups of `fraction`, of those with the same gradient all at once: whole groups to where they may go
        at most, and the last one as far as it takes.
        """
        z = corridor.not_behind(here)
        reach, size = (corridor.ahead - z).abs(), gradient.abs()
        size = size.masked_fill(reach == 0, torch.inf)  # these have arrived
        ordered = _sorted(size)
        excess = ((z - corridor.ends).abs().sum(dim=1) - left).clamp_min(0)[:, None]
        last = int(self.fraction * (z.shape[1] - 1))  # place of a group's last one
        count = torch.zeros_like(excess, dtype=torch.int64)  # how many go, with the last group
        whole = some = torch.full_like(excess, -1)  # the largest gradients of those that go whole, and of all that go
        before = within = torch.zeros_like(excess)  # the distance that these make good
        while (short := within < excess).any():  # the host waits for the device here
            limit = ordered.gather(1, (count + last).clamp_max(z.shape[1] - 1))
            further = torch.where(short, torch.searchsorted(ordered, limit, right=True), count)
            if torch.equal(further, count):
                break  # all have arrived, but for rounding
            count, whole, some = further, torch.where(short, some, whole), torch.where(short, limit, some)
            before, made = torch.where(short, within, before), (reach * (size <= limit)).sum(dim=1, keepdim=True)
            within = torch.where(short, made, within)
        part = ((excess - before) / torch.where(within > before, within - before, 1)).clamp(0, 1)
        moved = torch.where(part < 1, z + part * (corridor.ahead - z), corridor.ahead)
        return torch.where(size <= whole, corridor.ahead, torch.where(size <= some, moved, z))


def _sorted(rows: Float[Tensor, "p d"]) -> Float[Tensor, "p d"]:
    """Sort every row; on a CPU by numpy, which takes a twentieth of torch's time for a photograph: no indices."""
    if rows.device.type == "cpu":
        return torch.from_numpy(np.sort(rows.detach().numpy(), axis=1))
    return rows.sort(dim=1).values


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
