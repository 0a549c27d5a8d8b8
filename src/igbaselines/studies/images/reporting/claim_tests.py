"""Tests of claims about methods that were measured on the same images, as `reporting.claim_tests`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from igbaselines.reporting.claim_tests import over_parts, over_share, over_units, widened
from igbaselines.reporting.rows import by_method, by_unit, unit_name
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import CONFIDENCE, mean_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import NotTestable, Outcome, Region, Verdict, decide
from igbaselines.studies.images.reporting.chosen import chosen_by_others, over_choices
from igbaselines.studies.images.reporting.rows import METRICS, by_baseline
from igbaselines.studies.images.reporting.weighted.masks import NOTHING, Crossed

STEP = "first_step"  # between counts that the search for the first crossing looks at
NOTHING_SAVED = "the attributions of all of them are computed before their fitness is known"


def relative_improvement(
    rows: pd.DataFrame, claimed: Region, *, metric: str, reference: str, method: str, models: Sequence[str] = ()
) -> Outcome:
    """Test by how many percent a method's mean is better than a reference's; `models`: of these networks alone."""
    before, after = by_method(rows, metric, (reference, method)).to_numpy().T
    if models and (model := str(rows["model"].iloc[0])) not in models:
        raise NotTestable(f"it is about {', '.join(models)}, not about {model}")
    estimate = paired.relative_improvement(before, after, METRICS[metric].sign, threshold=claimed.threshold)
    note = f"value: improvement of {method} over {reference} in mean {metric} in %; "
    note += f"means {after.mean():.4g} and {before.mean():.4g}"
    if estimate.low > claimed.at_most:
        note += "; more than claimed"
    return Outcome(estimate, decide(estimate, claimed), note)


def agrees_with_paper(
    rows: pd.DataFrame,
    claimed: Region,
    *,
    metric: str,
    reference: str,
    method: str,
    printed: Mapping[str, Mapping[str, float]],
) -> Outcome:
    """Test whether an improvement in percent agrees with the paper's own, and is one at all.

    Reproduced: the difference to the paper's value is not resolved, and our interval lies where the claim holds.
    Not reproduced: the difference is resolved, whichever way. Inconclusive: our interval is so wide that it agrees with
    the paper and with no improvement. The interval of the difference combines both (Zou and Donner 2008). `printed`
    has of each of the paper's networks the improvement in % and the p-value of its t-test, and where its own means say
    otherwise what they say (`by_means`).
    """
    before, after = by_method(rows, metric, (reference, method)).to_numpy().T
    ours = paired.relative_improvement(before, after, METRICS[metric].sign, threshold=claimed.threshold)
    model = str(rows["model"].iloc[0])
    value, reach, how = _as_printed(printed, model)
    low = ours.value - value - math.hypot(ours.value - ours.low, reach)
    high = ours.value - value + math.hypot(ours.high - ours.value, reach)
    verdict = decide(ours, claimed)
    if low > 0 or high < 0:
        verdict = Verdict.NOT_REPRODUCED
    note = f"value: improvement of {method} over {reference} in mean {metric} in %; the paper's: {value:.1f} "
    note += f"({value - reach:.1f} to {value + reach:.1f}: {how}); ours minus that: {low:.1f} to {high:.1f}"
    return Outcome(replace(ours, p_value=None), verdict, note)  # of two comparisons, neither of which decides alone


def share_dropping(rows: pd.DataFrame, claimed: Region, *, least: float) -> Outcome:
    """Test the share of images for which filtering leaves at least such a share of the baselines without weight."""
    shares, baselines = _dropped(rows)
    words = (
        f"the filter drops at least {least:.0%} of the {baselines} baselines; on average it drops {shares.mean():.0%}, "
    )
    return over_share(shares >= least, claimed, f"{words}at most {shares.max():.0%}; {NOTHING_SAVED}")


def mean_share_dropped(rows: pd.DataFrame, claimed: Region) -> Outcome:
    """Test the share of the baselines that filtering leaves without weight, on average over the images."""
    shares, baselines = _dropped(rows)
    return over_units(shares, claimed, f"share of the {baselines} baselines that the filter drops; {NOTHING_SAVED}")


def _dropped(rows: pd.DataFrame) -> "tuple[pd.Series[float], int]":
    """Of each image the share of its baselines that the filter leaves without weight; and how many it has."""
    weights = by_baseline(rows, "filtered_weight")
    require_finite(weights.to_numpy(float))
    return (weights == 0).mean(axis=1), weights.shape[1]


def best_is_shared(rows: pd.DataFrame, claimed: Region, *, metric: str) -> Outcome:
    """Test the share of images whose best baseline is the one that is best on all other images.

    The interval is the wider of the exact one, of independent images, and of `over_choices`.
    """
    single = by_baseline(rows, metric)
    values = METRICS[metric].sign * single.to_numpy(float)
    best = values.argmax(axis=1)
    chosen = over_choices(values, lambda of_others: (of_others == best).astype(float), claimed.threshold)
    words = f"the baseline that is best in {metric} on the other images is the best of {single.shape[1]}"
    exact = over_share(pd.Series(best == chosen_by_others(values)[0], single.index), claimed, words)
    estimate = replace(
        exact.estimate,
        low=min(exact.estimate.low, max(0.0, chosen.low)),
        high=max(exact.estimate.high, min(1.0, chosen.high)),
        p_value=max(exact.estimate.p_value or 0.0, chosen.p_value or 0.0),
        test=f"{exact.estimate.test}, or wider: {chosen.test}",
    )
    return Outcome(estimate, decide(estimate, claimed), exact.note)


def falls_with_nodes(rows: pd.DataFrame, claimed: Region, *, metric: str, method: str) -> Outcome:
    """Test the mean over images of the slope of a metric against the number k of nodes, both in logarithms."""
    table = by_unit(rows, metric, method, "k")
    require_finite(table.to_numpy(float))
    if len(table) < 2:
        raise NotTestable(f"{metric!r} was measured at one number of nodes: it has no trend")
    if not (table > 0).all(axis=None):
        raise NotTestable(f"{metric!r} is zero for some image: it has no logarithm")
    nodes = np.log(table.index.to_numpy(float))
    slopes = np.polynomial.polynomial.polyfit(nodes, np.log(table.to_numpy(float)), 1)[1]
    estimate = mean_estimate(slopes, threshold=claimed.threshold, unit="image")
    medians = ", ".join(f"{median:.2g} at {k}" for k, median in table.median(axis=1).items())
    note = f"value: power of the number of nodes with which {metric} of {method} goes; medians {medians}"
    return Outcome(estimate, decide(estimate, claimed), note)


def against_best_single(rows: pd.DataFrame, claimed: Region, *, metric: str, method: str) -> Outcome:
    """Test how much better a method is than the single baseline that is best on all other images, image by image."""
    single, sign = by_baseline(rows, metric), METRICS[metric].sign
    values = sign * single.to_numpy(float)
    own, images = sign * by_method(rows, metric, (method,))[method].loc[single.index].to_numpy(float), len(single)
    estimate = over_choices(values, lambda chosen: own - values[np.arange(images), chosen], claimed.threshold)
    names = single.columns[chosen_by_others(values)[0]].value_counts()
    note = f"value: by how much {method} is better in {metric} than the one baseline that is best on the other images "
    note += f"({', '.join(f'{name} for {count}' for name, count in names.items())})"
    return Outcome(estimate, decide(estimate, claimed), note)


def goes_with_fitness(rows: pd.DataFrame, claimed: Region, *, metric: str) -> Outcome:
    """Test the mean over images of Spearman's correlation over the baselines between D_alpha and a metric.

    The metric is turned so that less is better, as D_alpha is. Images of which all baselines are equal in either have
    none, and are left out and counted.
    """
    d_alpha, found = by_baseline(rows, "d_alpha"), -METRICS[metric].sign * by_baseline(rows, metric)
    require_finite(np.hstack([d_alpha.to_numpy(float), found.to_numpy(float)]))
    told = (d_alpha.nunique(axis=1) > 1) & (found.nunique(axis=1) > 1)
    kept = d_alpha[told].rank(axis=1).corrwith(found[told].rank(axis=1), axis=1)
    words = f"Spearman's correlation over {d_alpha.shape[1]} baselines between D_alpha and {metric}"
    words += f"; {(~told).sum()} images have none" if not told.all() else ""
    return over_units(kept, claimed, words)


def lead_across_masks(rows: pd.DataFrame, claimed: Region, *, metric: str, same: bool | None = None) -> Outcome:
    """Test by how much WG is better than EG on average over pairs of masks, of the fitness and of the metric.

    `same`: over those pairs that are one mask, or those that are two; None: over all. The masks are taken as they are.
    """
    areas = Crossed.of(rows, metric)
    kept = {pair: values for pair, values in areas.leads.items() if same is None or (pair[0] == pair[1]) == same}
    if not kept:
        raise NotTestable(f"{metric!r} was measured with one mask: two are needed")
    mean = pd.DataFrame(kept).mean(axis=1)
    unit, confidence = unit_name(mean.index), widened(len(kept))
    single = {}
    for (fitness, mask), values in kept.items():
        part = fitness if mask == NOTHING else f"{fitness} judged by {mask}"
        single[part] = mean_estimate(values.to_numpy(float), unit=unit, confidence=confidence)
    estimate = mean_estimate(mean.to_numpy(float), threshold=claimed.threshold, unit=unit)
    parts = "pairs of masks" if len(areas.eg) > 1 else "masks of the fitness"
    words = f"by how much WG is better than EG in {metric}, mean over {len(kept)} {parts}"
    return over_parts(estimate, single, claimed, words, parts)


def lead_by_the_circle(rows: pd.DataFrame, claimed: Region, *, metric: str) -> Outcome:
    """Test how much better WG is where the fitness masks as the metric does than where it masks otherwise.

    By each mask of the metric WG with the same for its fitness, less the mean of WG with the others: EG is in neither.
    """
    areas = Crossed.of(rows, metric)
    if len(areas.eg) < 2:
        raise NotTestable(f"{metric!r} was measured with one mask: two are needed")
    leads, gained = areas.leads, {}
    for mask in areas.eg:
        others = pd.DataFrame({fitness: leads[fitness, mask] for fitness in areas.fitness if fitness != mask})
        gained[mask] = leads[mask, mask] - others.mean(axis=1)
    words = f"by how much WG is better in {metric} where its fitness masked as the metric does than where it did not"
    return over_units(pd.DataFrame(gained).mean(axis=1), claimed, f"{words}, mean over {len(gained)} masks")


def search_excess(rows: pd.DataFrame, claimed: Region, *, metric: str, exact: str) -> Outcome:
    """Test the mean over images of how many times the exact D_alpha a search finds, geometric mean of its baselines."""
    found, least = (by_baseline(rows, name).clip(lower=1) for name in (metric, exact))
    ratio = found / least[found.columns]
    require_finite(ratio.to_numpy(float))
    every = ratio.to_numpy(float).ravel()
    words = f"{metric} over {exact}, geometric mean over {ratio.shape[1]} baselines; {(every == 1).mean():.0%} of all "
    words += f"{len(every)} are 1, the median is {np.median(every):.4g}, the largest {every.max():.4g}"
    outcome = over_units(np.exp(np.log(ratio).mean(axis=1)), claimed, words)
    step = int(by_baseline(rows, STEP).to_numpy(float).max())
    if step == 1 or outcome.verdict != Verdict.REPRODUCED:
        return outcome
    note = f"{outcome.note}; only one count in {step} was looked at: what was found may lie above the first crossing"
    return Outcome(outcome.estimate, Verdict.INCONCLUSIVE, note)


TESTS: dict[str, Callable[..., Outcome]] = {
    test.__name__: test
    for test in (
        *(relative_improvement, agrees_with_paper, share_dropping, mean_share_dropped, falls_with_nodes),
        *(best_is_shared, against_best_single, goes_with_fitness, lead_across_masks, lead_by_the_circle, search_excess),
    )
}


def _as_printed(printed: Mapping[str, Mapping[str, float]], model: str) -> tuple[float, float, str]:
    """The paper's improvement [%] for a network, half of its 95 % interval, and where that comes from.

    For a network of the paper: what its p-value says of the error (the paper gives neither the number of images nor the
    pairing; 0.000 is read as 0.0005). For another: what the paper's networks say of one more.
    """
    if model in printed:
        value = float(printed[model].get("by_means", printed[model]["improvement"]))
        error = value / stats.norm.isf(max(printed[model]["p"], 0.0005) / 2)
        return value, float(stats.norm.isf((1 - CONFIDENCE) / 2) * error), "from its p-value"
    values = np.array([float(one.get("by_means", one["improvement"])) for one in printed.values()])
    spread = values.std(ddof=1) * math.sqrt(1 + 1 / len(values))
    reach = float(stats.t.isf((1 - CONFIDENCE) / 2, len(values) - 1) * spread)
    return float(values.mean()), reach, f"what its {len(values)} networks say of another"
