"""Statistics of two methods measured on the same units: paired and unpaired tests, and bootstraps that keep the pairs.

A bootstrap draws units, never single values, so that what a unit brings to both methods cancels. Units are put in order
first, so that no answer hangs on the order in which they were measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from igbaselines.reporting.statistics.estimates import mean_estimate, replicate_estimate, require_finite
from igbaselines.reporting.statistics.resampling import LEAST, expanded_confidence, resampled_means
from igbaselines.reporting.statistics.verdicts import Estimate, NotTestable, Undecided


@dataclass(frozen=True)
class PairedComparison:
    """Two methods on the same n units.

    What a single unit cannot give (standard deviation, interval, p-values) is NaN there, and so is a p-value where
    all differences agree without being zero: there is no spread to test against. Identical methods have p = 1.

    Args:
        n: number of units.
        mean_a, sd_a, mean_b, sd_b: of both methods over the units.
        difference, low, high: mean of a - b with its 95 % t-interval.
        p_paired, p_wilcoxon, p_unpaired: two-sided, of the paired t-test, the Wilcoxon signed-rank test without zero
            differences, and Welch's t-test, which ignores the pairing.
    """

    n: int
    mean_a: float
    sd_a: float
    mean_b: float
    sd_b: float
    difference: float
    low: float
    high: float
    p_paired: float
    p_wilcoxon: float
    p_unpaired: float


def compare(a: np.ndarray, b: np.ndarray) -> PairedComparison:
    """Compare two methods unit by unit: (n,) values of each, of the same units.

    Raises:
        NotTestable: for no unit at all, or values that are not finite.
    """
    values = _pairs(a, b)
    if not len(values):
        raise NotTestable("there is no unit that both methods were measured on")
    difference = values[:, 0] - values[:, 1]
    sd_a, sd_b = values.std(axis=0, ddof=1) if len(values) > 1 else (math.nan, math.nan)
    low = high = p_paired = math.nan
    if len(values) > 1:
        paired = mean_estimate(difference, threshold=0.0)
        low, high = paired.low, paired.high
        p_paired = math.nan if paired.p_value is None else paired.p_value
    return PairedComparison(
        n=len(values),
        mean_a=float(values[:, 0].mean()),
        sd_a=float(sd_a),
        mean_b=float(values[:, 1].mean()),
        sd_b=float(sd_b),
        difference=float(difference.mean()),
        low=low,
        high=high,
        p_paired=p_paired if difference.any() or len(values) < 2 else 1.0,
        p_wilcoxon=wilcoxon_p(difference),
        p_unpaired=welch_p(values[:, 0], values[:, 1]),
    )


def wilcoxon_p(difference: np.ndarray) -> float:
    """Wilcoxon's signed-rank test of (n,) differences; 1 where all are zero, NaN for fewer than two."""
    if len(difference) < 2:
        return math.nan
    kept = difference[difference != 0]
    return float(stats.wilcoxon(kept).pvalue) if len(kept) else 1.0


def welch_p(a: np.ndarray, b: np.ndarray) -> float:
    """Welch's unpaired t-test; NaN for fewer than two units, or without any spread around different means."""
    if min(len(a), len(b)) < 2:
        return math.nan
    if _constant(a) and _constant(b):
        return 1.0 if a.mean() == b.mean() else math.nan
    (mean_a, sd_a), (mean_b, sd_b) = ((values.mean(), values.std(ddof=1)) for values in (a, b))
    return float(stats.ttest_ind_from_stats(mean_a, sd_a, len(a), mean_b, sd_b, len(b), equal_var=False).pvalue)


def improvement(reference: np.ndarray | float, method: np.ndarray | float, sign: int) -> np.ndarray:
    """By how many percent means are better than a reference's: more where sign is 1, and less where it is -1."""
    return np.asarray(100 * sign * (method / reference - 1))


def relative_improvement(
    reference: np.ndarray, method: np.ndarray, sign: int, *, threshold: float | None = 0.0
) -> Estimate:
    """Estimate by how many percent a method's mean is better than the reference's.

    Args:
        reference: (n,), a value a unit.
        method: (n,), of the same units.
        sign: direction of the metric: 1 where more is better, -1 where less is.
        threshold: null hypothesis of the bootstrap's p-value [%]; None: no test.

    Raises:
        NotTestable: for too few units, values that are not finite, or a reference whose mean comes to zero.
    """
    values = _several(_pairs(reference, method))
    means = resampled_means(values)
    if not values[:, 0].mean() or not means[:, 0].all():
        lost = int((means[:, 0] == 0).sum())
        raise NotTestable(f"the reference's mean is zero in {lost} of {len(means)} replicates: no ratio to it")
    point = improvement(values[:, 0].mean(), values[:, 1].mean(), sign)
    return _over_units(float(point), improvement(means[:, 0], means[:, 1], sign), len(values), threshold)


def spread_difference(a: np.ndarray, b: np.ndarray) -> Estimate:
    """Estimate the difference of two standard deviations over the same units, a's minus b's.

    The interval is the paired bootstrap's, the p-value that of the Pitman-Morgan test.

    Raises:
        NotTestable: for too few units, or values that are not finite.
    """
    values = _several(_pairs(a, b))
    centred = values - values.mean(axis=0)  # keeps the difference of squares free of cancellation
    moments = resampled_means(np.hstack([centred, centred**2]))
    variances = np.clip(moments[:, 2:] - moments[:, :2] ** 2, 0, None) * len(values) / (len(values) - 1)
    spreads = np.sqrt(variances)
    point = float(values[:, 0].std(ddof=1) - values[:, 1].std(ddof=1))
    found = _over_units(point, spreads[:, 0] - spreads[:, 1], len(values), None)
    p_value = pitman_morgan_p(values[:, 0], values[:, 1])
    test = f"Pitman-Morgan test, {found.test}"
    return replace(found, p_value=None if math.isnan(p_value) else p_value, test=test)


def pitman_morgan_p(a: np.ndarray, b: np.ndarray) -> float:
    """Test whether paired values have equal variances: whether their sum and difference are uncorrelated.

    Returns:
        The two-sided p-value; 1 where sum or difference is constant (the variances are equal), NaN for fewer than
        three units.
    """
    if len(a) < 3:
        return math.nan
    total, difference = a + b, a - b
    if _constant(total) or _constant(difference):
        return 1.0
    correlation = float(np.corrcoef(total, difference)[0, 1])
    rest = 1 - correlation**2
    if rest <= 0:
        return 0.0
    t = correlation * math.sqrt((len(a) - 2) / rest)
    return float(2 * stats.t.sf(abs(t), len(a) - 2))


def place_of_minimum(values: np.ndarray) -> tuple[Estimate, np.ndarray]:
    """Find which column has the lowest mean, and how sure that is.

    Args:
        values: (n, m), units down.

    Returns:
        The place (0 .. m - 1) with its bootstrap interval, and (m,) the share of replicates in which each place is
        the lowest; of equal means the first counts.

    Raises:
        NotTestable: for too few units or columns, or values that are not finite.
    """
    values = _several(_in_order(values))
    if values.shape[1] < 2:
        raise NotTestable("one value has no minimum to place: at least two are needed")
    places = resampled_means(values).argmin(axis=1)
    shares = np.bincount(places, minlength=values.shape[1]) / len(places)
    found = _over_units(float(values.mean(axis=0).argmin()), places.astype(float), len(values), None)
    return replace(found, all_agree=False), shares  # a place that all replicates agree on is resolved


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Correct p-values for the number of tests (Holm 1979); NaN stays NaN and counts for no test."""
    found = np.asarray(p_values, dtype=float)
    corrected = np.full(found.shape, np.nan)
    tests = np.flatnonzero(~np.isnan(found))
    order = tests[np.argsort(found[tests], kind="stable")]
    steps = found[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def _pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if np.shape(a) != np.shape(b):
        raise ValueError(f"paired values need the same units, got {np.shape(a)} and {np.shape(b)}")
    return _in_order(np.column_stack([a, b]))


def _in_order(values: np.ndarray) -> np.ndarray:
    require_finite(values)
    return np.asarray(values[np.lexsort(values.T)], dtype=float)


def _several(values: np.ndarray) -> np.ndarray:
    require_several(len(values))
    return values


def require_several(n: int) -> None:
    """Refuse an interval from too few units.

    Raises:
        NotTestable: for fewer than two units.
        Undecided: for fewer than LEAST.
    """
    if n < 2:
        raise NotTestable(f"{n} unit gives no interval: at least two are needed")
    if n < LEAST:
        raise Undecided(f"{n} units are too few for an interval without assumptions: at least {LEAST} are needed")


def _over_units(value: float, replicates: np.ndarray, n: int, threshold: float | None) -> Estimate:
    """Estimate by bootstrap quantiles, with the number of units as n."""
    found = replicate_estimate(value, replicates, threshold=threshold, confidence=expanded_confidence(n))
    test = f"{found.test} of {n} units, expanded for their number"
    return replace(found, n=n, test=test)


def _constant(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
