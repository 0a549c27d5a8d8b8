"""Tests of claims about methods that were measured on the same images: pure functions of a run's rows."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import CONFIDENCE, mean_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import Estimate, Outcome, Region, Verdict, contradicts, decide
from igbaselines.studies.images.reporting.rows import METRICS, by_baseline, by_image, values_of


def paired_difference(rows: pd.DataFrame, claimed: Region, *, metric: str, method_a: str, method_b: str) -> Outcome:
    """Test the mean over images of a metric of method a minus that of method b.

    Args:
        rows: of a run.
        claimed: the differences that are claimed.
        metric: measured of both methods on every image.
        method_a: the method that should have the larger values, for a claim of more than zero.
        method_b: the method that is subtracted.
    """
    table = by_image(rows, metric, (method_a, method_b))
    a, b = values_of(table, method_a), values_of(table, method_b)
    estimate = mean_estimate(a - b, threshold=claimed.threshold, unit="image")
    found = paired.compare(a, b)
    holds = sum(claimed.holds(float(value)) for value in a - b)
    note = (
        f"value: mean of {method_a} minus {method_b} in {metric}; means {found.mean_a:.4g} and {found.mean_b:.4g}; "
        f"as claimed for {holds} of {found.n} images; Wilcoxon p = {found.p_wilcoxon:.2g}, "
        f"unpaired (Welch) p = {found.p_unpaired:.2g}"
    )
    return Outcome(estimate, decide(estimate, claimed), note)


def paired_differences(
    rows: pd.DataFrame, claimed: Region, *, metric: str, method: str, others: Sequence[str]
) -> Outcome:
    """Test a method's metric minus that of each of several others, on average over them.

    Where the average holds but the interval of a single one, widened for their number (Bonferroni), lies strictly
    on the other side, the claim is partly reproduced.

    Args:
        rows: of a run.
        claimed: the differences that are claimed, of every one of the others.
        metric: measured of all methods on every image.
        method: that the others are subtracted from.
        others: the methods subtracted; those that the run could not have, for lack of baselines, are left out.
    """
    measured = [other for other in others if ((rows["metric"] == metric) & (rows["method"] == other)).any()]
    table = by_image(rows, metric, (method, *(measured or others)))
    differences = values_of(table, method)[:, None] - table[measured].to_numpy(float)
    estimate = mean_estimate(differences.mean(axis=1), threshold=claimed.threshold, unit="image")
    widened = 1 - (1 - CONFIDENCE) / len(measured)
    single = [mean_estimate(column, unit="image", confidence=widened) for column in differences.T]
    contrary = [other for other, one in zip(measured, single, strict=True) if contradicts(one, claimed)]
    holds = sum(claimed.holds(one.value) for one in single)
    note = f"value: mean of {method} minus {', '.join(measured)} in {metric}; as claimed for {holds} of {len(measured)}"
    if contrary:
        note += f", resolved to the contrary for {', '.join(contrary)} (Bonferroni)"
    verdict = decide(estimate, claimed)
    if verdict == Verdict.REPRODUCED and contrary:
        verdict = Verdict.PARTLY
    return Outcome(estimate, verdict, note)


def relative_improvement(rows: pd.DataFrame, claimed: Region, *, metric: str, reference: str, method: str) -> Outcome:
    """Test by how many percent a method's mean is better than a reference's.

    Args:
        rows: of a run.
        claimed: the improvements that are claimed [%].
        metric: one of METRICS, which know the direction.
        reference: the method compared with.
        method: the method that should be better.
    """
    table = by_image(rows, metric, (reference, method))
    values = values_of(table, reference), values_of(table, method)
    estimate = paired.relative_improvement(
        *values, lower_is_better=METRICS[metric].lower_is_better, threshold=claimed.threshold
    )
    note = f"value: improvement of {method} over {reference} in mean {metric} in %; "
    note += f"means {values[1].mean():.4g} and {values[0].mean():.4g}"
    if estimate.low > claimed.at_most:
        note += "; more than claimed"
    return Outcome(estimate, decide(estimate, claimed), note)


def spread_difference(rows: pd.DataFrame, claimed: Region, *, metric: str, method_a: str, method_b: str) -> Outcome:
    """Test the standard deviation over images of method a minus that of method b.

    Args:
        rows: of a run.
        claimed: the differences that are claimed.
        metric: measured of both methods on every image.
        method_a: the method that should spread more, for a claim of more than zero.
        method_b: the method that is subtracted.
    """
    table = by_image(rows, metric, (method_a, method_b))
    a, b = values_of(table, method_a), values_of(table, method_b)
    estimate = paired.spread_difference(a, b)
    note = f"value: standard deviation over images of {method_a} minus {method_b} in {metric}; "
    note += f"{a.std(ddof=1):.4g} and {b.std(ddof=1):.4g}"
    return Outcome(estimate, decide(estimate, claimed), note)


def lowest_of(rows: pd.DataFrame, claimed: Region, *, metric: str, methods: Sequence[str]) -> Outcome:
    """Test at which place of a list the mean of a metric is lowest.

    Args:
        rows: of a run.
        claimed: the places that are claimed, counted from 0.
        metric: measured of all methods on every image.
        methods: the list, in order.
    """
    values = by_image(rows, metric, methods).to_numpy(float)
    estimate, shares = paired.place_of_minimum(values)
    means = ", ".join(f"{mean:.4g}" for mean in values.mean(axis=0))
    likely = ", ".join(f"{share:.0%}" for share in shares)
    note = f"value: place of the lowest mean {metric} of {means}, counted from 0; lowest in {likely} of the replicates"
    return Outcome(estimate, decide(estimate, claimed), note)


def share_of_baselines_dropped(rows: pd.DataFrame, claimed: Region) -> Outcome:
    """Test the mean over images of the share of baselines that filtering leaves without weight."""
    weights = by_baseline(rows, "filtered_weight")
    require_finite(weights.to_numpy(float))
    shares = (weights == 0).mean(axis=1).to_numpy(float)
    estimate = mean_estimate(shares, threshold=claimed.threshold, unit="image")
    note = f"value: mean share of the {weights.shape[1]} baselines that the filter drops; the attributions of all of "
    note += "them are computed before their fitness is known"
    return Outcome(estimate, decide(estimate, claimed), note)


def unit_median(rows: pd.DataFrame, claimed: Region, *, metric: str, method: str) -> Outcome:
    """Test the median over images of a method's metric.

    Args:
        rows: of a run.
        claimed: the medians that are claimed.
        metric: measured on every image.
        method: whose.
    """
    values = values_of(by_image(rows, metric, (method,)), method)
    estimate = _median_estimate(values)
    tail, largest = np.quantile(values, [0.95, 1])
    note = f"value: median {metric} of {method}; 95 % quantile {tail:.4g}, largest {largest:.4g}"
    return Outcome(estimate, decide(estimate, claimed), note)


def _median_estimate(values: np.ndarray) -> Estimate:
    """Estimate a median with the interval of the order statistics, which needs no shape of the distribution.

    Raises:
        NotTestable: for too few values: even their range would cover less than 95 %.
    """
    n = len(values)
    paired.require_several(n)
    ordered = np.sort(values)
    # The number of values below the median is binomial(n, 1/2): its quantiles are the places of the interval's ends.
    below = int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    low, high = ordered[below - 1], ordered[n - below]
    return Estimate(float(np.median(values)), float(low), float(high), n, None, f"order statistics of {n} images")


TESTS: dict[str, Callable[..., Outcome]] = {
    test.__name__: test
    for test in (
        paired_difference,
        paired_differences,
        relative_improvement,
        spread_difference,
        lowest_of,
        share_of_baselines_dropped,
        unit_median,
    )
}
