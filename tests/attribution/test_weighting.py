"""Weights of baselines."""

import pytest
import torch

from igbaselines.attribution.weighting import ByStratum, Uniform, Weighting

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
