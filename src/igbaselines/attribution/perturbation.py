"""Scores of inputs whose most important players are absent: under deletion, insertion and D_alpha (2505.03201, 4.1).

A player is absent or present with all its features: a pixel with its channels, a column of a table, a patch. One rule
orders players wherever they are ranked: the most important first, and of equals the one that comes first.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.engine.chunking import halved, unless_memory_runs_out
from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.randomness import POINTS, no_random_numbers
from igbaselines.common.devices import sent
from igbaselines.common.randomness import generator_for
from igbaselines.tasks import PlayerMap, Score, Task, impute
from igbaselines.tasks.imputers import Imputer

PICTURES_AT_ONCE, ROWS_AT_ONCE = 8, 4096


def player_ranks(importance: Float[Tensor, "*batch p"]) -> Int[Tensor, "*batch p"]:
    """Rank players, int32: 0 is the most important one, p - 1 the least, and of equals the first comes first.

    Raises:
        ValueError: where an importance is NaN and so has no place in any order.
    """
    if torch.isnan(importance).any():
        raise ValueError(f"importance must be a number for every player, but {int(importance.isnan().sum())} are NaN")
    # Adding zero turns -0.0 into 0.0, which a radix sort (CUDA) may tell apart.
    order = (importance + 0.0).argsort(dim=-1, descending=True, stable=True)
    places = torch.arange(importance.shape[-1], dtype=torch.int32, device=importance.device).expand_as(order)
    return torch.empty_like(order, dtype=torch.int32).scatter_(-1, order, places)


def nearest_count(players: Int[Tensor, "*shape"], part: Int[Tensor, "*shape"], whole: int) -> Int[Tensor, "*shape"]:
    """Return players * part / whole rounded to the nearest integer, halves up, in integer arithmetic."""
    return (2 * players * part + whole) // (2 * whole)


def points_at_once(task: Task) -> int:
    """How many points of a task are scored at once, where memory allows."""
    return task.max_batch or (PICTURES_AT_ONCE if task.is_picture else ROWS_AT_ONCE)


@dataclass(frozen=True)
class Perturbed:
    """Inputs whose players go in the order of rankings, and what becomes of their scores.

    Which points are scored, and what comes of it, stands on the host: it waits for a GPU once for all of them.

    Args:
        score: the scored output.
        inputs: with all their players.
        fills: the same inputs with all players absent.
        players: of the inputs.
        importance: of the players, a row for each ranking, higher is more important.
        input_of_rank: the input that each ranking belongs to; kept on the host.
        max_batch: the largest number of points scored at once.

    Raises:
        ValueError: where shapes or indices do not fit, or an importance is NaN.
    """

    score: Score
    inputs: Float[Tensor, "n *features"]
    fills: Float[Tensor, "n *features"]
    players: PlayerMap
    importance: Float[Tensor, "r p"]
    input_of_rank: Int[Tensor, " r"]
    max_batch: int

    @classmethod
    def of(
        cls,
        task: Task,
        attributions: Float[Tensor, "r *features"],
        input_of_rank: Int[Tensor, " r"],
        imputer: Imputer,
        ranking: str,
        generator: torch.Generator,
    ) -> "Perturbed":
        """Order the players of a task's inputs by attributions, any number of them for an input.

        `input_of_rank` says which of them each explains; `ranking` is that of `PlayerMap.importance`.
        """
        fills = impute(imputer, task.inputs, task.background, generator)
        importance = task.player_map.importance(attributions, ranking)
        most = points_at_once(task)
        return cls(task.followed, task.inputs, fills, task.player_map, importance, input_of_rank, most)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_of_rank", self.input_of_rank.cpu().long())
        inputs, fills, importance, of = (
            tuple(some.shape) for some in (self.inputs, self.fills, self.importance, self.input_of_rank)
        )
        if fills != inputs:
            raise ValueError(f"fills {fills} do not fit inputs {inputs}: one fill an input")
        if importance[1:] != (self.players.count,):
            raise ValueError(f"importance {importance} does not fit {self.players.count} players: one value each")
        if of != importance[:1]:
            raise ValueError(f"input_of_rank {of} does not fit {importance[0]} rankings: one input each")
        if self.max_batch < 1:
            raise ValueError(f"max_batch must be at least 1, got {self.max_batch}")
        _check_range("input_of_rank", self.input_of_rank, inputs[0] - 1)

    @cached_property
    def ranks(self) -> Int[Tensor, "r p"]:
        """Rank of each player in each ranking."""
        return player_ranks(self.importance)

    @property
    def rankings(self) -> Int[Tensor, " r"]:
        """The rankings by their number."""
        return torch.arange(len(self.importance))

    @cached_property
    def alike(self) -> Int[Tensor, " r"]:
        """For each ranking the first of its input that orders the players alike: their points are the same, and equal.

        Rankings are compared by a random sum each, and then whole.
        """
        ranks, of = self.ranks, self.input_of_rank.to(self.ranks.device)
        odd = generator_for(len(of), "perturbation: alike")
        factors = torch.randint(2**62, (ranks.shape[1] + 1,), generator=odd).to(ranks.device)
        key = (ranks * factors[1:]).sum(dim=1) + of * factors[0]
        every = torch.arange(len(of), device=of.device)
        _, group = torch.unique(key, return_inverse=True)
        first = torch.full_like(group, len(of)).scatter_reduce(0, group, every, "amin")[group]
        same = (ranks == ranks[first]).all(dim=1) & (of == of[first])
        return torch.where(same, first, every).cpu()

    def scores(self, ranking: Int[Tensor, " m"], counts: Int[Tensor, " m"], keep: bool = False) -> Float[Tensor, " m"]:
        """Score inputs in which the most important players are absent, or in which only those are present.

        Points are made and scored max_batch at a time without a graph, all modules in evaluation mode: memory does not
        grow with m, and the values do not depend on max_batch beyond the network's own rounding. Equal points are
        scored once: the same players of the same ranking, and whatever the ranking an input of which none or all are
        absent.

        Args:
            ranking: for each wanted score its ranking.
            counts: for each wanted score the number of most important players that are absent, 0..p.
            keep: keep these players and leave out the others (insertion).

        Raises:
            ValueError: where indices or counts do not fit, where the score draws random numbers, or is not finite.
        """
        ranking, counts = ranking.cpu(), counts.cpu()
        if ranking.shape != counts.shape or len(counts) == 0:
            shapes = f"ranking {tuple(ranking.shape)} and counts {tuple(counts.shape)}"
            raise ValueError(f"{shapes} name the points: same length")
        _check_range("ranking", ranking, len(self.importance) - 1)
        _check_range("counts", counts, self.players.count)
        ranking, counts, inverse = self._distinct(ranking, counts)
        asked = sent(torch.stack([ranking, counts, self.input_of_rank[ranking]]), self.inputs.device)
        scores: list[Tensor] = []
        done, most = 0, self.max_batch
        drawn = no_random_numbers(lambda: self._score_chunk(asked[:, :POINTS], keep))
        with evaluation_mode(self.score), torch.no_grad(), drawn:
            while done < len(counts):
                chunk = slice(done, done + most)
                some = unless_memory_runs_out(self._score_chunk, asked[:, chunk], keep)
                if some is None:  # memory ran out: halve the chunk and take it again
                    most = halved(len(counts[chunk]), "picture" if self.inputs.dim() == 4 else "point")
                    continue
                scores.append(some)
                done += len(some)
        distinct_scores = torch.cat(scores).cpu()
        _check_finite(torch.isfinite(distinct_scores), ranking, counts)
        return distinct_scores[inverse]

    def at_all(self, count: int) -> Float[Tensor, " r"]:
        """Scores of every ranking without the same number of players."""
        return self.scores(self.rankings, torch.full_like(self.rankings, count))

    def _score_chunk(self, asked: Int[Tensor, "3 m"], keep: bool) -> Float[Tensor, " m"]:
        ranking, counts, source = asked
        top = self.ranks[ranking] < counts[:, None]
        points = torch.where(self.players.mask(~top if keep else top), self.fills[source], self.inputs[source])
        values = self.score(points, source)
        if values.shape != source.shape:
            raise ValueError(f"score returned {tuple(values.shape)} for {len(source)} points: one value each")
        return values

    def _distinct(
        self, ranking: Int[Tensor, " m"], counts: Int[Tensor, " m"]
    ) -> tuple[Int[Tensor, " d"], Int[Tensor, " d"], Int[Tensor, " m"]]:
        """The distinct points as rankings and counts, and for each wanted score the index of its point."""
        source, players = self.input_of_rank, self.players.count
        # The whole and the empty input stand under the first ranking of their input, whoever asks for them.
        first = torch.full((len(self.inputs),), len(source))
        first = first.scatter_reduce(0, source, self.rankings, "amin")
        is_end = (counts == 0) | (counts == players)
        shared = torch.where(is_end, first[source[ranking]], ranking)
        key, inverse = torch.unique(shared * (players + 1) + counts, return_inverse=True)
        return key // (players + 1), key % (players + 1), inverse


def _check_range(name: str, values: Tensor, most: int) -> None:
    low, high = (int(value) for value in values.aminmax())
    if low < 0 or high > most:
        raise ValueError(f"{name} must lie in 0..{most}, got {low}..{high}")


def _check_finite(finite: Bool[Tensor, " d"], ranking: Int[Tensor, " d"], counts: Int[Tensor, " d"]) -> None:
    if not finite.all():
        bad = int((~finite).nonzero()[0])
        raise ValueError(
            f"{int((~finite).sum())} scores are not finite; the first with {int(counts[bad])} players "
            f"of ranking {int(ranking[bad])} absent"
        )
