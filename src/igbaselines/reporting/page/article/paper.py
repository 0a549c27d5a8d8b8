"""A paper's reproduction as an article: every number in it is a row's, a claim's record, or the provenance's.

The parts are those that reproducibility tracks ask for: scope, data, methods, results with intervals, what was hard,
deviations, cost, and the commands.
"""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from igbaselines.common.files import write_text
from igbaselines.reporting.claims import Paper, Record
from igbaselines.reporting.page.article.blocks import Block, Grid, Heading, Items, Lines, Words, latex, markdown
from igbaselines.reporting.page.asked import answers_of, short_names
from igbaselines.reporting.page.decide import what_decides
from igbaselines.reporting.page.glance import ASKED, Glance, Line, glance_at
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.statistics.verdicts import Verdict
from igbaselines.reporting.tables import readable
from igbaselines.running.rows import Names
from igbaselines.running.states import COMPLETE

ARTICLES = "articles"
HEADS = ("claim", "run", "verdict", "ours [95 % interval]", "n", "p", "paper")
MOST_RUNS = 12  # of a claim; all of them are in claims.csv
WIDTHS = (0.32, 0.13, 0.13, 0.18, 0.05, 0.07, 0.12)
QUOTES = ("\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}")
RULE = (
    "Each claim is tested on every complete run. Reproduced: the whole 95 % interval lies where the paper says; not "
    "reproduced: all of it lies elsewhere; inconclusive: it holds both, or several readings of one sentence leave too "
    "little of it (Holm); partly reproduced: it holds on the whole, and not in every part."
)


@dataclass(frozen=True)
class Tested:
    """A paper, and the complete runs that say something of it."""

    paper: Paper
    runs: Sequence[ReportedRun]
    others: Sequence[ReportedRun]  # of its experiments, that are not complete

    @cached_property
    def glance(self) -> Glance:
        """Its sentences, and what the runs say of each."""
        return glance_at(self.paper, self.runs)


def write_articles(report: Path, papers: Sequence[Paper], runs: Sequence[ReportedRun]) -> dict[str, Path]:
    """Write report/articles/PAPER.md and .tex for each paper that a complete run has tested: by paper the first."""
    written = {}
    folder = report / ARTICLES
    for paper in papers:
        of_paper = [run for run in runs if any(record["paper"] == paper.id for record in run.claims)]
        others = [run for run in runs if run.experiment in paper.claims and run.state != COMPLETE]
        paths = [folder / f"{paper.id}{suffix}" for suffix in (".md", ".tex")]
        if not of_paper:
            for path in paths:
                path.unlink(missing_ok=True)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        title, blocks = f"[Re] {paper.title}", article(Tested(paper, of_paper, others))
        write_text(paths[0], markdown(title, blocks))
        write_text(paths[1], latex(title, "Written by igbaselines from the rows of its runs", blocks))
        written[paper.id] = paths[0]
    return written


def article(tested: Tested) -> list[Block]:
    """All parts of an article."""
    parts = (_scope, _data, _methods, _results, _hard, _deviations, _cost, _commands)
    return [block for part in parts for block in part(tested)]


def _scope(tested: Tested) -> list[Block]:
    paper = tested.paper
    glance = tested.glance
    counts = Counter(line.verdict for line in glance.lines)
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in (*Verdict, ASKED) if counts[verdict])
    found = f"Sentences of the paper, with all readings of each taken together: {listed}, of {len(glance.lines)}."
    by = f"by {', '.join(paper.authors)} " if paper.authors else ""
    blocks: list[Block] = [Heading("Scope"), Words(f"The paper {by}(arXiv:{paper.id}, {paper.url}). {found}")]
    answers = answers_of(paper, tested.runs)
    blocks += [Items([Words(f"{answer.ask} {answer.word.capitalize()}. {answer.in_words}.") for answer in answers])]
    return blocks if answers else blocks[:2]


def _data(tested: Tested) -> list[Block]:
    rows = []
    for run in tested.runs:
        known = [readable(run.settings.get(key)) for key in ("dataset_name", "model_name", "scale", "seed")]
        sums = ", ".join(f"{name} {checksum[:8]}" for name, checksum in _checksums(run).items())
        rows.append([run.place, *known, sums])
    heads = ("run", "data", "network", "scale", "seed", "checksums")
    return [Heading("Data"), Grid(heads, rows, (0.3, 0.14, 0.14, 0.08, 0.06, 0.28))]


def _methods(tested: Tested) -> list[Block]:
    labels: dict[str, str] = {}
    for run in tested.runs:
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            labels |= Names.read(run.folder).methods
    named = "; ".join(dict.fromkeys(labels.values()))
    words = f"The methods that were run: {named}." if named else "The runs name no methods."
    return [Heading("Methods"), Words(words, math=True), Words(RULE)]


def _results(tested: Tested) -> list[Block]:
    blocks: list[Block] = [Heading("Results")]
    if len(tested.runs) > MOST_RUNS:
        blocks += [Words(f"Of {len(tested.runs)} runs the first {MOST_RUNS} that tell; claims.csv has all of them.")]
    for line in filter(lambda line: line.counts, tested.glance.lines):
        blocks += _of_sentence(tested, line)
    ours = {claim.id for listed in tested.paper.claims.values() for claim in listed if not claim.sentence}
    if rows := _rows(tested, ours):
        blocks += [Words("Questions and controls that are not the paper's:"), Grid(HEADS, rows, WIDTHS)]
    return blocks


def _of_sentence(tested: Tested, line: Line) -> list[Block]:
    first = tested.glance.first_line
    mine = {claim for claim in line.claims if first[claim].text == line.text}
    said = f"{QUOTES[0]}{line.text}{QUOTES[1]} ({line.place}): {line.verdict}."
    rows = _rows(tested, mine)
    return [Words(said, math=True), *([Grid(HEADS, rows, WIDTHS)] if rows else [])]


def _rows(tested: Tested, claims: set[str]) -> list[list[str]]:
    """A line for each claim and run, the runs of a claim one after the other."""
    names, found = short_names(tested.runs), [(run, one) for run in tested.runs for one in run.claims]
    order = {claim: place for place, claim in enumerate(dict.fromkeys(one["id"] for _, one in found))}
    chosen = sorted(((run, one) for run, one in found if one["id"] in claims), key=lambda said: order[said[1]["id"]])
    of_claims = [list(group) for _, group in groupby(chosen, key=lambda said: said[1]["id"])]
    return [_row(names[run.place], record) for group in of_claims for run, record in group[:MOST_RUNS]]


def _row(run: str, record: Record) -> list[str]:
    """A line of the results, of the record's numbers alone."""
    low, high = (readable(_number(record[key])) for key in ("ci_low", "ci_high"))
    ours = "" if record["value"] is None else f"{readable(_number(record['value']))} [{low}, {high}]"
    n, p = (readable(record["n"]), "" if record["p_value"] is None else f"{record['p_value']:.2g}")
    return [record["statement"], run, record["verdict"], ours, n, p, str(record["paper_value"])]


def _hard(tested: Tested) -> list[Block]:
    notes = [Words(note) for note in tested.paper.notes]
    return [Heading("What was hard: the paper's own words and numbers"), Items(notes)] if notes else []


def _deviations(tested: Tested) -> list[Block]:
    blocks: list[Block] = [Heading("Deviations, and what was not tested")]
    opened = [Words(f"{one.text} ({one.place}): {one.open}.", math=True) for one in tested.paper.sentences if one.open]
    untested = Counter(
        record["note"] for run in tested.runs for record in run.claims if record["verdict"] == Verdict.NOT_TESTED
    )
    untested_items = [Words(f"{count} claims, {note}.") for note, count in untested.most_common()]
    missing = [Words(f"{run.place}: {run.state}. {run.note}") for run in tested.others]
    known = {claim.id: claim for listed in tested.paper.claims.values() for claim in listed}
    there = {run.experiment for run in tested.runs}
    absent = [Words(f"experiment={name} has no complete run.") for name in tested.paper.claims if name not in there]
    decides = [
        Words(f"{known[claim].statement} {words}")
        for run in tested.runs[:MOST_RUNS]
        for claim, words in what_decides(known, run).items()
    ]
    for words, items in (
        ("Sentences that no claim tests:", opened),
        ("Claims that these runs could not test:", [*untested_items, *missing, *absent]),
        ("Inconclusive claims, and what would decide them:", decides),
    ):
        blocks += [Words(words), Items(items)] if items else []
    return blocks


def _cost(tested: Tested) -> list[Block]:
    rows = [[run.place, run.origin.seconds, run.origin.device, run.origin.commit] for run in tested.runs]
    total = sum(run.seconds or 0 for run in tested.runs)
    table = Grid(("run", "wall time", "device", "commit"), rows, (0.5, 0.12, 0.18, 0.2))
    return [Heading("Cost"), table, Words(f"All of them took {total:.0f} s.")]


def _commands(tested: Tested) -> list[Block]:
    commands = list(dict.fromkeys(run.origin.command for run in tested.runs if run.origin.command))
    return [Heading("Commands"), Lines(commands)] if commands else []


def _checksums(run: ReportedRun) -> dict[str, str]:
    said = json.loads(run.provenance) if run.provenance else {}
    found = said.get("checksums") if isinstance(said, dict) else None
    return {str(name): str(one) for name, one in found.items()} if isinstance(found, dict) else {}


def _number(value: object) -> object:
    """A number as a float, so that it is printed with four digits."""
    return float(value) if isinstance(value, int | float) else value
