"""The variance of a map over draws of its baselines, against drawing the maps; two networks against scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from igbaselines.metrics.stability import CONSISTENCY, DRAW_VARIANCE, draw_variance, inner_products, map_consistency


def drawn_maps(maps: np.ndarray, fitness: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    averages = []
    for _ in range(draws):
        chosen = rng.integers(len(maps), size=len(maps))
        averages.append(np.average(maps[chosen], axis=0, weights=fitness[chosen]))
    return np.array(averages)


@pytest.mark.parametrize("fitness", [[1.0, 1.0, 1.0, 1.0], [1.0, 3.0, 0.2, 1.0]])
def test_is_the_variance_of_drawn_maps(fitness: list[float], rng: np.random.Generator) -> None:
    maps = rng.normal(size=(4, 5, 6))
    averages = drawn_maps(maps, np.array(fitness), 20_000, rng)
    expected = averages.var(axis=0).sum() / (maps.mean(axis=0) ** 2).sum()  # the same, whatever the fitness
    generator = torch.Generator().manual_seed(1)
    found = draw_variance(inner_products(torch.from_numpy(maps)[None])[0], torch.tensor(fitness), 20_000, generator)
    assert found == pytest.approx(expected, rel=0.05)


def test_equal_maps_do_not_depend_on_the_draw(generator: torch.Generator) -> None:
    same, alone = inner_products(torch.ones(1, 5, 3, 3))[0], inner_products(torch.rand(1, 1, 3, 3))[0]
    assert draw_variance(same, torch.rand(5), 100, generator) == pytest.approx(0, abs=1e-12)
    assert draw_variance(alone, torch.ones(1), 100, generator) == pytest.approx(0, abs=1e-12)


def test_all_the_weight_on_one_baseline_leaves_only_draws_without_it(generator: torch.Generator) -> None:
    maps = inner_products(torch.eye(3).view(1, 3, 3, 1))[0]
    few = draw_variance(maps, torch.tensor([1e9, 1.0, 1.0]), 5000, generator)
    even = draw_variance(maps, torch.ones(3), 5000, generator)
    assert few > even  # 8 draws of 27 lack the heavy one: its weight does not make the map steady


def test_a_map_of_nothing_has_no_relative_variance(generator: torch.Generator) -> None:
    assert np.isnan(draw_variance(inner_products(torch.zeros(1, 3, 2, 2))[0], torch.ones(3), 10, generator))


@pytest.fixture
def maps(generator: torch.Generator) -> Tensor:
    return torch.randn(4, 3, 6, 6, generator=generator)


def test_consistency_is_the_rank_correlation_of_cells(maps: Tensor, generator: torch.Generator) -> None:
    others = maps + torch.randn(maps.shape, generator=generator)
    found = map_consistency(maps, others, 3)
    cells, of_others = (
        some.double().sum(dim=1).reshape(-1, 3, 2, 3, 2).mean(dim=(2, 4)).flatten(1).numpy() for some in (maps, others)
    )
    for place in range(len(maps)):
        expected = stats.spearmanr(cells[place], of_others[place]).statistic
        assert found[place].item() == pytest.approx(expected)


def test_consistency_of_a_map_with_itself_its_opposite_and_nothing(maps: Tensor) -> None:
    one = maps[:1]
    found = map_consistency(torch.cat([one, one, one]), torch.cat([7 * one, -one, torch.zeros_like(one)]), 3)
    assert found[:2].tolist() == pytest.approx([1, -1])
    assert math.isnan(found[2])


def test_directions() -> None:
    assert DRAW_VARIANCE.better == "lower"
    assert CONSISTENCY.better == "higher"
