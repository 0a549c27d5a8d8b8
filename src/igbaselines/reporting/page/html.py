"""The report: sweeps, every paper's claims with their verdicts, then every run, on one self-contained page."""

import base64
import io
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from igbaselines.common.errors import UserError
from igbaselines.common.files import write_text
from igbaselines.common.places import COMMAND
from igbaselines.reporting.claims import OTHER_DATA, Paper, Record, load_papers, unmeasured
from igbaselines.reporting.page.by_dataset import DatasetComparison, compare_datasets, comparisons_table
from igbaselines.reporting.page.by_seed import steady
from igbaselines.reporting.page.combined import CombinedRuns, write_combined
from igbaselines.reporting.page.glance import GLYPHS, RULE, Glance, glance_at
from igbaselines.reporting.page.missing import why_untested
from igbaselines.reporting.page.runs import FigureFile, ReportedRun, find_runs
from igbaselines.reporting.page.speed import Speed, read_speed
from igbaselines.reporting.render import RESULT_COLUMNS
from igbaselines.reporting.statistics.verdicts import Verdict
from igbaselines.reporting.tables import readable
from igbaselines.running.config import CLAIMS_ROOT
from igbaselines.running.states import COMPLETE, count_states, explain_states
from igbaselines.running.study import experiments
from igbaselines.running.sweeps import Sweep, find_sweeps

LARGEST_PNG = 500_000  # bytes
LARGEST_PAGE = 30_000_000  # bytes of figures and tables that the page itself holds; behind that it links to the files
MOST_FIGURES = 12  # of one run on the page: `explain` draws one for each photograph
MANY = 3  # more results of a claim, or runs of an experiment, are folded away
CLAIM_COLUMNS = ["paper", "id", "source", "statement", "paper_value", "experiment", "run", *RESULT_COLUMNS]


@dataclass(frozen=True)
class Result:
    """What one run says of a claim; `run` is empty where no run tested it."""

    experiment: str
    run: str
    record: Record


@dataclass(frozen=True)
class ReportedClaim:
    """A claim in the paper's words, with the result of every run that tested it."""

    id: str
    paper: str
    source: str
    statement: str
    paper_value: str | int | float
    results: list[Result] = field(default_factory=list)

    def value_for(self, result: Result) -> str | int | float:
        """The paper's value that a result stands beside: a paper may give one for each network."""
        return result.record.get("paper_value", self.paper_value)  # type: ignore[no-any-return]


def write_report(output_root: Path, claims_root: Path = CLAIMS_ROOT) -> Path:
    """Build output_root/report/ from the run folders, if any: the page, and what goes over all runs.

    Returns:
        The page's path; claims.csv and claims_by_dataset.csv lie beside it.

    Raises:
        UserError: for a claims file that is wrong, or something in the way; a broken run is only listed as such.
    """
    runs, sweeps = steady(find_runs(output_root)), find_sweeps(output_root)
    papers = load_papers(claims_root)
    claims, comparisons = collect_claims(papers, runs, sweeps), compare_datasets(runs)
    report = output_root / "report"
    try:
        report.mkdir(parents=True, exist_ok=True)
        write_text(report / "claims.csv", _claims_table(claims).to_csv(index=False))
        write_text(report / "claims_by_dataset.csv", comparisons_table(comparisons).to_csv(index=False))
        combined = write_combined(report, runs, papers, sweeps)
        sections = _sections(papers, claims, comparisons, runs)
        write_text(report / "index.html", _page(output_root, sections, runs, sweeps, combined, read_speed(output_root)))
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UserError(
            f"{error.filename} is in the way of the report ({error.strerror}): move it elsewhere"
        ) from error
    return report / "index.html"


def collect_claims(
    papers: Sequence[Paper], runs: Sequence[ReportedRun], sweeps: Sequence[Sweep]
) -> list[ReportedClaim]:
    """Bring every claim together with what each run, complete or not, says of it; an older list's may know others."""
    claims: dict[str, ReportedClaim] = {}
    for paper in papers:
        for experiment, listed in paper.claims.items():
            reason = why_untested(experiment, runs, sweeps)
            tested = {record["id"] for run in runs if run.experiment == experiment for record in run.claims}
            for claim in listed:
                reported = ReportedClaim(claim.id, paper.id, claim.source, claim.statement, claim.paper_value)
                if claim.id not in tested:
                    reported.results.append(Result(experiment, "", unmeasured(Verdict.NOT_TESTED, reason)))
                claims[claim.id] = reported
    for run in runs:
        for record in run.claims:
            words = {key: record[key] for key in ("id", "paper", "source", "statement", "paper_value")}
            reported = claims.setdefault(record["id"], ReportedClaim(**words))
            reported.results.append(Result(run.experiment, run.label, record))
    return list(claims.values())


def count_verdicts(claims: Sequence[ReportedClaim]) -> dict[str, dict[str, int]]:
    """Count each run's verdicts: run -> verdict -> number of claims."""
    counts: dict[str, dict[str, int]] = {}
    for result in (result for claim in claims for result in claim.results):
        of_run = counts.setdefault(result.run or "not run", {str(verdict): 0 for verdict in Verdict})
        of_run[result.record["verdict"]] = of_run.get(result.record["verdict"], 0) + 1
    return counts


def format_p(p_value: float | None) -> str:
    """Print a p-value; empty where there is none."""
    return "" if p_value is None else "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def with_indices(text: str) -> Markup:
    """Set physics symbols such as H_T, E_T^miss or B_bg with their indices; everything else is escaped."""
    symbol = r"\b([A-Za-z])_(\w+)(?:\^(\w+))?"

    def lettered(found: re.Match[str]) -> str:
        raised = f"<sup>{found[3]}</sup>" if found[3] else ""
        return f"{found[1]}<sub>{found[2]}</sub>{raised}"

    return Markup(re.sub(symbol, lettered, str(escape(text))))


def count_results(claim: ReportedClaim) -> str:
    """Say in a line what many runs found: 12 runs: 9 reproduced, 3 inconclusive."""
    found = [result.record["verdict"] for result in claim.results]
    counts = [f"{found.count(verdict)} {verdict}" for verdict in dict.fromkeys([*map(str, Verdict), *found])]
    return f"{len(found)} runs: {', '.join(words for words in counts if not words.startswith('0 '))}"


def _page(
    output_root: Path,
    sections: Sequence[Mapping[str, object]],
    runs: Sequence[ReportedRun],
    sweeps: Sequence[Sweep],
    combined: Mapping[str, CombinedRuns],
    speed: Speed | None,
) -> str:
    loader = PackageLoader("igbaselines.reporting.page")
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "readable": readable,
        "format_p": format_p,
        "data_uri": data_uri,
        "link": lambda path: Path(os.path.relpath(path, output_root / "report")).as_posix(),
        "with_indices": with_indices,
        "shown": shown_figures,
        "counted": count_states,
        "within": lambda path: path.relative_to(output_root) if path.is_relative_to(output_root) else path,
    }
    template = environment.get_template("report.html.j2")
    of_sweeps = [(sweep, sweep.states(runs)) for sweep in sweeps]
    return template.render(
        command=shlex.join(COMMAND),
        sections=sections,
        experiments={name: list(group) for name, group in groupby(runs, key=lambda run: run.experiment)},
        embedded=_embedded(runs),
        verdicts=[str(verdict) for verdict in Verdict],
        count_verdicts=count_verdicts,
        count_results=count_results,
        many=MANY,
        glyphs=GLYPHS,
        rule=RULE,
        combined=combined,
        speed=speed,
        runs=runs,
        own=own_runs(runs),
        sweeps=of_sweeps,
        explanations=explain_states([*runs, *(state for _, states in of_sweeps for _, state in states)]),
    )


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
) -> list[Mapping[str, object]]:
    """Group the claims by paper; a paper that only a run knows has no title and no sentences."""
    known: dict[str, dict[str, object]] = {
        paper.id: {"title": paper.title, "url": paper.url, "notes": paper.notes, "glance": glance_at(paper, runs)}
        for paper in papers
    }
    for claim in claims:
        known.setdefault(claim.paper, {"title": "", "url": "", "notes": (), "glance": Glance((), ())})
    sections: list[Mapping[str, object]] = []
    for paper, words in known.items():
        of_paper = [comparison.of_paper(paper) for comparison in comparisons]
        glance = words["glance"]
        assert isinstance(glance, Glance)
        grouped = {
            "id": paper,
            "first_line": glance.first_line,
            "claims": [claim for claim in claims if claim.paper == paper],
            "comparisons": [comparison for comparison in of_paper if comparison.lines],
        }
        sections.append(words | grouped)
    return sections


def _claims_table(claims: Sequence[ReportedClaim]) -> pd.DataFrame:
    """One line for each claim and run."""
    lines = [
        {key: result.record[key] for key in RESULT_COLUMNS}
        | {key: getattr(claim, key) for key in ("paper", "id", "source", "statement")}
        | {"paper_value": claim.value_for(result), "experiment": result.experiment, "run": result.run}
        for claim in claims
        for result in claim.results
    ]
    return pd.DataFrame(lines, columns=CLAIM_COLUMNS)


def _embedded(runs: Sequence[ReportedRun]) -> set[Path]:
    """The runs that the page shows itself: as many as it has room for."""
    found, size = set(), 0
    for run in runs:
        size += sum(min(figure.path.stat().st_size, LARGEST_PNG) for figure in shown_figures(run))
        size += sum(100 * table.size for table in run.tables.values())  # bytes of a cell, about
        if size <= LARGEST_PAGE:
            found.add(run.folder)
    return found


def shown_figures(run: ReportedRun) -> list[FigureFile]:
    """Choose the figures of a run that the page embeds: all, or the first MOST_FIGURES with examples last."""
    examples_last = sorted(run.figures, key=lambda figure: re.fullmatch(r"figure_\d+_\d+", figure.name) is not None)
    return run.figures if len(run.figures) <= MOST_FIGURES else examples_last[:MOST_FIGURES]


def data_uri(path: Path) -> str:
    """Embed a figure: as it is, or in a format for photographs where it is too large to have many of on a page."""
    content, kind = path.read_bytes(), "png"
    if len(content) > LARGEST_PNG:
        with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError), io.BytesIO() as buffer:
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                image.convert("RGB").save(buffer, "WEBP", quality=80)
            content, kind = buffer.getvalue(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
