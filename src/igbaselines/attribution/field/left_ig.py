"""Left-IG: Integrated Gradients of the part of the path before f saturates (Miglani et al. 2020, arXiv:2010.12697).

The path ends early, at the first place a* where f has made a given share of its change from baseline to input:

    phi_i = (x_i - x'_i) * integral_0^{a*} g_i(a) da,    a* = min {a: (f(a) - f(0)) / (f(1) - f(0)) >= share}

Attributions sum to f(a*) - f(0), about `share` of the change. Some code cuts at a share of the largest f on the path
instead (chasewalker26/Integrated-Decision-Gradients), which moves with any constant that is added to f.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.engine.quadrature import GaussLegendre, Nodes, QuadratureRule


@dataclass(frozen=True)
class Unsaturated:
    """Nodes on the left part of each path; where that ends is found among even places, between which f is linear.

    Args:
        n_steps: nodes of the part, by the rule of Gauss-Legendre.
        share: of the change of f that the part makes, in (0, 1].
        n_probes: places at which f is asked, beside the baseline and the input.
    """

    gives_up: ClassVar[str | None] = "f at the end of the unsaturated part minus f(x'), about `share` of f(x) - f(x')"
    n_steps: int = 32
    share: float = 0.9
    n_probes: int = 15

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is a share of the change of f in (0, 1], got {self.share}")
        if self.n_probes < 1:
            raise ValueError(f"n_probes counts places on the path, got {self.n_probes}")

    @property
    def _rule(self) -> QuadratureRule:
        return GaussLegendre(self.n_steps)

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the nodes of a path that is not cut."""
        return self._rule.nodes_and_weights(pairs, generator)

    def probes(self) -> Float[Tensor, " t"]:
        """Return even places between baseline and input."""
        return torch.arange(1, self.n_probes + 1, dtype=torch.float64) / (self.n_probes + 1)

    def follow(
        self, values: Float[Tensor, "*pairs t"], ends: tuple[Float[Tensor, "*pairs"], Float[Tensor, "*pairs"]]
    ) -> tuple[Float[Tensor, "*pairs s"], Float[Tensor, "*pairs s"]]:
        """Shrink nodes and weights to the part; where f(x) = f(x') all of the path stays."""
        start, end = (each.unsqueeze(-1) for each in ends)
        change = torch.where(end == start, 1, end - start)
        made = (torch.cat([start, values, end], dim=-1) - start) / change
        there = made[..., 1:] >= self.share
        there[..., -1] = True
        first = there.int().argmax(dim=-1, keepdim=True)
        before, after = made.gather(-1, first), made.gather(-1, first + 1)
        within = (self.share - before) / torch.where(after == before, 1, after - before)
        cut = (first + within.clamp(0, 1)) / (self.n_probes + 1)
        nodes, weights = (each.to(cut) for each in self.nodes_and_weights())
        whole = torch.where(end == start, 1, cut)
        return whole * nodes, whole * weights
