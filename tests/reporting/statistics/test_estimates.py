"""Intervals against scipy's distributions and numpy's quantiles."""

import numpy as np
import pytest
from scipy import stats

from igbaselines.reporting.statistics.estimates import crossed_estimate, mean_estimate, replicate_estimate
from igbaselines.reporting.statistics.verdicts import NotTestable

VALUES = np.array([0.3, 0.5, 0.1, 0.7, 0.4])


def test_mean_has_the_t_interval() -> None:
    found = mean_estimate(VALUES, threshold=0.0)
    reach = stats.t.ppf(0.975, 4) * VALUES.std(ddof=1) / np.sqrt(5)
    assert (found.low, found.high) == pytest.approx((VALUES.mean() - reach, VALUES.mean() + reach))
    t = VALUES.mean() / (VALUES.std(ddof=1) / np.sqrt(5))
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 4))
    assert found.n == 5


def test_wider_confidence_widens_the_interval() -> None:
    narrow, wide = mean_estimate(VALUES), mean_estimate(VALUES, confidence=0.999)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert narrow.p_value is None


@pytest.mark.parametrize("value", [0.0, 3.0, 1e-30])
def test_units_that_agree_have_no_spread_and_no_test(value: float) -> None:
    found = mean_estimate(np.full(3, value), threshold=1.0, unit="network")
    assert found.low == found.value == found.high == pytest.approx(value)
    assert found.p_value is None
    assert "all 3 networks agree" in found.test


def test_one_unit_gives_no_interval() -> None:
    with pytest.raises(NotTestable, match=r"1 network \(3\) gives no interval"):
        mean_estimate(np.array([3.0]), unit="network")
    with pytest.raises(NotTestable, match="0 unit gives no interval"):
        mean_estimate(np.array([]))


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_missing_values_are_refused(hole: float) -> None:
    with pytest.raises(NotTestable, match="1 of 3 values"):
        mean_estimate(np.array([1.0, hole, 2.0]))
    with pytest.raises(NotTestable, match="1 of 3 values"):
        replicate_estimate(1.0, np.array([hole, 2.0]))


def test_replicates_give_quantiles() -> None:
    replicates = np.random.default_rng(0).normal(2, 1, 200)
    found = replicate_estimate(2.1, replicates, threshold=0.0)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(replicates, [0.025, 0.975])))
    assert found.value == 2.1
    assert found.n == 200
    below = int((replicates <= 0).sum())
    assert found.p_value == pytest.approx(2 * (below + 1) / 201)


def test_a_bootstrap_never_claims_certainty() -> None:
    assert replicate_estimate(5.0, np.full(99, 5.0), threshold=0.0).p_value == pytest.approx(2 / 100)
    assert replicate_estimate(0.0, np.zeros(99), threshold=0.0).p_value == 1.0


def test_units_that_agree_on_a_step_get_a_shrunk_interval() -> None:
    found = mean_estimate(np.full(4, 5.0), threshold=5.0, unit="network", step=1.0)
    reach = stats.t.ppf(0.975, 5) * np.sqrt(2 / 5) / np.sqrt(6)
    assert (found.value, found.n, found.all_agree) == (5.0, 4, False)
    assert (found.low, found.high) == pytest.approx((5 - reach, 5 + reach))
    assert found.p_value == pytest.approx(1)
    assert found.test == "all 4 networks agree: t-interval with two more, one step away on either side"
    assert mean_estimate(np.array([4.0, 5.0, 5.0]), step=1.0) == mean_estimate(np.array([4.0, 5.0, 5.0]))


@pytest.mark.parametrize("n", [4, 12])
@pytest.mark.parametrize("spread", [0.1, 0.3, 1.0])
def test_the_interval_of_stepped_values_covers_their_mean(n: int, spread: float) -> None:
    """Ranks as rounded normal values: units often agree, and without the shrunk interval 22 to 84 % are covered."""
    rng = np.random.default_rng(0)
    ranks = np.arange(-5, 17)
    covered: list[bool] = []
    bare: list[bool] = []
    for _ in range(400):
        centre = rng.uniform(5, 6)
        truth = float(ranks @ np.diff(stats.norm.cdf([*(ranks - 0.5), 16.5], centre, spread)))
        values = np.round(rng.normal(centre, spread, n))
        for hits, step in ((covered, 1.0), (bare, None)):
            found = mean_estimate(values, step=step)
            hits.append(found.low <= truth <= found.high)
    assert np.mean(covered) >= 0.93
    assert np.mean(bare) < 0.9 or spread == 1.0


def crossed(rng: np.random.Generator, units: int, others: int, of_units: float, of_others: float) -> np.ndarray:
    """Values around 0 of units with others, each with an effect of its own."""
    effects = of_units * rng.normal(size=(units, 1)) + of_others * rng.normal(size=(1, others))
    return np.asarray(effects + 0.5 * rng.normal(size=(units, others)))


@pytest.mark.parametrize("sizes", [(100, 5), (20, 6)])
@pytest.mark.parametrize("effects", [(1.0, 0.0), (1.0, 0.2), (1.0, 1.0)])
def test_the_interval_of_crossed_values_covers_the_mean_of_both(
    sizes: tuple[int, int], effects: tuple[float, float]
) -> None:
    """States that share networks: an interval over states alone covers 10 to 95 %."""
    rng = np.random.default_rng(0)
    tables = [crossed(rng, *sizes, *effects) for _ in range(600)]
    found = [crossed_estimate(table, threshold=0.0) for table in tables]
    assert 0.92 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.975
    assert 0.025 <= np.mean([(one.p_value or 0.0) < 0.05 for one in found]) <= 0.07
    if effects == (1.0, 1.0):
        alone = [mean_estimate(table.mean(axis=1)) for table in tables]
        assert np.mean([one.low <= 0 <= one.high for one in alone]) < 0.8


def test_crossed_values_vary_as_a_bootstrap_of_both_says() -> None:
    """Owen's pigeonhole bootstrap (2007), which draws units and others, and is known to be somewhat too wide."""
    rng = np.random.default_rng(1)
    values = crossed(rng, 100, 10, 1.0, 0.5)
    found = crossed_estimate(values)
    units, others = rng.integers(100, size=(2000, 100)), rng.integers(10, size=(2000, 10))
    drawn = [values[np.ix_(down, across)].mean() for down, across in zip(units, others, strict=True)]
    degrees = float(found.test.split(", ")[-1].split()[0])
    error = (found.high - found.value) / stats.t.ppf(0.975, degrees)
    assert 0.85 < error / np.std(drawn) < 1.15


def test_others_that_say_nothing_of_their_own_leave_the_interval_over_units() -> None:
    rng = np.random.default_rng(2)
    one = rng.normal(size=(30, 1))
    alone = mean_estimate(one[:, 0], threshold=0.1, unit="state")
    assert crossed_estimate(one, threshold=0.1) == alone
    copies = crossed_estimate(np.repeat(one, 6, axis=1), threshold=0.1)
    assert (copies.low, copies.high, copies.p_value) == pytest.approx((alone.low, alone.high, alone.p_value))
    few = crossed(rng, 30, 4, 1.0, 3.0)
    assert crossed_estimate(few) == mean_estimate(few.mean(axis=1), unit="state")
    agree = crossed_estimate(np.repeat(rng.normal(size=(1, 6)), 30, axis=0))
    assert not agree.all_agree  # states do, networks do not
    assert agree.high > agree.low
    assert crossed_estimate(np.full((30, 6), 0.5)).all_agree
    with pytest.raises(NotTestable, match="1 state"):
        crossed_estimate(rng.normal(size=(1, 6)))
    with pytest.raises(NotTestable, match="missing"):
        crossed_estimate(np.full((3, 6), np.nan))
