"""Coalitions: weights against counted orders, and samples against the distribution that they must have."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import permutations

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from igbaselines.attribution.shapley import coalitions as coalitions_module
from igbaselines.attribution.shapley.coalitions import (
    all_coalitions,
    exact_weights,
    exclusion_weights,
    sample_coalitions,
    shapley_weights,
)

PLAYERS, SAMPLES = 5, 40_000
LEAST_P = 1e-5  # of about a hundred tests each; what a wrong sampler gives is far below
Sampler = Callable[[int, torch.Generator], Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("players", [1, 2, 3, 10, 40])
def test_weights_are_the_fractions_of_the_definition(players: int) -> None:
    for k, weight in enumerate(shapley_weights(players).tolist()):
        exact = Fraction(math.factorial(k) * math.factorial(players - k - 1), math.factorial(players))
        assert weight == float(exact)


def test_weights_of_very_many_players_do_not_overflow() -> None:
    weights = shapley_weights(2000)
    assert torch.isfinite(weights).all()
    assert weights[[0, -1]].tolist() == [1 / 2000, 1 / 2000]
    assert weights[1] == pytest.approx(1 / 2000 / 1999, rel=1e-14)


@pytest.mark.parametrize("players", [1, 4, 9])
def test_all_coalitions_are_the_binary_numbers(players: int) -> None:
    coalitions = all_coalitions(players)
    assert coalitions.shape == (2**players, players)
    assert (coalitions.long() @ (2 ** torch.arange(players))).tolist() == list(range(2**players))


def test_exact_weights_are_shares_of_the_orders_of_players() -> None:
    """A coalition's weight for a player is how often it is what stands before the player in a random order."""
    counted = torch.zeros(2**4, 4, dtype=torch.float64)
    for order in permutations(range(4)):
        for place, player in enumerate(order):
            counted[sum(1 << other for other in order[:place]), player] += 1 / 24
    torch.testing.assert_close(exact_weights(4), counted, rtol=0, atol=1e-15)


@pytest.mark.parametrize("players", [1, 2, 7, 12])
def test_exact_weights_sum_to_one_for_every_player(players: int) -> None:
    weights = exact_weights(players)
    torch.testing.assert_close(weights.sum(0), torch.ones(players, dtype=torch.float64), rtol=0, atol=1e-13)
    assert torch.all(weights[all_coalitions(players)] == 0)


def test_exclusion_weights_average_over_the_coalitions_without_a_player() -> None:
    coalitions = torch.tensor([[[1, 0, 0], [1, 1, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 0], [1, 0, 0]]]).bool()
    third, half = 1 / 3, 1 / 2
    first = [[0, 1, third], [0, 0, third], [1, 0, third]]
    second = [[0, half, third], [0, 0, third], [0, half, third]]  # player 0 is in all: nothing to average
    expected = torch.tensor([first, second], dtype=torch.float64)
    torch.testing.assert_close(exclusion_weights(coalitions), expected, rtol=0, atol=1e-15)


def plain(count: int, generator: torch.Generator) -> Tensor:
    return sample_coalitions(PLAYERS, 1, count, generator)[0]


def first_of_pairs(count: int, generator: torch.Generator) -> Tensor:
    return sample_coalitions(PLAYERS, 1, 2 * count, generator, paired=True)[0, ::2]


def second_of_pairs(count: int, generator: torch.Generator) -> Tensor:
    return sample_coalitions(PLAYERS, 1, 2 * count, generator, paired=True)[0, 1::2]


def uniform_sizes(count: int, generator: torch.Generator) -> Tensor:
    """Wrong, and what the ablation asks for: large ones exclude few players, so that small ones count too much."""
    return sample_coalitions(PLAYERS, 1, count, generator, uniform_sizes=True)[0]


def binomial_members(count: int, generator: torch.Generator) -> Tensor:
    """Wrong: every subset alike."""
    return torch.rand(count, PLAYERS, generator=generator) < 0.5


def neighbours(count: int, generator: torch.Generator) -> Tensor:
    """Wrong: sizes as they should be, members side by side on a circle."""
    sizes = plain(count, generator).sum(1, keepdim=True)
    return (torch.arange(PLAYERS) + torch.randint(PLAYERS, (count, 1), generator=generator)) % PLAYERS < sizes


def least_p_of_sizes(coalitions: Tensor) -> float:
    """Chi-square test, player by player, that sizes are uniform on 0 to n - 1 where the player is excluded."""
    sizes = [coalitions[~coalitions[:, player]].sum(1) for player in range(PLAYERS)]
    return min(float(chisquare(torch.bincount(size, minlength=PLAYERS).numpy()).pvalue) for size in sizes)


def least_p_of_members(coalitions: Tensor) -> float:
    """The same that members are uniform given size and excluded player."""
    least, code = 1.0, coalitions.long() @ (2 ** torch.arange(PLAYERS))
    for player in range(PLAYERS):
        for size in range(1, PLAYERS - 1):
            chosen = code[~coalitions[:, player] & (coalitions.sum(1) == size)]
            counts = torch.bincount(chosen, minlength=2**PLAYERS)
            possible = ~all_coalitions(PLAYERS)[:, player] & (all_coalitions(PLAYERS).sum(1) == size)
            assert counts[~possible].sum() == 0
            least = min(least, float(chisquare(counts[possible].numpy()).pvalue))
    return least


@pytest.mark.parametrize("sampler", [plain, first_of_pairs, second_of_pairs])
def test_samples_follow_the_shapley_weights(sampler: Sampler) -> None:
    coalitions = sampler(SAMPLES, seeded())
    assert least_p_of_sizes(coalitions) > LEAST_P
    assert least_p_of_members(coalitions) > LEAST_P


@pytest.mark.parametrize("sampler", [uniform_sizes, binomial_members])
def test_the_bound_refuses_wrong_sizes(sampler: Sampler) -> None:
    assert least_p_of_sizes(sampler(SAMPLES, seeded())) < LEAST_P**2


def test_the_bound_refuses_wrong_members() -> None:
    coalitions = neighbours(SAMPLES, seeded())
    assert least_p_of_sizes(coalitions) > LEAST_P
    assert least_p_of_members(coalitions) < LEAST_P**2


def test_the_ablation_draws_all_sizes_alike_and_members_at_random() -> None:
    coalitions = uniform_sizes(SAMPLES, seeded())
    assert chisquare(torch.bincount(coalitions.sum(1), minlength=PLAYERS).numpy()).pvalue > LEAST_P
    assert least_p_of_members(coalitions) > LEAST_P


def test_sizes_are_as_likely_as_one_over_the_players_outside() -> None:
    share = 1 / torch.arange(PLAYERS, 0, -1, dtype=torch.float64)
    observed = torch.bincount(plain(SAMPLES, seeded()).sum(1), minlength=PLAYERS)
    assert chisquare(observed.numpy(), (SAMPLES * share / share.sum()).numpy()).pvalue > LEAST_P


def test_pairs_are_antithetic() -> None:
    one, other = sample_coalitions(12, 1, 4000, seeded(), paired=True)[0].unflatten(0, (-1, 2)).unbind(1)
    sizes = one.sum(1), other.sum(1)
    # members come from the two ends of one order: they overlap only where the two sizes leave no room
    assert torch.equal((one & other).sum(1), (sizes[0] + sizes[1] - 12).clamp(min=0))
    assert torch.corrcoef(torch.stack(sizes).double())[0, 1] < -0.7


def test_an_odd_number_of_paired_coalitions_leaves_one_alone() -> None:
    odd, even = (sample_coalitions(30, 2, count, seeded(), paired=True) for count in (7, 8))
    assert odd.shape == (2, 7, 30)
    assert torch.equal(odd[0, :6], even[0, :6])


@pytest.mark.parametrize("paired", [False, True])
def test_every_player_is_left_out_of_some_coalition(paired: bool) -> None:
    for count in (1, 2, 5):
        assert not sample_coalitions(20, 50, count, seeded(), paired).all(1).any()
    assert not sample_coalitions(20, 50, 1, seeded(), paired).any()


def test_only_the_last_coalition_is_replaced_and_only_where_needed() -> None:
    coalitions = sample_coalitions(PLAYERS, 6000, 3, seeded())
    first = coalitions[:, :2].flatten(0, 1)
    assert least_p_of_sizes(first) > LEAST_P
    assert least_p_of_members(first) > LEAST_P
    # the last is as large as ever where the others already leave out every player
    needless = coalitions[~coalitions[:, :2].all(1).any(1), -1]
    assert len(needless) > 1000
    assert least_p_of_sizes(needless) > LEAST_P


@pytest.mark.parametrize("paired", [False, True])
def test_inputs_are_drawn_one_after_the_other(paired: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (sample_coalitions(7, inputs, 9, seeded(), paired) for inputs in (3, 8))
    assert torch.equal(few, many[:3])
    assert not torch.equal(many[0], many[1])
    monkeypatch.setattr(coalitions_module, "DRAWS_AT_ONCE", 200)
    assert torch.equal(sample_coalitions(7, 8, 9, seeded(), paired), many)
    assert not torch.equal(few, sample_coalitions(7, 3, 9, seeded(1)))


def test_a_single_player_has_the_empty_coalition_alone() -> None:
    assert not sample_coalitions(1, 3, 4, seeded()).any()
    assert exact_weights(1).tolist() == [[1], [0]]


def test_refuses_too_many_players_and_no_players_or_coalitions() -> None:
    with pytest.raises(ValueError, match=r"17 players have 2\^17 coalitions; .* up to 16 players"):
        all_coalitions(17)
    with pytest.raises(ValueError, match="at least one player is needed, got 0"):
        shapley_weights(0)
    with pytest.raises(ValueError, match="at least one coalition of each input is needed, got 0"):
        sample_coalitions(3, 1, 0, seeded())
