"""IDG: integrated decision gradients (Walker et al. 2024, arXiv:2305.20052).

Gradients count by how fast f changes where they are taken, and nodes crowd there:

    phi_i = (x_i - x'_i) * integral_0^1 g_i(a) * df/da(a) da,    df/da = sum_j (x_j - x'_j) g_j(a)

The sum over the features is the integral of (df/da)^2, not f(x) - f(x'): completeness is given up, and so is linearity
in f. Nodes stand at even shares of a density of the slope that f shows between even places on the path, lifted so that
the least slope has none, as in the paper. The released code drops the place of intervals without a node and takes a
mean over nodes where the paper has a sum; the maps are then out of place or scaled, which is not followed here.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.engine.hooks import like_features
from igbaselines.attribution.engine.quadrature import Midpoint, Nodes

GIVES_UP = "the integral of (df/da)^2 along the path"
FLOOR = 0.1  # of the nodes that are spread evenly, so that no part of the path is without


@dataclass(frozen=True)
class DecisionGradient:
    """Gradient x move, times the slope of f along the path."""

    needs_values: ClassVar[bool] = False
    gives_up: ClassVar[str | None] = GIVES_UP

    def integrate(
        self,
        gradients: Float[Tensor, "p s *features"],
        moves: Float[Tensor, "p _ *features"],
        coefficients: Float[Tensor, "p s"],
        values: Float[Tensor, "p t"] | None,
    ) -> Float[Tensor, "p *features"]:
        """Sum coefficient x slope x gradient x move."""
        parts = gradients * moves
        return (like_features(coefficients * parts.flatten(2).sum(dim=2), parts) * parts).sum(dim=1)


@dataclass(frozen=True)
class WhereOutputChanges:
    """Nodes where f rises most, with the coefficients that make them a quadrature rule.

    Args:
        n_steps: nodes of a path.
        n_probes: places at which f is asked, beside the baseline and the input.
    """

    gives_up: ClassVar[str | None] = None  # any integrand may be integrated so
    n_steps: int = 32
    n_probes: int = 15

    def __post_init__(self) -> None:
        if self.n_probes < 1:
            raise ValueError(f"n_probes counts places on the path, got {self.n_probes}")

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return even nodes."""
        return Midpoint(self.n_steps).nodes_and_weights()

    def probes(self) -> Float[Tensor, " t"]:
        """Return even places between baseline and input."""
        return torch.arange(1, self.n_probes + 1, dtype=torch.float64) / (self.n_probes + 1)

    def follow(
        self, values: Float[Tensor, "*pairs t"], ends: tuple[Float[Tensor, "*pairs"], Float[Tensor, "*pairs"]]
    ) -> tuple[Float[Tensor, "*pairs s"], Float[Tensor, "*pairs s"]]:
        """Return the places of even shares of the density, and one over the density there."""
        start, end = (each.unsqueeze(-1) for each in ends)
        slopes = torch.cat([start, values, end], dim=-1).diff(dim=-1)
        lifted = slopes - slopes.amin(dim=-1, keepdim=True)
        total = lifted.sum(dim=-1, keepdim=True)
        even = 1 / slopes.shape[-1]
        share = torch.where(total > 0, lifted / torch.where(total > 0, total, 1), even)
        share = FLOOR * even + (1 - FLOOR) * share  # of the nodes, in each interval
        cumulated = share.cumsum(dim=-1)
        nodes, weights = (each.to(share) for each in self.nodes_and_weights())
        wanted = nodes.expand(*share.shape[:-1], -1).contiguous()
        interval = torch.searchsorted(cumulated, wanted).clamp_max(slopes.shape[-1] - 1)
        before = (cumulated - share).gather(-1, interval)
        here = share.gather(-1, interval)
        return even * (interval + (wanted - before) / here), weights * even / here
