"""The answer in words, and the tables behind it, from rows made by hand."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.labels import printed_as
from igbaselines.studies.comparison.reporting.answer import answer_table, in_short, label, matrix_table, named, words_of
from igbaselines.studies.comparison.reporting.judged import Domain, domains
from igbaselines.studies.comparison.reporting.tables import left_out_table, methods_table, metrics_table
from tests.compared_rows import NAMES, rows_of

CLEAR = {
    "good": {"deletion": 0.0, "cosine": 2.0, "stability": 2.0},
    "next": {"deletion": 1.0, "cosine": 1.0, "stability": 1.0},
    "bad": {"deletion": 2.0, "cosine": 0.0, "stability": 0.0},
}


@pytest.fixture(autouse=True, scope="module")
def _labels_of_the_run() -> Iterator[None]:
    with printed_as(NAMES):
        yield


def domain_of(rows: pd.DataFrame) -> Domain:
    (found,) = domains(rows, NAMES.metrics)
    return found


def words(rows: pd.DataFrame, *others: pd.DataFrame) -> str:
    return words_of(domain_of(rows), [domain_of(other) for other in others])


def test_the_answer_says_what_to_take_at_what_cost_and_how_sure_that_is() -> None:
    found = words(rows_of(CLEAR))
    assert found.startswith(
        "G_best has the best mean rank over all questions at a budget of 64 evaluations an input "
        "(it spends 64), and every other method can be told from it."
    )
    assert (
        "How sure: 40 inputs of 1 network; what is told apart holds for this network and says nothing of others."
        in found
    )
    assert "Leaving out any one metric or question leaves the best among those that are not told from it." in found
    assert not set(found) & set("$\\{}")
    for absent in ("Telling it", "Left out", "never ask", "nan", "At other budgets", "No metric"):
        assert absent not in found


def test_what_is_not_told_from_the_best_is_named_and_how_many_would_tell() -> None:
    found = words(rows_of({"a": {"cosine": 1.01}, "b": {"cosine": 1.0}, "c": {"cosine": 0.0}}, budget=None))
    assert "a has the best mean rank over all questions (it spends 64); b cannot be told" in found
    assert "Telling it from b would take " in found
    assert "times as many inputs." in found
    many = words(rows_of({f"m{at}": {"cosine": 0.0} for at in range(7)}))
    assert "but no other method can be told from it: next are " in many
    assert " and 2 more." in many


@pytest.mark.parametrize(
    ("data", "networks", "said"),
    [
        (
            ("wine",),
            3,
            "12 inputs of 3 networks; what is told apart holds for these networks and says nothing of others.",
        ),
        (
            ("wine", "digits"),
            5,
            "40 inputs of 10 networks of 2 data sets; what is told apart holds for these networks and",
        ),
        (
            ("wine", "digits"),
            1,
            "8 inputs of 2 networks of 2 data sets; what is told apart holds for these networks and",
        ),
    ],
)
def test_intervals_are_over_networks_where_there_are_enough(data: tuple[str, ...], networks: int, said: str) -> None:
    rows = rows_of(CLEAR, data=data, networks=networks, inputs=4)
    assert said in words(rows)
    over = set(answer_table([domain_of(rows)])["replicates"])
    assert over == {"networks" if networks >= 5 else "inputs"}
    assert ("and others trained alike on these data" in words(rows)) == (networks >= 5)


def test_a_data_set_of_few_networks_makes_it_an_answer_about_these() -> None:
    rows = pd.concat([rows_of(CLEAR, inputs=4), rows_of(CLEAR, data=["digits"], networks=6, inputs=4)])
    assert "28 inputs of 7 networks of 2 data sets; what is told apart holds for these networks and says" in words(rows)


def test_a_single_input_tells_nothing_apart_and_that_is_said() -> None:
    found = words(rows_of(CLEAR, inputs=1))
    assert "How sure: 1 input of 1 network; nothing can be told apart." in found
    assert ", but no other method can be told from it: next are next and bad." in found
    assert "nan" not in found


def test_what_has_no_value_of_a_data_set_does_not_take_the_data_set_with_it() -> None:
    rows = rows_of(CLEAR, data=["wine", "digits"])
    rows = rows[~((rows["method"] == "bad") & (rows["data"] == "digits"))]  # too dear for so many features
    found = words(rows)
    assert "How sure: 80 inputs of 2 networks of 2 data sets; what" in found
    assert "Not compared, for want of a value of every data set: bad." in found


def test_inputs_that_are_left_out_are_said() -> None:
    rows = rows_of(CLEAR)
    gone = (rows["method"] == "bad") & rows["unit"].isin(["wine_0", "wine_1"])
    rows["value"] = rows["value"].mask(gone & ~rows["metric"].isin(["cost", "seconds"]))
    found = words(rows)
    assert "How sure: 38 inputs of 1 network; what" in found
    assert set(answer_table([domain_of(rows)])["inputs_left_out"]) == {2}


def test_a_method_that_keeps_no_budget_is_named() -> None:
    dear = {name: dict(of) | ({"cost": 9999.0} if name == "good" else {}) for name, of in CLEAR.items()}
    assert "Beyond the budget: G_best (9999)." in words(rows_of(dear))


def test_where_a_fitness_is_not_found_is_said_by_data_set() -> None:
    rows = rows_of(CLEAR, data=["wine", "digits"])
    reached = rows[(rows["metric"] == "cosine") & (rows["method"] == "next")].assign(metric="fitness_reached")
    reached["value"] = (reached["data"] == "digits").astype(float)
    found = words(pd.concat([rows, reached], ignore_index=True))
    assert "The fitness of next is found for 0% of its baselines of wine" in found
    assert "of digits" not in found


def test_a_best_that_was_not_asked_everything_is_said_to_be() -> None:
    worth = {"a": {"cosine": 2.0}, "b": {"cosine": 1.0, "stability": 0.0}, "c": {"cosine": 0.0, "stability": 1.0}}
    assert "a has no value by what stays the same; its mean rank is over the rest." in words(rows_of(worth))


def test_controls_are_named_where_they_do_well_and_are_no_answer() -> None:
    control = {"random_map": {"deletion": 2.0, "cosine": -1.0, "stability": 3.0, "cost": 0.0}}
    found = words(rows_of(CLEAR | control))
    assert found.startswith("G_best has the best")
    assert (
        "By 1 of 3 metrics a map that never asks the network is better than every explanation (random map): Stability."
    ) in found
    assert "over all questions, and never asking" not in found
    table = answer_table([domain_of(rows_of(CLEAR | control))]).set_index("question")
    assert table["controls_as_good"].to_dict() == {
        **dict.fromkeys(("all questions", "finds what moves the output", "agrees with known values"), ""),
        "stays the same": "random_map",
    }
    best = {"random_map": {"deletion": -1.0, "cosine": 3.0, "stability": 3.0, "cost": 0.0}}
    assert "Better over all questions, and never asking the network: random map." in words(rows_of(CLEAR | best))


def test_a_control_that_is_not_told_apart_is_not_said_to_be_better() -> None:
    """Of two inputs nothing is told from anything, and a control behind the best is not as good for that."""
    control = {"random_map": {"deletion": 3.0, "cosine": -1.0, "stability": -1.0, "cost": 0.0}}
    found = words(rows_of(CLEAR | control, inputs=2, noise=0.0))
    assert "Not told from it over all questions, and never asking the network: random map." in found
    assert "By 3 of 3 metrics a map that never asks the network cannot be told from the best: Deletion," in found
    assert "better than every" not in found
    assert "Better over" not in found
    short = in_short(domain_of(rows_of(CLEAR | control, inputs=2, noise=0.0)))
    assert short["take"] == (
        "open: maps that never ask the network may do as well as any explanation (the first of which is G_best)"
    )


def test_what_the_answer_hangs_on_is_said() -> None:
    worth = {
        "a": {"deletion": 0.0, "cosine": 2.0, "stability": 0.0},
        "b": {"deletion": 1.0, "cosine": 0.0, "stability": 1.0},
        "c": {"deletion": 2.0, "cosine": 1.0, "stability": 0.5},
    }
    found = words(rows_of(worth, noise=0.01))
    assert found.startswith("a has the best")  # ranks 1 1 3 against 2 3 1 and 3 2 2
    assert (
        "The answer hangs on what is asked: without Cosine it is b; without what agrees with known values it is b."
        in found
    )
    table = left_out_table([domain_of(rows_of(worth, noise=0.01))]).set_index("without")
    assert table["best"].to_dict() == {"deletion": "a", "cosine": "b", "stability": "a"}
    assert table["changes"].to_dict() == {"deletion": False, "cosine": True, "stability": False}
    assert table["replicates_needed"].notna().to_dict() == {"deletion": True, "cosine": False, "stability": False}
    assert "By question: a by what finds what moves the output; a by what agrees with known values; b by what" in found


def test_another_best_at_another_budget_is_said() -> None:
    turned = {"good": CLEAR["bad"], "next": CLEAR["next"], "bad": CLEAR["good"]}
    found = words(rows_of(CLEAR, budget=256), rows_of(turned, budget=64), rows_of(CLEAR, budget=128))
    assert "At other budgets it is another: bad at 64." in found
    assert "other budgets" not in words(rows_of(CLEAR, budget=256), rows_of(turned, budget=64, domain="hep"))


def test_the_answer_in_short_says_the_same() -> None:
    turned = {"good": CLEAR["bad"], "next": CLEAR["next"], "bad": CLEAR["good"]}
    others = [domain_of(rows_of(turned, budget=32)), domain_of(rows_of(CLEAR, domain="hep"))]
    assert in_short(domain_of(rows_of(CLEAR)), others) == {
        "take": "G_best",
        "spends": "64 of 64 evaluations, 0.002 s an input",
        "not_told_from_it": "none",
        "how_sure": "40 inputs of 1 network, for this network alone",
        "hangs_on": "bad at 32",
        "papers": "",
    }
    near = {"a": {"cosine": 1.01}, "b": {"cosine": 1.0}, "c": {"cosine": 0.0}}
    few = in_short(domain_of(rows_of(near, budget=None)))
    assert (few["spends"], few["not_told_from_it"]) == ("64 evaluations, 0.002 s an input", "b")
    assert set(in_short(domain_of(rows_of({"a": {"sparseness": 1.0}}))).values()) == {""}


def test_the_matrix_has_every_question_of_every_kind_of_data() -> None:
    near = {"a": {"cosine": 1.01}, "b": {"cosine": 1.0}, "c": {"cosine": 0.0}}
    table = matrix_table([domain_of(rows_of(CLEAR)), domain_of(rows_of(near, domain="hep"))]).set_index("domain")
    assert table.loc["tables", "stays the same"] == "G_best (64 evaluations, 40 inputs)"
    assert table.loc["hep", "agrees with known values"] == "a (64 evaluations, 40 inputs; not told from it: b)"
    assert table.loc["hep", "stays the same"] == "not asked"
    assert next(iter(table)) == "all questions"


def test_what_the_papers_propose_stands_beside_the_answer() -> None:
    worth = {"shapley_ig": CLEAR["good"], "ig_zero": CLEAR["next"], "background": CLEAR["bad"]}
    found = "background (2412.13864) 3; shapley ig (2310.04821) 1, which may be the best; of 3"
    assert in_short(domain_of(rows_of(worth)))["papers"] == found
    assert f"Ranks of what the papers propose: {found}." in words(rows_of(worth))


def test_without_a_metric_that_asks_there_is_no_answer() -> None:
    rows = rows_of({"a": {"sparseness": 1.0}, "b": {"sparseness": 0.0}})
    assert words(rows) == "There is no answer: no metric judges two methods."
    for table in (answer_table, metrics_table, left_out_table):
        assert table([domain_of(rows)]).empty
    assert set(methods_table([domain_of(rows)])["metric"]) == {"sparseness"}  # it is measured for all that


def test_names_with_a_comma_are_listed_apart() -> None:
    with printed_as(type(NAMES)({"a": "IG, mean", "b": "EG", "c": "IG, zero"})):
        assert named(["a", "b", "c"]) == "IG, mean; EG and IG, zero"
        assert named(["b", "d", "e"]) == "EG, d and e"


def test_a_sentence_has_no_math() -> None:
    assert label("good") == "G_best"
    assert label("nobody_knows") == "nobody knows"
    with printed_as(type(NAMES)({"one": r"$|x - \mathrm{mean}|$", "two": r"$D_{\alpha}$ \& $p_T^{\mathrm{a b}}$"})):
        assert label("one") == "|x - mean|"
        assert label("two") == "D_alpha & p_T^a b"


def test_every_method_has_its_distance_from_the_best() -> None:
    rows = rows_of(CLEAR)
    table = methods_table([domain_of(rows)]).set_index(["metric", "method"])
    deletion = rows[rows["metric"] == "deletion"].pivot_table(index="unit", columns="method", values="value")
    line = table.loc[("deletion", "next"), :]
    assert line["mean"] == pytest.approx(deletion["next"].mean())
    assert line["from_best"] == pytest.approx((deletion["next"] - deletion["good"]).mean())
    assert line["from_best_low"] < line["from_best"] < line["from_best_high"]
    assert [line[name] for name in ("rank", "better", "replicates")] == [2, "lower", 40]
    assert line["replicates_needed"] == pytest.approx(40)  # it is told apart already
    best = table.loc[("deletion", "good"), :]
    assert [best[name] for name in ("rank_low", "rank", "rank_high")] == [1, 1, 1]
    assert np.isnan(best["replicates_needed"])


def test_metrics_agree_where_they_order_alike() -> None:
    worth = {name: {"cosine": at, "stability": at, "deletion": at} for at, name in enumerate("abcd")}
    table = metrics_table([domain_of(rows_of(worth, noise=0.0))]).set_index(["a", "b"])
    assert table["mean"].to_dict() == {
        ("cosine", "stability"): 1,
        ("cosine", "deletion"): -1,  # of which less is better
        ("stability", "deletion"): -1,
    }
    np.testing.assert_allclose(table["kendalls_w"], 1 / 9)  # by hand: column sums 6 7 8 9, S = 5 of at most 45
