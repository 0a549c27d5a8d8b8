"""Shapley values from many random orders of the players, where they are too many for all of their coalitions.

Players join one after the other, and each gets what the worth changes by (Castro et al. 2009). Orders come in
antithetic pairs, each followed by its reverse, which cancels what is odd in the worth's dependence on them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.shapley.exact import Choice, Game
from igbaselines.tasks import EachFeature, Function, Players, lots
from igbaselines.tasks.outputs import Target

VALUES_AT_ONCE = 2**18  # worths, float64, that are held at a time: 2 MiB


@dataclass(frozen=True)
class SampledShapley:
    """Shapley values with their Monte Carlo error.

    Args:
        values: of each player, float64, in the units of f's output; they sum to f(x) less the mean f of the absent
            values that were drawn.
        error: the standard error of each.
    """

    values: Float[Tensor, "n p"]
    error: Float[Tensor, "n p"]


def sampled_shapley_values(
    f: Function,
    inputs: Float[Tensor, "n *features"],
    absent: Float[Tensor, "r *features"] | Float[Tensor, "n r *features"] | float | int,
    pairs: int,
    generator: torch.Generator,
    weights: Float[Tensor, " r"] | None = None,
    players: Players = EachFeature(),  # noqa: B008 (frozen)
    target: Target | None = None,
    max_batch: int | None = None,
) -> SampledShapley:
    """Estimate Shapley values; f is evaluated 2 (p + 1) times a pair of orders and input, and no gradient is taken.

    Arguments are those of `exact_shapley_values`, and `pairs` of orders, at least 2, the same for every input: each
    goes with one absent value, drawn by weight; `generator` is that of orders and absent values, on the CPU.

    Raises:
        ValueError: as `exact_shapley_values`, but for any number of players; for fewer than two pairs.
    """
    if pairs < 2:
        raise ValueError(f"an error needs two pairs of orders at least, got {pairs}")
    game = Game(f, inputs, absent, weights, players, target, max_batch)
    n, p, device = len(game.inputs), game.players, game.inputs.device
    total = torch.zeros(n, p, dtype=torch.float64, device=device)
    squares = torch.zeros_like(total)
    shares = torch.tensor(game.shares, dtype=torch.float64)
    block = max(1, VALUES_AT_ONCE // (2 * n * (p + 1)))
    for done in range(0, pairs, block):
        orders, chosen = [], []
        for _ in range(min(block, pairs - done)):
            orders.append(torch.randperm(p, generator=generator))
            chosen.append(torch.multinomial(lots(shares), 1, generator=generator))
        found = _of_pairs(game, torch.stack(orders).to(device), torch.cat(chosen).to(device))
        total += found.sum(dim=1)
        squares += found.square().sum(dim=1)
    mean = total / pairs
    spread = (squares / pairs - mean**2).clamp_min(0) * pairs / (pairs - 1)
    return SampledShapley(mean, (spread / pairs).sqrt())


def _of_pairs(game: Game, orders: Int[Tensor, "b p"], absent: Int[Tensor, " b"]) -> Float[Tensor, "n b p"]:
    """Each player's change of the worth as it joins, averaged over each order and its reverse."""
    n, steps = len(game.inputs), game.players + 1
    place = torch.cat([orders, orders.flip(1)]).argsort(dim=1)  # when each player joins
    absent = absent.repeat(2)

    def choose(index: Tensor) -> Choice:
        step, rest = index % steps, index // steps
        order = rest % len(place)
        return rest // len(place), place[order] < step[:, None], absent[order]

    worth = game.worth(n * len(place) * steps, choose).view(n, len(place), steps)
    changes = worth.diff(dim=2).gather(2, place.expand(n, -1, -1))  # by place in the order, then by player
    return changes.view(n, 2, len(orders), game.players).mean(dim=1)
