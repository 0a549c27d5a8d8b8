"""Which coalitions an estimator of Shapley values takes: a sample of each input, or all of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.shapley.coalitions import (
    all_coalitions,
    exact_weights,
    exclusion_weights,
    sample_coalitions,
)
from igbaselines.attribution.shapley.exact import Choice, Game
from igbaselines.common.devices import sent
from igbaselines.tasks import Imputer, Task, draw, for_each, lots


@dataclass(frozen=True)
class Coalitions:
    """Coalitions of every input.

    Args:
        members: who keeps the value of the input; on the CPU.
        absent: index of the absent value that the others take; on the CPU.
        share: weight of these coalitions among all there are.
        table: weight of each coalition for each player, the same for all inputs; None to average each player over the
            coalitions that exclude it.
    """

    members: Bool[Tensor, "n k p"]
    absent: Int[Tensor, "n k"]
    share: float = 1.0
    table: Float[Tensor, "k p"] | None = None

    def weights(self, rows: slice, columns: slice) -> Float[Tensor, "b c p"]:
        """Weights of a block of coalitions, float64; over all of an input they sum to `share` for each player."""
        if self.table is not None:
            return self.share * self.table[columns].expand(rows.stop - rows.start, -1, -1)
        return self.share * exclusion_weights(self.members[rows])[:, columns]

    def choices(self, game: Game, rows: slice, columns: slice) -> Choice:
        """A block of coalitions, one after the other, on the device of the game."""
        device = game.inputs.device
        members, absent = sent(self.members[rows, columns], device), sent(self.absent[rows, columns], device)
        row_of = torch.arange(rows.start, rows.stop, device=device).repeat_interleave(members.shape[1])
        return row_of, members.flatten(0, 1), absent.flatten()

    def blocks(self, most: int) -> Iterator[tuple[slice, slice]]:
        """Cut (inputs, coalitions) into blocks of at most `most` coalitions, whole inputs where they fit."""
        n, k, _ = self.members.shape
        some_rows, some_columns = max(1, most // k), max(1, min(k, most))
        for row in range(0, n, some_rows):
            for column in range(0, k, some_columns):
                yield slice(row, min(n, row + some_rows)), slice(column, min(k, column + some_columns))


@dataclass(frozen=True)
class CoalitionMethod:
    """What both methods are made of; arguments as there."""

    few_players: ClassVar[bool] = True  # coalitions of a picture's single pixels would be too many to sample
    imputer: Imputer | str = "zero"
    coalitions: int | None = 64
    paired: bool = False
    uniform_sizes: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.coalitions is not None and self.coalitions < 1:
            raise ValueError(f"at least one coalition of each input is needed, got {self.coalitions}")

    def _game(self, task: Task, generator: torch.Generator) -> Game:
        """The task as a game of its players."""
        absent, weights = draw(task.imputer(self.imputer), task.inputs, task.background, generator)
        return Game(
            task.f, task.inputs, for_each(absent, task.inputs), weights, task.players, task.targets, task.max_batch
        )

    def _draw_coalitions(self, game: Game, generator: torch.Generator) -> Iterator[Coalitions]:
        """Draw the coalitions of all inputs at once, so that they do not depend on blocks; or take them all."""
        n = len(game.inputs)
        if self.coalitions is None:
            # The coalition of all has no one outside.
            members, table = all_coalitions(game.players)[:-1], exact_weights(game.players)[:-1]
            for absent, share in enumerate(game.shares):
                index = torch.full((1, 1), absent).expand(n, len(members))
                yield Coalitions(members.expand(n, -1, -1), index, share, table)
            return
        members = sample_coalitions(game.players, n, self.coalitions, generator, self.paired, self.uniform_sizes)
        shares = torch.tensor(game.shares, dtype=torch.float64)
        chosen = torch.multinomial(lots(shares), n * self.coalitions, replacement=True, generator=generator)
        yield Coalitions(members, chosen.view(n, self.coalitions))
