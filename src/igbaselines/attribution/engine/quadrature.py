"""Quadrature rules on [0, 1], along the straight path from a baseline to an input.

The path integral of Integrated Gradients (Sundararajan et al. 2017, eq. 1) becomes a weighted sum over nodes.
A rule is an object: it carries its own number of nodes, and the engine needs to know nothing else about it.
"""

import functools
import math
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

# The nodes, s of every path or (*pairs, s), and their weights (s,), both float64.
Nodes: TypeAlias = tuple[Float[Tensor, "*pairs s"], Float[Tensor, " s"]]

GOLDEN = (math.sqrt(5) - 1) / 2


@runtime_checkable
class QuadratureRule(Protocol):
    """Nodes in [0, 1] and weights that sum to one; those of two sides are exact for a linear function."""

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the nodes and their weights.

        A fixed rule returns the same nodes (s,) for every (input, baseline) pair; a random one draws them for
        each of `pairs` from `generator`.
        """
        ...


@dataclass(frozen=True)
class _FixedRule:
    """A rule whose nodes are the same for every path.

    Args:
        n_steps: number of nodes, at least as many as make the rule exact on linear functions.
    """

    fewest: ClassVar[int] = 1
    n_steps: int

    def __post_init__(self) -> None:
        if isinstance(self.n_steps, bool) or not isinstance(self.n_steps, Integral):
            raise ValueError(f"n_steps of a {type(self).__name__} rule is a whole number, got {self.n_steps!r}")
        if self.n_steps < self.fewest:
            needed = "one step" if self.fewest == 1 else "two steps"
            raise ValueError(f"a {type(self).__name__} quadrature rule needs at least {needed}, got {self.n_steps}")


@dataclass(frozen=True)
class Midpoint(_FixedRule):
    """Midpoint rule: the second-order rule that never evaluates at the baseline itself."""

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the nodes and weights."""
        nodes = (torch.arange(self.n_steps, dtype=torch.float64) + 0.5) / self.n_steps
        return nodes, torch.full_like(nodes, 1 / self.n_steps)


@dataclass(frozen=True)
class Trapezoid(_FixedRule):
    """Trapezoidal rule with both end points, whose weights are halved: they sum to one."""

    fewest: ClassVar[int] = 2

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the nodes and weights."""
        nodes = torch.linspace(0, 1, self.n_steps, dtype=torch.float64)
        weights = torch.full_like(nodes, 1 / (self.n_steps - 1))
        weights[[0, -1]] /= 2
        return nodes, weights


@dataclass(frozen=True)
class LeftRiemann(_FixedRule):
    """Left Riemann sum: each step counts as at its start, so that differences of f from node to node sum up."""

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the nodes and weights."""
        nodes = torch.arange(self.n_steps, dtype=torch.float64) / self.n_steps
        return nodes, torch.full_like(nodes, 1 / self.n_steps)


@dataclass(frozen=True)
class RightRiemann(_FixedRule):
    """Right Riemann sum: each step counts as at its end, as in the released code of Blur IG."""

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the nodes and weights."""
        nodes = torch.arange(1, self.n_steps + 1, dtype=torch.float64) / self.n_steps
        return nodes, torch.full_like(nodes, 1 / self.n_steps)


@dataclass(frozen=True)
class GaussLegendre(_FixedRule):
    """Gauss-Legendre rule: exact to degree 2 * n_steps - 1, so few nodes do for a smooth network."""

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the nodes and weights."""
        nodes, weights = _legendre(self.n_steps)
        return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)


@functools.cache
def _legendre(steps: int) -> tuple[Float64[np.ndarray, " s"], Float64[np.ndarray, " s"]]:
    """Nodes and weights on [-1, 1], once a process.

    From 64 nodes on numpy's eigenvalues take all cores, whose threads go on spinning afterwards, and the engine's wait:
    solved for every call, paths of 64 nodes took more than twice as long a node as paths of 50.
    """
    return np.polynomial.legendre.leggauss(steps)


@dataclass(frozen=True)
class AtInput:
    """The end of the path alone: from zero it gives gradient x input (Shrikumar et al. 2016), which no path is."""

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Return the input's place."""
        return torch.ones(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)


@dataclass(frozen=True)
class RandomPoint:
    """One uniform point on each path: the Monte Carlo estimate of expected gradients (Erion et al. 2021).

    Unlike the fixed rules it integrates a linear function exactly in expectation only.
    """

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Draw a node for each pair.

        Raises:
            ValueError: without a generator, since nothing reads global random state.
        """
        if generator is None:
            raise ValueError("RandomPoint draws its nodes: pass generator=torch.Generator(...)")
        nodes = torch.rand(*pairs, 1, dtype=torch.float64, generator=generator, device=generator.device)
        return nodes, torch.ones(1, dtype=torch.float64)


@dataclass(frozen=True)
class Rotated(_FixedRule):
    """Even nodes that shift from baseline to baseline: a rank-1 lattice over (baseline, position), for averages.

    The shift of baseline k is frac(u + k (sqrt(5) - 1) / 2), with a uniform u for each input (Cranley and Patterson
    1976). As of a `RandomPoint` every node is uniform on its path, and averages are right in expectation alone; but
    baselines that are near each other in their order are met at places that are not. The map of a single baseline is
    that of a shifted rectangle rule, and as poor.
    """

    def nodes_and_weights(self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Nodes:
        """Draw the shift of each input, and place the nodes of its baselines, the last of `pairs`.

        Raises:
            ValueError: without a generator, since nothing reads global random state.
        """
        if generator is None:
            raise ValueError("Rotated draws its shifts: pass generator=torch.Generator(...)")
        *inputs, k = pairs or (1,)
        first = torch.rand(*inputs, 1, dtype=torch.float64, generator=generator, device=generator.device)
        shift = (first + torch.arange(k, device=first.device) * GOLDEN).frac().unsqueeze(-1)
        nodes = (torch.arange(self.n_steps, device=first.device) + shift) / self.n_steps
        return nodes, torch.full((self.n_steps,), 1 / self.n_steps, dtype=torch.float64)
