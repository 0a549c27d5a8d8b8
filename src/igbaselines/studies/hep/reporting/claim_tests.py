"""The tests of claims about rankings of features, and about curves against their number k, as `reporting.claim_tests`.

With fewer than `min_n_eff` effective background events behind the cut at any k that is used, nothing is decided.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from igbaselines.reporting.claim_tests import over_parts, over_units, span, widened
from igbaselines.reporting.rows import POOLED, by_unit, unit_name
from igbaselines.reporting.statistics.estimates import mean_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import NotTestable, Outcome, Region, Undecided, decide
from igbaselines.studies.hep.reporting.curves import Curve

EFFECTIVE_BACKGROUND = "background_n_eff"


def first_feature(rows: pd.DataFrame, claimed: Region, *, feature: str, method: str, metric: str) -> Outcome:
    """Test the lead of a feature: its metric minus the largest of the others', unit by unit."""
    values = by_unit(rows, metric, method, "feature")
    _require_features(values, [feature])
    require_finite(values.to_numpy(float))
    lead = (values.loc[feature] - values.drop(index=feature).max()).to_numpy(float)
    unit = unit_name(values.columns)
    estimate = mean_estimate(lead, threshold=claimed.threshold, unit=unit)
    leads = int((lead > 0).sum())
    note = f"value: the lead of {feature} in {metric}; it leads in {leads} of {len(lead)} {unit}s"
    return Outcome(estimate, decide(estimate, claimed), note)


def feature_rank(rows: pd.DataFrame, claimed: Region, *, features: Sequence[str], method: str) -> Outcome:
    """Test the mean rank of a feature (1 is the most important), or in each unit of the best of several."""
    ranks = _best_rank(rows, features, method)
    named = features[0] if len(features) == 1 else f"the best of {', '.join(features)}"
    return over_units(ranks, claimed, f"mean rank of {named}; ranks {span(ranks.to_numpy(float))}")


def rank_difference(
    rows: pd.DataFrame, claimed: Region, *, features: Sequence[str], method_a: str, method_b: str
) -> Outcome:
    """Test by how many places method a ranks a feature (or in each unit the best of several) above method b."""
    ranks_a, ranks_b = (_best_rank(rows, features, method) for method in (method_a, method_b))
    words = (
        f"places gained by {method_a}; ranks {span(ranks_a.to_numpy(float))} with {method_a}, "
        f"{span(ranks_b.to_numpy(float))} with {method_b}"
    )
    return over_units(ranks_b - ranks_a, claimed, words)


def curve_difference(
    rows: pd.DataFrame, claimed: Region, *, metric: str, method_a: str, method_b: str, up_to_k: int, min_n_eff: int = 0
) -> Outcome:
    """Test the mean over k <= up_to_k of the paired difference of two curves, and every k by itself: see `over_parts`.

    The network with all features never counts.
    """
    difference = Curve.of(rows, metric, method_a) - Curve.of(rows, metric, method_b)
    difference = difference.below_all_features(up_to_k)
    used = [int(k) for k in difference.point.index]
    _require_background(rows, (method_a, method_b), used, min_n_eff)
    estimate = difference.mean(threshold=claimed.threshold)
    single = {f"k = {k}": difference.at(k, confidence=widened(len(used))) for k in used}
    return over_parts(estimate, single, claimed, f"mean difference in {metric} over k = {_listed(used)}", "k")


def plateau(
    rows: pd.DataFrame, claimed: Region, *, metric: str, method: str, tolerance: float, min_n_eff: int = 0
) -> Outcome:
    """Test from which k a curve stays within a fraction, the tolerance, of its value with all features.

    The k that are measured must be able to say either: some below the claimed range, some in it, and all features,
    where every curve ends, beyond it.
    """
    curve = Curve.of(rows, metric, method)
    measured = [int(k) for k in curve.point.index]
    *fewer, everything = map(float, measured)
    if claimed.holds(everything):
        raise NotTestable(f"all {everything:g} features are in the claimed range: every curve levels off there")
    if not any(map(claimed.holds, fewer)) or (claimed.lower > 1 and min(fewer) >= claimed.lower):
        raise NotTestable(f"no k below the claimed range, or none in it, was measured: only k = {_listed(measured)}")
    _require_background(rows, (method,), measured, min_n_eff)
    estimate = curve.plateau(tolerance)
    note = f"value: the smallest k from which the curve stays within {tolerance:.2%} of its all-features value; "
    note += f"measured at k = {_listed(measured)}"
    return Outcome(estimate, decide(estimate, claimed), note)


TESTS: dict[str, Callable[..., Outcome]] = {
    test.__name__: test for test in (first_feature, feature_rank, rank_difference, curve_difference, plateau)
}


def _require_background(rows: pd.DataFrame, methods: Sequence[str], used: Sequence[int], min_n_eff: int) -> None:
    """Refuse to decide where too little simulated background is left behind the cut to trust an estimate."""
    if not min_n_eff:
        return
    thin: dict[int, float] = {}
    for method in methods:
        effective = by_unit(rows, EFFECTIVE_BACKGROUND, method, "k")[POOLED]
        for k in used:
            found = float(effective.get(k, 0.0))
            if not found >= min_n_eff:  # not a number: no effective events are known of
                thin[k] = min(found, thin.get(k, np.inf))
    if thin:
        raise Undecided(
            f"fewer than {min_n_eff} effective background events behind the cut at k = {_listed(sorted(thin))} "
            f"(least {min(thin.values()):.1f})"
        )


def _best_rank(rows: pd.DataFrame, features: Sequence[str], method: str) -> "pd.Series[float]":
    """Find in each unit the best rank among the features."""
    ranks = by_unit(rows, "rank", method, "feature")
    _require_features(ranks, features)
    require_finite(ranks.to_numpy(float))
    return ranks.loc[list(features)].min()


def _require_features(table: pd.DataFrame, features: Sequence[str]) -> None:
    missing = [feature for feature in features if feature not in table.index]
    if missing:
        raise NotTestable(f"the run has no feature {', '.join(missing)}")


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
