"""Player values that every task can be given: exact Shapley values, or sampled ones with their Monte Carlo error."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.attribution.shapley.sampled import sampled_shapley_values
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import KnownAgreement
from igbaselines.metrics.base import Scores
from igbaselines.tasks import Lazy, Task, draw, for_each

MOST_PLAYERS = 13  # whose 2^p coalitions are evaluated; of more players orders are sampled
MOST_SAMPLED = 1024  # of more, such as pixels, nothing is known: an order takes an evaluation for each


@dataclass(frozen=True)
class Known:
    """A task with known values, and where they are sampled two halves of them, which say how well they are known."""

    task: Task
    halves: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] | None

    @classmethod
    def of(cls, task: Task, orders: int, seed: int) -> "Known":
        """Add Shapley values by imputer to a task that knows none; each is computed when a metric asks for it.

        Args:
            task: to be judged.
            orders: pairs of orders that are sampled where there are more than MOST_PLAYERS players.
            seed: of the run.
        """
        if task.known or task.player_map.count > MOST_SAMPLED:
            return cls(task, None)
        if task.player_map.count <= MOST_PLAYERS:
            return cls(replace(task, known=Lazy(task.imputers, partial(_exact, task, seed))), None)
        first, second = (Lazy(task.imputers, partial(_sampled, task, orders // 2, seed, half)) for half in range(2))
        known = Lazy(task.imputers, lambda name: (first[name] + second[name]) / 2)
        return cls(replace(task, known=known), (first, second))

    def ceiling(self, metric: KnownAgreement) -> Scores | None:
        """How well one half of the sample agrees with the other: near it methods are told apart by chance alone."""
        if self.halves is None:
            return None
        first, second = self.halves
        maps = self.task.player_map.spread(second[metric.known or next(iter(second))])
        return metric.score(replace(self.task, known=first), maps, generator_for(0))


def _exact(task: Task, seed: int, imputer: str) -> Float[Tensor, "n p"]:
    absent, weights = _absent(task, seed, imputer)
    found = exact_shapley_values(task.f, task.inputs, absent, weights, task.players, task.targets, task.max_batch)
    return found.values


def _sampled(task: Task, orders: int, seed: int, half: int, imputer: str) -> Float[Tensor, "n p"]:
    absent, weights = _absent(task, seed, imputer)
    generator, players = _generator(task, seed, imputer, 1 + half), task.players
    found = sampled_shapley_values(
        task.f, task.inputs, absent, orders, generator, weights, players, task.targets, task.max_batch
    )
    return found.values


def _absent(task: Task, seed: int, imputer: str) -> tuple[Float[Tensor, "n r *features"], Float[Tensor, " r"]]:
    """What absent players become: the same for both halves of a sample."""
    absent, weights = draw(task.imputers[imputer], task.inputs, task.background, _generator(task, seed, imputer, 0))
    return for_each(absent, task.inputs), weights


def _generator(task: Task, seed: int, imputer: str, part: int) -> torch.Generator:
    return generator_for(seed, "comparison: known values", task.name, imputer, part)
