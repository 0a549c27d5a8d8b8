"""What readers ask first, answered by the verdicts on the claims that decide it (conf/claims, `questions`)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from igbaselines.reporting.claims import Paper, Question, Record
from igbaselines.reporting.page.decide import what_decides
from igbaselines.reporting.page.glance import taken_together
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.statistics.verdicts import Verdict

WORDS: Mapping[str, str] = {
    Verdict.REPRODUCED: "yes",
    Verdict.PARTLY: "partly",
    Verdict.NOT_REPRODUCED: "no",
    Verdict.INCONCLUSIVE: "open",
    Verdict.NOT_TESTED: "not tested",
}
OPPOSITE: Mapping[str, str] = {
    Verdict.REPRODUCED: Verdict.NOT_REPRODUCED,
    Verdict.NOT_REPRODUCED: Verdict.REPRODUCED,
}
BEHIND = re.compile(r"(?:over|of) (\d+ \w+(?: x \d+ \w+)?)")  # what an interval is over, in the words of its test
MOST_COLUMNS = 4  # runs side by side; more are told together, by experiment


@dataclass(frozen=True)
class Cell:
    """What a run, or several, say of a reading of a question.

    Args:
        column: the run, or the experiment where there are many.
        verdict: on what the question asks, which may be the opposite of the claim.
        numbers: advantage and interval, in favour of yes above zero.
        decides: what would decide it, where it is open.
    """

    column: str
    verdict: str
    numbers: str
    decides: str = ""

    @property
    def word(self) -> str:
        """Yes or no."""
        return WORDS.get(self.verdict, self.verdict)


@dataclass(frozen=True)
class Reading:
    """One way to read a question, the claim that decides it, and what the runs say."""

    of: str
    claim: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Answer:
    """A question with its readings, and what all of them say together."""

    paper: str
    ask: str
    note: str
    columns: Sequence[str]
    readings: Sequence[Reading]
    counts: Counter[str]  # verdicts of all runs on all readings

    @property
    def deciding(self) -> dict[str, str]:
        """What would decide the readings that are open, by reading and run."""
        cells = [(reading, cell) for reading in self.readings for cell in reading.cells if cell.decides]
        return {f"{reading.of} ({cell.column})": cell.decides for reading, cell in cells}

    @property
    def verdict(self) -> str:
        """What all say together, by the rule for a paper's sentences."""
        return taken_together(self.counts)

    @property
    def word(self) -> str:
        """Yes or no; where some readings say no and the others are open it is shown nowhere."""
        if self.verdict == Verdict.INCONCLUSIVE and self.counts[Verdict.NOT_REPRODUCED]:
            return "not shown"
        return WORDS[self.verdict]

    @property
    def in_words(self) -> str:
        """How many say what: yes in 5 of 16 readings, open in 11; where it is not shown, yes in none."""
        said = [(WORDS[verdict], str(self.counts[verdict])) for verdict in Verdict if self.counts[verdict]]
        if not said:
            return "No complete run has a claim that decides it"
        total = sum(self.counts.values())
        if self.word == "not shown":
            said = [("yes", "none"), *said]
        (first, count), *others = said
        of = f"{first.capitalize()} in {count} of {total} {'readings' if total > 1 else 'reading'}"
        return ", ".join([of, *(f"{word} in {count}" for word, count in others)])


def answers_of(paper: Paper, runs: Sequence[ReportedRun]) -> list[Answer]:
    """Answer a paper's questions."""
    claims = {claim.id: claim for listed in paper.claims.values() for claim in listed}
    decides = {run.place: what_decides(claims, run) for run in runs}
    return [_answer(paper.id, question, runs, decides) for question in paper.questions]


def _answer(
    paper: str, question: Question, runs: Sequence[ReportedRun], decides: Mapping[str, Mapping[str, str]]
) -> Answer:
    found: dict[str, list[tuple[ReportedRun, Record]]] = {claim: [] for _, claim, _ in question.readings}
    for run in runs:
        for record in run.claims:
            if record["id"] in found:
                found[record["id"]].append((run, record))
    concerned = [run for run in runs if any(run is one for of in found.values() for one, _ in of)]
    names = short_names(concerned) if len(concerned) <= MOST_COLUMNS else {}
    readings, counts = [], Counter[str]()
    for of, claim, opposite in question.readings:
        cells: dict[str, list[tuple[str, str, str]]] = {}
        for run, record in found[claim]:
            verdict = OPPOSITE.get(record["verdict"], record["verdict"]) if opposite else record["verdict"]
            counts[verdict] += 1
            column = names.get(run.place, run.experiment)
            cells.setdefault(column, []).append(
                (verdict, _numbers(record, opposite), decides[run.place].get(claim, ""))
            )
        readings.append(Reading(of, claim, [cell for name, of in cells.items() for cell in _cells(name, of)]))
    columns = list(dict.fromkeys(names.get(run.place, run.experiment) for run in concerned))
    return Answer(paper, question.ask, question.note, columns, readings, counts)


def _cells(column: str, said: Sequence[tuple[str, str, str]]) -> list[Cell]:
    """A run's cell, or one for each verdict of many runs."""
    if len(said) == 1:
        return [Cell(column, *said[0])]
    counts = Counter(verdict for verdict, *_ in said)
    return [Cell(column, verdict, f"in {count} {'runs' if count > 1 else 'run'}") for verdict, count in counts.items()]


def _numbers(record: Record, opposite: bool) -> str:
    if record["value"] is None:
        return ""
    sign = -1 if opposite else 1
    ends = sorted((sign * record["ci_low"], sign * record["ci_high"]))
    value, low, high = (f"{number:.3g}" for number in (sign * record["value"], *ends))
    behind = [words.replace("replicates", "bootstrap replicates") for words in BEHIND.findall(record["test"] or "")]
    return f"{value} [{low}, {high}], {behind[-1] if behind else record['n']}"


def short_names(runs: Sequence[ReportedRun]) -> dict[str, str]:
    """By place the shortest name that tells runs apart: their data, or network, or both, or their label."""
    for keys in (("dataset_name",), ("model_name",), ("dataset_name", "model_name")):
        known = {run.place: [str(run.settings.get(key) or "") for key in keys] for run in runs}
        names = {place: ", ".join(words) for place, words in known.items() if all(words)}
        if len(set(names.values())) == len(runs):
            return names
    return {run.place: run.label for run in runs}
