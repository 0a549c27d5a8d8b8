"""Intervals: Student's t over a few independent units, quantiles over bootstrap replicates."""

from dataclasses import replace

import numpy as np
from scipy import stats

from igbaselines.reporting.statistics.verdicts import Estimate, NotTestable

CONFIDENCE = 0.95


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
