"""Shapley Integrated Gradients (2310.04821), and the classical sampler of Shapley values that it is compared with.

Both replace the players outside a coalition S by an absent value, such as zero, and average over coalitions in
proportion to their Shapley weights. Shapley Integrated Gradients moves all players outside S at once, from x_S to x,
and divides the change of f among them by Integrated Gradients. The Shapley sampler moves one player alone, from x_S
to x_{S+i}: its marginal contribution. The two agree where f is additive, not in general.

    SIG:     phi_i = mean over S without i of (x - x_S)_i * integral_0^1 g_i(x_S + a (x - x_S)) da
    sampler: phi_i = mean over S without i of v(S + i) - v(S),    v(S) = f(x_S)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.budget import Budget
from igbaselines.attribution.engine.path import path_attribution
from igbaselines.attribution.engine.quadrature import GaussLegendre, QuadratureRule
from igbaselines.attribution.engine.refusals import asked_together
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.shapley.draws import CoalitionMethod, Coalitions
from igbaselines.attribution.shapley.exact import Choice, ExactShapley, Game, exact_shapley_values
from igbaselines.common.devices import sent
from igbaselines.tasks import Task

__all__ = ["ExactShapley", "ShapleyIG", "ShapleySampling", "exact_shapley_values"]

BLOCK_BYTES = 32 * 2**20  # of the baselines, or of the steps of players, that are built at a time
STEP_BYTES = 64  # a step has two indices, its place among the steps, a weight, two values and their difference


@dataclass(frozen=True)
class ShapleyIG(CoalitionMethod):
    """Shapley Integrated Gradients (2310.04821): IG from x_S to x, each player averaged over the S that exclude it.

    Args:
        imputer: gives the values of players outside a coalition; of several each coalition takes one, drawn by weight.
            By name one of the task's.
        coalitions: sampled for each input (`sample_coalitions`); None takes all 2^p with their exact weights and every
            absent value, the paper's Q = 1.
        paired: sample coalitions in antithetic pairs.
        uniform_sizes: sample all sizes of coalitions alike, and not in proportion to their Shapley weights.
        rule: the quadrature rule of each path.
    """

    rule: QuadratureRule = field(default_factory=lambda: GaussLegendre(8))

    @asked_together()
    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Attribute the task's function to players and features.

        Baselines are the x_S, in the order of the coalitions; no weights are returned, since they differ by feature.

        Raises:
            ValueError: as `path_attribution`, and for all coalitions of too many players.
        """
        game, inputs = self._game(task, generator), task.inputs
        attributions, f_inputs = torch.zeros_like(inputs), inputs.new_empty(len(inputs))
        f_baselines, gaps, gradients = [], [], []
        for coalitions in self._draw_coalitions(game, generator):
            f_start, gap = inputs.new_empty(coalitions.absent.shape), inputs.new_empty(coalitions.absent.shape)
            spent = torch.zeros_like(gap, dtype=torch.int64)
            for rows, columns in coalitions.blocks(_most_pairs(inputs)):
                starts = game.points(*coalitions.choices(game, rows, columns))
                weights = sent(coalitions.weights(rows, columns).to(starts.dtype), starts.device)
                starts = starts.view(*weights.shape[:2], *starts.shape[1:])
                weights = weights[:, :, game.map.player_of]
                inputs_here, target = game.inputs[rows], task.targets
                # Of all inputs it is one that has been read before, for which the host need not wait.
                if target is not None and len(inputs_here) < len(inputs):
                    target = target[rows]
                result = path_attribution(
                    task.f, inputs_here, starts, weights, self.rule, target, task.max_batch, generator=generator
                )
                attributions[rows] += result.attributions
                f_inputs[rows] = result.f_inputs
                f_start[rows, columns], gap[rows, columns] = result.f_baselines, result.completeness_gap
                assert result.gradients is not None
                spent[rows, columns] = result.gradients
            f_baselines.append(f_start)
            gaps.append(gap)
            gradients.append(spent)
        f_start, gap, spent = (torch.cat(each, dim=1) for each in (f_baselines, gaps, gradients))
        return Attribution(attributions, None, f_inputs, f_start, gap, None, spent, game.map.sums(attributions))

    def within(self, task: Task, budget: Budget) -> "ShapleyIG":
        """The method for a budget: paths keep their nodes, and there are as many coalitions as it pays for.

        Raises:
            TooSmallBudgetError: where the budget does not pay for one.
        """
        return replace(self, coalitions=budget.pays(gradients=getattr(self.rule, "n_steps", 1)))


@dataclass(frozen=True)
class ShapleySampling(CoalitionMethod):
    """The classical sampler: v(S+i) - v(S) of every sampled S and every i outside it, averaged over the S excluding i.

    Args:
        imputer: as of `ShapleyIG`.
        coalitions: as of `ShapleyIG`; without a rule, all coalitions give the exact Shapley values.
        paired: as of `ShapleyIG`.
        uniform_sizes: as of `ShapleyIG`.
        rule: quadrature of the path from x_S to x_{S+i}, which divides a player's value among its features; None
            spreads it evenly and takes no gradients.
    """

    rule: QuadratureRule | None = None

    @asked_together()
    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Attribute the task's function to players and features.

        Baselines are the absent values, and the gap of each is the sum over players minus (f(x) - f(absent)).

        Raises:
            ValueError: as `path_attribution`, and for all coalitions of too many players.
        """
        game, inputs = self._game(task, generator), task.inputs
        if self.rule is None:
            players, evaluations = self._by_values(game, generator)
            attributions, gradients = game.map.spread(players).to(inputs.dtype), None
        else:
            attributions, players, gradients = self._by_paths(task, self.rule, game, generator)
            gradients, evaluations = gradients[:, None], None
        f_inputs, f_absent = game.at_ends()
        gap = players.sum(dim=1, keepdim=True) - (f_inputs[:, None] - f_absent)
        weights = sent(torch.tensor(game.shares, dtype=f_absent.dtype), f_absent.device).expand_as(f_absent)
        f_inputs, f_absent, gap, weights, players = (
            some.to(inputs.dtype) for some in (f_inputs, f_absent, gap, weights, players)
        )
        return Attribution(attributions, None, f_inputs, f_absent, gap, weights, gradients, players, evaluations)

    def within(self, task: Task, budget: Budget) -> "ShapleySampling":
        """The method for a budget: as many coalitions as it pays for on average.

        How many players join is drawn, p / (1 + 1/2 + ... + 1/p) on average (`sample_coalitions`). The last coalition
        is paid for as the empty one, from which all join: so it is where coalitions are few.

        Raises:
            TooSmallBudgetError: where the budget does not pay for one.
        """
        players = task.player_map.count
        joining = players / sum(1 / size for size in range(1, players + 1))
        if self.rule is None:
            return replace(self, coalitions=1 + budget.pays(forwards=1 + joining, apart=1 + players, least=0))
        nodes = getattr(self.rule, "n_steps", 1)
        more = budget.pays(gradients=joining * nodes, apart=players * nodes * budget.gradient, least=0)
        return replace(self, coalitions=1 + more)

    def _by_values(self, game: Game, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Each player's value, float64, and the evaluations of f for each input."""
        if self.coalitions is None:
            spent = torch.full((len(game.inputs),), len(game.shares) * 2**game.players, device=game.inputs.device)
            return game.shapley_values().values, spent
        players, steps_taken = _no_values(game)
        for coalitions in self._draw_coalitions(game, generator):
            for rows, columns in coalitions.blocks(BLOCK_BYTES // (STEP_BYTES * game.players)):
                steps = _Steps.of(game, coalitions, rows, columns)
                start = game.worth(len(steps.rows), steps.starts)
                marginals = game.worth(len(steps.player), steps.ends) - start[steps.coalition]
                players.index_put_(steps.places(), steps.weight * marginals, accumulate=True)
                row, _ = steps.places()
                steps_taken.index_add_(0, row, torch.ones_like(row))
        return players, steps_taken + self.coalitions

    def _by_paths(self, task: Task, rule: QuadratureRule, game: Game, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Attributions, each player's value in float64, and the gradient points for each input."""
        attributions = torch.zeros_like(game.inputs)
        players, points = _no_values(game)
        for coalitions in self._draw_coalitions(game, generator):
            for rows, columns in coalitions.blocks(BLOCK_BYTES // (STEP_BYTES * game.players)):
                block = _Steps.of(game, coalitions, rows, columns)
                for steps in block.split(_most_pairs(game.inputs)):
                    every = torch.arange(len(steps.player), device=players.device)
                    row, _ = steps.places()
                    ends, starts = game.points(*steps.ends(every)), game.points(*steps.starts(steps.coalition))
                    target = None if task.targets is None else task.targets.to(row.device)[row]
                    result = path_attribution(
                        task.f, ends, starts[:, None], None, rule, target, task.max_batch, generator=generator
                    )
                    assert result.gradients is not None
                    points.index_add_(0, row, result.gradients.squeeze(1))
                    weight = steps.weight.to(attributions).view(-1, *[1] * (attributions.dim() - 1))
                    attributions.index_add_(0, row, weight * result.attributions)
                    marginals = result.f_inputs.double() - result.f_baselines.squeeze(1)
                    players.index_put_(steps.places(), steps.weight * marginals, accumulate=True)
        return attributions, players, points


@dataclass(frozen=True)
class _Steps:
    """Coalitions of some inputs, and steps by which a player from outside joins one of them.

    Args:
        rows, members, absent: of each coalition, as `Game.points` takes them.
        coalition, player: of each step.
        weight: of each step, float64.
    """

    rows: Int[Tensor, " c"]
    members: Bool[Tensor, "c p"]
    absent: Int[Tensor, " c"]
    coalition: Int[Tensor, " s"]
    player: Int[Tensor, " s"]
    weight: Float[Tensor, " s"]

    @classmethod
    def of(cls, game: Game, coalitions: Coalitions, rows: slice, columns: slice) -> "_Steps":
        """All steps from a block of coalitions."""
        row_of, members, absent = coalitions.choices(game, rows, columns)
        steps = (~coalitions.members[rows, columns].flatten(0, 1)).nonzero()
        weights = coalitions.weights(rows, columns).flatten(0, 1)[steps.unbind(1)]
        coalition, player = sent(steps, members.device).unbind(1)
        return cls(row_of, members, absent, coalition, player, sent(weights, members.device))

    def starts(self, index: Int[Tensor, " m"]) -> Choice:
        """The points x_S of some coalitions."""
        return self.rows[index], self.members.index_select(0, index), self.absent[index]

    def ends(self, index: Int[Tensor, " m"]) -> Choice:
        """The points x_{S+i} of some steps."""
        rows, members, absent = self.starts(self.coalition[index])
        members[torch.arange(len(index), device=index.device), self.player[index]] = True
        return rows, members, absent

    def places(self) -> tuple[Int[Tensor, " s"], Int[Tensor, " s"]]:
        """Input and player of each step."""
        return self.rows[self.coalition], self.player

    def split(self, most: int) -> "Iterator[_Steps]":
        """Cut the steps into parts of at most `most`."""
        parts = (of_step.split(most) for of_step in (self.coalition, self.player, self.weight))
        for coalition, player, weight in zip(*parts, strict=True):
            yield replace(self, coalition=coalition, player=player, weight=weight)


def _no_values(game: Game) -> tuple[Tensor, Tensor]:
    """Zeros for the value of each player, float64, and for what is spent on each input."""
    n = len(game.inputs)
    players = game.inputs.new_zeros(n, game.players, dtype=torch.float64)
    return players, game.inputs.new_zeros(n, dtype=torch.int64)


def _most_pairs(inputs: Tensor) -> int:
    """Number of baselines of the inputs' size in BLOCK_BYTES."""
    return max(1, BLOCK_BYTES // (inputs[0].numel() * inputs.element_size()))
