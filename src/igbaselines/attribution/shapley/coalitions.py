"""Coalitions and their Shapley weights: all of them, or a sample that needs no weights (2310.04821, section 3).

A coalition S of k out of n players counts for a player outside it with w(k) = k! (n-k-1)! / n!. Proportional sampling
draws coalitions with probability proportional to that weight and averages with weight one.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MOST_PLAYERS = 16  # 65,536 coalitions an input
DRAWS_AT_ONCE = 2**20  # random numbers, float64, that are held at a time: 8 MiB


def shapley_weights(players: int) -> Float[Tensor, " players"]:
    """Return w(k) = k! (n-k-1)! / n! of the coalitions of k = 0 to n-1 out of n players, float64.

    Raises:
        ValueError: without a player.
    """
    _check_players(players)
    # Whole numbers, since factorials overflow; the weights of large games underflow to zero.
    weights = [1 / (players * math.comb(players - 1, k)) for k in range(players)]
    return torch.tensor(weights, dtype=torch.float64)


def all_coalitions(players: int) -> Bool[Tensor, "coalitions players"]:
    """Return all 2^n coalitions; player i is in coalition s where bit i of s is set.

    Raises:
        ValueError: for more than MOST_PLAYERS players, or none.
    """
    _check_players(players)
    if players > MOST_PLAYERS:
        raise ValueError(
            f"{players} players have 2^{players} coalitions; all of them are only taken for up to {MOST_PLAYERS} "
            "players: sample coalitions, or let players be larger"
        )
    bits = torch.arange(players)
    return (torch.arange(2**players)[:, None] >> bits & 1).bool()


def exact_weights(players: int) -> Float[Tensor, "coalitions players"]:
    """Return the Shapley weight of all 2^n coalitions for every player outside them, float64; columns sum to one.

    A coalition weighs nothing for its own members.

    Raises:
        ValueError: as `all_coalitions`.
    """
    members = all_coalitions(players)
    # The coalition of all has no one outside: whatever stands for its size is masked.
    weight = shapley_weights(players)[members.sum(dim=1).clamp(max=players - 1)]
    return weight[:, None] * ~members


def exclusion_weights(coalitions: Bool[Tensor, "n k p"]) -> Float[Tensor, "n k p"]:
    """Weights that average every player over the coalitions that exclude it, float64.

    A player that no coalition of an input excludes has weight zero throughout.
    """
    outside = (~coalitions).double()
    return outside / outside.sum(dim=1, keepdim=True).clamp(min=1)


def sample_coalitions(
    players: int,
    inputs: int,
    count: int,
    generator: torch.Generator,
    paired: bool = False,
    uniform_sizes: bool = False,
) -> Bool[Tensor, "inputs count players"]:
    """Sample coalitions by their Shapley weights, once for all players.

    The size k = 0 to n-1 is drawn with P(k) proportional to 1 / (n-k), then k members uniformly. A given player is left
    out with probability P(k) (n-k) / n, which is the same for every k: over the coalitions that exclude it sizes are
    uniform, and so are members given the size, which is w(k) for each coalition.

    Where some player would be in all the coalitions of an input, that input's last one is replaced by the empty one, so
    that every average exists. With few coalitions for many players this is common and draws the average towards
    Integrated Gradients from the reference, which a single coalition always gives.

    Args:
        players: number of players.
        inputs: number of inputs, each with its own coalitions.
        count: coalitions of an input.
        generator: on the CPU; inputs are drawn one after the other, so that the first do not depend on how many follow.
        paired: draw coalitions 2j and 2j + 1 as an antithetic pair: sizes at the quantiles u and 1 - u, members from
            the two ends of one random order. Each by itself is distributed as above; a last odd one stands alone.
            For smooth f it takes a quarter off the variance with four players, and less with more.
        uniform_sizes: draw every size with the same probability: the ablation. Of the coalitions that exclude a player
            small ones then are too many, in proportion to n-k, and the average is not the Shapley value's.

    Returns:
        The coalitions, on the CPU.

    Raises:
        ValueError: without a player or a coalition.
    """
    _check_players(players)
    if count < 1:
        raise ValueError(f"at least one coalition of each input is needed, got {count}")
    outside = torch.arange(players, 0, -1, dtype=torch.float64)
    share = torch.ones_like(outside) if uniform_sizes else 1 / outside
    quantile = share.cumsum(0) / share.sum()
    orders = -(-count // 2) if paired else count
    blocks = []
    for some in torch.arange(inputs).split(max(1, DRAWS_AT_ONCE // (orders * (players + 1)))):
        draws = torch.rand(len(some), orders, players + 1, dtype=torch.float64, generator=generator)
        # Sorting independent draws gives a random permutation, here read as each player's place in a random order.
        place, u = draws[..., 1:].argsort(dim=-1), draws[..., 0]
        members = _first(place, u, quantile)
        if paired:
            members = torch.stack([members, _first(players - 1 - place, 1 - u, quantile)], dim=2)
        blocks.append(members.reshape(len(some), -1, players)[:, :count])
    coalitions = torch.cat(blocks)
    coalitions[coalitions.all(dim=1).any(dim=1), -1] = False
    return coalitions


def _first(
    place: Int[Tensor, "*m players"], u: Float[Tensor, "*m"], quantile: Float[Tensor, " players"]
) -> Bool[Tensor, "*m players"]:
    """The first players of each order, as many as belong to the quantile u of the sizes."""
    # The sums of many shares may end a rounding error below one.
    sizes = torch.searchsorted(quantile, u.contiguous(), right=True).clamp(max=len(quantile) - 1)
    return place < sizes[..., None]


def _check_players(players: int) -> None:
    if players < 1:
        raise ValueError(f"at least one player is needed, got {players}")
