"""Which baseline, then: for each kind of data what to take, at what cost, how sure, and what the answer hangs on.

Everything is made from the rows, none of it is written by hand; what decides what is said stands in `judged`.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from igbaselines.reporting.labels import known_label
from igbaselines.reporting.rows import in_order
from igbaselines.studies.comparison.reporting.judged import Domain, Judgement
from igbaselines.studies.comparison.settings import COST, REACHED, SECONDS

SHORT = ("take", "spends", "not_told_from_it", "how_sure", "hangs_on", "papers")
# What each of the three papers proposes, where it is compared.
PAPERS = {
    "background": "2412.13864",
    "background_weighted": "2412.13864",
    "shapley_ig": "2310.04821",
    "weighted_gradients": "2505.03201",
}
MOST_NAMED = 4  # methods or metrics in a sentence
MOST_TIMES = 100  # beyond which what was seen of a difference says no more of it
SELDOM = 0.5  # of the baselines
DEAR = 1.05  # of the budget: a cost that is drawn may be a little over it


def answer_table(every: Sequence[Domain]) -> pd.DataFrame:
    """A line for each kind of data and question: the best method, what cannot be told from it, cost, and how many."""
    return pd.DataFrame([_line(domain, one) for domain in every for one in asked(domain)])


def matrix_table(every: Sequence[Domain]) -> pd.DataFrame:
    """Kinds of data down, questions across: the best method, its cost, the inputs, and what is not told from it."""
    lines = [{"domain": domain.name} | {one.question: _cell(domain, one) for one in asked(domain)} for domain in every]
    return pd.DataFrame([line for line in lines if len(line) > 1]).fillna("not asked")


def _cell(domain: Domain, one: Judgement) -> str:
    rest = one.unresolved[1:]
    more = f"; not told from it: {named(rest)}" if rest else ""
    return f"{label(one.best)} ({domain.mean(COST, one.best):.0f} evaluations, {one.nested.inputs} inputs{more})"


def asked(domain: Domain) -> list[Judgement]:
    """All questions together, and each of them."""
    return [one for one in (domain.overall, *domain.by_question.values()) if one is not None]


def _line(domain: Domain, one: Judgement) -> dict[str, Any]:
    nested = one.nested
    return {
        "domain": domain.name,
        "question": one.question,
        "budget": domain.budget,
        "best": one.best,
        "not_resolved": ", ".join(one.unresolved[1:]),
        "controls_as_good": ", ".join(one.fooled_by),
        "mean_rank": float(nested.means[nested.methods.index(one.best)]),
        "methods": len(one.order),
        "cost": domain.mean(COST, one.best),
        "seconds": domain.mean(SECONDS, one.best),
        "inputs": nested.inputs,
        "networks": sum(nested.networks),
        "replicates": _replicates(one),
        "inputs_left_out": nested.left_out,
    }


def _replicates(one: Judgement) -> str:
    """What intervals are over: networks, or the inputs of the only one."""
    return "networks" if one.nested.of_networks else "inputs"


NOTHING_ALONE = "no one metric, question or budget"
BLIND = "maps that never ask the network may do as well as any explanation"


def in_short(domain: Domain, others: Iterable[Domain] = ()) -> dict[str, str]:
    """The answer for a kind of data in a line of a table; what is said stands in `words_of` too."""
    overall, elsewhere = domain.overall, [other for other in others if other.name == domain.name]
    if overall is None:
        return dict.fromkeys(SHORT, "")
    best, rest = overall.best, overall.unresolved[1:]
    spends = f"{domain.mean(COST, best):.0f}"
    if domain.budget is not None:
        spends += f" of {domain.budget}"
    seconds = domain.mean(SECONDS, best)
    found = {
        "take": f"open: {BLIND} (the first of which is {label(best)})" if overall.fooled_by else label(best),
        "spends": f"{spends} evaluations{f', {seconds:.2g} s' if math.isfinite(seconds) else ''} an input",
        "not_told_from_it": named(rest) if rest else "none",
        "how_sure": _inputs_of(overall) + ("" if overall.nested.of_networks else f", for {_these(overall)} alone"),
        "hangs_on": "" if overall.fooled_by else "; ".join(_changes(domain, overall, elsewhere)) or NOTHING_ALONE,
        "papers": _of_papers(overall),
    }
    assert tuple(found) == SHORT
    return found


def _inputs_of(one: Judgement) -> str:
    networks, sets = sum(one.nested.networks), len(one.nested.networks)
    of = _count(networks, "network") + (f" of {sets} data sets" if sets > 1 else "")
    return f"{_count(one.nested.inputs, 'input')} of {of}"


def _these(one: Judgement) -> str:
    return "this network" if sum(one.nested.networks) == 1 else "these networks"


def _of_papers(overall: Judgement) -> str:
    """Where the methods that the three papers propose stand."""
    found = []
    for method, paper in PAPERS.items():
        if method in overall.order:
            may = ", which may be the best" if method in overall.unresolved else ""
            found.append(f"{label(method)} ({paper}) {overall.rank_of(method):.0f}{may}")
    return f"{'; '.join(found)}; of {len(overall.order)}" if found else ""


def words_of(domain: Domain, others: Iterable[Domain] = ()) -> str:
    """The answer for a kind of data in plain words; among `others` those count that are it at other budgets."""
    return " ".join(_sentences(domain, [other for other in others if other.name == domain.name]))


def _sentences(domain: Domain, others: Sequence[Domain]) -> Iterator[str]:
    overall = domain.overall
    if overall is None:
        alone = "no two methods have values of the same data" if domain.judgements else "no metric judges two methods"
        yield f"There is no answer: {alone}."
        return
    at = "" if domain.budget is None else f" at a budget of {domain.budget} evaluations an input"
    rest, nested = overall.unresolved[1:], overall.nested
    alike = f"; {named(rest)} cannot be told from it" if rest else ", and every other method can be told from it"
    if len(rest) == len(overall.order) - 1:
        alike = f", but no other method can be told from it: next are {named(rest)}"
    spent = f"it spends {domain.mean(COST, overall.best):.0f}"
    yield f"{label(overall.best)} has the best mean rank over all questions{at} ({spent}){alike}."
    like = "and others trained alike on these data" if nested.of_networks else "and says nothing of others"
    sure = (
        f"what is told apart holds for {_these(overall)} {like}"
        if nested.replicates > 1
        else "nothing can be told apart"
    )
    yield f"How sure: {_inputs_of(overall)}; {sure}."
    if papers := _of_papers(overall):
        yield f"Ranks of what the papers propose: {papers}."
    if nested.left_out:
        yield f"Left out: {_count(nested.left_out, 'input')}, of which some method has no value."
    if missing := [one for one in domain.missing if one not in nested.methods]:
        yield f"Not compared, for want of a value of every data set: {named(missing)}."
    if domain.budget is not None and (dear := [one for one in overall.order if _is_dear(domain, one)]):
        spending = [f"{label(one)} ({domain.mean(COST, one):.0f})" for one in dear[:MOST_NAMED]]
        yield f"Beyond the budget: {', '.join(spending)}."
    if rest and math.isfinite(factor := overall.factor_to_tell(overall.best, rest[0])):
        many = f"{_times(factor)} as many {_replicates(overall)}"
        yield f"Telling it from {label(rest[0])} would take {many}."
    yield from _by_question(domain, overall)
    yield from _unreached(domain)
    if changes := list(_changes(domain, overall)):
        yield f"The answer hangs on what is asked: {'; '.join(changes)}."
    elif len(domain.judgements) > 1:
        yield "Leaving out any one metric or question leaves the best among those that are not told from it."
    if differ := list(_at_other_budgets(overall, others)):
        yield f"At other budgets it is another: {', '.join(differ)}."


def _by_question(domain: Domain, overall: Judgement) -> Iterator[str]:
    """What is best by each question, and which of them the best has no value of; then the controls."""
    found = domain.by_question
    if len(found) > 1:
        said = [f"{_best_of(one)} by what {question}" for question, one in found.items()]
        yield f"By question: {'; '.join(said)}."
    if unasked := [question for question, one in found.items() if overall.best not in one.nested.methods]:
        yield f"{label(overall.best)} has no value by what {' or '.join(unasked)}; its mean rank is over the rest."
    yield from _controls(domain, overall)


def _controls(domain: Domain, overall: Judgement) -> Iterator[str]:
    """Where maps that never ask the network are better than every explanation, or not told from the best."""
    if overall.ahead:
        yield f"Better over all questions, and never asking the network: {named(overall.ahead)}."
    if alike := [control for control in overall.fooled_by if control not in overall.ahead]:
        yield f"Not told from it over all questions, and never asking the network: {named(alike)}."
    better = [one for one in domain.judgements if one.ahead]
    alike = [one.metric for one in domain.judgements if one.fooled_by and not one.ahead]
    if better:
        metrics, of = named([one.metric for one in better]), _of(better, domain)
        controls = named(in_order(control for one in better for control in one.ahead))
        yield f"By {of} a map that never asks the network is better than every explanation ({controls}): {metrics}."
    if alike:
        yield f"By {_of(alike, domain)} a map that never asks the network cannot be told from the best: {named(alike)}."


def _is_dear(domain: Domain, method: str) -> bool:
    """Whether a method spends more than the budget, such as one that does not know of budgets."""
    return domain.budget is not None and domain.mean(COST, method) > DEAR * domain.budget


def _unreached(domain: Domain) -> Iterator[str]:
    """Where weights by fitness weigh nothing: no deletion halves the score, and all baselines are as unfit."""
    rows = domain.rows[domain.rows["metric"] == REACHED]
    for data, of_data in rows.groupby("data", sort=False):
        shares = of_data.groupby("method", sort=False)["value"].mean()
        if shares.iloc[0] < SELDOM:
            said = f"The fitness of {label(str(shares.index[0]))} is found for {shares.iloc[0]:.0%} of its baselines"
            yield f"{said} of {data}: where it is not, all weigh alike, and its weights are hardly tested."


def _of(some: Sequence[object], domain: Domain) -> str:
    return f"{len(some)} of {_count(len(domain.judgements), 'metric')}"


def _changes(domain: Domain, overall: Judgement, others: Iterable[Domain] = ()) -> Iterator[str]:
    """Which metric or question, left out, would change the best, and at which other budget it is another."""
    for metric, found in domain.left_out.items():
        if found.best not in overall.unresolved:
            yield f"without {label(metric)} it is {label(found.best)}"
    for question, found in domain.left_out_question.items():
        if found.best not in overall.unresolved:
            yield f"without what {question} it is {label(found.best)}"
    yield from _at_other_budgets(overall, others)


def _at_other_budgets(overall: Judgement, others: Iterable[Domain]) -> Iterator[str]:
    for other in others:
        found = other.overall
        if found is not None and found.best not in overall.unresolved:
            yield f"{label(found.best)} at {other.budget}"


def label(name: str) -> str:
    """How a method or a metric is called in a sentence: B_bg where a figure says it with math."""
    found = known_label(name) or name.replace("_", " ")
    return re.sub(r"\\(?:mathrm|mathit|mathbf|mathsf|text|[,;! ])|[${}\\]", "", found)


def _best_of(one: Judgement) -> str:
    more = len(one.unresolved) - 1
    return label(one.best) + (f" (and {more} not told from it)" if more else "")


def named(some: Sequence[str]) -> str:
    """The first few methods or metrics as a sentence has them, and how many more there are."""
    names = [label(one) for one in some[:MOST_NAMED]]
    if more := len(some) - len(names):
        names.append(f"{more} more")
    comma = "; " if any("," in name for name in names) else ", "  # IG, mean; IG, zero and EG
    return " and ".join([comma.join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _count(number: int, name: str) -> str:
    return f"{number} {name}" + ("" if number == 1 else "s")


def _times(factor: float) -> str:
    if factor > MOST_TIMES:
        return f"more than {MOST_TIMES} times"
    return f"about {factor:.1f} times" if factor < 10 else f"about {factor:.0f} times"
