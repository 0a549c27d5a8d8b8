"""Deletion and insertion curves and their areas (2505.03201, section 6.1 and Appendix A).

The score of an input while its players (pixels, patches, columns of a table) go in the order of their importance, or
come in that order. How many are gone at which point is a grid: that of the paper's text, or that of its released code.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.perturbation import Perturbed, nearest_count
from igbaselines.metrics.base import MOVES, Maps, Quantity, Scores, why_no_imputer
from igbaselines.tasks import Imputer, Task
from igbaselines.tasks.players import check_ranking


@runtime_checkable
class PerturbationGrid(Protocol):
    """The points of a curve: how many players are absent (deletion) or present (insertion), and their positions."""

    def positions(self) -> Float[Tensor, " points"]:
        """Return the position of each point in [0, 1], rising, float64; `area` integrates over it."""
        ...

    def counts(self, importance: Float[Tensor, "r p"]) -> Int[Tensor, "r points"]:
        """Return the number of most important players at each point, int64."""
        ...


@dataclass(frozen=True)
class ShareGrid:
    """The paper's grid: the share (k / steps) ** power of the pixels for k = 0..steps, from none to all.

    The count is rounded to the nearest, halves up. The area is over [0, 1], so that a score which stays at s has
    area s. Deletion curves fall at the beginning: with power 2, 40 steps have the error of 100 equal ones.

    Args:
        steps: number of steps between none and all, at least 1.
        power: 1 for equal steps, as in the paper; 2 for steps that grow.
    """

    steps: int = 100
    power: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.power < 1:
            raise ValueError(f"a grid needs steps and power of at least one, got {self.steps} and {self.power}")

    def positions(self) -> Float[Tensor, " points"]:
        """Return the shares of the pixels."""
        return (torch.arange(self.steps + 1, dtype=torch.float64) / self.steps) ** self.power

    def counts(self, importance: Float[Tensor, "r p"]) -> Int[Tensor, "r points"]:
        """Return the number of most important players at each point."""
        players = importance.shape[1]
        part = torch.arange(self.steps + 1) ** self.power
        return nearest_count(torch.full_like(part, players), part, self.steps**self.power).expand(len(importance), -1)


@dataclass(frozen=True)
class PercentileGrid:
    """The released code's grid: the pixels at or over the p-th percentile of the importance, for p = 0..99.

    It runs the other way and lacks one end: p = 0 takes every pixel, p = 99 the most important hundredth, and there is
    no point without any. Pixels of equal importance go together, so a constant map takes all pixels at every p.
    Percentiles are numpy's (linear interpolation), in exact arithmetic. The area is the trapezoid over p of the code,
    a 0..99 scale, divided by 100: a score which stays at s has area 0.99 s.
    """

    def positions(self) -> Float[Tensor, " points"]:
        """Return p / 100: about the share of the pixels that are left out."""
        return torch.arange(100, dtype=torch.float64) / 100

    def counts(self, importance: Float[Tensor, "r p"]) -> Int[Tensor, "r points"]:
        """Return the number of pixels at or over each percentile."""
        ordered = importance.sort(dim=1).values
        pixels = ordered.shape[1]
        # The percentile lies at p (pixels - 1) / 100 in the order. Interpolated there, it is over the value below, if
        # they differ, and not over the value above: the pixels from it on are those from the value above on.
        above = -(-torch.arange(100, device=importance.device) * (pixels - 1) // 100)
        return pixels - torch.searchsorted(ordered, ordered[:, above].contiguous())


def area(curves: Float[Tensor, "r points"], grid: PerturbationGrid) -> Float[Tensor, " r"]:
    """Area under each curve of this grid by the trapezoidal rule over its positions, float64."""
    positions = grid.positions().to(curves.device)
    if curves.shape[1] != len(positions):
        raise ValueError(f"curves {tuple(curves.shape)} do not fit a grid of {len(positions)} points")
    return torch.trapezoid(curves.double(), positions, dim=1)


def perturbation_curves(perturbed: Perturbed, grid: PerturbationGrid, keep: bool = False) -> Float[Tensor, "r points"]:
    """Score inputs while their most important players go (deletion), or come (insertion).

    With `ShareGrid` a deletion curve goes from the input itself to its fill, an insertion curve the other way; values
    and area are in the score's range, [0, 1] for a probability. Of equally important players the first goes first
    (`PercentileGrid` takes them together). An importance that is NaN and a score that is not finite raise a ValueError.
    """
    counts = grid.counts(perturbed.importance)
    ranking = perturbed.alike[:, None].expand_as(counts)
    return perturbed.scores(ranking.flatten(), counts.flatten(), keep).reshape(counts.shape)


@dataclass(frozen=True)
class DeletionAUC:
    """Area under the deletion curve, or (`insertion`) under the insertion curve.

    It can be fooled by what absent players become: an imputer that makes inputs the network has never seen moves the
    score by itself, and favours methods that were made with the same imputer.

    Args:
        imputer: what absent players become; by name one of the task's.
        grid: at which counts of absent players the score is taken.
        ranking: how players are ordered, `signed` or `magnitude`.
        insertion: whether players come instead of go; then higher is better.
        name: in the rows; empty for deletion_auc or insertion_auc.
    """

    imputer: Imputer | str = "zero"
    grid: PerturbationGrid = field(default_factory=ShareGrid)
    ranking: str = "signed"
    insertion: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        check_ranking(self.ranking)

    @property
    def quantity(self) -> Quantity:
        """Lower is better for deletion, higher for insertion."""
        kind = "insertion" if self.insertion else "deletion"
        of_imputer = f" ({self.imputer if isinstance(self.imputer, str) else self.name})" if self.name else ""
        name = self.name or f"{kind}_auc"
        return Quantity(name, f"AUC of {kind}{of_imputer}", "score", "higher" if self.insertion else "lower", MOVES)

    def why_not(self, task: Task) -> str | None:
        """Any task can be judged that has the imputer, or whose inputs the imputer is for."""
        return why_no_imputer(self.imputer, task)

    def curves(
        self,
        task: Task,
        attributions: Float[Tensor, "r *features"],
        explained: Int[Tensor, " r"],
        generator: torch.Generator,
    ) -> Float[Tensor, "r points"]:
        """The curves behind the areas, of any number of attributions of the inputs `explained`."""
        imputer = task.imputer(self.imputer)
        perturbed = Perturbed.of(task, attributions, explained, imputer, self.ranking, generator)
        return perturbation_curves(perturbed, self.grid, self.insertion)

    def score_of(
        self,
        task: Task,
        attributions: Float[Tensor, "r *features"],
        explained: Int[Tensor, " r"],
        generator: torch.Generator,
    ) -> Float[Tensor, " r"]:
        """Return the areas of any number of attributions of the inputs `explained`."""
        return area(self.curves(task, attributions, explained, generator), self.grid)

    def score(self, task: Task, attributions: Maps, generator: torch.Generator) -> Scores:
        """Return the areas."""
        return self.score_of(task, attributions, torch.arange(len(attributions)), generator)
