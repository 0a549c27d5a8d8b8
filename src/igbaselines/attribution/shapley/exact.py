"""Exact Shapley values of a network's inputs, from all 2^p coalitions: what the estimators of 2310.04821 approach."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.engine.chunking import automatic_max_batch, halved, unless_memory_runs_out
from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.randomness import POINTS, no_random_numbers
from igbaselines.attribution.engine.refusals import asked_together, refuse_where
from igbaselines.attribution.engine.validation import read_arguments, read_weights
from igbaselines.attribution.shapley.coalitions import all_coalitions, exact_weights
from igbaselines.common.devices import sent
from igbaselines.tasks import EachFeature, Function, PlayerMap, Players
from igbaselines.tasks.outputs import Target, check_output

WEIGHTS_WITHIN = 1e-6  # of one in sum
VALUES_AT_ONCE = 2**20  # values of coalitions, float64, that are held at a time: 8 MiB

# For points of a stream: their inputs (m,), coalitions (m, p), and absent values (m,), all as indices or members.
Choice = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class ExactShapley:
    """Exact Shapley values; they sum to f_inputs - f_absent.

    Args:
        values: of each player, float64, in the units of f's output.
        f_inputs: f at the inputs, float64.
        f_absent: weighted mean of f at the absent values, float64.
    """

    values: Float[Tensor, "n p"]
    f_inputs: Float[Tensor, " n"]
    f_absent: Float[Tensor, " n"]


@asked_together()
def exact_shapley_values(
    f: Function,
    inputs: Float[Tensor, "n *features"],
    absent: Float[Tensor, "r *features"] | Float[Tensor, "n r *features"] | float | int,
    weights: Float[Tensor, " r"] | None = None,
    players: Players = EachFeature(),  # noqa: B008 (frozen)
    target: Target | None = None,
    max_batch: int | None = None,
) -> ExactShapley:
    """Compute the Shapley values of v(S) = sum_r w_r f(x_S): players in S as in x, the others as in absent value r.

    f is evaluated 2^p * r times an input, in the dtype of the inputs; no gradients are taken.

    Arguments are those of `path_attribution`, and what players outside a coalition become, with weights that sum to
    one; None for 1/r.

    Raises:
        ValueError: where shapes do not fit, something is not finite, f draws random numbers, or there are more than
            MOST_PLAYERS players.
    """
    return Game(f, inputs, absent, weights, players, target, max_batch).shapley_values()


class Game:
    """The worth of coalitions of an input's players: f where those outside take an absent value.

    Arguments and errors are those of `exact_shapley_values`.
    """

    def __init__(
        self,
        f: Function,
        inputs: Tensor,
        absent: Tensor | float | int,
        weights: Tensor | None,
        players: Players,
        target: Target | None,
        max_batch: int | None,
    ) -> None:
        self.f = f
        given = read_arguments(f, inputs, absent, None, target, max_batch, called="absent values")
        self.inputs, of_inputs, self.target = given.inputs, given.baselines, given.target
        self.shares = _shares(weights, of_inputs.shape[1])
        # Absent values that all inputs share are kept once.
        self.shared = of_inputs.stride(0) == 0
        self.absent = of_inputs[0] if self.shared else of_inputs.flatten(0, 1)
        self.map = PlayerMap(players, self.inputs.shape[1:], self.inputs.device)
        self.players = self.map.count
        self.largest_target = given.largest_target
        self.largest = max_batch

    def points(
        self, rows: Int[Tensor, " m"], members: Bool[Tensor, "m p"], absent: Int[Tensor, " m"]
    ) -> Float[Tensor, "m *features"]:
        """Build x_S for coalitions of some inputs, each with one of the absent values."""
        x = self.inputs.index_select(0, rows)
        replaced = self.absent.index_select(0, absent if self.shared else rows * len(self.shares) + absent)
        # Exact at both ends, and on a CPU ten times as fast as torch.where.
        return torch.lerp(replaced, x, self.map.mask(members).to(x.dtype))

    def shapley_values(self) -> ExactShapley:
        """Compute the exact Shapley values from all coalitions."""
        device = self.inputs.device
        coalitions, marginals = (
            sent(all_coalitions(self.players), device),
            sent(_weights_of_values(self.players), device),
        )
        values, ends = [], []
        every = torch.arange(len(self.inputs), device=self.inputs.device)
        for rows in every.split(max(1, VALUES_AT_ONCE // len(coalitions))):
            worth = self.worth_of_all(rows, coalitions)
            values.append(worth @ marginals)
            ends.append(torch.stack([worth[:, -1], worth[:, 0]], dim=1))
        f_inputs, f_absent = torch.cat(ends).unbind(1)
        return ExactShapley(torch.cat(values), f_inputs, f_absent)

    def at_ends(self) -> tuple[Float[Tensor, " n"], Float[Tensor, "n r"]]:
        """Evaluate f at the inputs and at each of their absent values, float64."""
        n, each = len(self.inputs), 1 + len(self.shares)

        def choose(index: Tensor) -> Choice:
            place = index % each  # first the input, then its absent values
            return index // each, (place == 0)[:, None].expand(-1, self.players), (place - 1).clamp(min=0)

        worth = self.worth(n * each, choose).view(n, each)
        return worth[:, 0], worth[:, 1:]

    def worth_of_all(self, rows: Int[Tensor, " b"], coalitions: Bool[Tensor, "c p"]) -> Float[Tensor, "b c"]:
        """Evaluate the same coalitions of some inputs, averaged over the absent values by their weights, float64."""
        each = len(coalitions)
        worth = self.averaged(
            len(rows) * each, lambda index: (rows[index // each], coalitions.index_select(0, index % each))
        )
        return worth.view(len(rows), each)

    def averaged(self, count: int, choose: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Float[Tensor, " {count}"]:
        """Evaluate a stream of inputs and coalitions, averaged over the absent values by their weights, float64."""
        worth = torch.zeros(count, dtype=torch.float64, device=self.inputs.device)
        for absent, share in enumerate(self.shares):

            def choose_with(index: Tensor, absent: int = absent) -> Choice:
                return *choose(index), torch.full_like(index, absent)

            worth += share * self.worth(count, choose_with)
        return worth

    def worth(self, count: int, choose: Callable[[Tensor], Choice]) -> Float[Tensor, " {count}"]:
        """Evaluate f at a stream of points, float64; `choose` gives for indices into the stream what `points` takes."""
        worth = torch.empty(count, dtype=torch.float64, device=self.inputs.device)
        done = 0
        last = torch.arange(max(0, count - POINTS), count, device=worth.device)
        drawn = no_random_numbers(lambda: self._evaluate(*choose(last)))
        with evaluation_mode(self.f), torch.inference_mode(False), torch.no_grad(), drawn:
            if self.largest is None:
                self.largest = automatic_max_batch(self.f, self.inputs[:1])
            while done < count:
                index = torch.arange(done, min(done + self.largest, count), device=worth.device)
                values = unless_memory_runs_out(self._evaluate, *choose(index))
                if values is None:
                    self.largest = halved(len(index), "point")
                    continue
                worth[done : done + len(index)] = values
                done += len(index)
        self._check_finite(worth, choose)
        return worth

    def _evaluate(self, rows: Tensor, members: Tensor, absent: Tensor) -> Tensor:
        """Evaluate the explained scalar."""
        points = self.points(rows, members, absent)
        output = self.f(points)
        check_output(output, points, self.largest_target)
        return output if self.target is None else output.gather(1, self.target[rows][:, None]).squeeze(1)

    def _check_finite(self, worth: Tensor, choose: Callable[[Tensor], Choice]) -> None:
        device = worth.device

        def refuse(count: int, first: int) -> None:
            rows, members, _ = choose(torch.tensor([first], device=device))
            raise ValueError(
                f"f is not finite at input {int(rows)} where {int(members.sum())} of its {self.players} players keep "
                f"their value ({count} points in all)"
            )

        refuse_where(~torch.isfinite(worth), refuse)


def _weights_of_values(players: int) -> Float[Tensor, "coalitions players"]:
    """Weights that turn v of all coalitions into Shapley values: steps of players end there, or start."""
    starts = exact_weights(players)
    # The weight of S as an end of player i's step is that of S without i as its start, 2^i rows further up.
    ends = torch.stack([starts[:, i].roll(1 << i) for i in range(players)], dim=1)
    return ends - starts


def _shares(weights: Tensor | None, count: int) -> list[float]:
    if weights is None:
        return [1 / count] * count
    weights = read_weights(weights)
    if weights.shape != (count,):
        raise ValueError(f"weights {tuple(weights.shape)} do not fit {count} absent values: expected ({count},)")
    if count == 1:  # which it is, or is refused

        def refuse(*_: int) -> None:
            raise ValueError(f"the weight of the one absent value must be one, got {weights.item()}")

        refuse_where(~((weights.double() - 1).abs() <= WEIGHTS_WITHIN), refuse)  # which NaN is not, either
        return [1.0]
    shares: list[float] = weights.double().tolist()
    if not abs(sum(shares) - 1) <= WEIGHTS_WITHIN:  # which NaN is not, either
        raise ValueError(f"the weights of the absent values must sum to one, got {sum(shares)}")
    return shares
