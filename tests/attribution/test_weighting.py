"""Weights of baselines."""

import math

import numpy as np
import pytest
import torch

from igbaselines.attribution.weighting import (
    ByStratum,
    EqualFitness,
    FitnessWeighting,
    Fittest,
    InverseFitness,
    NextFitness,
    OthersFitness,
    Uniform,
    Weighting,
    WithoutLeastFit,
)

STRATUM = torch.tensor([0, 0, 0, 1, 2, 2])


def test_uniform_counts_every_baseline_the_same() -> None:
    assert Uniform().weights(STRATUM, None).tolist() == [1 / 6] * 6


def test_by_stratum_shares_the_weight_of_a_stratum() -> None:
    weights = ByStratum().weights(STRATUM, torch.tensor([6.0, 1.0, 1.0]))
    assert weights.dtype == torch.float64
    assert weights.tolist() == pytest.approx([0.25, 0.25, 0.25, 0.125, 0.0625, 0.0625], abs=1e-15)


def test_by_stratum_leaves_out_strata_without_baselines() -> None:
    weights = ByStratum().weights(torch.tensor([1, 3]), torch.tensor([50.0, 1.0, 50.0, 3.0, 50.0]))
    assert weights.tolist() == pytest.approx([0.25, 0.75], abs=1e-15)


@pytest.mark.parametrize("weighting", [Uniform(), ByStratum()])
def test_weights_sum_to_one(weighting: Weighting, generator: torch.Generator) -> None:
    stratum = torch.randint(5, (33,), generator=generator)
    weights = weighting.weights(stratum, torch.rand(5, generator=generator))
    assert float(weights.sum()) == pytest.approx(1, abs=1e-14)


def test_by_stratum_needs_the_weights_of_strata() -> None:
    with pytest.raises(ValueError, match="need the weight of each stratum"):
        ByStratum().weights(STRATUM, None)


CROSS_SECTIONS = torch.tensor([0.1, 1000.0, 9.0, 1.0])  # the last stratum gives no baselines


@pytest.mark.parametrize(
    ("transform", "of_stratum"),
    [
        ("proportional", [0.1, 1000, 9]),
        ("square_root", [math.sqrt(0.1), math.sqrt(1000), 3]),
        ("logarithm", [math.log(2), math.log(10001), math.log(91)]),
        ("percentile", [1 / 3, 1, 2 / 3]),
    ],
)
def test_what_counts_of_a_stratums_weight(transform: str, of_stratum: list[float]) -> None:
    weights = ByStratum(transform).weights(STRATUM, CROSS_SECTIONS)
    expected = np.array(of_stratum)[[0, 0, 0, 1, 2, 2]] / [3, 3, 3, 1, 2, 2]
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=1e-6)


@pytest.mark.parametrize("transform", ["square_root", "logarithm", "percentile"])
def test_strong_imbalance_is_evened_out_and_no_unit_counts(transform: str) -> None:
    stratum, cross_section = torch.arange(10).repeat_interleave(20), torch.logspace(-1, 3, 10, dtype=torch.float64)
    plain, even = (ByStratum(name).weights(stratum, cross_section) for name in ("proportional", transform))
    effective = [float(1 / weights.square().sum()) for weights in (plain, even)]
    assert effective[0] < effective[1] < len(stratum)
    torch.testing.assert_close(ByStratum(transform).weights(stratum, 1000 * cross_section), even)


def test_equal_weights_stay_equal_and_an_unknown_transform_is_refused() -> None:
    for transform in ("proportional", "square_root", "logarithm", "percentile"):
        weights = ByStratum(transform).weights(torch.tensor([0, 1, 2]), torch.full((3,), 7.0))
        assert weights.tolist() == pytest.approx([1 / 3] * 3)
    with pytest.raises(ValueError, match="transform=cube is unknown: proportional or square_root"):
        ByStratum("cube")


D_ALPHA = torch.tensor([[100, 50, 400, 100], [7, 7, 7, 7]])


def test_inverse_fitness_is_equation_8() -> None:
    weights = InverseFitness().of_fitness(D_ALPHA)
    total = 1 / 100 + 1 / 50 + 1 / 400 + 1 / 100
    assert weights[0].tolist() == pytest.approx([1 / d / total for d in (100, 50, 400, 100)])
    assert weights[1].tolist() == pytest.approx([0.25] * 4)
    assert torch.equal(EqualFitness().of_fitness(D_ALPHA), torch.full((2, 4), 0.25, dtype=torch.float64))


def test_the_filter_drops_what_is_below_a_multiple_of_the_mean() -> None:
    weights = InverseFitness(0.25).of_fitness(D_ALPHA)  # 1/400 has 0.0588 of the weight, under 0.25 / 4
    assert weights[0].tolist() == pytest.approx([0.25, 0.5, 0, 0.25])
    assert weights[1].tolist() == pytest.approx([0.25] * 4)
    weights = InverseFitness(1.0).of_fitness(D_ALPHA)
    assert weights[0].tolist() == pytest.approx([0, 1, 0, 0])
    assert weights[1].tolist() == pytest.approx([0.25] * 4)  # none is below the mean


def test_the_fittest_always_stays(rng: np.random.Generator) -> None:
    d_alpha = torch.from_numpy(rng.integers(1, 50_000, size=(200, 6)))
    weights = InverseFitness(1.0).of_fitness(d_alpha)
    assert (weights.gather(1, d_alpha.argmin(dim=1, keepdim=True)) > 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(200, dtype=torch.float64))


def test_no_pixel_counts_as_one() -> None:
    weights = InverseFitness().of_fitness(torch.tensor([[0, 1, 2]]))
    assert weights[0].tolist() == pytest.approx([0.4, 0.4, 0.2])


def test_the_least_fit_are_removed() -> None:
    weights = WithoutLeastFit(1).of_fitness(D_ALPHA)
    assert weights[0].tolist() == pytest.approx([0.25, 0.5, 0, 0.25])
    assert weights[1].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])  # of equally fit ones the last
    assert WithoutLeastFit(3).of_fitness(D_ALPHA)[0].tolist() == [0, 1, 0, 0]
    torch.testing.assert_close(WithoutLeastFit(0).of_fitness(D_ALPHA), InverseFitness().of_fitness(D_ALPHA))
    with pytest.raises(ValueError, match="4 of 4 baselines cannot be removed"):
        WithoutLeastFit(4).of_fitness(D_ALPHA)


@pytest.mark.parametrize("bad", [-0.1, 1.5])
def test_a_filter_outside_its_range_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="multiple of the mean weight"):
        InverseFitness(bad)


WEIGHTINGS: list[FitnessWeighting] = [
    EqualFitness(),
    InverseFitness(),
    InverseFitness(0.5),
    WithoutLeastFit(2),
    NextFitness(),
    OthersFitness(),
    Fittest(),
]


@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=str)
def test_weights_by_fitness_sum_to_one(weighting: FitnessWeighting, rng: np.random.Generator) -> None:
    d_alpha = torch.from_numpy(rng.integers(0, 200, size=(50, 6)))
    weights = weighting.of_fitness(d_alpha)
    assert weights.shape == (50, 6)
    assert weights.dtype == torch.float64
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(50, dtype=torch.float64))


def test_next_fitness_gives_every_weight_to_the_next_baseline() -> None:
    weights = NextFitness().of_fitness(torch.tensor([[1, 2, 4, 4]]))
    assert weights[0].tolist() == pytest.approx([1 / 8, 1 / 2, 1 / 4, 1 / 8])


def test_the_weights_of_others_are_their_mean() -> None:
    weights = OthersFitness().of_fitness(torch.tensor([[1, 1], [1, 3], [9, 1]]))
    # (0.5, 0.5), (0.75, 0.25), (0.1, 0.9) are their own
    assert weights.flatten().tolist() == pytest.approx([0.425, 0.575, 0.3, 0.7, 0.625, 0.375])
    swapped = OthersFitness().of_fitness(torch.tensor([[7, 2], [1, 3], [9, 1]]))
    torch.testing.assert_close(swapped[0], weights[0])  # its own fitness is no matter
    with pytest.raises(ValueError, match="weights of the other inputs need two inputs at least"):
        OthersFitness().of_fitness(torch.tensor([[1, 2]]))


def test_the_fittest_alone_is_of_equally_fit_ones_the_first() -> None:
    weights = Fittest().of_fitness(D_ALPHA)
    assert weights.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
