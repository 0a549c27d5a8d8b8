"""Paired statistics against scipy, sums by hand, and simulations whose truth is known."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.verdicts import NotTestable, Undecided

RNG = np.random.default_rng(3)
A = RNG.lognormal(-2, 1, 30)
B = A * RNG.normal(0.8, 0.1, 30)


def test_comparison_is_scipys() -> None:
    found = paired.compare(A, B)
    ttest = stats.ttest_rel(A, B)
    interval = ttest.confidence_interval(0.95)
    assert (found.mean_a, found.mean_b) == pytest.approx((A.mean(), B.mean()))
    assert (found.sd_a, found.sd_b) == pytest.approx((np.std(A, ddof=1), np.std(B, ddof=1)))
    assert (found.difference, found.low, found.high) == pytest.approx(((A - B).mean(), interval.low, interval.high))
    assert found.p_paired == pytest.approx(ttest.pvalue)
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(A, B).pvalue)
    assert found.p_unpaired == pytest.approx(stats.ttest_ind(A, B, equal_var=False).pvalue)
    assert found.p_paired < found.p_unpaired  # what an image brings to both methods cancels


def test_wilcoxon_by_counting_signs() -> None:
    """Exact: the share of all sign patterns whose rank sum is as far from its middle as the one found."""
    difference = np.array([0.5, -1.0, 1.5, 2.0, 2.5, 3.0])
    ranks = np.arange(1, 7)
    sums = [sum(ranks[np.array(signs) > 0]) for signs in itertools.product((-1, 1), repeat=6)]
    middle, observed = 21 / 2, sum(ranks[difference > 0])
    expected = np.mean([abs(total - middle) >= abs(observed - middle) for total in sums])
    assert paired.wilcoxon_p(difference) == pytest.approx(expected)


def test_zero_differences_are_left_out_of_wilcoxon() -> None:
    difference = np.array([0.5, -1.0, 1.5, 2.0, 2.5, 3.0])
    assert paired.wilcoxon_p(np.append(difference, [0.0, 0.0])) == paired.wilcoxon_p(difference)


def test_identical_methods_do_not_differ() -> None:
    found = paired.compare(A, A)
    assert (found.difference, found.low, found.high) == (0, 0, 0)
    assert (found.p_paired, found.p_wilcoxon, found.p_unpaired) == pytest.approx((1, 1, 1))
    improvement = paired.relative_improvement(A, A, sign=-1)
    assert (improvement.value, improvement.low, improvement.high, improvement.p_value) == (0, 0, 0, 1)
    spread = paired.spread_difference(A, A)
    assert (spread.value, spread.low, spread.high, spread.p_value) == (0, 0, 0, 1)


def test_a_constant_difference_has_no_spread_to_test_against() -> None:
    found = paired.compare(np.ones(5), np.zeros(5))
    assert (found.difference, found.low, found.high) == (1, 1, 1)
    assert math.isnan(found.p_paired)
    assert math.isnan(found.p_unpaired)
    assert found.p_wilcoxon == pytest.approx(2 / 2**5)


def test_one_unit_has_means_and_nothing_else() -> None:
    found = paired.compare(np.array([0.3]), np.array([0.2]))
    assert (found.n, found.mean_a, found.mean_b) == (1, 0.3, 0.2)
    unknown = (found.sd_a, found.sd_b, found.low, found.high, found.p_paired, found.p_wilcoxon, found.p_unpaired)
    assert all(math.isnan(value) for value in unknown)


def test_too_few_units_and_missing_values_are_refused() -> None:
    one, none = np.array([0.3]), np.array([])
    with pytest.raises(NotTestable, match="no unit"):
        paired.compare(none, none)
    for test in (paired.relative_improvement, paired.spread_difference):
        arguments = {"sign": -1} if test is paired.relative_improvement else {}
        with pytest.raises(NotTestable, match="at least two"):
            test(one, one, **arguments)
        with pytest.raises(Undecided, match="5 units are too few"):
            test(A[:5], B[:5], **arguments)
        with pytest.raises(NotTestable, match="1 of 4 values"):
            test(np.array([1.0, np.nan]), np.ones(2), **arguments)
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        paired.compare(np.ones(2), np.ones(3))


def test_the_order_of_the_units_changes_nothing() -> None:
    order = np.random.default_rng(0).permutation(len(A))
    for test in (
        lambda a, b: paired.relative_improvement(a, b, sign=-1),
        paired.spread_difference,
        lambda a, b: paired.place_of_minimum(np.column_stack([a, b]))[0],
    ):
        assert test(A, B) == test(A[order], B[order])


def test_relative_improvement_has_the_sign_of_better() -> None:
    lower = paired.relative_improvement(A, B, sign=-1)
    assert lower.value == pytest.approx(100 * (A.mean() - B.mean()) / A.mean())
    assert lower.low < lower.value < lower.high
    assert lower.n == len(A)
    higher = paired.relative_improvement(A, B, sign=1)
    assert (higher.value, higher.low, higher.high) == pytest.approx((-lower.value, -lower.high, -lower.low))


def test_no_ratio_to_a_reference_of_zero() -> None:
    with pytest.raises(NotTestable, match="reference's mean is zero"):
        paired.relative_improvement(np.zeros(6), np.ones(6), sign=1)
    with pytest.raises(NotTestable, match=r"zero in \d+ of 4000 replicates"):
        paired.relative_improvement(np.array([1.0, 0, 0, 0, 0, 0]), np.ones(6), sign=1)


def test_relative_improvement_covers_the_truth() -> None:
    """Units with means 1 and 0.8: their 95 % intervals hold 20 % about as often as they say."""
    covered = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        level = rng.gamma(4, 0.25, 80)
        found = paired.relative_improvement(level, 0.8 * level * rng.normal(1, 0.3, 80), sign=-1)
        covered.append(found.low <= 20 <= found.high)
    assert 0.88 <= np.mean(covered) <= 1


def test_pitman_morgan_is_the_correlation_of_sum_and_difference() -> None:
    assert paired.pitman_morgan_p(A, B) == pytest.approx(stats.pearsonr(A + B, A - B).pvalue)
    assert math.isnan(paired.pitman_morgan_p(A[:2], B[:2]))
    assert paired.pitman_morgan_p(A, 2 * A) == pytest.approx(0, abs=1e-12)
    assert paired.pitman_morgan_p(A, -A) == 1.0  # the sum is constant: the variances are equal


def test_pitman_morgan_is_rarely_wrong_about_equal_variances() -> None:
    p_values = []
    for seed in range(400):
        shared, *own = np.random.default_rng(seed).normal(size=(3, 40))
        p_values.append(paired.pitman_morgan_p(shared + own[0], shared + own[1]))
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_spread_is_the_difference_of_standard_deviations() -> None:
    found = paired.spread_difference(A, B)
    assert found.value == pytest.approx(np.std(A, ddof=1) - np.std(B, ddof=1))
    generator = np.random.default_rng(1)
    drawn = [generator.integers(0, len(A), len(A)) for _ in range(4000)]
    by_hand = np.quantile(
        [np.std(A[i], ddof=1) - np.std(B[i], ddof=1) for i in drawn], [0.02, 0.98]
    )  # 95 %, expanded for 30 units
    assert (found.low, found.high) == pytest.approx(tuple(by_hand), rel=0.1)


def test_spread_survives_a_large_common_level() -> None:
    near, far = paired.spread_difference(A, B), paired.spread_difference(A + 1e6, B + 1e6)
    assert (far.low, far.high) == pytest.approx((near.low, near.high), rel=1e-2)


def test_the_place_of_a_clear_minimum_is_sure() -> None:
    values = np.array([3.0, 2.0, 1.0, 2.0]) + RNG.normal(0, 1, (50, 1)) + RNG.normal(0, 0.01, (50, 4))
    found, shares = paired.place_of_minimum(values)
    assert (found.value, found.low, found.high) == (2, 2, 2)
    np.testing.assert_allclose(shares, [0, 0, 1, 0])


def test_the_place_of_a_minimum_among_equals_is_open() -> None:
    found, shares = paired.place_of_minimum(np.random.default_rng(0).normal(size=(50, 4)) * 10)
    assert found.high > found.low
    assert shares.sum() == pytest.approx(1)
    assert paired.place_of_minimum(np.ones((6, 3)))[0].value == 0  # of equal means the first
    with pytest.raises(NotTestable, match="at least two"):
        paired.place_of_minimum(np.ones((6, 1)))


def test_holm_by_hand() -> None:
    # Sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2, 0.2 * 1; each at least the one before it.
    np.testing.assert_allclose(paired.holm([0.03, 0.01, 0.2, 0.02]), [0.06, 0.04, 0.2, 0.06])
    np.testing.assert_allclose(paired.holm([0.6, 0.7]), [1, 1])


def test_holm_passes_over_what_is_no_test() -> None:
    np.testing.assert_allclose(paired.holm([np.nan, 0.04, 0.01]), [np.nan, 0.04, 0.02])
    assert len(paired.holm([])) == 0
