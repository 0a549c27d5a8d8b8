"""What the papers say, sentence by sentence: each is tested by a claim or says why not, and docs/claims.md shows it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from igbaselines.common.errors import UserError
from igbaselines.reporting.claims import Claim, judge, judge_all
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.verdicts import Verdict
from tests.commands import load_script
from tests.hep_rows import CLAIMS_ROOT, as_rows, series
from tests.reporting.test_claims import claim, write

TESTED = {"id": "high", "place": "Abstract", "text": "H_T is high."}
OPEN = {"id": "deep", "place": "Conclusion", "text": "All is deep.", "open": "nobody says what deep is"}


def test_a_claim_names_the_sentence_that_it_tests(tmp_path: Path) -> None:
    (paper,) = load_papers(write(tmp_path, claim(sentence=["high"]), sentences=[TESTED, OPEN]))
    assert [one.sentence for one in paper.claims["hep_baselines"]] == [["high"], ["high"]]
    assert [sentence.open for sentence in paper.sentences] == ["", "nobody says what deep is"]


@pytest.mark.parametrize(
    ("changes", "sentences", "message"),
    [
        ({"sentence": ["low"]}, [TESTED], "claim '0000.00000/high/background': the paper's sentences have no low"),
        ({}, [TESTED], "sentence 'high' is tested by no claim: say why under `open`"),
        ({"sentence": ["deep"]}, [OPEN], "sentence 'deep' is tested: it cannot be open"),
        ({}, [{"id": "high", "place": "Abstract"}], "sentence 'high': missing text"),
    ],
)
def test_a_sentence_is_tested_or_says_why_not(
    tmp_path: Path, changes: dict[str, Any], sentences: list[dict[str, str]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load_papers(write(tmp_path, claim(**changes), sentences=sentences))


def test_what_tests_no_sentence_says_that_it_is_ours() -> None:
    for paper in load_papers(CLAIMS_ROOT):
        for one in (one for listed in paper.claims.values() for one in listed if not one.sentence):
            assert one.source == "ours" or one.source.startswith("not in the paper"), one.id


def test_the_page_of_the_docs_is_up_to_date() -> None:
    script = load_script("write_claims")
    papers = load_papers(CLAIMS_ROOT)
    written = script.PAGE.read_text(encoding="utf-8")
    assert written == script.page(papers), "python scripts/write_claims.py"
    for paper in papers:
        lines = [line for line in written.splitlines() if line.startswith("| ")]
        assert all(any(sentence.text in line for line in lines) for sentence in paper.sentences)


def readings(tmp_path: Path, methods: list[str], sentence: list[str]) -> list[Claim]:
    """A claim of each method: H_T gains places on `zero_physical`."""
    one = claim(each={"method": methods}, test="paired_difference", claimed={"more_than": 0}, sentence=sentence)
    one |= {"parameters": {"metric": "score", "method_a": "{method}", "method_b": "none"}}
    said = [TESTED | {"id": name} for name in sentence]
    (paper,) = load_papers(write(tmp_path, one, sentences=said))
    return list(paper.claims["hep_baselines"])


def scores(shifts: dict[str, float], units: int = 8, seed: int = 0) -> pd.DataFrame:
    """A metric of methods whose means are known, in units of its standard deviation."""
    noise = np.random.default_rng(seed).normal(0, 1, (len(shifts) + 1, units))
    values = {method: noise[place] + shift for place, (method, shift) in enumerate(shifts.items())} | {"none": 0.0}
    lines = [
        series("score", name, {f"network_{n}": v for n, v in enumerate(np.broadcast_to(values[name], units))})
        for name in values
    ]
    return as_rows([row for found in lines for row in found])


def test_readings_of_a_sentence_are_corrected_together(tmp_path: Path) -> None:
    methods = [f"m{place}" for place in range(6)]
    rows = scores(dict.fromkeys(methods, 0.7), units=12)
    claims = readings(tmp_path, methods, ["high"])
    alone, together = [judge(one, rows) for one in claims], judge_all(claims, rows)
    expected = paired.holm([record["p_value"] for record in alone])
    assert [record["verdict"] == Verdict.REPRODUCED for record in together] == (expected < 0.05).tolist()
    lost = [place for place in range(6) if alone[place]["verdict"] != together[place]["verdict"]]
    assert lost == [4, 5]
    assert all("6 readings of 'high': reproduced if it stood alone" in together[place]["note"] for place in lost)
    assert [record["p_value"] for record in together] == [record["p_value"] for record in alone]
    assert judge_all(readings(tmp_path, methods, []), rows) == [
        judge(one, rows) for one in readings(tmp_path, methods, [])
    ]


def test_what_does_not_rest_on_the_p_value_is_left_alone(tmp_path: Path) -> None:
    """On average nothing is resolved, and one of the parts contradicts: that is corrected for their number already."""
    noise = np.random.default_rng(0).normal(0, 0.1, (10, 3))
    values = {"a": -0.3 + noise[:, 0], "b": 0.3 + noise[:, 1], "none": np.zeros(10)}
    found = [series("score", name, {f"network_{n}": v for n, v in enumerate(of)}) for name, of in values.items()]
    rows = as_rows([row for lines in found for row in lines])
    one = claim(test="paired_differences", claimed={"more_than": 0}, sentence=["high"])
    one |= {"parameters": {"metric": "score", "method": "none", "others": ["a", "b"]}}
    (paper,) = load_papers(write(tmp_path, one, sentences=[TESTED]))  # two readings, by `each`
    for record in judge_all(paper.claims["hep_baselines"], rows):
        assert record["p_value"] > 0.05
        assert record["verdict"] == Verdict.NOT_REPRODUCED
        assert "resolved to the contrary for b" in record["note"]


def test_correction_keeps_false_verdicts_rare(tmp_path: Path) -> None:
    """Twelve readings that are all at the boundary: alone, half of such statements get a verdict on one of them."""
    methods = [f"m{place}" for place in range(12)]
    claims = readings(tmp_path, methods, ["high"])
    alone = together = 0
    for seed in range(20):
        records = judge_all(claims, scores(dict.fromkeys(methods, 0.0), seed=seed))
        alone += min(record["p_value"] for record in records) < 0.05
        together += any(record["verdict"] != Verdict.INCONCLUSIVE for record in records)
    assert alone > 4
    assert together <= 4
