"""Whether attributions foretell what the absence of players does: infidelity and faithfulness correlation.

Both draw random sets of players, put them to an imputer's values, and compare the sum of their attributions with the
fall of the explained output. They follow the output that is explained, and not the score that deletion follows: an
attribution is a share of a change of that output, and of no other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

from igbaselines.attribution.shapley.exact import Game
from igbaselines.metrics.base import MOVES, Maps, Quantity, Scores, why_no_imputer
from igbaselines.tasks import Imputer, Task, draw, for_each, lots

MEMBERS_AT_ONCE = 2**22  # bytes that say which players are absent, of some inputs at a time
# A spread below this share of the values is what a float32 network rounds by, and correlates with nothing.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class _Removal:
    """Random sets of players put to an imputer's values.

    Of several values that an imputer gives each set takes one, drawn in proportion to its weight.

    Args:
        imputer: what absent players become; by name one of the task's.
        draws: random sets of players an input.
        name: in the rows; empty for the metric's own.
    """

    imputer: Imputer | str = "mean"
    draws: int = 100
    name: str = ""

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise ValueError(f"{type(self).__name__} needs at least two random sets of players, got {self.draws}")

    @property
    def _suffix(self) -> str:
        """What tells this metric's label from that of the same with another imputer."""
        if not self.name:
            return ""
        return f" ({self.imputer if isinstance(self.imputer, str) else self.name})"

    def why_not(self, task: Task) -> str | None:
        """Any task can be judged that has the imputer, or whose inputs the imputer is for."""
        return why_no_imputer(self.imputer, task)

    def _absent(self, players: int, generator: torch.Generator) -> Bool[Tensor, "draws p"]:
        """The players that are absent in each draw."""
        raise NotImplementedError

    def _sums_and_falls(
        self, task: Task, attributions: Maps, generator: torch.Generator
    ) -> tuple[Float64[Tensor, "n draws"], Float64[Tensor, "n draws"]]:
        """For each draw the sum of the absent players' attributions, and by how much the explained output falls."""
        own = task.player_map.sums(attributions.double())
        blocks = list(self._rows(len(own), task.player_map.count))
        key = (id(self), generator.get_state().numpy().tobytes())
        if key in task.memory:  # no attribution changes what falls: other methods have asked already
            _, removed = task.memory[key]
        else:
            removed = self._removed(task, blocks, generator)
            if len(blocks) == 1:
                removed = list(removed)
                task.memory[key] = self, removed  # this metric lives as long as its key, and no other gets its id
        found = []
        for rows, (gone, falls) in zip(blocks, removed, strict=True):
            sums = (gone.to(own.dtype) @ own[rows.start : rows.stop].unsqueeze(2)).squeeze(2)
            found.append((sums, falls))
        sums, falls = (torch.cat(part) for part in zip(*found, strict=True))
        return sums, falls

    def _removed(
        self, task: Task, blocks: Sequence[range], generator: torch.Generator
    ) -> Iterator[tuple[Bool[Tensor, "b draws p"], Float64[Tensor, "b draws"]]]:
        """The absent players of each draw, and by how much the explained output falls, block by block of the inputs."""
        values, weights = draw(task.imputer(self.imputer), task.inputs, task.background, generator)
        absent, device = for_each(values, task.inputs), task.inputs.device
        game = Game(task.f, task.inputs, absent, weights, task.players, task.targets, task.max_batch)
        for rows in blocks:
            members = [self._absent(game.players, generator) for _ in rows]
            chosen = torch.multinomial(
                lots(weights).expand(len(rows), -1), self.draws, replacement=True, generator=generator
            )
            gone = torch.stack(members).to(device)
            worth = self._worth(game, torch.tensor(list(rows), device=device), gone, chosen.to(device))
            yield gone, worth[:, :1] - worth[:, 1:]

    def _rows(self, inputs: int, players: int) -> Iterator[range]:
        most = max(1, MEMBERS_AT_ONCE // (self.draws * players))
        return (range(start, min(start + most, inputs)) for start in range(0, inputs, most))

    def _worth(
        self, game: Game, rows: Int[Tensor, " b"], gone: Bool[Tensor, "b draws p"], chosen: Int[Tensor, "b draws"]
    ) -> Float64[Tensor, "b points"]:
        """The output of some inputs, whole at first and then without the players of each draw."""
        present = torch.cat([torch.ones_like(gone[:, :1]), ~gone], dim=1).flatten(0, 1)
        value = torch.nn.functional.pad(chosen, (1, 0)).flatten()
        points = self.draws + 1
        worth = game.worth(
            len(present), lambda index: (rows[index // points], present.index_select(0, index), value[index])
        )
        return worth.view(len(rows), points)


@dataclass(frozen=True)
class Infidelity(_Removal):
    """Mean squared error of the attributions' sums as a forecast of the output's fall (Yeh et al. 2019, def. 2.1).

    It is captum's `infidelity` with perturbations that put players to an imputer's values, where the attributions of
    players, which have the distance to a baseline in them, meet ones and zeros; Gaussian noise asks for attributions
    without it, that is for gradients. How many players are absent is drawn uniformly from 1 to all, and then which.

    It can be fooled by its perturbations: the best explanation of all is the Shapley values for this very imputer, and
    squares let the inputs with the largest outputs count most.

    Args:
        normalise: scale the attributions of each input by the factor that serves them best, as captum's `normalize`.
    """

    normalise: bool = True

    @property
    def quantity(self) -> Quantity:
        """Lower is better."""
        return Quantity(self.name or "infidelity", f"infidelity{self._suffix}", "output squared", "lower", MOVES)

    def score(self, task: Task, attributions: Maps, generator: torch.Generator) -> Scores:
        """Return the infidelities; attributions of zero foretell that nothing changes, which is an error like any."""
        sums, falls = self._sums_and_falls(task, attributions, generator)
        if self.normalise:
            power = sums.square().sum(1, keepdim=True)
            sums = sums * ((sums * falls).sum(1, keepdim=True) / power.where(power > 0, torch.ones_like(power)))
        return (sums - falls).square().mean(1)

    def _absent(self, players: int, generator: torch.Generator) -> Bool[Tensor, "draws p"]:
        counts = torch.randint(1, players + 1, (self.draws, 1), generator=generator)
        return _random_ranks(self.draws, players, generator) < counts


@dataclass(frozen=True)
class FaithfulnessCorrelation(_Removal):
    """Correlation of the attributions' sums with the output's fall, over random sets of one size (Bhatt et al. 2020).

    Pearson's, their mu_F (arXiv:2005.00631); known as MuFidelity where sets are of players instead of features. The
    same as quantus' `FaithfulnessCorrelation` where every feature is a player.

    It can be fooled by players that carry the same information: the absence of one is made up for by the others, and
    an honest share of each then foretells nothing.

    Args:
        share: of the players, that are absent in each set; at least one of them, and at most all but one.
    """

    share: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share < 1:
            raise ValueError(f"the share of absent players must lie in (0, 1), got {self.share}")

    @property
    def quantity(self) -> Quantity:
        """Higher is better."""
        name = self.name or "faithfulness_correlation"
        return Quantity(name, f"faithfulness correlation{self._suffix}", better="higher", question=MOVES)

    def why_not(self, task: Task) -> str | None:
        """Sets of one size are all the same where there is one player."""
        return "there is one player" if task.player_map.count < 2 else super().why_not(task)

    def score(self, task: Task, attributions: Maps, generator: torch.Generator) -> Scores:
        """Return the correlations; NaN where the sums, or the falls, are the same for all sets."""
        sums, falls = self._sums_and_falls(task, attributions, generator)
        rounding = NEGLIGIBLE * task.player_map.sums(attributions.double()).abs().amax(1, keepdim=True)
        a, b = (values - values.mean(1, keepdim=True) for values in (sums, falls))
        negligible = (a.abs() <= rounding).all(1) | (b.abs() <= NEGLIGIBLE * falls.abs().amax(1, keepdim=True)).all(1)
        found: Tensor = (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()
        return found.clamp(-1, 1).masked_fill(negligible, torch.nan)

    def _absent(self, players: int, generator: torch.Generator) -> Bool[Tensor, "draws p"]:
        count = min(max(1, round(self.share * players)), players - 1)
        return _random_ranks(self.draws, players, generator) < count


def _random_ranks(draws: int, players: int, generator: torch.Generator) -> Int[Tensor, "draws p"]:
    """The players in random order, one a draw."""
    return torch.rand(draws, players, generator=generator).argsort(dim=1)
