"""The papers at a glance: a line for every sentence of a paper, and in it what each run says of all of its readings.

A sentence has several readings: metrics, references, networks, data sets. What they say together follows a rule
(`taken_together`), so that no count of verdicts speaks for a sentence that only one of them tests.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from igbaselines.reporting.claims import Paper, Record
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.statistics.verdicts import Verdict

GLYPHS: Mapping[str, str] = {
    Verdict.REPRODUCED: "\N{CHECK MARK}",
    Verdict.PARTLY: "\N{PLUS-MINUS SIGN}",
    Verdict.NOT_REPRODUCED: "\N{BALLOT X}",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_TESTED: "\N{MIDDLE DOT}",
}
ASKED = "asked"  # in the place of a verdict: a question has answers, and is not reproduced
MOST_COLUMNS = 6  # runs side by side; more are counted together, by experiment
RULE = (
    "A sentence is reproduced where all of its readings are, and not reproduced where none is; where they disagree, or "
    "some hold and others are open, it is partly reproduced. Readings that no run tests do not count."
)


@dataclass(frozen=True)
class Line:
    """A sentence of a paper, and what the runs say of it."""

    place: str
    text: str
    claims: tuple[str, ...]  # ids
    cells: Mapping[str, Counter[str]]  # by run: how often its readings got each verdict
    open: str  # why no claim tests it
    is_asked: bool = False  # whether it is a question

    @property
    def counts(self) -> Counter[str]:
        """The verdicts of all runs."""
        return sum(self.cells.values(), Counter())

    @property
    def verdict(self) -> str:
        """What all of them say together; of a question nothing, once any of its claims is tested."""
        together = taken_together(self.counts)
        return ASKED if self.is_asked and together != Verdict.NOT_TESTED else together


@dataclass(frozen=True)
class Glance:
    """A paper's sentences, and the complete runs that tested any of its claims, or their experiments if many."""

    runs: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def by_verdict(self) -> dict[str, list[Line]]:
        """The sentences by what all runs say together, the most telling verdict first."""
        said = [*map(str, Verdict), ASKED]
        found = {verdict: [line for line in self.lines if line.verdict == verdict] for verdict in said}
        return {verdict: lines for verdict, lines in found.items() if lines}

    @property
    def first_line(self) -> dict[str, Line]:
        """By claim the first sentence that it tests."""
        return {claim: line for line in reversed(self.lines) for claim in line.claims}


def glance_at(paper: Paper, runs: Sequence[ReportedRun]) -> Glance:
    """Bring a paper's sentences together with what the runs say."""
    concerned = [run for run in runs if any(record["paper"] == paper.id for record in run.claims)]
    found: dict[str, list[Record]] = {}
    for run in concerned:
        name = run.experiment if len(concerned) > MOST_COLUMNS else f"{run.experiment} {run.label}"
        found.setdefault(name, []).extend(record for record in run.claims if record["paper"] == paper.id)
    every = [claim for listed in paper.claims.values() for claim in listed]
    lines = []
    for sentence in paper.sentences:
        ids = tuple(claim.id for claim in every if sentence.id in claim.sentence)
        counts = {run: Counter(str(one["verdict"]) for one in of if one["id"] in ids) for run, of in found.items()}
        cells = {run: count for run, count in counts.items() if count}
        lines.append(Line(sentence.place, sentence.text, ids, cells, sentence.open, sentence.is_asked))
    return Glance(tuple(found), tuple(lines))


def taken_together(counts: Mapping[str, int]) -> str:
    """The verdict on a sentence from those on its readings (RULE)."""
    tested = {verdict for verdict, count in counts.items() if count and verdict != Verdict.NOT_TESTED}
    if not tested:
        return str(Verdict.NOT_TESTED)
    if len(tested) == 1:
        return next(iter(tested))
    if tested <= {Verdict.NOT_REPRODUCED, Verdict.INCONCLUSIVE}:
        return str(Verdict.INCONCLUSIVE)
    return str(Verdict.PARTLY)
