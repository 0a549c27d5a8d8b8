"""A paper's sentences at a glance: what their readings say together, and that no verdict is lost or made up."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from igbaselines.reporting.page.glance import ASKED, MOST_COLUMNS, glance_at, taken_together
from igbaselines.reporting.page.html import write_report
from igbaselines.reporting.page.runs import ReportedRun, find_runs
from igbaselines.reporting.papers import load_papers
from igbaselines.running.config import CLAIMS_ROOT

R, P, N, I, U = "reproduced", "partly reproduced", "not reproduced", "inconclusive", "not tested"  # noqa: E741


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        ([], U),
        ([U, U], U),
        ([R, R, U], R),
        ([N, U], N),
        ([I, I], I),
        ([R, N], P),
        ([R, I], P),
        ([P], P),
        ([P, N, I], P),
        ([N, I], I),  # some fail and the others are open: nothing holds, and not all of it is known to fail
    ],
)
def test_readings_are_taken_together(verdicts: list[str], together: str) -> None:
    assert taken_together(Counter(verdicts)) == together


def test_many_runs_are_counted_together() -> None:
    (paper,) = (one for one in load_papers(CLAIMS_ROOT) if one.id == "2505.03201")
    claim = paper.claims["weighted_gradients"][0]
    record = {"id": claim.id, "paper": paper.id, "verdict": R}
    runs = [
        ReportedRun("weighted_gradients", f"demo-{at}", "complete", claims=[record]) for at in range(MOST_COLUMNS + 1)
    ]
    assert len(glance_at(paper, runs[1:]).runs) == MOST_COLUMNS
    glance = glance_at(paper, runs)
    assert glance.runs == ("weighted_gradients",)
    (line,) = (line for line in glance.lines if line.text.startswith("On the AUC of Deletion"))
    assert line.cells == {"weighted_gradients": Counter({R: MOST_COLUMNS + 1})}


def test_a_question_has_answers_and_no_verdict() -> None:
    (paper,) = (one for one in load_papers(CLAIMS_ROOT) if one.id == "2412.13864")
    claims = {"hep_weightings": next(c.id for c in paper.claims["hep_weightings"] if c.sentence == ["q_weightings"])}
    runs = [
        ReportedRun(name, "demo-1", "complete", claims=[{"id": claim, "paper": paper.id, "verdict": R}])
        for name, claim in claims.items()
    ]
    glance = glance_at(paper, runs)
    (line,) = (line for line in glance.lines if line.counts)
    assert (line.verdict, line.counts) == (ASKED, Counter({R: 1}))
    assert glance.by_verdict[ASKED] == [line]
    assert all(line.verdict == U for line in glance.lines if line.is_asked and not line.counts)


def test_every_verdict_on_a_sentence_is_one_of_the_run(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "hep_baselines" / "demo-1")
    records = {one["id"]: one["verdict"] for one in json.loads((run_folder / "claims.json").read_text())}
    (paper,) = (one for one in load_papers(CLAIMS_ROOT) if one.id == "2412.13864")
    glance = glance_at(paper, find_runs(tmp_path))
    assert glance.runs == ("hep_baselines demo-1",)
    assert len(glance.lines) == len(paper.sentences)
    for line in glance.lines:
        assert line.counts == Counter(records[claim] for claim in line.claims if claim in records)
        assert bool(line.claims) != bool(line.open)
    tested = {claim.id for listed in paper.claims.values() for claim in listed if claim.sentence}
    assert set(glance.first_line) == tested
    page = write_report(tmp_path).read_text(encoding="utf-8")
    opening = page.split("<p>Each claim")[0]
    for verdict, lines in glance.by_verdict.items():
        assert (f">{verdict}</span> <q>" in opening) == (verdict != U and bool(lines))
    for claim in records:
        assert page.count(f'id="{claim}"') == 1
