"""The tests of claims about rankings of features, and about curves against their number k, as `reporting.claim_tests`.

With fewer than `min_n_eff` effective background events behind the cut at any k that is used, nothing is decided.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from igbaselines.reporting.claim_tests import for_all, over_units, span
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


def feature_rank(
    rows: pd.DataFrame, claimed: Region, *, features: Sequence[str], method: str, place: int = 1
) -> Outcome:
    """Test the mean rank of a feature (1 is the most important), or in each unit of the best of several, or next best.

    `place` counts among the features: 2 is the second best of them.
    """
    ranks, every = _best_rank(rows, features, method, place)
    if all(claimed.holds(float(rank)) for rank in range(1, every + 1)):
        raise NotTestable(f"of {every} features every rank says the same")
    best = "the best" if place == 1 else f"place {place}"
    named = features[0] if len(features) == 1 else f"{best} of {', '.join(features)}"
    words = f"mean rank of {named}; ranks {span(ranks.to_numpy(float))}; chance: in a random order of {every} features "
    words += f"it is {chance_rank(every, len(features), place):.3g} on average, and as claimed "
    words += f"with {chance_of_rank(every, len(features), claimed, place):.0%}"
    return over_units(ranks, claimed, words, step=1.0)


def chance_rank(features: int, several: int, place: int = 1) -> float:
    """The mean rank of the best of several features, or of the one at a place among them, in a random order of all."""
    return place * (features + 1) / (several + 1)


def chance_of_rank(features: int, several: int, claimed: Region, place: int = 1) -> float:
    """The probability that this rank lies in the claimed region: so many of the several are among the first ones."""
    ranks = np.arange(features + 1)
    reached = stats.hypergeom.sf(place - 1, features, several, ranks)  # of this rank or a better one
    at = np.diff(reached)
    return float(at[[claimed.holds(float(rank)) for rank in ranks[1:]]].sum())


def rank_difference(
    rows: pd.DataFrame, claimed: Region, *, features: Sequence[str], method_a: str, method_b: str
) -> Outcome:
    """Test by how many places method a ranks a feature (or in each unit the best of several) above method b."""
    ranks_a, ranks_b = (_best_rank(rows, features, method)[0] for method in (method_a, method_b))
    words = (
        f"places gained by {method_a}; ranks {span(ranks_a.to_numpy(float))} with {method_a}, "
        f"{span(ranks_b.to_numpy(float))} with {method_b}"
    )
    return over_units(ranks_b - ranks_a, claimed, words, step=1.0)


def largest_of_features(
    rows: pd.DataFrame, claimed: Region, *, features: Sequence[str], method: str, metric: str
) -> Outcome:
    """Test the mean over units of a metric of a feature, or in each unit of the largest of several."""
    values = by_unit(rows, metric, method, "feature")
    _require_features(values, features)
    largest = values.loc[list(features)].max()
    return over_units(largest, claimed, f"{metric}, the largest of {', '.join(features)}; {span(largest.to_numpy())}")


def discrimination_difference(
    rows: pd.DataFrame, claimed: Region, *, metric: str, of: str, method_a: str, method_b: str, top: int
) -> Outcome:
    """Test how much more method a's first features are worth alone than method b's: the mean of a feature's metric."""
    worth = by_unit(rows, metric, of, "feature")
    if top >= len(worth):
        raise NotTestable(f"the first {top} of {len(worth)} features are the same in every ranking")
    means = [_mean_of_top(rows, worth, method, top) for method in (method_a, method_b)]
    words = f"mean {metric} of the first {top} features of {method_a} minus that of {method_b}; "
    words += f"means {means[0].mean():.4g} and {means[1].mean():.4g}"
    return over_units(means[0] - means[1], claimed, words)


def curve_difference(
    rows: pd.DataFrame,
    claimed: Region,
    *,
    metric: str,
    method_a: str,
    method_b: str,
    up_to_k: int,
    every_k: bool = True,
    min_n_eff: int = 0,
) -> Outcome:
    """Test the paired difference of two curves at every k <= up_to_k, and on average over them: see `for_all`.

    Without `every_k` only the average is claimed. The network with all features never counts, and no k at which both
    methods chose the same features in every unit.
    """
    difference = Curve.of(rows, metric, method_a) - Curve.of(rows, metric, method_b)
    difference = difference.below_all_features(up_to_k)
    ties = difference.ties()
    if len(ties) == len(difference.point):
        raise Undecided(f"{method_a} and {method_b} have the same networks at every k = {_listed(ties)}")
    difference = difference.without(ties)
    used = [int(k) for k in difference.point.index]
    _require_background(rows, (method_a, method_b), used, min_n_eff)
    estimate = difference.mean(threshold=claimed.threshold)
    words = f"mean difference in {metric} over k = {_listed(used)}"
    words += f"; tied by construction at k = {_listed(ties)}" if ties else ""
    if not every_k:
        return Outcome(estimate, decide(estimate, claimed), f"value: {words}")
    return for_all(estimate, {f"k = {k}": partial(difference.at, k) for k in used}, claimed, words, "k")


def curve_rise(rows: pd.DataFrame, claimed: Region, *, metric: str, method: str, to_k: int) -> Outcome:
    """Test how much a curve rises from k = 1 to another k."""
    curve = Curve.of(rows, metric, method)
    if missing := {1, to_k} - {int(k) for k in curve.point.index}:
        raise NotTestable(f"the run has no k = {_listed(sorted(missing))}")
    estimate = curve.rise(to_k)
    words = (
        f"rise in {metric} of {method} from k = 1 to {to_k}; {curve.point.loc[1]:.4g} and {curve.point.loc[to_k]:.4g}"
    )
    return Outcome(estimate, decide(estimate, claimed), f"value: {words}")


def plateau(
    rows: pd.DataFrame,
    claimed: Region,
    *,
    metric: str,
    method: str,
    tolerance: float,
    other_tolerances: Sequence[float] = (),
    around: int,
    min_n_eff: int = 0,
) -> Outcome:
    """Test from which k a curve stays within a fraction, the tolerance, of its rise (from k = 1) of its end.

    The k that are measured must be able to say either: k = 1, where the rise begins, some k below the claimed range,
    the one that the paper names, and some beyond the range before all features, where every curve ends. A range without
    a lower edge has nothing below it. What other tolerances find is printed.
    """
    curve = Curve.of(rows, metric, method)
    measured = [int(k) for k in curve.point.index]
    *fewer, everything = measured
    beyond = [k for k in fewer if k > claimed.at_most]
    if claimed.holds(float(everything)):
        raise NotTestable(f"all {everything} features are in the claimed range: every curve levels off there")
    before = not math.isfinite(claimed.lower) or any(1 < k < claimed.lower for k in fewer)
    if not {1, around} <= set(fewer) or not beyond or not before:
        raise NotTestable(
            f"k = 1 and {around}, and k below and beyond the claimed range, were not all measured: "
            f"only k = {_listed(measured)}"
        )
    _require_background(rows, (method,), measured, min_n_eff)
    rise = curve.rise()
    if not rise.low > 0:
        raise Undecided(
            f"no rise from k = 1 to all features is resolved: {rise.value:.3g} ({rise.low:.3g} to {rise.high:.3g})"
        )
    estimate = curve.plateau(tolerance)
    note = (
        f"value: the smallest k from which the curve stays within {tolerance:.0%} of its rise of its all-features value"
    )
    for other in other_tolerances:
        found = curve.plateau(other)
        note += (
            f"; within {other:.0%}: {found.value:.3g} ({found.low:.3g} to {found.high:.3g}), {decide(found, claimed)}"
        )
    note += f"; measured at k = {_listed(measured)}"
    return Outcome(estimate, decide(estimate, claimed), note)


TESTS: dict[str, Callable[..., Outcome]] = {
    test.__name__: test
    for test in (
        *(first_feature, feature_rank, rank_difference, curve_difference, curve_rise, plateau),
        *(largest_of_features, discrimination_difference),
    )
}


def _mean_of_top(rows: pd.DataFrame, worth: pd.DataFrame, method: str, top: int) -> "pd.Series[float]":
    """The mean worth of a method's first features in each unit."""
    ranks = by_unit(rows, "rank", method, "feature")
    _require_features(worth, [str(feature) for feature in ranks.index])
    first = ranks <= top
    return worth.loc[ranks.index, ranks.columns].where(first).mean()


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


def _best_rank(
    rows: pd.DataFrame, features: Sequence[str], method: str, place: int = 1
) -> "tuple[pd.Series[float], int]":
    """Find in each unit the best rank among the features, or that at a place, and of how many there are ranks."""
    ranks = by_unit(rows, "rank", method, "feature")
    _require_features(ranks, features)
    require_finite(ranks.to_numpy(float))
    several = np.sort(ranks.loc[list(features)].to_numpy(float), axis=0)
    return pd.Series(several[place - 1], ranks.columns), int(ranks.to_numpy(float).max())


def _require_features(table: pd.DataFrame, features: Sequence[str]) -> None:
    missing = [feature for feature in features if feature not in table.index]
    if missing:
        raise NotTestable(f"the run has no feature {', '.join(missing)}")


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
