"""The bootstrap: against plain loops over drawn units, and what it keeps paired."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.statistics import resampling
from igbaselines.reporting.statistics.resampling import interval_of, joint_means, resampled_means

VALUES = np.random.default_rng(0).normal(3, 1, (12, 2))


def table(units: list[str], seed: int) -> pd.DataFrame:
    return pd.DataFrame({"a": np.random.default_rng(seed).normal(size=len(units))}, index=units)


def test_replicates_are_means_of_units_drawn_with_replacement() -> None:
    found = resampled_means(VALUES, replicates=3000)
    generator = np.random.default_rng(5)
    by_hand = np.array([VALUES[generator.integers(0, 12, 12)].mean(axis=0) for _ in range(3000)])
    np.testing.assert_allclose(found.mean(axis=0), VALUES.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(found.std(axis=0), by_hand.std(axis=0), rtol=0.08)
    assert np.corrcoef(found.T)[0, 1] == pytest.approx(np.corrcoef(by_hand.T)[0, 1], abs=0.08)


def test_the_size_of_a_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resampled_means(VALUES, replicates=50), joint_means([table(list("abc"), 0)], replicates=50)[0]
    monkeypatch.setattr(resampling, "BLOCK", 30)
    parts = resampled_means(VALUES, replicates=50), joint_means([table(list("abc"), 0)], replicates=50)[0]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other)


def test_tables_of_the_same_units_get_the_same_draws() -> None:
    first = table(list("abcdef"), 0)
    shuffled = (first + 1).iloc[::-1]
    one, other = joint_means([first, shuffled], replicates=200)
    np.testing.assert_allclose(other - one, 1, atol=1e-12)


def test_a_table_may_lack_units_of_another() -> None:
    whole, part = table(list("abcdef"), 0), table(list("abc"), 1)
    _, found = joint_means([whole, part], replicates=20_000)
    alone = joint_means([part], replicates=20_000)[0]
    assert np.nanmean(found) == pytest.approx(part["a"].mean(), abs=0.02)
    assert np.isnan(found).mean() == pytest.approx(0.5**6, abs=0.005)  # none of its units was drawn
    assert np.nanstd(found) > np.std(alone)  # fewer of its units in a draw


def test_a_single_unit_has_no_replicates() -> None:
    alone, others = joint_means([table(["a"], 0), table(["a", "b"], 1)], replicates=20)
    assert np.isnan(alone).all()
    assert np.isnan(interval_of(alone, n=10)).all()
    assert np.isfinite(others).all()


def test_intervals_leave_out_the_missing() -> None:
    replicates = np.append(np.arange(100_001.0), np.nan)[:, None]
    ends = np.array([[0.025], [0.975]]) * 100_000
    np.testing.assert_allclose(interval_of(replicates, n=10_000_000), ends, rtol=1e-4)


def test_few_units_get_the_width_of_students_interval() -> None:
    """Of a normal mean: as wide as the t-interval, which is right for any number of units."""
    for n in (6, 10, 40):
        values = np.random.default_rng(n).normal(size=n)
        found = interval_of(np.random.default_rng(0).normal(0, values.std(ddof=0) / np.sqrt(n), 2_000_000), n)
        width = 2 * stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
        assert found[1] - found[0] == pytest.approx(width, rel=0.02)


def test_too_few_units_give_no_interval() -> None:
    assert np.isnan(interval_of(np.arange(100.0), n=5)).all()
    assert np.isfinite(interval_of(np.arange(100.0), n=6)).all()


def test_the_interval_of_a_skewed_mean_covers_it() -> None:
    covered = []
    for seed in range(300):
        values = np.random.default_rng(seed).gamma(4, 0.25, (12, 1))
        low, high = interval_of(resampled_means(values, replicates=1000, seed=seed), n=12)
        covered.append(low <= 1 <= high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.04)
