"""The rows of a comparison, read as judgements: a metric of a kind of data at a budget, and all of its methods."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from igbaselines.reporting.rows import in_order
from igbaselines.reporting.statistics.nested import Nested, rank_within_inputs, times_more
from igbaselines.studies.comparison.settings import COST, HALF_SAMPLE

INPUT = ["data", "network", "unit"]
Names = Mapping[str, Mapping[str, str]]  # metric -> its words, among them `better` and `question`


@dataclass(frozen=True)
class Judgement:
    """All methods by one metric, or by their ranks over several."""

    metric: str
    question: str
    sign: int  # 1 where more is better, -1 where less is
    nested: Nested
    controls: tuple[str, ...]  # methods that never ask the network: no answer, but a warning where one does well

    @cached_property
    def order(self) -> list[str]:
        """The methods but the controls, from the best to the worst."""
        return [method for method in self.nested.order(self.sign) if method not in self.controls]

    @property
    def best(self) -> str:
        """The best method that is no control."""
        return self.order[0]

    @cached_property
    def unresolved(self) -> list[str]:
        """The best method, and those that no test tells from it, from the best to the worst."""
        return [self.best, *(one for one in self.order[1:] if not self.nested.told_apart(self.best, one))]

    @cached_property
    def fooled_by(self) -> list[str]:
        """Controls that are better than the best explanation, or not told from it."""
        order = self.nested.order(self.sign)
        ahead = order[: order.index(self.best)]
        present = [control for control in self.controls if control in order]
        return [one for one in present if one in ahead or not self.nested.told_apart(self.best, one)]

    def factor_to_tell(self, one: str, other: str) -> float:
        """By what factor there would have to be more replicates to tell two methods apart."""
        places = self.nested.methods.index(one), self.nested.methods.index(other)
        count, pairs = len(self.nested.methods), self.nested.differences
        value, error, freedom = (float(each[places]) for each in (pairs.value, pairs.error, pairs.freedom))
        return times_more(value, error, freedom, count * (count - 1) // 2)


@dataclass(frozen=True)
class Domain:
    """A kind of data at a budget."""

    name: str
    budget: int | None
    rows: pd.DataFrame  # of this domain and budget, without what is no method
    names: Names

    @cached_property
    def controls(self) -> tuple[str, ...]:
        """The methods that spend nothing on the network."""
        cost = self.rows[self.rows["metric"] == COST].groupby("method", sort=False)["value"].max()
        return tuple(cost.index[cost == 0])

    def mean(self, metric: str, method: str) -> float:
        """The mean of a method over all inputs, such as of its cost."""
        rows = self.rows[(self.rows["metric"] == metric) & (self.rows["method"] == method)]
        return float(rows["value"].mean())

    @cached_property
    def judgements(self) -> list[Judgement]:
        """One of each metric that has a question and a direction, where at least two methods that ask have values."""
        return [one for metric, rows in self._judging() if (one := self._judgement(metric, rows)) is not None]

    @cached_property
    def questions(self) -> list[str]:
        """What the metrics of this domain ask."""
        return in_order(one.question for one in self.judgements)

    def of_question(self, question: str) -> Judgement | None:
        """All methods by their ranks over the metrics of a question, each counted the same."""
        return self._ranked(question, [[one.metric for one in self.judgements if one.question == question]])

    def overall(self, without: Sequence[str] = ()) -> Judgement | None:
        """All methods by their ranks over all questions, each question and in it each metric counted the same."""
        asked = [
            [one.metric for one in self.judgements if one.question == question and one.metric not in without]
            for question in self.questions
        ]
        return self._ranked("all questions", [metrics for metrics in asked if metrics])

    def _judging(self) -> Iterator[tuple[str, pd.DataFrame]]:
        for metric, rows in self.rows.groupby("metric", sort=False):
            words = self.names.get(str(metric), {})
            if words.get("question") and words.get("better"):
                yield str(metric), rows

    def _judgement(self, metric: str, rows: pd.DataFrame) -> Judgement | None:
        nested, words = Nested.of(rows), self.names[metric]
        if nested is None or len(set(nested.methods) - set(self.controls)) < 2:
            return None
        sign = 1 if words["better"] == "higher" else -1
        return Judgement(metric, words["question"], sign, nested, self.controls)

    def _ranked(self, question: str, groups: Sequence[Sequence[str]]) -> Judgement | None:
        """Rank methods within each input by each metric, and average metrics and then groups."""
        ranks = [pd.concat([self._ranks[metric] for metric in metrics], axis=1) for metrics in groups if metrics]
        if not ranks:
            return None
        averaged = [group.T.groupby(level=0).mean().T for group in ranks]
        found = pd.concat(averaged, axis=1).T.groupby(level=0).mean().T
        nested = Nested.of(found.reset_index().melt(id_vars=INPUT, var_name="method"))
        return None if nested is None else Judgement(question, question, -1, nested, self.controls)

    @cached_property
    def _ranks(self) -> dict[str, pd.DataFrame]:
        """By metric: inputs down, methods across, the rank of each method that has a value for every such input."""
        found = {}
        for one in self.judgements:
            rows = self.rows[(self.rows["metric"] == one.metric) & self.rows["method"].isin(one.nested.methods)]
            finite = rows[np.isfinite(rows["value"])]
            ranks = rank_within_inputs(finite, one.sign)
            found[one.metric] = ranks.pivot_table(index=INPUT, columns="method", values="value", sort=False)
        return found


def domains(rows: pd.DataFrame, names: Names) -> list[Domain]:
    """Every kind of data at every budget, in the order of the rows."""
    methods = rows[rows["method"] != HALF_SAMPLE]
    found = []
    for domain, of_domain in methods.groupby("domain", sort=False):
        for budget, some in of_domain.groupby("budget", sort=False, dropna=False):
            found.append(
                Domain(
                    str(domain),
                    int(budget) if isinstance(budget, int | float) and budget == budget else None,
                    some,
                    names,
                )
            )
    return found


def at_largest_budget(every: Sequence[Domain]) -> list[Domain]:
    """Of each kind of data that at its largest budget."""
    largest: dict[str, Domain] = {}
    for one in every:
        kept = largest.get(one.name)
        if kept is None or (one.budget or 0) > (kept.budget or 0):
            largest[one.name] = one
    return list(largest.values())
