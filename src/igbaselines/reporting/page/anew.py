"""Verdicts by today's rules: what other code, or other claims files, said of a run's rows is judged once more."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from igbaselines.common.errors import first_line
from igbaselines.reporting.claims import Paper, judge_paper
from igbaselines.reporting.page.runs import ReportedRun, read_results
from igbaselines.running.provenance import judging_checksum
from igbaselines.running.states import COMPLETE

log = logging.getLogger(__name__)


def judged_by_today(runs: Sequence[ReportedRun], papers: Sequence[Paper], claims_root: Path) -> list[ReportedRun]:
    """The runs with the verdicts that this code and these claims files give, whatever gave those in their folders.

    Where rows cannot be read or judged the run's own verdicts stay; the log names such a run. Folders stay as they are.
    """
    today = judging_checksum(claims_root)
    return [run if run.state != COMPLETE or run.judged == today else _anew(run, papers) for run in runs]


def _anew(run: ReportedRun, papers: Sequence[Paper]) -> ReportedRun:
    try:
        rows = read_results(run).rows
        claims = [record for paper in papers for record in judge_paper(paper, run.experiment, rows)]
    except Exception as error:  # rows of anyone's break their readers in any way
        said = f"{type(error).__name__}: {first_line(str(error))}"
        log.warning("%s keeps the verdicts in its folder, which are by other rules: %s", run.place, said)
        return run
    return replace(run, claims=claims, judged_anew=True)
