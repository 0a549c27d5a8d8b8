"""The tables of a comparison behind its answer."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from igbaselines.reporting.rows import in_order
from igbaselines.reporting.statistics.nested import Nested, bootstrap_ranks, kendalls_w
from igbaselines.studies.comparison.reporting.judged import Domain, Judgement
from igbaselines.studies.comparison.settings import COST, HALF_SAMPLE

DRAWS = 1000  # of the bootstrap


def methods_table(every: Sequence[Domain]) -> pd.DataFrame:
    """A line for each kind of data, budget, metric and method: its mean, its rank, and its distance from the best.

    Returns:
        `mean` with `low` and `high` (95 % t-interval over replicates), `rank` with `rank_low` and `rank_high` (95 % of
        the bootstrap), `from_best` (difference to the best method that is no control) with its interval, for this pair
        alone, and `p_holm` (corrected for all pairs of methods of the metric, so that it holds though the best is
        chosen by the same data), and `replicates_needed`: how many would rule it out as the best.
    """
    lines = [line for domain in every for one in domain.measured for line in _lines(domain, one)]
    return pd.DataFrame(lines)


def _lines(domain: Domain, one: Judgement) -> list[dict[str, Any]]:
    nested = one.nested
    low, high = mean_intervals(nested)
    drawn = bootstrap_ranks(nested, one.sign, DRAWS, np.random.default_rng(0))
    rank_low, rank_high = np.quantile(drawn, [0.025, 0.975], axis=0)
    ranks, differences, best = nested.ranks(one.sign), nested.differences, nested.methods.index(one.best)
    apart = differences.interval()
    found = []
    for method in nested.order(one.sign):
        at = nested.methods.index(method)
        factor = one.factor_to_tell(method, one.best) if at != best else np.nan
        found.append(
            {
                "domain": domain.name,
                "budget": domain.budget,
                "metric": one.metric,
                "question": one.question,
                "better": "higher" if one.sign > 0 else "lower",
                "method": method,
                "mean": nested.means[at],
                "low": low[at],
                "high": high[at],
                "rank": ranks[at],
                "rank_low": rank_low[at],
                "rank_high": rank_high[at],
                "from_best": differences.value[at, best],
                "from_best_low": apart[0][at, best],
                "from_best_high": apart[1][at, best],
                "p_holm": differences.corrected[at, best],
                "replicates": nested.replicates,
                "replicates_needed": nested.replicates * factor,
                "cost": domain.mean(COST, method),
            }
        )
    return found


def mean_intervals(nested: Nested) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of the means: the differences to a method that is always zero."""
    zeros = tuple(np.column_stack([sample, np.zeros(len(sample))]) for sample in nested.samples)
    against = Nested(
        (*nested.methods, ""), zeros, nested.inputs, nested.left_out, nested.networks, nested.of_networks
    ).differences
    low, high = against.interval()
    return low[:-1, -1], high[:-1, -1]


def known_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How well sampled Shapley values are known: what half of the sample gets against the other, by data and metric.

    Methods that come near it are told apart by chance alone.
    """
    halves = rows[rows["method"] == HALF_SAMPLE]
    return halves.groupby(["domain", "data", "metric"], sort=False)["value"].mean().reset_index()


def metrics_table(every: Sequence[Domain]) -> pd.DataFrame:
    """How much metrics agree on the order of methods: Kendall's tau of each pair, and the W of all of them."""
    lines = []
    for domain in every:
        ranked = _ranks_by_metric(domain)
        w = kendalls_w(ranked.to_numpy(float)) if len(ranked) else np.nan
        for a, b in itertools.combinations(ranked.index, 2):
            tau = float(stats.kendalltau(ranked.loc[a], ranked.loc[b]).statistic)
            lines.append({"domain": domain.name, "a": a, "b": b, "mean": tau, "kendalls_w": w})
    return pd.DataFrame(lines)


def _ranks_by_metric(domain: Domain) -> pd.DataFrame:
    """Metrics down, the methods that all of them judge across."""
    every = domain.judgements
    methods = in_order(m for one in every for m in one.order if all(m in other.nested.methods for other in every))
    if len(methods) < 2:
        return pd.DataFrame()
    means = {one.metric: [-one.sign * one.nested.means[one.nested.methods.index(m)] for m in methods] for one in every}
    return pd.DataFrame(means, index=methods).T.rank(axis=1)


def ranks_table(every: Sequence[Domain]) -> pd.DataFrame:
    """Methods down, in the order of the answer, metrics across: the rank of each method by each metric."""
    tables = []
    for domain in every:
        if (first := domain.overall) is None:
            continue
        order = first.nested.order(first.sign)
        ranks = {one.metric: pd.Series(one.nested.ranks(one.sign), one.nested.methods) for one in domain.judgements}
        table = pd.DataFrame(ranks).reindex(order).rename_axis("method").reset_index()
        table.insert(1, "all_questions", pd.Series(first.nested.means, first.nested.methods)[order].to_numpy())
        tables.append(table.assign(domain=domain.name))
    if not tables:
        return pd.DataFrame()
    found = pd.concat(tables, ignore_index=True)
    return found[["domain", *found.columns.drop("domain")]]


def left_out_table(every: Sequence[Domain]) -> pd.DataFrame:
    """The answer without each metric and each question of several, whether it is another, and what would decide it.

    Returns:
        `best`, `not_resolved` from it, `changes` (whether the best of all questions is told apart from it by what is
        left), and `replicates` with `replicates_needed`: how many would tell the best from the next, if it is not told.
    """
    return pd.DataFrame(
        [
            {
                "domain": domain.name,
                "without": without,
                "best": one.best,
                "not_resolved": ", ".join(one.unresolved[1:]),
                "changes": domain.overall is not None and one.best not in domain.overall.unresolved,
                "replicates": one.nested.replicates,
                "replicates_needed": one.nested.replicates
                * (one.factor_to_tell(one.best, one.order[1]) if len(one.order) > 1 else np.nan),
            }
            for domain in every
            for without, one in _left_out(domain)
        ]
    )


def _left_out(domain: Domain) -> Iterator[tuple[str, Judgement]]:
    """The answers without a metric, and without a question that has more than one."""
    yield from domain.left_out.items()
    for question, one in domain.left_out_question.items():
        if sum(asked.question == question for asked in domain.judgements) > 1:
            yield question, one
