"""The rows of a comparison, read as judgements: a metric of a kind of data at a budget, and all of its methods."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from igbaselines.reporting.rows import in_order
from igbaselines.reporting.statistics.nested import Nested, times_more
from igbaselines.studies.comparison.settings import COMPLETENESS, COST, HALF_SAMPLE, SECONDS

OVERALL = "all questions"
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
        """The methods but the controls that may be the best: none is shown to be better. From the best to the worst."""
        return self.nested.may_be_best(self.sign, self.order)

    @cached_property
    def ahead(self) -> list[str]:
        """Controls that are shown to be better than the best explanation."""
        order, means = self.nested.order(self.sign), self.nested.means
        best = means[self.nested.methods.index(self.best)]
        better = [one for one in order if self.sign * (means[self.nested.methods.index(one)] - best) > 0]
        return [one for one in better if self.nested.told_apart(self.best, one)]

    @cached_property
    def fooled_by(self) -> list[str]:
        """Controls that are better than the best explanation, or not told from it."""
        present = [control for control in self.controls if control in self.nested.methods]
        return [one for one in present if one in self.ahead or not self.nested.told_apart(self.best, one)]

    def rank_of(self, method: str) -> float:
        """The rank of a method's mean among the methods but the controls, ties at their average."""
        places = [self.nested.methods.index(one) for one in self.order]
        return float(rankdata(-self.sign * self.nested.means[places])[self.order.index(method)])

    def factor_to_tell(self, one: str, other: str) -> float:
        """By what factor there would have to be more replicates to show that one is better, as `unresolved` does."""
        places = self.nested.methods.index(one), self.nested.methods.index(other)
        pairs = self.nested.differences
        value, error, freedom = (float(each[places]) for each in (pairs.value, pairs.error, pairs.freedom))
        return times_more(value, error, freedom, (len(self.order) - 1) / 2)


@dataclass(frozen=True)
class Domain:
    """A kind of data at a budget."""

    name: str
    budget: int | None
    rows: pd.DataFrame  # of this domain and budget, without what is no method
    names: Names

    @cached_property
    def controls(self) -> tuple[str, ...]:
        """The methods that spend nothing on the network, and of which nothing is known that they should sum to."""
        cost = self.rows[self.rows["metric"] == COST].groupby("method", sort=False)["value"].max()
        return tuple(one for one in cost.index[cost == 0] if np.isnan(self.mean(COMPLETENESS, one)))

    @property
    def missing(self) -> list[str]:
        """Methods that have no value of a whole data set by some metric, such as those too dear for many features."""
        every = self.rows.loc[self.rows["metric"] == COST, "data"].nunique()
        counts = self.rows[self.rows["metric"] == COST].groupby("method", sort=False)["data"].nunique()
        return [str(method) for method in counts.index[counts < every]]

    def mean(self, metric: str, method: str) -> float:
        """The mean of a method over all inputs, such as of its cost; NaN where there is none."""
        return self._means.get((metric, method), float("nan"))

    @cached_property
    def _means(self) -> dict[tuple[str, str], float]:
        means = self.rows.groupby(["metric", "method"], sort=False, as_index=False)["value"].mean()
        return dict(zip(zip(means["metric"], means["method"], strict=True), means["value"].astype(float), strict=True))

    @cached_property
    def measured(self) -> list[Judgement]:
        """One of each metric that has a direction, where at least two methods that ask the network have values."""
        return [one for metric, rows in self._measuring() if (one := self._judgement(metric, rows)) is not None]

    @cached_property
    def judgements(self) -> list[Judgement]:
        """Those of metrics that have a question: the others are measured, and are no part of the answer."""
        return [one for one in self.measured if one.question]

    @cached_property
    def questions(self) -> list[str]:
        """What the metrics of this domain ask."""
        return in_order(one.question for one in self.judgements)

    @cached_property
    def by_question(self) -> dict[str, Judgement]:
        """All methods by their ranks over the metrics of each question, each metric counted the same."""
        found = {question: self.ranked(question, [self._asking(question)]) for question in self.questions}
        return {question: one for question, one in found.items() if one is not None}

    @cached_property
    def overall(self) -> Judgement | None:
        """All methods by their ranks over all questions, each question and in it each metric counted the same."""
        return self._overall("")

    @cached_property
    def left_out(self) -> dict[str, Judgement]:
        """The same without each metric in turn."""
        found = {one.metric: self._overall(one.metric) for one in self.judgements}
        return {metric: one for metric, one in found.items() if one is not None}

    @cached_property
    def left_out_question(self) -> dict[str, Judgement]:
        """The same without each question in turn."""
        found = {question: self._overall(question) for question in self.questions}
        return {question: one for question, one in found.items() if one is not None}

    def _overall(self, without: str) -> Judgement | None:
        asked = [question for question in self.questions if question != without]
        groups = [[metric for metric in self._asking(question) if metric != without] for question in asked]
        return self.ranked(OVERALL, [metrics for metrics in groups if metrics])

    def _asking(self, question: str) -> list[str]:
        return [one.metric for one in self.judgements if one.question == question]

    def _measuring(self) -> Iterator[tuple[str, pd.DataFrame]]:
        for metric, rows in self.rows.groupby("metric", sort=False):
            if self.names.get(str(metric), {}).get("better") and metric not in (COST, SECONDS):
                yield str(metric), rows

    def _judgement(self, metric: str, rows: pd.DataFrame) -> Judgement | None:
        nested, words = Nested.of(rows), self.names[metric]
        if nested is None or len(set(nested.methods) - set(self.controls)) < 2:
            return None
        sign = 1 if words["better"] == "higher" else -1
        return Judgement(metric, words.get("question") or "", sign, nested, self.controls)

    def ranked(self, question: str, groups: Sequence[Sequence[str]]) -> Judgement | None:
        """Methods by their mean ranks over some metrics; None where no input has them."""
        return self.judged(question, self.mean_ranks(groups)) if groups else None

    def judged(self, question: str, ranks: pd.DataFrame) -> Judgement | None:
        """Methods by what is the lower the better for each input: inputs down, methods across."""
        nested = Nested.of_table(ranks)
        return None if nested is None else Judgement(question, question, -1, nested, self.controls)

    def mean_ranks(self, groups: Sequence[Sequence[str]]) -> pd.DataFrame:
        """Rank methods within each input by each metric, and average metrics and then groups.

        Where a method has no value its average is over those metrics, and then those groups, of which it has one.
        """
        inputs, methods, ranks = self._ranks
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of inputs and methods that no metric of a group judges
            averaged = [np.nanmean([ranks[metric] for metric in metrics], axis=0) for metrics in groups]
            found = np.nanmean(averaged, axis=0).round(9)  # equal is equal, in whatever order it was added up
        return pd.DataFrame(found, inputs, methods)

    @cached_property
    def _ranks(self) -> tuple[pd.Index, pd.Index, dict[str, np.ndarray]]:
        """By metric: inputs down, methods across, the rank of each method that has a value of the input.

        Where r is the rank among m of all M methods, it is what it would be among all if those missing were like those
        that are there: r (M + 1) / (m + 1) on average. So it is no merit to be judged by what judges few.
        """
        tables = {}
        for one in self.judgements:
            rows = self.rows[(self.rows["metric"] == one.metric) & np.isfinite(self.rows["value"])]
            values = rows.pivot_table(index=INPUT, columns="method", values="value", sort=False)
            tables[one.metric] = (-one.sign * values[list(one.nested.methods)]).rank(axis=1)
        inputs = (
            pd.concat([pd.Series(0, table.index) for table in tables.values()]).groupby(INPUT, sort=False).size().index
        )
        methods = pd.Index(in_order(method for table in tables.values() for method in table.columns))
        every = {}
        for metric, table in tables.items():
            scaled = table.mul((len(methods) + 1) / (table.count(axis=1) + 1), axis=0)
            every[metric] = scaled.reindex(inputs).reindex(columns=methods).to_numpy()
        return inputs, methods, every


def domains(rows: pd.DataFrame, names: Names) -> list[Domain]:
    """Every kind of data at every budget, in the order of the rows."""
    methods = rows[rows["method"] != HALF_SAMPLE]
    found = []
    for domain, of_domain in methods.groupby("domain", sort=False):
        for _, some in of_domain.groupby("budget", sort=False, dropna=False):
            budget = some["budget"].iloc[0]
            found.append(Domain(str(domain), None if pd.isna(budget) else int(budget), some, names))
    return found


def at_largest_budget(every: Sequence[Domain]) -> list[Domain]:
    """Of each kind of data that at its largest budget."""
    largest: dict[str, Domain] = {}
    for one in every:
        kept = largest.get(one.name)
        if kept is None or (one.budget or 0) > (kept.budget or 0):
            largest[one.name] = one
    return list(largest.values())
