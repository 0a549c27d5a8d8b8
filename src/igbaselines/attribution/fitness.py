"""D_alpha: how few players have to go until the score has dropped (2505.03201, eq. 7 and section 4.2).

D_alpha(x, x') is the least number of players (the paper's pixels), taken in the order of the attributions for baseline
x', whose absence brings f(x) down to alpha f(x): the fewer, the better the baseline. The paper finds it by a binary
search, which takes for granted that the score falls from count to count.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from igbaselines.attribution.engine.result import MinimalDeletion
from igbaselines.attribution.image_baselines import CornerMean
from igbaselines.attribution.perturbation import Perturbed
from igbaselines.tasks import Imputer, Task
from igbaselines.tasks.players import check_ranking


@runtime_checkable
class DeletionSearch(Protocol):
    """A way to find D_alpha; all that it counts stands on the host."""

    def minimal_deletion(self, perturbed: Perturbed) -> MinimalDeletion:
        """Return D_alpha of each ranking."""
        ...

    def most_scored(self, players: int) -> int:
        """Points that are scored for a ranking at most."""
        ...


@dataclass(frozen=True)
class _Search:
    """What the searches share.

    Args:
        alpha: share of the score that is to be left, in (0, 1).
        tolerance: a count ends the search where its score is less than this from alpha f(x), in units of the score;
            0: none does.
        max_iterations: most rounds, in each of which every open ranking is scored.
    """

    alpha: float = 0.5
    tolerance: float = 0.005
    max_iterations: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha is the share of the score that is to be left, in (0, 1), got {self.alpha}")
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance is a distance between scores, at least 0, got {self.tolerance}")
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations must be at least 1, got {self.max_iterations}")

    def most_scored(self, players: int) -> int:
        """Points that are scored for a ranking at most: both ends, and one a bisection."""
        return 2 + min((players - 1).bit_length(), self.max_iterations)

    def _ends(self, perturbed: Perturbed) -> tuple[Float[Tensor, " r"], Int[Tensor, " r"], Float[Tensor, " r"]]:
        """The scores with all players, and the count of each ranking where a search ends at the latest, with its score.

        A score that is not positive has no share to fall to: its count is 1 from the start.
        """
        f_inputs = perturbed.at_all(0)
        high = torch.where(f_inputs > 0, perturbed.players.count, 1)
        return f_inputs, high, perturbed.scores(perturbed.rankings, high)

    def _reached(self, score: Float[Tensor, "*r"], target: Float[Tensor, "..."]) -> Bool[Tensor, "*r"]:
        return (score <= target) | ((score - target).abs() < self.tolerance)


@dataclass(frozen=True)
class BinarySearch(_Search):
    """The paper's binary search, for all rankings in lockstep; with more sections a k-section.

    A round cuts the bracket of every open ranking into sections and scores the counts between them, all in one stream
    of pictures. The bracket becomes the section which ends at the first of these counts that is at or under
    alpha f(x), or close to it: of several crossings the search follows the first that it sees, so more sections come
    nearer to the definition where the score does not fall from count to count. Where it does, and the tolerance is 0,
    the answer is the same for every number of sections. With a tolerance any count within it may end the search, and
    which one depends on the sections.

    A ranking is done where the score of a count is within the tolerance of alpha f(x), or where the bracket has
    closed: then D_alpha is the least count known to be at or under alpha f(x). Where the score falls from count to
    count and the tolerance is 0, that is the least count of all. D_alpha is at least 1, so that 1 / D_alpha is
    a weight:

    - everything masked is still over alpha f(x): D_alpha is the number of pixels, not reached;
    - f(x) is not positive: D_alpha is 1 for every ranking, not reached, so the image's baselines weigh the same;
    - max_iterations are over: the least count known to be at or under alpha f(x).

    The tolerance is absolute: where f(x) is so small that every score is within it, D_alpha is the first count of all
    that is scored, with two sections half of the pixels.

    Args:
        sections: into how many sections a round cuts a bracket, at least 2, with one picture less for every open
            ranking; 2 is the paper's search. More take fewer rounds, log(pixels) / log(sections), and more pictures:
            faster where a pass over few pictures takes as long as over many.
    """

    sections: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sections < 2:
            raise ValueError(f"sections must be at least 2, got {self.sections}")

    def minimal_deletion(self, perturbed: Perturbed) -> MinimalDeletion:
        """Return D_alpha of each ranking."""
        f_inputs, high, high_score = self._ends(perturbed)
        target, low, scored = self.alpha * f_inputs, torch.zeros_like(high), torch.full_like(high, 2)
        rankings = (self._reached(high_score, target) & (high > 1)).nonzero()[:, 0]
        for _ in range(self.max_iterations):
            if not len(rankings):
                break
            counts = self._between(low[rankings], high[rankings])
            scored[rankings] += 1 + (counts.diff(dim=1) > 0).sum(dim=1)  # equal counts are scored once
            some_scores = perturbed.scores(rankings.repeat_interleave(counts.shape[1]), counts.flatten())
            some_scores = some_scores.view_as(counts)
            distance = some_scores - target[rankings, None]
            close = distance.abs() < self.tolerance
            # The bracket's upper end stands last: at or under the target, wherever the others are.
            does = nn.functional.pad(close | (distance <= 0), (0, 1), value=True)
            first = does.int().argmax(dim=1, keepdim=True)
            below = torch.cat([low[rankings, None], counts], dim=1).gather(1, first)
            counts = torch.cat([counts, high[rankings, None]], dim=1).gather(1, first)
            some_scores = torch.cat([some_scores, high_score[rankings, None]], dim=1).gather(1, first)
            ends = nn.functional.pad(close, (0, 1), value=False).gather(1, first)
            low[rankings] = torch.where(ends, counts, below)[:, 0]
            high[rankings], high_score[rankings] = counts[:, 0], some_scores[:, 0]
            rankings = rankings[(high - low > 1)[rankings]]
        return MinimalDeletion(high, high_score, self._reached(high_score, target) & (f_inputs > 0), scored)

    def most_scored(self, players: int) -> int:
        """Points that are scored for a ranking at most: both ends, and those that cut its bracket."""
        scored, width = 2, players
        for _ in range(self.max_iterations):
            scored += min(self.sections, width) - 1
            width = -(-width // self.sections)
        return scored

    def _between(self, low: Int[Tensor, " m"], high: Int[Tensor, " m"]) -> Int[Tensor, "m inner"]:
        """The counts that cut each bracket into equal sections; in one narrower than that some are equal."""
        inner = torch.arange(1, self.sections)
        return torch.maximum(low[:, None] + (high - low)[:, None] * inner // self.sections, low[:, None] + 1)


BLOCK = 64  # counts that are scored of a ranking before it is looked whether one of them crosses


@dataclass(frozen=True)
class FirstCrossing(_Search):
    """Every count from 1 on, in order: the definition itself (eq. 7), whether or not the score falls all the way.

    Blocks of counts of all open rankings are scored in one stream; a ranking is done with the block that crosses. Any
    count before D_alpha might have crossed, so an exact answer takes D_alpha pictures, however they are batched.

    With a larger step every step-th count is looked at, and then those between the first of them that crosses and the
    one before: D_alpha / step + step pictures. What is found crosses, and is never below the definition; it is above
    it where the score came under alpha f(x) earlier, and was back over it within a step. `max_iterations` is of no use
    here.

    Args:
        step: from count to count, at least 1, which is exact.
    """

    step: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step < 1:
            raise ValueError(f"step must be at least 1, got {self.step}")

    def minimal_deletion(self, perturbed: Perturbed) -> MinimalDeletion:
        """Return D_alpha of each ranking."""
        f_inputs, high, high_score = self._ends(perturbed)
        target, low, scored = self.alpha * f_inputs, torch.zeros_like(high), torch.full_like(high, 2)
        for stride in sorted({self.step, 1}, reverse=True):
            rankings = (high - low > 1).nonzero()[:, 0]
            while len(rankings):
                counts = low[rankings, None] + stride * torch.arange(1, BLOCK + 1)
                counts = torch.minimum(counts, high[rankings, None] - 1)
                scored[rankings] += 1 + (counts.diff(dim=1) > 0).sum(dim=1)  # equal counts are scored once
                scores = perturbed.scores(rankings.repeat_interleave(BLOCK), counts.flatten()).view_as(counts)
                does = self._reached(scores, target[rankings, None])
                crosses, first = does.any(dim=1), does.int().argmax(dim=1, keepdim=True)
                before = torch.cat([low[rankings, None], counts], dim=1).gather(1, first)[:, 0]
                low[rankings] = torch.where(crosses, before, counts[:, -1])
                high[rankings[crosses]] = counts.gather(1, first)[crosses, 0]
                high_score[rankings[crosses]] = scores.gather(1, first)[crosses, 0]
                rankings = rankings[~crosses & (high - low > 1)[rankings]]
        return MinimalDeletion(high, high_score, self._reached(high_score, target) & (f_inputs > 0), scored)

    def most_scored(self, players: int) -> int:
        """Points that are scored for a ranking: both ends, every step-th count, and those of one step."""
        return 2 + -(-(players - 1) // self.step) + min(self.step, players) - 1


@dataclass(frozen=True)
class ReleasedSearch(_Search):
    """The search of the code released with 2505.03201, quirks included.

        low, high = 0, pixels
        while high > low and iterations < max_iterations:
            middle = (low + high) // 2
            score of the image without its `middle` most important pixels
            if |score - alpha f(x)| < tolerance: stop
            elif score > alpha f(x): low = middle
            else: high = middle
        D_alpha = the last middle

    - The lower end takes `middle` and not `middle + 1`: a bracket of two neighbours never closes from below, and the
      code scores the lower one until the iterations are over. The answer here is the same, without the scores.
    - The last count may be the lower end, whose score is over alpha f(x) by more than the tolerance: not reached.
    - The code takes the pixels by a slice `[-middle:]`, which is everything for middle = 0. D_alpha may be 0, and
      its score is then that of the fully masked image; its weight 1 / D_alpha is infinite, and whoever makes
      weights of it has to decide.
    - Not taken over: the code orders equal pixels by an unstable sort; here they follow `player_ranks`.
    """

    def minimal_deletion(self, perturbed: Perturbed) -> MinimalDeletion:
        """Return D_alpha of each ranking, 0 included."""
        f_inputs = perturbed.at_all(0)
        target = self.alpha * f_inputs
        low = torch.zeros_like(perturbed.rankings)
        high = torch.full_like(low, perturbed.players.count)
        low_score = target.clone()
        d_alpha, d_score = low.clone(), low_score.clone()
        rankings, scored = perturbed.rankings, torch.ones_like(low)
        for _ in range(self.max_iterations):
            middle = (low[rankings] + high[rankings]) // 2
            # The lower end again, which has been scored: from here on the code turns on the spot.
            spins = (middle == low[rankings]) & (middle > 0)
            d_alpha[rankings], d_score[rankings] = middle, low_score[rankings]
            rankings, middle = rankings[~spins], middle[~spins]
            if not len(rankings):
                break
            middle_score = perturbed.scores(rankings, torch.where(middle == 0, perturbed.players.count, middle))
            d_score[rankings] = middle_score
            scored[rankings] += 1
            distance = middle_score - target[rankings]
            above = distance > 0
            low[rankings] = torch.where(above, middle, low[rankings])
            low_score[rankings] = torch.where(above, middle_score, low_score[rankings])
            high[rankings] = torch.where(above, high[rankings], middle)
            # A middle of 0 comes back for ever, or ends the search: the answer is 0 either way.
            rankings = rankings[(distance.abs() >= self.tolerance) & (high > low)[rankings] & (middle > 0)]
        return MinimalDeletion(d_alpha, d_score, self._reached(d_score, target) & (f_inputs > 0), scored)


@dataclass(frozen=True)
class Fitness:
    """How fit a baseline is to explain an input: by the few players that its attributions need to bring f down (eq. 7).

    Args:
        search: finds D_alpha.
        mask: what absent players become while a baseline is judged; by name one of the task's imputers.
        ranking: how players are ordered, `signed` or `magnitude` (`PlayerMap.importance`).
    """

    search: DeletionSearch = field(default_factory=BinarySearch)
    mask: Imputer | str = field(default_factory=CornerMean)
    ranking: str = "signed"

    def __post_init__(self) -> None:
        check_ranking(self.ranking)

    def d_alpha(
        self, task: Task, per_baseline: Float[Tensor, "n k *features"], generator: torch.Generator
    ) -> MinimalDeletion:
        """Search D_alpha of the Integrated Gradients of all pairs in lockstep; pair (i, j) stands at i * k + j."""
        n, k = per_baseline.shape[:2]
        source = torch.arange(n).repeat_interleave(k)
        maps, mask = per_baseline.flatten(0, 1), task.imputer(self.mask)
        return self.search.minimal_deletion(Perturbed.of(task, maps, source, mask, self.ranking, generator))
