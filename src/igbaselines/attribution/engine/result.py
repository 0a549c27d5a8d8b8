"""What the engine takes for a function, and what an attribution is."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.tasks import PlayerMap

Progress = Callable[[int], object]


@runtime_checkable
class AffineStem(Protocol):
    """A network f(x) = after_stem(affine_stem(x)) that declares its first step to be affine.

    Interpolation then happens behind the stem, and the stem's transpose is applied once to the integrated
    gradient: exact, and the cost of the first layer no longer depends on the number of steps.
    """

    def affine_stem(self, x: Tensor) -> Tensor:
        """The affine first step, (m, *features) -> (m, *hidden)."""
        ...

    def after_stem(self, z: Tensor) -> Tensor:
        """The rest of the network, (m, *hidden) -> (m,) or (m, classes)."""
        ...


@runtime_checkable
class ClosedFormGradient(AffineStem, Protocol):
    """A network with one output whose gradient behind the stem is written out, and faster so than by autograd."""

    def gradient_after_stem(self, z: Tensor) -> Tensor:
        """The gradient of after_stem at each point, (m, *hidden) -> (m, *hidden), without a graph."""
        ...


@dataclass(frozen=True)
class MinimalDeletion:
    """What a search for D_alpha found, for each ranking, on the host.

    Args:
        d_alpha: number of absent players.
        score: the score without these players.
        reached: whether that score is at or under alpha f(x), or within the search's tolerance of it; False where
            f(x) is not positive, so that alpha f(x) is no drop.
        scored: points that were scored on the way, for each ranking as if it were the only one.
    """

    d_alpha: Int[Tensor, " r"]
    score: Float[Tensor, " r"]
    reached: Bool[Tensor, " r"]
    scored: Int[Tensor, " r"]

    def take(self, rows: slice, pairs: tuple[int, ...]) -> "MinimalDeletion":
        """Keep those of some inputs, where the rankings are of (n, k) pairs of an input and a baseline."""
        return MinimalDeletion(*(getattr(self, one.name).view(pairs)[rows].flatten() for one in fields(self)))


@dataclass(frozen=True)
class Attribution:
    """What a method gives: attributions, what is needed to judge them, and what they cost.

    Args:
        attributions: to the features, in the units of f's output; of averages the weighted sum over the baselines.
        per_baseline: Integrated Gradients of each baseline before weighting, or None where they were not
            kept.
        f_inputs: f at the inputs.
        f_baselines: f at the baselines.
        completeness_gap: for each pair the sum of its Integrated Gradients minus (f(x) - f(x')).
        weights: weight of each baseline; None where the weights differ from feature to feature.
        gradients: gradient points spent on each pair; where the paths do not start at the baselines, (n, 1): on each
            input. None: none.
        players: what each player gets; None of the bare engine, which knows no players.
        forwards: evaluations of f without a gradient that the attribution was made from, for each input; those at the
            inputs and the ends of paths, which only say how complete the result is, do not count. None: none.
        gives_up: in words what a method's attributions sum to, where they are not meant to sum to f(x) - f(x'); its gap
            is then no error.
        fitness: how fit each pair's baseline was found, pair (i, j) at i * k + j; None where nobody asked.
    """

    attributions: Float[Tensor, "n *features"]
    per_baseline: Float[Tensor, "n k *features"] | None
    f_inputs: Float[Tensor, " n"]
    f_baselines: Float[Tensor, "n k"]
    completeness_gap: Float[Tensor, "n k"]
    weights: Float[Tensor, "n k"] | None
    gradients: Int[Tensor, "n _"] | None
    players: Float[Tensor, "n p"] | None = None
    forwards: Int[Tensor, " n"] | None = None
    fitness: MinimalDeletion | None = None
    gives_up: str | None = None

    @property
    def gradient_points(self) -> Int[Tensor, " n"]:
        """Gradients spent on each input."""
        if self.gradients is None:
            return torch.zeros(len(self.attributions), dtype=torch.int64, device=self.attributions.device)
        return self.gradients.sum(dim=1)

    @property
    def evaluations(self) -> Int[Tensor, " n"]:
        """What was spent on each input: gradient points, and evaluations of f without a gradient."""
        return self.gradient_points if self.forwards is None else self.gradient_points + self.forwards

    @property
    def change(self) -> Float[Tensor, " n"]:
        """What complete attributions sum to: f(x) - sum_k w_k f(x'_k) (2505.03201, theorem 1), float64.

        NaN where the weights differ from feature to feature, or the method gives completeness up: no one number is what
        those attributions sum to.
        """
        if self.weights is None or self.gives_up is not None:
            return torch.full_like(self.f_inputs, torch.nan, dtype=torch.float64)
        return self.f_inputs.double() - (self.weights.double() * self.f_baselines.double()).sum(dim=1)

    def take(self, rows: slice) -> "Attribution":
        """Keep some of the inputs."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        fitness = None if self.fitness is None else self.fitness.take(rows, self.f_baselines.shape)
        taken: dict[str, Any] = {name: value[rows] for name, value in own.items() if isinstance(value, Tensor)}
        return replace(self, fitness=fitness, **taken)

    def of_baselines(self, columns: slice) -> "Attribution":
        """Keep some of the baselines; the attributions stay those of all."""
        assert self.per_baseline is not None, "keep_per_baseline=True keeps what is taken here"
        k = self.per_baseline.shape[1]  # of which each has taken as many evaluations
        return replace(
            self,
            per_baseline=self.per_baseline[:, columns],
            f_baselines=self.f_baselines[:, columns],
            completeness_gap=self.completeness_gap[:, columns],
            weights=None,
            gradients=None if self.gradients is None else self.gradients[:, columns],
            forwards=None if self.forwards is None else self.forwards * len(range(*columns.indices(k))) // k,
        )

    def reweighted(self, weights: Float[Tensor, "n k"], players: PlayerMap | None = None) -> "Attribution":
        """Average the kept Integrated Gradients of each baseline with other weights.

        Args:
            weights: of each pair; they sum to one for each input.
            players: which features are one player; None leaves the players out.
        """
        assert self.per_baseline is not None, "keep_per_baseline=True keeps what is averaged here"
        attributions = torch.einsum("nk,nk...->n...", weights.to(self.per_baseline), self.per_baseline)
        sums = None if players is None else players.sums(attributions)
        return replace(self, attributions=attributions, weights=weights.clone(), players=sums)
