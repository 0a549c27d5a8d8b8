"""Weighted Gradients taken apart: what its weights do, what the choice of baselines does, and what its mask does.

Its weights say how few players have to go until the score has halved, with some mask in the place of what went. Metrics
that put the same there ask the same question again; so its ranks by those are held against its ranks by others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.reporting.statistics.nested import ALPHA, Nested
from igbaselines.reporting.statistics.paired import holm
from igbaselines.studies.comparison.reporting.answer import label, named
from igbaselines.studies.comparison.reporting.judged import Domain, Judgement
from igbaselines.studies.comparison.settings import KNOWN

OWN, OTHERS, OF_MASK, KNOWN_VALUES = "own mask", "other masks", "own less other masks", "known values"
EQUAL = "EqualFitness"  # the weighting that does without the fitness
Families = Sequence[Mapping[str, str]]  # of metrics that are the same but for what they put there: that by metric


@dataclass(frozen=True)
class Weighted:
    """Methods with a fitness over the same baselines."""

    methods: tuple[str, ...]  # the first is held against the others
    mask: str  # what the fitness puts in the place of absent players
    equal: str | None = None  # the one with equal weights


def read_config(config: Mapping[str, Any]) -> tuple[list[Weighted], tuple[str, ...], list[dict[str, str]]]:
    """Read from a run's configuration what is weighted by fitness, averages that are not, and how metrics impute.

    Methods are of one family where their baselines are configured alike, and metrics where all but their imputer and
    name is.
    """
    sets: dict[str, dict[str, Any]] = {}
    plain = []
    for name, method in (config.get("methods") or {}).items():
        if method.get("weighting") and isinstance((method.get("fitness") or {}).get("mask"), str):
            sets.setdefault(json.dumps(method.get("baselines"), sort_keys=True), {})[name] = method
        elif str(method.get("_target_", "")).endswith(".AveragedGradients"):
            plain.append(name)
    found = []
    for some in sets.values():
        equal = [name for name, one in some.items() if str(one["weighting"].get("_target_", "")).endswith("." + EQUAL)]
        mask = next(iter(some.values()))["fitness"]["mask"]
        found.append(Weighted(tuple(some), mask, equal[0] if equal else None))
    families: dict[str, dict[str, str]] = {}
    for key, metric in (config.get("metrics") or {}).items():
        if isinstance(metric.get("imputer"), str):
            alike = {name: value for name, value in metric.items() if name not in ("imputer", "name")}
            families.setdefault(json.dumps(alike, sort_keys=True), {})[metric.get("name") or key] = metric["imputer"]
    return found, tuple(plain), list(families.values())


def circularity_table(every: Sequence[Domain], sets: Sequence[Weighted], families: Families) -> pd.DataFrame:
    """Ranks of methods whose weights follow a mask, by metrics with that mask and by the same ones with others."""
    lines = []
    for domain in every:
        judged = {one.metric: one for one in domain.judgements}
        for method, mask in ((method, some.mask) for some in sets for method in some.methods):
            ranks = {metric: one.rank_of(method) for metric, one in judged.items() if method in one.order}
            of_families = [_own_and_others(ranks, family, mask) for family in families]
            if found := [each for each in of_families if np.isfinite(each).all()]:
                own, others = np.mean(found, axis=0)
                most = max(len(judged[metric].order) for metric in ranks)
                line = {"domain": domain.name, "method": method, "mask": mask, "methods": most, "metrics": len(found)}
                lines.append(line | {"rank_own_mask": own, "rank_other_masks": others})
    return pd.DataFrame(lines)


def _own_and_others(ranks: Mapping[str, float], family: Mapping[str, str], mask: str) -> tuple[float, float]:
    """The mean rank by the metrics of a family with a mask, and by those with others; NaN where there is none."""
    own = [ranks[metric] for metric, imputer in family.items() if metric in ranks and imputer == mask]
    others = [ranks[metric] for metric, imputer in family.items() if metric in ranks and imputer != mask]
    return (float(np.mean(own)) if own else np.nan), (float(np.mean(others)) if others else np.nan)


def parts_table(
    every: Sequence[Domain], sets: Sequence[Weighted], plain: Sequence[str], families: Families
) -> pd.DataFrame:
    """The rank of a method less that of another, within inputs: below zero the first is better.

    Of each set of baselines Weighted Gradients against the same baselines weighted otherwise, which is what its weights
    do; and equal weights against averages over other baselines, which is what the choice of baselines does. By metrics
    with the mask of its fitness, by those with other imputers, by the former less the latter (what is the mask's), and
    by known values.
    """
    lines = []
    for domain in every:
        for some in sets:
            for group, one in _judging(domain, some.mask, families):
                there = one.nested.methods
                pairs = [(some.methods[0], other) for other in some.methods[1:]]
                pairs += [(some.equal, other) for other in plain if some.equal is not None]
                for first, other in ((a, b) for a, b in pairs if a in there and b in there):
                    line = {"domain": domain.name, "method": first, "against": other, "metrics": group}
                    lines.append(line | _difference(one.nested, first, other))
    return pd.DataFrame(lines)


def _judging(domain: Domain, mask: str, families: Families) -> Iterator[tuple[str, Judgement]]:
    """All methods by groups of metrics, those that are there."""
    imputers = {metric: imputer for family in families for metric, imputer in family.items()}
    asked = [one.metric for one in domain.judgements]
    metrics = {
        OWN: [metric for metric in asked if imputers.get(metric) == mask],
        OTHERS: [metric for metric in asked if imputers.get(metric, mask) != mask],
        KNOWN_VALUES: [one.metric for one in domain.judgements if one.question == KNOWN],
    }
    ranks = {group: domain.mean_ranks([some]) for group, some in metrics.items() if some}
    if OWN in ranks and OTHERS in ranks:
        ranks[OF_MASK] = ranks[OWN] - ranks[OTHERS]
    for group, table in ranks.items():
        if (one := domain.judged(group, table)) is not None:
            yield group, one


def _difference(nested: Nested, first: str, other: str) -> dict[str, float]:
    places = nested.methods.index(first), nested.methods.index(other)
    pairs = nested.differences
    low, high = pairs.interval()
    found = {"difference": pairs.value, "low": low, "high": high, "p": pairs.p_values, "p_holm": pairs.corrected}
    return {name: float(each[places]) for name, each in found.items()}


def words_of_parts(parts: pd.DataFrame, sets: Sequence[Weighted], domain: str) -> str:
    """What of the rank of Weighted Gradients its weights do, its mask and its choice of baselines; "" if unknown."""
    if parts.empty:
        return ""
    own = parts[parts["domain"] == domain]
    return " ".join(sentence for some in sets for sentence in (*_of_weights(own, some), *_of_choice(own, some)))


def _of_weights(parts: pd.DataFrame, some: Weighted) -> Iterator[str]:
    against = parts[(parts["method"] == some.methods[0]) & (parts["against"] == some.equal)].set_index("metrics")
    asked = [OWN, OTHERS, OF_MASK]
    if not set(asked) <= set(against.index):
        return
    if (against.loc[asked, ["difference", "low", "high"]] == 0).all(axis=None):
        yield f"The weights of {label(some.methods[0])} change nothing here: equal ones give the same ranks throughout."
        return
    own, others, of_mask = _shown(against.loc[asked])
    said = f"The weights of {label(some.methods[0])}, against equal ones of the same baselines,"
    moved = f"its mean rank moves by {own} by metrics with its own mask, and by {others} by the same with others"
    if own.gains and others.gains:
        more = "more" if of_mask.gains else "and not shown to be more"
        yield f"{said} gain by any mask, {more} by their own: {moved}."
    elif own.gains or others.gains:
        yield f"{said} are shown to gain by {'their own mask' if own.gains else 'other masks'} alone: {moved}."
    else:
        yield f"{said} are not shown to gain: {moved}."


def _of_choice(parts: pd.DataFrame, some: Weighted) -> Iterator[str]:
    """With equal weights, against averages over other baselines; by metrics that do not share the mask."""
    against = parts[(parts["method"] == some.equal) & (parts["metrics"] == OTHERS)]
    if some.equal is None or against.empty:
        return
    found = dict(zip(against["against"], _shown(against), strict=True))
    better = sum(part.gains for part in found.values())
    ahead = sorted((other for other, part in found.items() if part.loses), key=lambda other: -found[other].difference)
    behind = f"behind {named(ahead)}" if ahead else "behind none"
    yield (
        f"With equal weights its baselines rank before {better} of the {len(found)} averages over baselines without a "
        f"fitness and {behind}, by metrics with other masks."
    )


@dataclass(frozen=True)
class _Part:
    """A difference of mean ranks, its interval, and whether it is shown."""

    difference: float
    low: float
    high: float
    shown: bool

    @property
    def gains(self) -> bool:
        return self.shown and self.difference < 0

    @property
    def loses(self) -> bool:
        return self.shown and self.difference > 0

    def __str__(self) -> str:
        return f"{self.difference:+.1f} ({self.low:+.1f} to {self.high:+.1f})"


def _shown(lines: pd.DataFrame) -> list[_Part]:
    """The differences that a sentence speaks of; its tests are corrected for their number."""
    corrected = holm(lines["p"].astype(float).tolist())
    parts = zip(lines["difference"], lines["low"], lines["high"], corrected, strict=True)
    return [_Part(float(value), float(low), float(high), bool(p < ALPHA)) for value, low, high, p in parts]
