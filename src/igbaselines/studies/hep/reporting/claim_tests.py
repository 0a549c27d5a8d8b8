"""The tests that a claim can name: pure functions of a run's rows and of the claimed region."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from igbaselines.reporting.statistics.estimates import CONFIDENCE, mean_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import (
    NotTestable,
    Outcome,
    Region,
    Undecided,
    Verdict,
    contradicts,
    decide,
)
from igbaselines.studies.gridworld.reporting.rows import choose
from igbaselines.studies.hep.reporting.curves import POOLED, Curve, by_unit, unit_name

EFFECTIVE_BACKGROUND = "background_n_eff"


def first_feature(rows: pd.DataFrame, claimed: Region, *, feature: str, method: str, metric: str) -> Outcome:
    """Test the lead of a feature: its value minus the largest of the others', unit by unit.

    Args:
        rows: of a run.
        claimed: the lead that is claimed.
        feature: the feature that should lead.
        method: whose ranking.
        metric: what orders the features, by its largest value.
    """
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
    """Test the mean rank of a feature, or of the best of several.

    Args:
        rows: of a run.
        claimed: the ranks that are claimed (1 is the most important).
        features: one feature, or several of which the best counts in each unit.
        method: whose ranking.
    """
    ranks = _best_rank(rows, features, method)
    unit = unit_name(ranks.index)
    values = ranks.to_numpy(float)
    estimate = mean_estimate(values, threshold=claimed.threshold, unit=unit)
    holds = sum(claimed.holds(float(value)) for value in values)
    named = features[0] if len(features) == 1 else f"the best of {', '.join(features)}"
    note = f"value: mean rank of {named}; ranks {_span(values)}; holds in {holds} of {len(values)} {unit}s"
    return Outcome(estimate, decide(estimate, claimed), note)


def rank_difference(
    rows: pd.DataFrame, claimed: Region, *, features: Sequence[str], method_a: str, method_b: str
) -> Outcome:
    """Test by how many places method a ranks a feature (or the best of several) above method b.

    Args:
        rows: of a run.
        claimed: the places gained that are claimed.
        features: one feature, or several of which the best counts in each unit and method.
        method_a: the method that should rank it higher.
        method_b: the method that it is compared with.
    """
    ranks_a, ranks_b = (_best_rank(rows, features, method) for method in (method_a, method_b))
    gained = (ranks_b - ranks_a).to_numpy(float)
    unit = unit_name(ranks_a.index)
    estimate = mean_estimate(gained, threshold=claimed.threshold, unit=unit)
    holds = sum(claimed.holds(float(value)) for value in gained)
    note = (
        f"value: places gained by {method_a}; ranks {_span(ranks_a.to_numpy(float))} with {method_a}, "
        f"{_span(ranks_b.to_numpy(float))} with {method_b}; holds in {holds} of {len(gained)} {unit}s"
    )
    return Outcome(estimate, decide(estimate, claimed), note)


def curve_difference(
    rows: pd.DataFrame,
    claimed: Region,
    *,
    metric: str,
    method_a: str,
    method_b: str,
    up_to_k: int,
    min_n_eff: int = 0,
) -> Outcome:
    """Test the mean over k of the paired difference a - b of two curves.

    Where the mean holds but the interval at a single k, widened for the number of k (Bonferroni), lies
    strictly on the other side, the claim is partly reproduced: a paper says "for all k". A tie at one k does
    not speak against it.

    Args:
        rows: of a run.
        claimed: the differences that are claimed.
        metric: of the curves.
        method_a: the method that should do better.
        method_b: the method that it is compared with.
        up_to_k: the largest k that counts; the network with all features never does.
        min_n_eff: with fewer effective background events behind the cut at any k used, nothing is decided.
    """
    difference = Curve.of(rows, metric, method_a) - Curve.of(rows, metric, method_b)
    difference = difference.below_all_features(up_to_k)
    used = [int(k) for k in difference.point.index]
    _require_background(rows, (method_a, method_b), used, min_n_eff)
    estimate = difference.mean(threshold=claimed.threshold)
    widened = 1 - (1 - CONFIDENCE) / len(used)
    contrary = [k for k in used if contradicts(difference.at(k, confidence=widened), claimed)]
    holds = sum(claimed.holds(value) for value in difference.point)
    note = f"value: mean difference in {metric} over k = {_listed(used)}; as claimed at {holds} of {len(used)} k"
    if contrary:
        note += f", resolved to the contrary at k = {_listed(contrary)} (Bonferroni over k)"
    verdict = decide(estimate, claimed)
    if verdict == Verdict.REPRODUCED and contrary:
        verdict = Verdict.PARTLY
    return Outcome(estimate, verdict, note)


def plateau(
    rows: pd.DataFrame, claimed: Region, *, metric: str, method: str, tolerance: float, min_n_eff: int = 0
) -> Outcome:
    """Test from which k a curve stays near its all-features value.

    Args:
        rows: of a run.
        claimed: the k that are claimed.
        metric: of the curve.
        method: whose curve.
        tolerance: how near, above or below, as a fraction of the all-features value.
        min_n_eff: with fewer effective background events behind the cut at any k, nothing is decided.
    """
    curve = Curve.of(rows, metric, method)
    measured = [int(k) for k in curve.point.index]
    _require_background(rows, (method,), measured, min_n_eff)
    estimate = curve.plateau(tolerance)
    note = f"value: the smallest k from which the curve stays within {tolerance:.2%} of its all-features value; "
    note += f"measured at k = {_listed(measured)}"
    return Outcome(estimate, decide(estimate, claimed), note)


def mean_over_units(rows: pd.DataFrame, claimed: Region, *, metric: str, method: str) -> Outcome:
    """Test the mean over units of what was measured once a unit.

    Args:
        rows: of a run, those that the claim is about.
        claimed: the means that are claimed.
        metric: measured in every unit.
        method: whose.
    """
    values = _by_unit(rows, {"metric": metric, "method": method})
    unit = unit_name(values.index)
    estimate = mean_estimate(values.to_numpy(float), threshold=claimed.threshold, unit=unit)
    holds = sum(claimed.holds(value) for value in values)
    note = (
        f"value: mean {metric} of {method}; {_span(values.to_numpy(float))}; holds in {holds} of {len(values)} {unit}s"
    )
    return Outcome(estimate, decide(estimate, claimed), note)


def difference_over_units(
    rows: pd.DataFrame,
    claimed: Region,
    *,
    metric: str,
    a: Mapping[str, str | int],
    b: Mapping[str, str | int],
) -> Outcome:
    """Test the mean over units of the paired difference a - b of what was measured once a unit.

    Args:
        rows: of a run, those that the claim is about.
        claimed: the differences that are claimed.
        metric: measured of both in every unit.
        a: column -> value of the rows that should have the larger values, for a claim of more than zero.
        b: the same of the rows that are subtracted.
    """
    values_a, values_b = (_by_unit(rows, {"metric": metric} | dict(side)) for side in (a, b))
    difference = values_a - values_b
    unit = unit_name(difference.index)
    estimate = mean_estimate(difference.to_numpy(float), threshold=claimed.threshold, unit=unit)
    holds = sum(claimed.holds(value) for value in difference)
    names = [" ".join(str(value) for value in side.values()) for side in (a, b)]
    note = f"value: mean of {names[0]} minus {names[1]} in {metric}; means {values_a.mean():.4g} and "
    note += f"{values_b.mean():.4g}; holds in {holds} of {len(difference)} {unit}s"
    return Outcome(estimate, decide(estimate, claimed), note)


TESTS: dict[str, Callable[..., Outcome]] = {
    test.__name__: test
    for test in (
        first_feature,
        feature_rank,
        rank_difference,
        curve_difference,
        plateau,
        mean_over_units,
        difference_over_units,
    )
}


def _by_unit(rows: pd.DataFrame, where: Mapping[str, str | int]) -> "pd.Series[float]":
    """Take the one value of each unit.

    Raises:
        NotTestable: where there is none, or a unit has several.
    """
    found, words = choose(rows, where), ", ".join(f"{key}={value}" for key, value in where.items())
    if found.empty:
        raise NotTestable(f"the run has no rows with {words}")
    if found["unit"].duplicated().any():
        raise NotTestable(f"a {unit_name(pd.Index(found['unit']))} has several values with {words}")
    return found.set_index("unit")["value"].sort_index()


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


def _span(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
