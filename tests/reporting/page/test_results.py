"""The card of a claim: where many runs tested it the paper's value is a column only if it is not one for all."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from igbaselines.reporting.claims import unmeasured
from igbaselines.reporting.page.html import MANY, MOST_RESULTS
from igbaselines.reporting.page.rendering import environment
from igbaselines.reporting.page.results import ReportedClaim, Result
from igbaselines.reporting.statistics.verdicts import Verdict


def card(values: Sequence[str]) -> str:
    """The card of a claim whose paper has a value for all, and these for its runs."""
    record = unmeasured(Verdict.INCONCLUSIVE, "too little")
    results = [Result("e", f"run-{n}", record | {"paper_value": value}) for n, value in enumerate(values)]
    claim = ReportedClaim("p/a", "p", "Table 1", "It is so.", "for all", results)
    known = {"many": MANY, "most_results": MOST_RESULTS, "count_results": lambda claim: "some", "pages": {}}
    module = environment(Path()).get_template("macros.html.j2").make_module(known)
    return str(module.card(claim))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("values", "column"), [(["for all"] * 5, False), (["for all"] * 4 + ["0.3"], True)])
def test_the_papers_value_stands_once_or_beside_each_run(values: list[str], column: bool) -> None:
    found = card(values)
    assert "Paper's value: for all." in found
    assert ('<th scope="col">paper</th>' in found) == column
    assert found.count('data-of="paper"') == (5 if column else 0)
    assert (">0.3</td>" in found) == column
