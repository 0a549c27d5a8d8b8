"""Intervals: Student's t over a few independent units, quantiles over bootstrap replicates."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy import stats

from igbaselines.reporting.statistics.verdicts import Estimate, NotTestable

CONFIDENCE = 0.95
ENOUGH = 5  # networks whose spread says something of others


def mean_estimate(
    values: np.ndarray,
    *,
    threshold: float | None = None,
    unit: str = "unit",
    confidence: float = CONFIDENCE,
    step: float | None = None,
) -> Estimate:
    """Estimate a mean over units.

    Where all units agree their spread is not zero but unknown. For values that come in steps it is at most about the
    step that hides it: two units more, one step above and one below, stand for what was not seen (a shrunk interval:
    an exact one needs bounds of the values, and with 87 ranks would say nothing). It covers 95 % and more of means of
    rounded normal values, whatever their spread (tests/reporting/statistics). Without a known step nothing is decided.

    Args:
        values: (n,), one value a unit; differences where the units are paired.
        threshold: the null hypothesis of the two-sided one-sample t-test; None: no test.
        unit: what a unit is called in the note.
        confidence: coverage of the interval.
        step: between neighbouring values that a unit can have, such as 1 of ranks; None: values are continuous.

    Returns:
        The mean with its t-interval; `all_agree`, without width and p-value, where all units do and there is no step.

    Raises:
        NotTestable: for fewer than two units, or values that are not finite.
    """
    require_finite(values)
    if len(values) < 2:
        found = f" ({values[0]:.4g})" if len(values) else ""
        raise NotTestable(f"{len(values)} {unit}{found} gives no interval: at least two are needed")
    mean = float(values.mean())
    if np.ptp(values) <= 1e-12 * np.abs(values).max():  # no spread: the t statistic would divide by rounding
        agree = f"all {len(values)} {unit}s agree"
        if step is None:
            return Estimate(mean, mean, mean, len(values), None, f"no test: {agree}", all_agree=True)
        shrunk = np.append(values, [mean - step, mean + step])
        wider = mean_estimate(shrunk, threshold=threshold, unit=unit, confidence=confidence)
        return replace(wider, n=len(values), test=f"{agree}: t-interval with two more, one step away on either side")
    result = stats.ttest_1samp(values, 0.0 if threshold is None else threshold)
    interval = result.confidence_interval(confidence)
    name = f"t-interval over {len(values)} {unit}s"
    if threshold is None:
        return Estimate(mean, float(interval.low), float(interval.high), len(values), None, name)
    p_value = float(result.pvalue)
    return Estimate(mean, float(interval.low), float(interval.high), len(values), p_value, f"t-test, {name}")


def crossed_estimate(
    values: Float[np.ndarray, "units others"],
    *,
    threshold: float | None = None,
    unit: str = "state",
    other: str = "network",
) -> Estimate:
    """Estimate a mean over units and others, each measured with each, for both being a sample of what there could be.

    Values of a unit have the unit in common, and those of an other that one: the mean varies with either. The mean
    squares of the two-way analysis of variance with both random give its variance, (MS_units + MS_others - MS_rest) /
    (units others), a component that comes out negative counting as none, and its degrees of freedom after Satterthwaite
    (1946). Fewer others than `ENOUGH` are fixed: then it is `mean_estimate` over the units, and about these others.

    Args:
        values: of each unit with each other.
        threshold: the null hypothesis of the two-sided t-test; None: no test.
        unit: what is down, in the note.
        other: what is across.

    Returns:
        The mean, its t-interval, and the units as n.

    Raises:
        NotTestable: for fewer than two units, or values that are not finite.
    """
    require_finite(values)
    alike = np.ptp(values, axis=1).max(initial=0.0) <= 1e-12 * np.abs(values).max(initial=0.0)
    if values.shape[1] < ENOUGH or len(values) < 2 or alike:
        return mean_estimate(values.mean(axis=1), threshold=threshold, unit=unit)
    mean = float(values.mean())
    down, across = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    rest = values - mean - down[:, None] - across
    freedom = np.array([len(down) - 1, len(across) - 1, (len(down) - 1) * (len(across) - 1)])
    squares = np.array([len(across) * down @ down, len(down) * across @ across, float((rest**2).sum())]) / freedom
    seen = squares[:2] > squares[2]  # more than what is left over accounts for
    parts = np.array([*np.where(seen, squares[:2], 0.0), squares[2] * (1 - seen.sum())])
    error = float(np.sqrt(parts.sum() / values.size))
    degrees = float(parts.sum() ** 2 / (parts**2 / freedom).sum())
    reach = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))
    name = f"t-interval over {len(down)} {unit}s x {len(across)} {other}s, {degrees:.1f} degrees of freedom"
    if threshold is None:
        return Estimate(mean, mean - reach, mean + reach, len(down), None, name)
    p_value = float(2 * stats.t.sf(abs(mean - threshold) / error, degrees))
    return Estimate(mean, mean - reach, mean + reach, len(down), p_value, f"t-test, {name}")


def mean_with_interval(values: np.ndarray) -> dict[str, float]:
    """The cells mean, low and high of (n,) finite values: a 95 % t-interval, NaN where they are too few for one."""
    try:
        found = mean_estimate(values)
        return {"mean": found.value, "low": found.low, "high": found.high}
    except NotTestable:  # a single unit has a mean and no interval
        return {"mean": float(values.mean()) if len(values) else np.nan, "low": np.nan, "high": np.nan}


def replicate_estimate(
    value: float,
    replicates: np.ndarray,
    *,
    threshold: float | None = None,
    confidence: float = CONFIDENCE,
    of: str = "",
) -> Estimate:
    """Estimate a pooled quantity by the quantiles of its bootstrap replicates.

    Args:
        value: the quantity on the data themselves.
        replicates: (b,), the quantity on each resampled data set.
        threshold: the null hypothesis of the two-sided bootstrap p-value; None: no test.
        confidence: coverage of the interval.
        of: what the replicates are of, such as `4 networks`.

    Returns:
        The value with its interval; `all_agree` where the replicates do.

    Raises:
        NotTestable: for fewer than two replicates, or values that are not finite.
    """
    require_finite(np.append(replicates, value))
    if len(replicates) < 2:
        raise NotTestable(f"{len(replicates)} bootstrap replicates give no interval")
    low, high = np.quantile(replicates, [(1 - confidence) / 2, (1 + confidence) / 2])
    p_value = None
    if threshold is not None:
        tail = min((replicates <= threshold).sum(), (replicates >= threshold).sum())
        p_value = float(min(1.0, 2 * (tail + 1) / (len(replicates) + 1)))  # + 1: never claims p = 0
    name = f"bootstrap quantiles over {len(replicates)} replicates" + (f" of {of}" if of else "")
    alike = bool(np.ptp(replicates) == 0)
    return Estimate(value, float(low), float(high), len(replicates), p_value, name, all_agree=alike)


def require_finite(values: np.ndarray) -> None:
    """Refuse missing values: a verdict on what is left would hide them.

    Raises:
        NotTestable: saying how many are missing.
    """
    missing = int((~np.isfinite(values)).sum())
    if missing:
        raise NotTestable(f"{missing} of {values.size} values are missing or not finite")
