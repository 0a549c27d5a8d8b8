"""What the papers say, sentence by sentence: each is tested by a claim or says why not, and docs/claims.md shows it."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from igbaselines.common.errors import UserError
from igbaselines.reporting.claims import load_papers
from tests.commands import ROOT
from tests.hep_rows import CLAIMS_ROOT
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
    spec = importlib.util.spec_from_file_location("write_claims", ROOT / "scripts" / "write_claims.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    papers = load_papers(CLAIMS_ROOT)
    written = script.PAGE.read_text(encoding="utf-8")
    assert written == script.page(papers), "python scripts/write_claims.py"
    for paper in papers:
        lines = [line for line in written.splitlines() if line.startswith("| ")]
        assert all(any(sentence.text in line for line in lines) for sentence in paper.sentences)
