"""What may take the place of the straight path, of the gradient, and of nodes that know nothing of f.

The engine integrates moves x gradient over nodes of a path. A `Path` says where the nodes are and which way the path
goes there; a `Walk` finds its way by the gradients it meets; an `Integrand` makes of gradients, moves and f at the
nodes what a pair's features get; a rule that is `FollowsOutput` places nodes and coefficients by f along each path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.engine.adaptive import Adaptive
from igbaselines.attribution.engine.quadrature import QuadratureRule

Gradients = Callable[[Float[Tensor, "m *features"], Int[Tensor, " p"]], Float[Tensor, "m *features"]]


@runtime_checkable
class Path(Protocol):
    """A path from each baseline to its input."""

    def points_and_moves(
        self,
        inputs: Float[Tensor, "p *features"],
        baselines: Float[Tensor, "p *features"],
        nodes: Float[Tensor, "p s"],
    ) -> tuple[Float[Tensor, "p s *features"], Float[Tensor, "p _ *features"]]:
        """Return the points at the nodes, and there the derivative of the path; of a straight one once a pair."""
        ...


@runtime_checkable
class Walk(Protocol):
    """A path that is found step by step, by the gradients on it."""

    def walk(
        self,
        gradients: Gradients,
        inputs: Float[Tensor, "p *features"],
        baselines: Float[Tensor, "p *features"],
        rows: Int[Tensor, " p"],
        n_steps: int,
    ) -> Float[Tensor, "p *features"]:
        """Walk all pairs at once and return the sums of gradient x move.

        Args:
            gradients: of f at points (m, *features); the second argument gives the input of each.
            inputs: the end of each pair's path.
            baselines: its start.
            rows: the input of each pair.
            n_steps: gradients of each pair.
        """
        ...


@runtime_checkable
class Integrand(Protocol):
    """What is summed along a path in the place of coefficient x gradient x move.

    Attributes:
        needs_values: whether it asks for f at the nodes.
        gives_up: in words what its sum is, where that is not f(x) - f(x'); None where attributions are complete.
    """

    @property
    def needs_values(self) -> bool:
        """Whether it asks for f at the nodes."""
        ...

    @property
    def gives_up(self) -> str | None:
        """What attributions sum to, if not to f(x) - f(x')."""
        ...

    def integrate(
        self,
        gradients: Float[Tensor, "p s *features"],
        moves: Float[Tensor, "p _ *features"],
        coefficients: Float[Tensor, "p s"],
        values: Float[Tensor, "p t"] | None,
    ) -> Float[Tensor, "p *features"]:
        """Return what features get of some steps of some pairs; those of further steps are added.

        Args:
            gradients: of f at the nodes.
            moves: derivative of the path there, or one a pair.
            coefficients: of the rule.
            values: f at the nodes and at the one behind the last, which behind all is the input: t = s + 1. None where
                nobody asked.
        """
        ...


@runtime_checkable
class FollowsOutput(QuadratureRule, Protocol):
    """A rule whose nodes and coefficients follow f along each path, which is asked at `probes` first.

    Attributes:
        gives_up: as that of an integrand.
    """

    @property
    def gives_up(self) -> str | None:
        """What attributions sum to, if not to f(x) - f(x')."""
        ...

    def probes(self) -> Float[Tensor, " t"]:
        """Where on the path f is asked, float64."""
        ...

    def follow(
        self, values: Float[Tensor, "*pairs t"], ends: tuple[Float[Tensor, "*pairs"], Float[Tensor, "*pairs"]]
    ) -> tuple[Float[Tensor, "*pairs s"], Float[Tensor, "*pairs s"]]:
        """Return nodes and coefficients of each pair, float64, as many as `nodes_and_weights` has.

        Args:
            values: f at the probes.
            ends: f at the baseline and at the input.
        """
        ...


@dataclass(frozen=True)
class Straight:
    """The straight path, which Integrated Gradients take (Sundararajan et al. 2017)."""

    def points_and_moves(
        self,
        inputs: Float[Tensor, "p *features"],
        baselines: Float[Tensor, "p *features"],
        nodes: Float[Tensor, "p s"],
    ) -> tuple[Float[Tensor, "p s *features"], Float[Tensor, "p 1 *features"]]:
        """Return the points, and the way from baseline to input."""
        moves = (inputs - baselines).unsqueeze(1)
        return torch.addcmul(baselines.unsqueeze(1), like_features(nodes, moves), moves), moves


@dataclass(frozen=True)
class GradientTimesMove:
    """The integrand of Integrated Gradients, for paths that are not straight."""

    needs_values: bool = False
    gives_up: str | None = None

    def integrate(
        self,
        gradients: Float[Tensor, "p s *features"],
        moves: Float[Tensor, "p _ *features"],
        coefficients: Float[Tensor, "p s"],
        values: Float[Tensor, "p t"] | None,
    ) -> Float[Tensor, "p *features"]:
        """Sum coefficient x gradient x move."""
        return (like_features(coefficients, gradients) * gradients * moves).sum(dim=1)


def like_features(of_nodes: Float[Tensor, "p s"], like: Float[Tensor, "p _ *features"]) -> Float[Tensor, "p s ..."]:
    """Give values of nodes dimensions of one, so that they multiply features."""
    return of_nodes.reshape(*of_nodes.shape, *[1] * (like.dim() - 2))


def check_hooks(rule: QuadratureRule, path: Path | Walk | None, integrand: Integrand | None) -> None:
    """Refuse what does not go together, or is none of these.

    Raises:
        ValueError: in words.
    """
    if path is not None and not isinstance(path, Path | Walk):
        raise ValueError(f"path has points_and_moves(...) or walk(...), {type(path).__name__} has neither")
    if integrand is not None and not isinstance(integrand, Integrand):
        raise ValueError(f"integrand has integrate(...), needs_values and gives_up; {type(integrand).__name__} has not")
    if isinstance(rule, Adaptive) and (path is not None or integrand is not None):
        raise ValueError("an Adaptive rule goes along straight paths and takes gradients: take another rule")
    if isinstance(path, Walk) and (integrand is not None or isinstance(rule, FollowsOutput)):
        raise ValueError(f"{type(path).__name__} finds its own way: it takes no integrand and no rule that follows f")


def given_up(rule: QuadratureRule, integrand: Integrand | None) -> str | None:
    """What attributions sum to, if not to f(x) - f(x')."""
    follows = rule.gives_up if isinstance(rule, FollowsOutput) else None
    return follows if integrand is None or integrand.gives_up is None else integrand.gives_up
