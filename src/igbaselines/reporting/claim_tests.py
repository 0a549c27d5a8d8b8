"""The tests that a claim of any paper can name: pure functions of a run's rows and of the claimed region.

A paper's own tests stand in its study. Every test takes the rows that the claim is about, one for each unit, metric and
method; `claimed`, the values for which it holds; and the names of a metric and of methods: of a and b, a should have
the larger values for a claim of more than zero. It raises NotTestable where the rows do not settle the question.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from igbaselines.reporting.rows import by_method, choose, unit_name
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import CONFIDENCE, crossed_estimate, mean_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import (
    Estimate,
    NotTestable,
    Outcome,
    Region,
    Verdict,
    contradicts,
    decide,
)


def mean_over_units(
    rows: pd.DataFrame, claimed: Region, *, metric: str, method: str, step: float | None = None
) -> Outcome:
    """Test the mean over units of what was measured once a unit; `step` is between values that are counts."""
    values = _by_unit(rows, {"metric": metric, "method": method})
    return over_units(values, claimed, f"mean {metric} of {method}; {span(values.to_numpy(float))}", step)


def share_of_units(rows: pd.DataFrame, claimed: Region, *, metric: str, method: str, at_least: float) -> Outcome:
    """Test the share of units of which a metric is so large at least."""
    values = _by_unit(rows, {"metric": metric, "method": method})
    if not np.isfinite(values.to_numpy(float)).all():
        raise NotTestable(f"{metric!r} of {method!r} is not finite for some unit")
    words = f"{metric} of {method} is at least {at_least:g}; {span(values.to_numpy(float))}"
    return over_share(values >= at_least, claimed, words)


def difference_over_units(
    rows: pd.DataFrame,
    claimed: Region,
    *,
    metric: str,
    a: Mapping[str, str | int],
    b: Mapping[str, str | int],
) -> Outcome:
    """Test the mean over units of the paired difference of the rows with the values of `a` minus those with `b`."""
    values_a, values_b = (_by_unit(rows, {"metric": metric} | dict(side)) for side in (a, b))
    names = [" ".join(str(value) for value in side.values()) for side in (a, b)]
    words = f"mean of {names[0]} minus {names[1]} in {metric}; means {values_a.mean():.4g} and {values_b.mean():.4g}"
    return over_units(values_a - values_b, claimed, words)


def paired_difference(rows: pd.DataFrame, claimed: Region, *, metric: str, method_a: str, method_b: str) -> Outcome:
    """Test the mean over units of a metric of method a minus that of method b."""
    table = by_method(rows, metric, (method_a, method_b))
    found = paired.compare(table[method_a].to_numpy(), table[method_b].to_numpy())
    words = f"mean of {method_a} minus {method_b} in {metric}; means {found.mean_a:.4g} and {found.mean_b:.4g}"
    outcome = over_units(table[method_a] - table[method_b], claimed, words)
    tests = f"; Wilcoxon p = {found.p_wilcoxon:.2g}, unpaired (Welch) p = {found.p_unpaired:.2g}"
    return Outcome(outcome.estimate, outcome.verdict, outcome.note + tests)


def paired_differences(
    rows: pd.DataFrame, claimed: Region, *, metric: str, method: str, others: Sequence[str]
) -> Outcome:
    """Test a method's metric minus that of each of several others, and on average over them; see `for_all`.

    Others that the run could not have, for lack of baselines, are left out.
    """
    measured = [other for other in others if ((rows["metric"] == metric) & (rows["method"] == other)).any()]
    table = by_method(rows, metric, (method, *(measured or others)))
    differences = table[measured].rsub(table[method], axis=0)
    estimate = mean_estimate(differences.mean(axis=1).to_numpy(), threshold=claimed.threshold)
    single = {other: partial(mean_estimate, differences[other].to_numpy()) for other in measured}
    return for_all(estimate, single, claimed, f"mean of {method} minus {', '.join(measured)} in {metric}", "methods")


def spread_difference(rows: pd.DataFrame, claimed: Region, *, metric: str, method_a: str, method_b: str) -> Outcome:
    """Test the standard deviation over units of method a minus that of method b; nothing is decided against the test.

    The interval is a bootstrap's and the test that of equal variances: of few units with long tails they can part.
    """
    a, b = by_method(rows, metric, (method_a, method_b)).to_numpy().T
    estimate = paired.spread_difference(a, b)
    verdict = decide(estimate, claimed)
    note = f"value: standard deviation of {method_a} minus {method_b} in {metric}; "
    note += f"{a.std(ddof=1):.4g} and {b.std(ddof=1):.4g}"
    refused = claimed.threshold == 0 and estimate.p_value is not None and estimate.p_value >= 1 - CONFIDENCE
    if refused and verdict != Verdict.INCONCLUSIVE:
        note += f"; {verdict} by the interval alone: the test of equal spread has p = {estimate.p_value:.2g}"
        verdict = Verdict.INCONCLUSIVE
    return Outcome(estimate, verdict, note)


def lowest_of(rows: pd.DataFrame, claimed: Region, *, metric: str, methods: Sequence[str]) -> Outcome:
    """Test at which place of the methods, counted from 0, the mean of a metric is lowest."""
    values = by_method(rows, metric, methods).to_numpy()
    estimate, shares = paired.place_of_minimum(values)
    means = ", ".join(f"{mean:.4g}" for mean in values.mean(axis=0))
    likely = ", ".join(f"{share:.0%}" for share in shares)
    note = f"value: place of the lowest mean {metric} of {means}, counted from 0; lowest in {likely} of the replicates"
    return Outcome(estimate, decide(estimate, claimed), note)


def unit_median(rows: pd.DataFrame, claimed: Region, *, metric: str, method: str) -> Outcome:
    """Test the median over units of a method's metric."""
    table = by_method(rows, metric, (method,))
    values = table[method].to_numpy(float)
    estimate = _median_estimate(values, claimed.threshold, unit_name(table.index))
    tail, largest = np.quantile(values, [0.95, 1])
    note = f"value: median {metric} of {method}; 95 % quantile {tail:.4g}, largest {largest:.4g}"
    return Outcome(estimate, decide(estimate, claimed), note)


TESTS: dict[str, Callable[..., Outcome]] = {
    test.__name__: test
    for test in (
        *(
            mean_over_units,
            share_of_units,
            difference_over_units,
            paired_difference,
            paired_differences,
            spread_difference,
        ),
        *(lowest_of, unit_median),
    )
}


def over_units(values: "pd.Series[float]", claimed: Region, words: str, step: float | None = None) -> Outcome:
    """Judge a mean over units, and count those in which it holds.

    Args:
        values: of each unit, by its name.
        claimed: what is claimed of the mean.
        words: what the mean is of.
        step: between neighbouring values, where they come in steps.
    """
    unit = unit_name(values.index)
    estimate = mean_estimate(values.to_numpy(float), threshold=claimed.threshold, unit=unit, step=step)
    holds = sum(claimed.holds(value) for value in values)
    return Outcome(estimate, decide(estimate, claimed), f"value: {words}; holds in {holds} of {len(values)} {unit}s")


def over_share(holds: "pd.Series[bool]", claimed: Region, words: str) -> Outcome:
    """Judge the share of units of which something holds, by the exact interval of Clopper and Pearson (1934).

    Args:
        holds: of each unit, by its name.
        claimed: what is claimed of the share.
        words: what holds.
    """
    paired.require_several(len(holds))
    unit, count = unit_name(holds.index), int(holds.sum())
    exact = stats.binomtest(count, len(holds), claimed.threshold or 0.5)
    low, high = exact.proportion_ci(CONFIDENCE, method="exact")
    test = f"binomial test, exact interval (Clopper and Pearson 1934) of {len(holds)} {unit}s"
    estimate = Estimate(count / len(holds), float(low), float(high), len(holds), float(exact.pvalue), test)
    note = f"value: share of the {unit}s of which {words}"
    if 1 - ((1 - CONFIDENCE) / 2) ** (1 / len(holds)) >= claimed.lower > 0:
        note += f"; {len(holds)} {unit}s, were it none of them, could not contradict"
    return Outcome(estimate, decide(estimate, claimed), note)


def over_columns(table: pd.DataFrame, claimed: Region, words: str, parts: str, unit: str = "unit") -> Outcome:
    """Judge the mean over units and columns (`crossed_estimate`), and every column by itself: see `over_parts`.

    Args:
        table: units down, parts of the claim across.
        claimed: what is claimed of the mean, and of each part.
        words: what the mean is of.
        parts: what the columns are.
        unit: what a line is.
    """
    estimate = crossed_estimate(
        table.to_numpy(float), threshold=claimed.threshold, unit=unit, other=parts.removesuffix("s")
    )
    confidence = widened(table.shape[1])
    single = {
        str(part): mean_estimate(column.to_numpy(float), unit=unit, confidence=confidence)
        for part, column in table.items()
        if table.shape[1] > 1
    }
    return over_parts(estimate, single, claimed, words, parts)


def over_parts(estimate: Estimate, single: Mapping[str, Estimate], claimed: Region, words: str, parts: str) -> Outcome:
    """Judge an average, and look at what it is over: a paper says "for all".

    Where the average holds but the interval of a single part, widened for their number (Bonferroni), lies strictly on
    the other side, the claim is partly reproduced. A tie does not speak against it.

    Args:
        estimate: of the average.
        single: of each part, with the coverage that `widened` says.
        claimed: what is claimed of the average, and of each part.
        words: what the average is of.
        parts: what the parts are.
    """
    contrary = [part for part, one in single.items() if contradicts(one, claimed)]
    holds = sum(claimed.holds(one.value) for one in single.values())
    verdict, note = decide(estimate, claimed), f"value: {words}"
    if single:
        note += f"; as claimed for {holds} of {len(single)} {parts}"
    if contrary:
        note += f", resolved to the contrary for {', '.join(contrary)} (Bonferroni over {parts})"
    if verdict == Verdict.REPRODUCED and contrary:
        verdict = Verdict.PARTLY
    return Outcome(estimate, verdict, note)


def for_all(
    estimate: Estimate, single: Mapping[str, Callable[..., Estimate]], claimed: Region, words: str, parts: str
) -> Outcome:
    """Judge what a paper says of all parts, such as every k up to 15, each by itself and all on average.

    Reproduced: every part's own 95 % interval lies where the claim holds. All of them have to, so no correction is due
    (an intersection-union test: Berger 1982). Partly reproduced: only the average does. Not reproduced: the average
    contradicts, or does not hold and a part, its interval widened for their number (Bonferroni), contradicts.

    Args:
        estimate: of the average.
        single: of each part an estimate for a coverage, `confidence`.
        claimed: what is claimed of each part, and so of the average.
        words: what the average is of.
        parts: what the parts are.
    """
    each = {part: one() for part, one in single.items()}
    wide = {part: one(confidence=widened(len(single))) for part, one in single.items()}
    held = [part for part, one in each.items() if decide(one, claimed) == Verdict.REPRODUCED]
    contrary = [part for part, one in wide.items() if contradicts(one, claimed)]
    verdict = decide(estimate, claimed)
    if verdict == Verdict.REPRODUCED and len(held) < len(each):
        verdict = Verdict.PARTLY
    if verdict == Verdict.INCONCLUSIVE and contrary:
        verdict = Verdict.NOT_REPRODUCED
    likely = sum(claimed.holds(one.value) for one in each.values())
    note = f"value: {words}; as claimed for {likely} of {len(each)} {parts}, resolved for {len(held)}"
    if contrary:
        note += f", resolved to the contrary for {', '.join(contrary)} (Bonferroni over {parts})"
    return Outcome(estimate, verdict, note)


def widened(parts: int) -> float:
    """The coverage to ask of each of several intervals for all of them to hold together (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / parts


def span(values: np.ndarray) -> str:
    """Write the range of values: `3` or `1 to 5`."""
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _by_unit(rows: pd.DataFrame, where: Mapping[str, str | int]) -> "pd.Series[float]":
    """Take the one value of each unit.

    Raises:
        NotTestable: where there is none, or a unit has several.
    """
    found, words = choose(rows, where), ", ".join(f"{key}={value}" for key, value in where.items())
    if found.empty:
        raise NotTestable(f"the run has no rows with {words}")
    if found["unit"].duplicated().any():
        raise NotTestable(f"a {unit_name(found['unit'])} has several values with {words}")
    return found.set_index("unit")["value"].sort_index()


def _median_estimate(values: np.ndarray, threshold: float | None, unit: str) -> Estimate:
    """Estimate a median with the interval of the order statistics, which needs no shape of the distribution.

    The p-value is the sign test's against the threshold, where there is one; values that are on it say nothing.

    Raises:
        NotTestable: for missing values.
        Undecided: for too few values: even their range would cover less than 95 %.
    """
    n = len(values)
    require_finite(values)
    paired.require_several(n)
    ordered = np.sort(values)
    # The number of values below the median is binomial(n, 1/2): its quantiles are the places of the interval's ends.
    below = int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    low, high = ordered[below - 1], ordered[n - below]
    p_value = None
    if threshold is not None:
        less, more = int((values < threshold).sum()), int((values > threshold).sum())
        p_value = float(stats.binomtest(less, less + more).pvalue) if less + more else 1.0
    test = f"{'' if p_value is None else 'sign test, '}order statistics of {n} {unit}s"
    return Estimate(float(np.median(values)), float(low), float(high), n, p_value, test)
