"""Verdicts by today's rules: what other code, or other claims files, said of a run's rows is judged once more."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from igbaselines.common.errors import first_line
from igbaselines.common.files import read_record, sha256, write_record
from igbaselines.reporting.claims import Paper, Record, judge_paper
from igbaselines.reporting.page.runs import ReportedRun, checked_record, read_results
from igbaselines.running.provenance import judging_checksum
from igbaselines.running.states import COMPLETE

KEPT = ".judged"  # folder of verdicts that were given anew, for the next report

log = logging.getLogger(__name__)


def judged_by_today(
    runs: Sequence[ReportedRun], papers: Sequence[Paper], claims_root: Path, output_root: Path
) -> list[ReportedRun]:
    """The runs with the verdicts that this code and these claims files give, whatever gave those in their folders.

    Where rows cannot be read or judged the run's own verdicts stay; the log names such a run. Folders stay as they are.
    """
    today = judging_checksum(claims_root)
    kept = output_root / KEPT
    return [run if run.state != COMPLETE or run.judged == today else _anew(run, papers, today, kept) for run in runs]


def _anew(run: ReportedRun, papers: Sequence[Paper], today: str, folder: Path) -> ReportedRun:
    try:
        known = {"judged": today, "rows": sha256(run.folder / "rows.parquet")}
        file = folder / f"{run.experiment}-{run.label}.json"
        kept = read_record(file) or {}
        if known.items() <= kept.items():
            claims = [checked_record(record) for record in kept["claims"]]
        else:
            claims = _judged(run, papers)
            with suppress(OSError):  # a folder that can only be read: the next report judges once more
                folder.mkdir(exist_ok=True)
                write_record(file, known | {"claims": claims})
    except Exception as error:  # rows of anyone's break their readers in any way
        said = f"{type(error).__name__}: {first_line(str(error))}"
        log.warning("%s keeps the verdicts in its folder, which are by other rules: %s", run.place, said)
        return run
    return replace(run, claims=claims, judged_anew=True)


def _judged(run: ReportedRun, papers: Sequence[Paper]) -> list[Record]:
    rows = read_results(run).rows
    return [record for paper in papers for record in judge_paper(paper, run.experiment, rows)]
