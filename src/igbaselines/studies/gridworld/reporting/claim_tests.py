"""Tests of claims about agreement with exact Shapley values, and its price, as `reporting.claim_tests`.

All but the last estimate a mean over states and networks, each state being explained with each network (a metric of
several networks together names none), and look at every network by itself: see `over_columns`.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from igbaselines.reporting.claim_tests import over_columns
from igbaselines.reporting.rows import by_method, select, unit_name
from igbaselines.reporting.statistics.estimates import mean_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import Estimate, NotTestable, Outcome, Region, decide
from igbaselines.studies.gridworld.reporting.rows import by_state

OVER = ("networks", "state")  # across, each looked at by itself, and down


def agreement_difference(rows: pd.DataFrame, claimed: Region, *, metric: str, method_a: str, method_b: str) -> Outcome:
    """Test the mean over states of a metric of method a minus that of method b."""
    tables = by_state(rows, metric, (method_a, method_b))
    means = [tables[method].to_numpy(float).mean() for method in (method_a, method_b)]
    words = f"mean of {method_a} minus {method_b} in {metric}; means {means[0]:.4g} and {means[1]:.4g}"
    return over_columns(tables[method_a] - tables[method_b], claimed, words, *OVER)


def agreement_mean(rows: pd.DataFrame, claimed: Region, *, metric: str, method: str) -> Outcome:
    """Test the mean over states of a metric."""
    return over_columns(by_state(rows, metric, (method,))[method], claimed, f"mean {metric} of {method}", *OVER)


def q_robustness(
    rows: pd.DataFrame, claimed: Region, *, metric: str, method: str, q_low: int | float, q_high: int | float
) -> Outcome:
    """Test what few coalitions change: the mean over states of a metric at a share q_low minus that at q_high."""
    found = select(rows, metric, method)
    at_low, at_high = (by_state(_at_q(found, q), metric, (method,))[method] for q in (q_low, q_high))
    if set(at_low) != set(at_high):
        raise NotTestable(f"q = {q_low:g} and q = {q_high:g} were not measured with the same networks")
    difference = at_low - at_high
    require_finite(difference.to_numpy(float))
    means = f"means {at_low.to_numpy(float).mean():.4g} and {at_high.to_numpy(float).mean():.4g}"
    words = f"mean {metric} of {method} at q = {q_low:g} minus q = {q_high:g}; {means}"
    return over_columns(difference, claimed, words, *OVER)


def time_ratio(rows: pd.DataFrame, claimed: Region, *, metric: str, method_a: str, method_b: str) -> Outcome:
    """Test the geometric mean over networks, or photographs, of the ratio of method a's time to method b's."""
    table = by_method(rows, metric, (method_a, method_b))
    values, unit = table.to_numpy(), unit_name(table.index)
    threshold = None if claimed.threshold is None or claimed.threshold <= 0 else claimed.threshold
    estimate = ratio_estimate(values[:, 0], values[:, 1], threshold=threshold, unit=unit)
    holds = sum(claimed.holds(float(ratio)) for ratio in values[:, 0] / values[:, 1])
    note = f"value: geometric mean of {method_a} over {method_b} in {metric}; "
    note += f"as claimed in {holds} of {len(values)} {unit}s"
    return Outcome(estimate, decide(estimate, claimed), note)


def ratio_estimate(a: np.ndarray, b: np.ndarray, *, threshold: float | None = None, unit: str = "network") -> Estimate:
    """Estimate the geometric mean of a / b, positive values of the same units, with a t-interval of the logarithms.

    It is tested against a positive ratio, the threshold, where there is one.

    Raises:
        NotTestable: for fewer than two units, or a value that is missing or not positive.
    """
    values = np.concatenate([a, b])
    require_finite(values)
    if (values <= 0).any():
        raise NotTestable(f"{(values <= 0).sum()} of {values.size} values are not positive: they have no ratio")
    if len(a) < 2:
        found = f" (ratio {a[0] / b[0]:.4g})" if len(a) else ""
        raise NotTestable(f"{len(a)} {unit}{found} gives no interval: at least two are needed")
    tested = None if threshold is None else float(np.log(threshold))
    logs = mean_estimate(np.log(a) - np.log(b), threshold=tested, unit=unit)
    value, low, high = (float(np.exp(edge)) for edge in (logs.value, logs.low, logs.high))
    return replace(logs, value=value, low=low, high=high, test=f"{logs.test}, of logarithms")


TESTS: dict[str, Callable[..., Outcome]] = {
    test.__name__: test for test in (agreement_difference, agreement_mean, q_robustness, time_ratio)
}


def _at_q(rows: pd.DataFrame, q: int | float) -> pd.DataFrame:
    measured = rows["q"].astype(float) if "q" in rows else pd.Series(np.nan, index=rows.index)
    found = rows[np.isclose(measured, q)]
    if found.empty:
        known = ", ".join(f"{value:g}" for value in sorted(measured.dropna().unique()))
        raise NotTestable(f"the run has no q = {q:g}; it has {known or 'none'}")
    return found
