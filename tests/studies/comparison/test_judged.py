"""Which method is best, what is not told from it, and what ranks over metrics and questions are worth."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.metrics.base import KNOWN, MOVES, STABLE
from igbaselines.running.rows import Names
from igbaselines.studies.comparison.reporting.judged import Domain, at_largest_budget, domains
from igbaselines.studies.comparison.settings import HALF_SAMPLE
from tests.compared_rows import NAMES, Worth, rows_of


def domain_of(rows: pd.DataFrame, names: Names = NAMES) -> Domain:
    (found,) = domains(rows, names.metrics)
    return found


def ranks(domain: Domain, question: str = "") -> dict[str, float]:
    one = domain.by_question[question] if question else domain.overall
    assert one is not None
    return dict(zip(one.nested.methods, one.nested.means.tolist(), strict=True))


def same(metric: str, **means: float) -> Worth:
    """Methods by one metric."""
    return {method: {metric: mean} for method, mean in means.items()}


@pytest.mark.parametrize(("metric", "best", "worst"), [("deletion", "low", "high"), ("insertion", "high", "low")])
def test_the_direction_of_a_metric_decides_which_is_best(metric: str, best: str, worst: str) -> None:
    found = domain_of(rows_of(same(metric, low=0.0, middle=1.0, high=2.0)))
    (judged,) = found.judgements
    assert judged.order == [best, "middle", worst]
    assert ranks(found) == {best: 1, "middle": 2, worst: 3}
    assert found.overall is not None
    assert found.overall.unresolved == [best]


def test_what_differs_by_less_than_noise_is_not_told_apart() -> None:
    rows = rows_of(same("cosine", a=1.0, b=1.0, c=0.0, d=-1.0))
    (judged,) = domain_of(rows).judgements
    assert set(judged.unresolved) == {"a", "b"}
    assert judged.unresolved[0] == judged.best
    (of_one_input,) = domain_of(rows[rows["unit"] == "wine_0"]).judgements
    assert of_one_input.unresolved == of_one_input.order  # a single input tells nothing apart
    assert len(of_one_input.order) == 4


def test_ties_are_equal_whatever_they_are_added_up_from() -> None:
    """Ranks 1 2 3, 2 3 1 and 3 1 2 by three questions, in every input."""
    by_metric = {"cosine": (3, 2, 1), "stability": (2, 1, 3), "insertion": (1, 3, 2)}
    worth = {name: {metric: float(by[at]) for metric, by in by_metric.items()} for at, name in enumerate("abc")}
    found = domain_of(rows_of(worth, noise=0.0))
    assert ranks(found) == {"a": 2, "b": 2, "c": 2}
    assert found.overall is not None
    assert found.overall.unresolved == ["a", "b", "c"]
    assert ranks(domain_of(rows_of(same("cosine", a=1.0, b=1.0, c=0.0), noise=0.0))) == {"a": 1.5, "b": 1.5, "c": 3}


def test_a_control_is_never_the_answer_and_is_named_where_it_does_well() -> None:
    worth = same("cosine", random_map=2.0, good=1.0, bad=0.0)
    rows = rows_of(
        {name: dict(means) | ({"cost": 0.0} if name == "random_map" else {}) for name, means in worth.items()}
    )
    found = domain_of(rows)
    assert found.overall is not None
    assert found.controls == ("random_map",)
    assert (found.overall.best, found.overall.order) == ("good", ["good", "bad"])
    assert found.overall.unresolved == ["good"]
    assert found.overall.fooled_by == ["random_map"]
    assert ranks(found)["random_map"] == 1  # it has its rank all the same
    rows.loc[(rows["method"] == "random_map") & (rows["metric"] == "cosine"), "value"] -= 9
    weak = domain_of(rows).overall
    assert weak is not None
    assert weak.fooled_by == []


def test_questions_weigh_the_same_whatever_their_number_of_metrics() -> None:
    a = {"deletion": 0.0, "insertion": 1.0, "cosine": 0.0}
    b = {"deletion": 1.0, "insertion": 0.0, "cosine": 1.0}
    found = domain_of(rows_of({"a": a, "b": b}, noise=0.0))
    assert found.questions == [MOVES, KNOWN]
    assert (ranks(found, MOVES), ranks(found, KNOWN)) == ({"a": 1, "b": 2}, {"a": 2, "b": 1})
    assert ranks(found) == {"a": 1.5, "b": 1.5}
    assert {metric: one.best for metric, one in found.left_out.items()} == {
        **{"deletion": "a", "insertion": "a"},  # the question has another metric
        "cosine": "a",
    }
    assert found.left_out["cosine"].nested.means.tolist() == [1, 2]


def test_a_metric_that_few_methods_have_is_no_merit() -> None:
    """Of ten equal methods three have a metric more; by ranks of 1 to 3 they would lead."""
    worth = {f"m{at}": {"cosine": 0.0} | ({"stability": 0.0} if at < 3 else {}) for at in range(10)}
    found = domain_of(rows_of(worth, inputs=400))
    means = ranks(found)
    few, others = np.mean([means[f"m{at}"] for at in range(3)]), np.mean([means[f"m{at}"] for at in range(3, 10)])
    np.testing.assert_allclose([few, others], 5.5, atol=0.3)
    assert found.overall is not None
    assert len(found.overall.unresolved) == 10
    assert ranks(found, STABLE).keys() == {"m0", "m1", "m2"}
    assert np.mean(list(ranks(found, STABLE).values())) == pytest.approx(5.5)


def test_ranks_among_few_are_what_they_are_among_all_on_average() -> None:
    """A method that is missing by chance on half of the inputs neither gains nor loses by it."""
    rows = rows_of(same("cosine", **{f"m{at}": 0.05 * at for at in range(5)}), inputs=2000)
    whole = ranks(domain_of(rows))
    missing = (rows["metric"] == "cosine") & (rows["method"] == "m4") & (rows.index % 2 == 0)
    some = domain_of(rows.assign(value=rows["value"].mask(missing)))
    assert ranks(some) == pytest.approx(whole, abs=0.12)
    assert some.overall is not None
    assert (some.overall.nested.inputs, some.overall.nested.left_out) == (1000, 1000)


def test_a_metric_that_asks_nothing_or_that_nobody_knows_judges_nobody() -> None:
    rows = rows_of({"a": {"sparseness": 1.0, "unheard": 1.0}, "b": {"sparseness": 2.0, "unheard": 2.0}})
    found = domain_of(rows)
    assert (found.judgements, found.questions, found.by_question, found.left_out) == ([], [], {}, {})
    assert found.overall is None
    assert domain_of(rows, Names()).overall is None
    assert domains(rows[:0], NAMES.metrics) == []


def test_one_method_that_asks_is_judged_against_nobody() -> None:
    rows = rows_of({"a": {"cosine": 1.0}, "random_map": {"cosine": 0.0, "cost": 0.0}})
    assert domain_of(rows).judgements == []
    without = rows_of({"a": {"cosine": 1.0}, "b": {"cosine": np.nan}, "c": {"cosine": np.inf}})
    assert domain_of(without).overall is None


def test_what_half_of_the_known_values_have_in_common_is_no_method() -> None:
    found = domain_of(rows_of(same("cosine", a=1.0, b=0.0, **{HALF_SAMPLE: 2.0})))
    assert ranks(found) == {"a": 1, "b": 2}


@pytest.mark.parametrize("kind", [int, float, object])
def test_budgets_are_read_whatever_their_column_is(kind: type) -> None:
    worth = same("cosine", a=1.0, b=0.0)
    rows = pd.concat([rows_of(worth, budget=budget, inputs=4) for budget in (64, 256, 128)])
    every = domains(rows.astype({"budget": kind}), NAMES.metrics)
    assert [one.budget for one in every] == [64, 256, 128]
    assert [one.budget for one in at_largest_budget(every)] == [256]
    both = pd.concat([rows, rows_of(worth, domain="photographs", budget=None, inputs=4)], ignore_index=True)
    assert [(one.name, one.budget) for one in at_largest_budget(domains(both, NAMES.metrics))] == [
        ("tables", 256),
        ("photographs", None),
    ]
