"""Where a method stands in a comparison: what it spends, its ranks, and what it is fooled by."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from igbaselines.studies.comparison.reporting.answer import label, named
from igbaselines.studies.comparison.reporting.judged import Domain, Judgement
from igbaselines.studies.comparison.settings import COST, SECONDS

BESIDE = "ig_mean"  # whose time is the measure


@dataclass(frozen=True)
class Standings:
    """What a comparison found of each method, at the largest budget of each kind of data; lines of cells for tables."""

    every: Sequence[Domain]

    def costs(self, name: str) -> list[list[str]]:
        """What a method spends, and how long it takes beside plain Integrated Gradients."""
        found = []
        for one in self.every:
            spent = one.mean(COST, name)
            if math.isfinite(spent):
                times = one.mean(SECONDS, name) / one.mean(SECONDS, BESIDE)
                found.append([one.name, f"{spent:.0f} of {one.budget}", f"{times:.2g}"])
        return found

    def ranks(self, name: str) -> list[list[str]]:
        """Its rank among the methods, of each kind of data and by each question."""
        found = []
        for one in self.every:
            if one.overall is not None and name in one.overall.order:
                by = [_rank(one.by_question.get(question), name) for question in self.questions]
                found.append([one.name, _rank(one.overall, name), *by])
        return found

    @cached_property
    def questions(self) -> list[str]:
        """What is asked of any kind of data."""
        return list(dict.fromkeys(question for one in self.every for question in one.questions))

    def planted(self, name: str) -> list[list[str]]:
        """Agreement with what is known of each planted function, the best method's, and a map's that asks nobody."""
        found = []
        for one in self.every:
            rows = one.rows[one.rows["metric"] == "cosine"]
            for data, of_data in rows.groupby("data", sort=False) if one.name == "planted" else ():
                means = of_data.groupby("method", sort=False)["value"].mean()
                if name not in means:
                    continue
                asking = means.drop(list(one.controls), errors="ignore")
                blind = means[[control for control in one.controls if control in means]].max()
                best = str(asking.idxmax())
                found.append([str(data), f"{means[name]:.3f}", f"{asking[best]:.3f} ({label(best)})", f"{blind:.3f}"])
        return found

    def fooled(self, name: str) -> Iterator[str]:
        """Where a map that never asks the network does as well."""
        for one in self.every:
            judged = [each for each in one.judgements if name in each.nested.methods]
            ahead = [each.metric for each in judged if _behind(each, name, one.controls, told=True)]
            alike = [each.metric for each in judged if _behind(each, name, one.controls, told=False)]
            if ahead:
                of = f"{len(ahead)} of {len(judged)} metrics"
                yield f"{one.name}: by {of} a map that never asks the network is better ({named(ahead)})."
            if alike := [metric for metric in alike if metric not in ahead]:
                of = f"{len(alike)} of {len(judged)} metrics"
                yield f"{one.name}: by {of} a map that never asks the network cannot be told from it ({named(alike)})."


def _rank(one: Judgement | None, name: str) -> str:
    if one is None or name not in one.order:
        return "-"
    return f"{one.rank_of(name):.0f} of {len(one.order)}" + (", may be the best" if name in one.unresolved else "")


def _behind(one: Judgement, name: str, controls: Iterable[str], told: bool) -> bool:
    """Whether a control is better and told from a method, or else not told from it."""
    nested, own = one.nested, one.nested.means[one.nested.methods.index(name)]
    for control in set(controls) & set(nested.methods):
        better = one.sign * (nested.means[nested.methods.index(control)] - own) > 0
        apart = nested.told_apart(name, control)
        if (better and apart) if told else not apart:
            return True
    return False
