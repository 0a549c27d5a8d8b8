"""Questions that the page opens with: answers are verdicts, turned where the claim says the opposite."""

import json
import logging
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from igbaselines.reporting.claims import Claim, Paper, Question
from igbaselines.reporting.page.asked import MOST_COLUMNS, answers_of, short_names
from igbaselines.reporting.page.html import write_report
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.statistics.verdicts import Region, Verdict
from tests.hep_rows import CLAIMS_ROOT

QUESTION = Question("Is it better?", [("in one", "p/a", False), ("in another", "p/b", True)])
PAPER = Paper("p", "A paper", "", {}, load_papers(CLAIMS_ROOT)[0].printed, questions=[QUESTION])


def record(claim: str, verdict: str, value: float | None = 0.2) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.1, value + 0.1)
    return {
        "id": claim,
        "verdict": verdict,
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "n": 20,
        "test": "t-interval over 20 images",
    }


def run(label: str, *records: dict[str, Any]) -> ReportedRun:
    return ReportedRun("exp", label, "complete", claims=list(records))


def test_a_claim_of_the_opposite_answers_the_other_way() -> None:
    (answer,) = answers_of(PAPER, [run("demo-1", record("p/a", "reproduced"), record("p/b", "reproduced"))])
    assert [[cell.word for cell in reading.cells] for reading in answer.readings] == [["yes"], ["no"]]
    assert [reading.cells[0].numbers for reading in answer.readings] == [
        "0.2 [0.1, 0.3], 20 images",
        "-0.2 [-0.3, -0.1], 20 images",
    ]
    assert (answer.word, answer.in_words) == ("partly", "Yes in 1 of 2 readings, no in 1")


def test_a_reading_says_what_its_interval_is_over() -> None:
    said = []
    for test in (
        "t-test, t-interval over 100 states x 5 networks, 9.6 degrees of freedom",
        "bootstrap quantiles over 9 replicates of 4 networks",
    ):
        (answer,) = answers_of(PAPER, [run("demo-1", record("p/a", "reproduced") | {"test": test})])
        said.append(answer.readings[0].cells[0].numbers.partition("], ")[2])
    assert said == ["100 states x 5 networks", "4 networks"]


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (("reproduced", "not reproduced"), "yes"),
        (("inconclusive", "inconclusive"), "open"),
        (("inconclusive", "reproduced"), "not shown"),
        (("not tested",) * 2, "not tested"),
    ],
)
def test_readings_are_taken_together(verdicts: tuple[str, str], word: str) -> None:
    said = [record(name, verdict, None) for name, verdict in zip(("p/a", "p/b"), verdicts, strict=True)]
    (answer,) = answers_of(PAPER, [run("demo-1", *said)])
    assert answer.word == word


def test_an_open_reading_says_what_would_decide_it() -> None:
    claim = Claim("p/a", "p", "", "It is better.", "", "test", Region(more_than=0.0), {})
    opened = record("p/a", "inconclusive", 0.05) | {"p_value": 0.2, "note": ""}
    (answer,) = answers_of(replace(PAPER, claims={"exp": [claim]}), [run("demo-1", opened)])
    ((reading, words),) = answer.deciding.items()
    assert reading == "in one (demo-1)"
    assert "units in the place of 20 would decide it" in words


def test_many_runs_are_told_together() -> None:
    runs = [run(f"demo-{at}", record("p/a", "reproduced" if at else "inconclusive")) for at in range(MOST_COLUMNS + 1)]
    (answer,) = answers_of(PAPER, runs)
    assert answer.columns == ["exp"]
    found = {cell.word: cell.numbers for cell in answer.readings[0].cells}
    assert found == {"open": "in 1 run", "yes": f"in {MOST_COLUMNS} runs"}


def test_names_are_as_short_as_they_can_be() -> None:
    def of(label: str, data: str, network: str) -> ReportedRun:
        return replace(run(label), config=f"{{dataset_name: {data}, model_name: {network}}}")

    assert list(short_names([of("1", "a", "x"), of("2", "b", "x")]).values()) == ["a", "b"]
    assert list(short_names([of("1", "a", "x"), of("2", "a", "y")]).values()) == ["x", "y"]
    runs = [of("1", "a", "x"), of("2", "a", "y"), of("3", "b", "x")]
    assert list(short_names(runs).values()) == ["a, x", "a, y", "b, x"]
    assert list(short_names([run("demo-1"), run("demo-2")]).values()) == ["demo-1", "demo-2"]


def test_every_paper_has_a_question_and_its_bibliography() -> None:
    papers = load_papers(CLAIMS_ROOT)
    assert all(paper.questions and paper.authors for paper in papers)
    assert papers[0].bibtex.startswith("@misc{arXiv:2310.04821,\n  title = {{A New Baseline")
    assert all(paper.bibtex.count("{") == paper.bibtex.count("}") for paper in papers)


def test_counts_and_answers_of_the_page_are_those_of_claims_json(
    run_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(run_folder, tmp_path / "hep_baselines" / "demo-1")
    records = json.loads((run_folder / "claims.json").read_text())
    with caplog.at_level(logging.INFO):
        path = write_report(tmp_path)
    text = path.read_text(encoding="utf-8")
    counts = Counter(one["verdict"] for one in records)
    shown = {
        verdict: int(count)
        for verdict, count in re.findall(r'data-verdict="([^"]*)" data-run="demo-1">(\d+)</td>', text)
    }
    assert shown == {str(verdict): counts[verdict] for verdict in Verdict}
    (paper,) = (one for one in load_papers(CLAIMS_ROOT) if one.id == "2412.13864")
    deciding = {claim for _, claim, _ in paper.questions[0].readings}
    verdicts = Counter(one["verdict"] for one in records if one["id"] in deciding)
    (answer,) = answers_of(paper, [replace(run("demo-1"), claims=records)])
    assert answer.counts == verdicts
    assert sum(verdicts.values()) == len(deciding)
    assert f"{answer.in_words}.</li>" in text
    said = [message for message in caplog.messages if message.startswith(("report: ", paper.id))]
    assert said == [
        f"report: {path}",
        f"{paper.id}: {answer.ask} {answer.word.capitalize()}. {answer.in_words}.",
    ]
