"""Answers of several seeds side by side, from rows made by hand."""

from typing import Any

import numpy as np
import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.page.runs import Results
from igbaselines.studies.comparison.reporting.seeds import combine
from tests.compared_rows import NAMES, Worth, rows_of

GOOD: Worth = {"good": {"cosine": 2.0}, "next": {"cosine": 1.0}, "bad": {"cosine": 0.0}}
TURNED: Worth = {"good": {"cosine": 0.0}, "next": {"cosine": 1.0}, "bad": {"cosine": 2.0}}


def run(seed: int, worth: Worth = GOOD, **more: Any) -> Results:
    config = {"experiment": "comparison", "seed": seed, "methods": {}, "scale": "demo"} | more
    rows = pd.concat([rows_of(worth, seed=seed), rows_of(GOOD, seed=seed, domain="hep")])
    return Results(f"demo-{seed}", config, rows, NAMES)


def test_answers_of_seeds_stand_side_by_side() -> None:
    (noted,) = combine([run(1, TURNED), run(0)], Printed()).tables
    assert noted.name == "seeds_of_demo-0"
    table = noted.table.set_index(["domain", "seed"])
    assert table["take"].to_dict() == {
        ("tables", 0): "G_best",
        ("hep", 0): "G_best",
        ("tables", 1): "bad",
        ("hep", 1): "G_best",
    }
    assert table["same_answer"].to_list() == ["", "", "no", "yes"]
    np.testing.assert_allclose(table["tau"], [np.nan, np.nan, -1, 1])


def test_runs_that_differ_in_more_than_their_seed_are_not_compared() -> None:
    assert combine([run(0), run(1, methods={"a": {}})], Printed()).tables == []
    assert combine([run(0)], Printed()).tables == []
    assert combine([], Printed()).tables == []
    silent: Worth = {"a": {"sparseness": 1.0}, "b": {"sparseness": 0.0}}
    assert [len(noted.table) for noted in combine([run(0, silent), run(1, silent)], Printed()).tables] == [2]
