"""Tests of claims about methods that were measured on the same images, as `reporting.claim_tests`."""

from collections.abc import Callable

import pandas as pd

from igbaselines.reporting.rows import by_method
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import mean_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import Outcome, Region, decide
from igbaselines.studies.images.reporting.rows import METRICS, by_baseline


def relative_improvement(rows: pd.DataFrame, claimed: Region, *, metric: str, reference: str, method: str) -> Outcome:
    """Test by how many percent a method's mean is better than a reference's."""
    before, after = by_method(rows, metric, (reference, method)).to_numpy().T
    estimate = paired.relative_improvement(before, after, METRICS[metric].sign, threshold=claimed.threshold)
    note = f"value: improvement of {method} over {reference} in mean {metric} in %; "
    note += f"means {after.mean():.4g} and {before.mean():.4g}"
    if estimate.low > claimed.at_most:
        note += "; more than claimed"
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


TESTS: dict[str, Callable[..., Outcome]] = {
    test.__name__: test for test in (relative_improvement, share_of_baselines_dropped)
}
