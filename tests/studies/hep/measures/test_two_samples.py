"""Comparisons of two samples against scipy, closed forms, and samples that differ in a known way."""

import numpy as np
import pytest
from scipy import stats

from igbaselines.studies.hep.measures.discovery import effective_events
from igbaselines.studies.hep.measures.two_samples import (
    WeightedSample,
    correlation_agreement,
    correlation_matrix,
    kolmogorov_smirnov,
    mean_shift,
    two_sample_auc,
)


def sample(rng: np.random.Generator, n: int, shift: float = 0.0, features: int = 4) -> WeightedSample:
    """Independent normal features, the first two shifted."""
    moved = shift * (np.arange(features) < 2)
    return WeightedSample.of((rng.normal(size=(n, features)) + moved).astype(np.float32), None)


def repeated(rng: np.random.Generator, of: WeightedSample) -> tuple[WeightedSample, WeightedSample]:
    """The same distribution twice: by whole weights, and by equal events that are there so many times."""
    times = rng.integers(0, 4, len(of))
    weighted = WeightedSample.of(of.features, times.astype(float))
    return weighted, WeightedSample.of(of.features.repeat(times, axis=0), None)


@pytest.mark.parametrize("decimals", [1, 7], ids=["with ties", "without"])
def test_kolmogorov_smirnov_is_scipys_where_weights_are_equal(rng: np.random.Generator, decimals: int) -> None:
    first, second = (
        WeightedSample.of(of.features.round(decimals), None) for of in (sample(rng, 300, 0.3), sample(rng, 500))
    )
    columns = zip(first.features.T, second.features.T, strict=True)
    expected = [stats.ks_2samp(a, b).statistic for a, b in columns]
    np.testing.assert_allclose(kolmogorov_smirnov(first, second), expected, atol=1e-12)


def test_a_weight_counts_as_so_many_events(rng: np.random.Generator) -> None:
    other = sample(rng, 400, 0.2)
    weighted, times = repeated(rng, sample(rng, 300))
    np.testing.assert_allclose(kolmogorov_smirnov(weighted, other), kolmogorov_smirnov(times, other), atol=1e-12)
    np.testing.assert_allclose(mean_shift(other, weighted), mean_shift(other, times))
    expected = np.corrcoef(times.features.astype(float), rowvar=False)
    np.testing.assert_allclose(correlation_matrix(weighted), expected, atol=1e-12)


def test_distances_of_samples_that_do_not_overlap_and_that_are_the_same(rng: np.random.Generator) -> None:
    one = sample(rng, 100)
    np.testing.assert_allclose(kolmogorov_smirnov(one, one), 0, atol=1e-12)
    far = WeightedSample.of(one.features + 100, None)
    np.testing.assert_allclose(kolmogorov_smirnov(one, far), 1)


def test_the_mean_shifts_by_standard_deviations_of_the_reference(rng: np.random.Generator) -> None:
    reference = sample(rng, 200)
    deviation = reference.features.std(axis=0)
    moved = WeightedSample.of((reference.features + deviation * [2, -1, 0, 0.5]).astype(np.float32), None)
    np.testing.assert_allclose(mean_shift(moved, reference), [2, -1, 0, 0.5], atol=1e-5)


def test_a_constant_feature_has_neither_a_shift_nor_correlations(rng: np.random.Generator) -> None:
    one = sample(rng, 50)
    features = one.features.copy()
    features[:, 1] = 0.1
    constant = WeightedSample.of(features, None)
    assert np.isnan(mean_shift(one, constant)).tolist() == [False, True, False, False]
    matrix = correlation_matrix(constant)
    assert np.isnan(matrix).sum() == 4 + 3
    assert correlation_agreement(matrix, correlation_matrix(constant)) == pytest.approx(1)


def test_agreement_is_the_correlation_of_the_entries_above_the_diagonal() -> None:
    first, second = np.eye(3), np.eye(3)
    above = np.triu_indices(3, k=1)
    first[above], second[above] = [0.1, 0.5, -0.3], [0.2, 0.4, -0.5]
    expected = stats.pearsonr([0.1, 0.5, -0.3], [0.2, 0.4, -0.5]).statistic
    assert correlation_agreement(first, second) == pytest.approx(expected)
    assert np.isnan(correlation_agreement(first[:2, :2], second[:2, :2]))


def test_effective_events_are_those_of_equal_weights(rng: np.random.Generator) -> None:
    assert effective_events(sample(rng, 70).weight) == pytest.approx(70)
    one = WeightedSample.of(np.zeros((3, 1), np.float32), np.array([2.0, 2.0, 0.0]))
    assert effective_events(one.weight) == pytest.approx(2)


def test_events_without_any_weight_are_no_sample() -> None:
    with pytest.raises(ValueError, match="none of 3 events"):
        WeightedSample.of(np.zeros((3, 1), np.float32), np.zeros(3))


def test_halves_hold_every_event_once(rng: np.random.Generator) -> None:
    one = sample(rng, 101)
    halves = one.halves(rng)
    assert [len(half) for half in halves] == [50, 51]
    values = np.concatenate([half.features[:, 0] for half in halves])
    assert sorted(values) == sorted(one.features[:, 0])


def test_samples_of_one_distribution_cannot_be_told_apart(rng: np.random.Generator) -> None:
    auc = two_sample_auc(sample(rng, 1500), sample(rng, 1000), folds=3, trees=10, seed=0)
    assert auc.shape == (3,)
    # the standard error of an AUC of 0.5 is sqrt((n + m + 1) / (12 n m)), doubled for shared training events
    assert auc.mean() == pytest.approx(0.5, abs=4 * 2 * np.sqrt(2501 / (12 * 1500 * 1000)))


def test_a_shift_is_found_only_in_the_features_that_have_it(rng: np.random.Generator) -> None:
    first, second = sample(rng, 1200, shift=1.0), sample(rng, 1200)
    shifted, same = (
        two_sample_auc(first.of_features(chosen), second.of_features(chosen), folds=2, trees=30, seed=1).mean()
        for chosen in (np.array([0, 1]), np.array([2, 3]))
    )
    best = stats.norm.cdf(1)  # of the likelihood ratio: two unit normals whose means are sqrt(2) apart
    assert best - 0.05 < shifted < best + 0.03
    assert same == pytest.approx(0.5, abs=0.06)


def test_weights_undo_what_a_selection_did(rng: np.random.Generator) -> None:
    whole, thinned = sample(rng, 2000), sample(rng, 4000)
    keep = rng.uniform(size=4000) < np.where(thinned.features[:, 0] > 0, 1.0, 0.25)
    kept = thinned.features[keep]
    unweighted = WeightedSample.of(kept, None)
    weighted = WeightedSample.of(kept, np.where(kept[:, 0] > 0, 1.0, 4.0))
    auc = [two_sample_auc(of, whole, folds=2, trees=10, seed=2).mean() for of in (unweighted, weighted)]
    assert auc[0] > 0.6
    assert auc[1] == pytest.approx(0.5, abs=0.05)
