"""The report: what the runs say of the papers, then every run, on a page with its files beside it."""

import logging
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from igbaselines.common.errors import UserError
from igbaselines.common.files import write_text
from igbaselines.common.places import COMMAND
from igbaselines.reporting.claims import OTHER_DATA, Paper
from igbaselines.reporting.page.anew import judged_by_today
from igbaselines.reporting.page.article.paper import ARTICLES, write_articles
from igbaselines.reporting.page.asked import Answer, answers_of
from igbaselines.reporting.page.beside import PAGE, RUNS, Beside, Placed, Shown
from igbaselines.reporting.page.by_dataset import DatasetComparison, compare_datasets, comparisons_table
from igbaselines.reporting.page.by_seed import steady
from igbaselines.reporting.page.combined import CombinedRuns, write_combined
from igbaselines.reporting.page.glance import GLYPHS, RULE, Glance, glance_at
from igbaselines.reporting.page.rendering import left_out, render, render_run
from igbaselines.reporting.page.results import (
    ReportedClaim,
    claims_table,
    collect_claims,
    count_results,
    count_verdicts,
)
from igbaselines.reporting.page.runs import ReportedRun, find_runs
from igbaselines.reporting.page.speed import FOLDER as BENCHMARKS
from igbaselines.reporting.page.speed import read_speed
from igbaselines.reporting.papers import load_papers
from igbaselines.reporting.statistics.verdicts import Verdict
from igbaselines.running.config import CLAIMS_ROOT
from igbaselines.running.states import COMPLETE, explain_states
from igbaselines.running.study import experiments
from igbaselines.running.sweeps import Sweep, find_sweeps

log = logging.getLogger(__name__)

MANY = 3  # more results of a claim, or runs of an experiment, are folded away
MOST_RESULTS = 24  # of a claim on the page


def write_report(output_root: Path, claims_root: Path = CLAIMS_ROOT) -> Path:
    """Build output_root/report/ from the run folders, if any: the page, pages of runs, and what goes over all runs.

    Returns:
        The page's path; claims.csv, claims_by_dataset.csv and the articles lie beside it.

    Raises:
        UserError: for a claims file that is wrong, or something in the way; a broken run is only listed as such.
    """
    papers = load_papers(claims_root)
    runs, sweeps = _judged_runs(output_root, papers, claims_root), find_sweeps(output_root)
    claims, comparisons = collect_claims(papers, runs, sweeps), compare_datasets(runs)
    asked = _asked(papers, runs)
    report = output_root / "report"
    with nothing_in_the_way():
        report.mkdir(parents=True, exist_ok=True)
        write_text(report / "claims.csv", claims_table(claims).to_csv(index=False))
        write_text(report / "claims_by_dataset.csv", comparisons_table(comparisons).to_csv(index=False))
        beside = Beside(report)
        combined, speed = write_combined(report, runs, papers, sweeps), read_speed(output_root)
        pictures = {name: [beside.show(one, "figures") for one in made.figures] for name, made in combined.items()}
        pictures[BENCHMARKS] = [beside.show(one, BENCHMARKS) for one in (speed.figures if speed else ())]
        articles = write_articles(report, papers, runs)
        placed = beside.place_runs(runs, lambda run, shown: render_run(run, shown, output_root))
        page = render(
            "report.html.j2",
            output_root,
            **_known(papers, claims, comparisons, runs, sweeps),
            asked=asked,
            **_files(combined, pictures, placed),
            articles={paper: f"{ARTICLES}/{path.stem}" for paper, path in articles.items()},
            speed=speed,
        )
        write_text(report / "index.html", page)
    log.info("report: %s", report / "index.html")
    for answer in asked:
        log.info("%s: %s %s. %s.", answer.paper, answer.ask, answer.word.capitalize(), answer.in_words)
    return report / "index.html"


def write_papers(output_root: Path, claims_root: Path = CLAIMS_ROOT) -> None:
    """Write the articles alone into output_root/report/articles/.

    Raises:
        UserError: for a claims file that is wrong, or something in the way.
    """
    papers = load_papers(claims_root)
    runs = _judged_runs(output_root, papers, claims_root)
    with nothing_in_the_way():
        written = write_articles(output_root / "report", papers, runs)
    for path in written.values():
        log.info("article: %s, and %s", path, path.with_suffix(".tex").name)
    if not written:
        log.info("no complete run says anything of a paper yet: %s experiment=NAME", shlex.join(COMMAND))


def _judged_runs(output_root: Path, papers: Sequence[Paper], claims_root: Path) -> list[ReportedRun]:
    """All runs, by today's rules; what flips with the seed is decided by none of them."""
    return steady(judged_by_today(find_runs(output_root), papers, claims_root, output_root))


@contextmanager
def nothing_in_the_way() -> Iterator[None]:
    """Say what is in the way of the report, where something is.

    Raises:
        UserError: naming it.
    """
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UserError(
            f"{error.filename} is in the way of the report ({error.strerror}): move it elsewhere"
        ) from error


def _known(
    papers: Sequence[Paper],
    claims: Sequence[ReportedClaim],
    comparisons: Sequence[DatasetComparison],
    runs: Sequence[ReportedRun],
    sweeps: Sequence[Sweep],
) -> dict[str, object]:
    """What the page says of papers, claims, runs and sweeps."""
    of_sweeps = [(sweep, sweep.states(runs)) for sweep in sweeps]
    sections = _sections(papers, claims, comparisons, runs)
    return {
        "command": shlex.join(COMMAND),
        "report_command": shlex.join([*COMMAND, "action=report"]),
        "scope": scope(runs),
        "sections": sections,
        "untested": untested(claims),
        "all_claims": len(claims),
        "sentences": [line for section in sections for line in section["glance"].lines],
        "experiments": {name: list(group) for name, group in groupby(runs, key=lambda run: run.experiment)},
        "verdicts": [str(verdict) for verdict in Verdict],
        "count_verdicts": count_verdicts,
        "count_results": count_results,
        "many": MANY,
        "most_results": MOST_RESULTS,
        "glyphs": GLYPHS,
        "rule": RULE,
        "runs": runs,
        "own": own_runs(runs),
        "sweeps": of_sweeps,
        "explanations": explain_states([*runs, *(state for _, states in of_sweeps for _, state in states)]),
    }


def _files(
    combined: Mapping[str, CombinedRuns], pictures: Mapping[str, Sequence[Shown]], placed: Placed
) -> dict[str, object]:
    """What the page shows of the files beside it."""
    pages = {place: "/".join([RUNS, *place, PAGE]) for place in placed}
    return {"combined": combined, "pictures": pictures, "placed": placed, "pages": pages, "left_out": left_out}


def scope(runs: Sequence[ReportedRun]) -> str:
    """What was run, in a sentence."""
    complete = [run for run in runs if run.state == COMPLETE]
    if not complete:
        return ""
    counts = Counter(run.experiment for run in complete)
    listed = ", ".join(f"{count} of {name}" for name, count in counts.items())
    scales = dict.fromkeys(str(run.settings["scale"]) for run in complete if run.settings.get("scale"))
    at = f" at scale {' and '.join(scales)}" if scales else ""
    last = max(run.ended for run in complete)[:10]
    return f"{len(complete)} complete runs{at}: {listed}{f'; the last on {last}' if last else ''}."


def untested(claims: Sequence[ReportedClaim]) -> dict[str, int]:
    """Why no run has tested a claim, and how many for each reason, the most frequent first."""
    reasons = Counter(
        f"{claim.results[0].experiment}: {claim.results[0].record['note']}" for claim in claims if not claim.is_tested
    )
    return dict(reasons.most_common())


def _asked(papers: Sequence[Paper], runs: Sequence[ReportedRun]) -> list[Answer]:
    """The answers to what readers ask first, once any run says something of them."""
    answers = [answer for paper in papers for answer in answers_of(paper, runs)]
    return answers if any(reading.cells for answer in answers for reading in answer.readings) else []


def own_runs(runs: Sequence[ReportedRun]) -> list[ReportedRun]:
    """Complete runs on other data than a paper's: the user's own, which stand first."""
    of_users = {name for name, experiment in experiments().items() if experiment.is_of_users}
    return [
        run
        for run in runs
        if run.state == COMPLETE
        and (run.experiment in of_users or any(f"/{OTHER_DATA}/" in record["id"] for record in run.claims))
    ]


def _sections(
    papers: Sequence[Paper],
    claims: Sequence[ReportedClaim],
    comparisons: Sequence[DatasetComparison],
    runs: Sequence[ReportedRun],
) -> list[Mapping[str, Any]]:
    """Group the claims by paper; a paper that only a run knows has no title and no sentences."""
    known: dict[str, dict[str, Any]] = {
        paper.id: {
            "title": paper.title,
            "url": paper.url,
            "notes": paper.notes,
            "bibtex": paper.bibtex,
            "glance": glance_at(paper, runs),
        }
        for paper in papers
    }
    nothing = {"title": "", "url": "", "notes": (), "bibtex": "", "glance": Glance((), ())}
    for claim in claims:
        known.setdefault(claim.paper, nothing)
    sections: list[Mapping[str, Any]] = []
    for paper, words in known.items():
        of_paper = [comparison.of_paper(paper) for comparison in comparisons]
        glance: Glance = words["glance"]
        grouped = {
            "id": paper,
            "first_line": glance.first_line,
            "untested": [line for line in glance.lines if line.verdict == Verdict.NOT_TESTED],
            "claims": [claim for claim in claims if claim.paper == paper],
            "comparisons": [comparison for comparison in of_paper if comparison.lines],
        }
        sections.append(words | grouped)
    return sections
