"""Shapley values from sampled orders: against exact ones, at Monte Carlo rate, with an error that is what it says."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution.shapley import sampled as shapley_sampled
from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.attribution.shapley.sampled import SampledShapley, sampled_shapley_values
from igbaselines.tasks import FeatureMask, Patches, Players

Make = Callable[..., nn.Module]
PLAYERS = 7


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def triples(points: Tensor) -> Tensor:
    """Interactions of three neighbours each, beside those of one and two, which pairs of orders get right at once."""
    return points.sum(1) + (points * points.roll(1, 1)).sum(1) + threes(points)


def threes(points: Tensor) -> Tensor:
    return (points * points.roll(1, 1) * points.roll(3, 1)).sum(1)


def sampled(f: Callable[[Tensor], Tensor], x: Tensor, pairs: int, seed: int = 1, **others: Any) -> SampledShapley:
    return sampled_shapley_values(f, x, others.pop("absent", 0.0), pairs, seeded(seed), **others)


def test_agrees_with_exact_values_within_its_error(generator: torch.Generator) -> None:
    x, absent = draw(generator, 4, PLAYERS), draw(generator, 3, PLAYERS)
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    exact = exact_shapley_values(triples, x, absent, weights).values
    found = sampled(triples, x, 300, absent=absent, weights=weights)
    assert found.values.shape == found.error.shape == (4, PLAYERS)
    assert found.values.dtype == found.error.dtype == torch.float64
    assert ((found.values - exact).abs() < 5 * found.error).all()
    assert float((found.error / exact.abs().mean()).max()) < 0.5  # and the error is no excuse


def test_its_error_falls_at_monte_carlo_rate(generator: torch.Generator) -> None:
    x = draw(generator, 6, PLAYERS)
    exact = exact_shapley_values(threes, x, 0.0).values
    counts = (4, 16, 64)
    errors = [
        math.sqrt(sum(float((sampled(threes, x, pairs, seed).values - exact).square().mean()) for seed in range(12)))
        for pairs in counts
    ]
    slope = math.log(errors[-1] / errors[0]) / math.log(counts[-1] / counts[0])
    assert slope == pytest.approx(-0.5, abs=0.12)


def test_the_stated_error_is_the_spread_over_seeds(generator: torch.Generator) -> None:
    """z-scores have a mean of 0 and a spread of 1, up to Student's for so many pairs."""
    x, pairs, seeds = draw(generator, 1, PLAYERS), 24, 150
    exact = exact_shapley_values(triples, x, 0.0).values
    found = [sampled(triples, x, pairs, seed) for seed in range(seeds)]
    z = torch.cat([(one.values - exact) / one.error for one in found])
    student = math.sqrt((pairs - 1) / (pairs - 3))
    assert float(z.std()) == pytest.approx(student, abs=4 / math.sqrt(2 * seeds))
    assert (z.mean(dim=0).abs() < 4 * student / math.sqrt(seeds)).all()
    spread = torch.cat([one.values for one in found]).std(dim=0)
    torch.testing.assert_close(torch.cat([one.error for one in found]).mean(dim=0), spread, rtol=0.2, atol=0)


def test_an_order_and_its_reverse_leave_no_error_of_interactions_of_two(generator: torch.Generator) -> None:
    def pairwise(points: Tensor) -> Tensor:
        return points.sum(1) + (points[:, :, None] * points[:, None]).sum((1, 2))

    x = draw(generator, 4, PLAYERS)
    found = sampled(pairwise, x, 2)
    torch.testing.assert_close(found.values, exact_shapley_values(pairwise, x, 0.0).values, rtol=0, atol=1e-12)
    assert found.error.max() < 1e-6
    assert sampled(threes, x, 2).error.max() > 0.01


def test_values_sum_to_what_changes_from_the_absent_values_that_were_drawn(
    make_mlp: Make, generator: torch.Generator
) -> None:
    network, x, absent, pairs = make_mlp(), draw(generator, 4, 6), draw(generator, 2, 6), 9
    f_x, f_absent = network(x).detach(), network(absent).detach()
    for only in (0, 1):
        weights = torch.eye(2, dtype=torch.float64)[only]
        one = sampled(network, x, pairs, absent=absent, weights=weights).values.sum(1)
        torch.testing.assert_close(one, f_x - f_absent[only], rtol=0, atol=1e-13)
    mixed = sampled(network, x, pairs, absent=absent).values.sum(1)
    times = (f_x - mixed - f_absent[0]) / (f_absent[1] - f_absent[0]) * pairs  # that the second one was drawn
    torch.testing.assert_close(times, times[0].round().expand(4), rtol=0, atol=1e-9)
    assert 0 < float(times[0]) < pairs


def test_absent_values_of_each_input(generator: torch.Generator) -> None:
    x, absent = draw(generator, 4, PLAYERS), draw(generator, 4, 1, PLAYERS)
    found = sampled(triples, x, 5, absent=absent)
    for row in range(4):
        alone = sampled(triples, x[row : row + 1], 5, absent=absent[row])
        torch.testing.assert_close(found.values[row], alone.values[0], rtol=0, atol=1e-13)  # the same orders for all
        torch.testing.assert_close(found.error[row], alone.error[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("max_batch", [1, 7, 64])
def test_chunks_change_nothing(max_batch: int, make_mlp: Make, generator: torch.Generator) -> None:
    network, x, sizes = make_mlp(), draw(generator, 3, 6), list[int]()

    def counted(points: Tensor) -> Tensor:
        sizes.append(len(points))
        values: Tensor = network(points)
        return values

    found = sampled(counted, x, 3, max_batch=max_batch)
    torch.testing.assert_close(found.values, sampled(network, x, 3).values, rtol=0, atol=1e-14)
    assert max(sizes) <= max(max_batch, 2)
    assert sum(sizes) >= 3 * 3 * 2 * 7  # inputs, pairs, two orders, and from none to all of 6 players


def test_blocks_of_pairs_change_nothing(
    make_mlp: Make, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, x, absent = make_mlp(), draw(generator, 3, 6), draw(generator, 2, 6)
    whole = sampled(network, x, 7, absent=absent)
    for block in (1, 3):
        monkeypatch.setattr(shapley_sampled, "VALUES_AT_ONCE", block * 2 * 3 * 7)
        found = sampled(network, x, 7, absent=absent)
        torch.testing.assert_close(found.values, whole.values, rtol=0, atol=1e-14)
        torch.testing.assert_close(found.error, whole.error, rtol=0, atol=1e-9)


def test_the_generator_alone_decides(make_mlp: Make, generator: torch.Generator) -> None:
    network, x, before = make_mlp(), draw(generator, 3, 6), torch.get_rng_state()
    one, again, other = (sampled(network, x, 4, seed).values for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    assert torch.equal(torch.get_rng_state(), before)


PICTURES: list[Players] = [Patches(4, 4), FeatureMask(torch.arange(128).view(2, 8, 8) % 5)]


@pytest.mark.parametrize("players", PICTURES, ids=lambda players: type(players).__name__)
def test_players_are_groups_and_the_output_is_that_of_the_target(
    players: Players, make_cnn: Make, generator: torch.Generator, device: torch.device
) -> None:
    network, x, target = make_cnn(classes=3), draw(generator, 3, 2, 8, 8), torch.tensor([2, 0, 1])
    exact = exact_shapley_values(network, x, 0.0, players=players, target=target).values
    found = sampled(network.to(device), x.to(device), 60, players=players, target=target.to(device))
    assert found.values.device.type == found.error.device.type == device.type
    assert ((found.values.cpu() - exact).abs() < 6 * found.error.cpu() + 1e-12).all()
    change = network.cpu()(x).gather(1, target[:, None])[:, 0] - network(torch.zeros_like(x[:1]))[0, target]
    torch.testing.assert_close(found.values.cpu().sum(1), change.detach(), rtol=0, atol=1e-12)


def test_refuses_what_does_not_fit(make_mlp: Make, generator: torch.Generator, unchecked_shapes: None) -> None:
    network, x, absent = make_mlp(), draw(generator, 3, 6), draw(generator, 2, 6)
    with pytest.raises(ValueError, match="an error needs two pairs of orders at least, got 1"):
        sampled(network, x, 1)
    with pytest.raises(ValueError, match=r"absent values \(2, 5\) do not fit inputs \(3, 6\)"):
        sampled(network, x, 2, absent=absent[:, :5])
    with pytest.raises(ValueError, match=r"weights \(3,\) do not fit 2 absent values"):
        sampled(network, x, 2, absent=absent, weights=torch.ones(3) / 3)
    with pytest.raises(ValueError, match=r"pass target="):
        sampled(make_mlp(classes=4), x, 2)
    with pytest.raises(ValueError, match=r"f is not finite at input 1"):
        sampled(lambda p: p.sum(1) + (p[:, 2] - x[1, 2]).abs().log(), x, 2, absent=absent)
    many = torch.ones(2, 40, dtype=torch.float64)  # too many for all coalitions
    assert torch.equal(sampled(lambda p: p.sum(1), many, 2).values, many)
