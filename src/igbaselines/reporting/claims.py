"""What the papers claim, and how it is judged on the rows of a run; `papers` reads it from conf/claims."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from igbaselines.reporting.claim_tests import TESTS as GENERAL_TESTS
from igbaselines.reporting.rows import choose
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import CONFIDENCE
from igbaselines.reporting.statistics.verdicts import NotTestable, Outcome, Region, Undecided, Verdict
from igbaselines.running.study import look_up, studies, united

Record = dict[str, Any]


OTHER_DATA = "other_data"  # id of the one line that stands for all claims about data that a run does not have


@dataclass(frozen=True)
class Claim:
    """One statement of a paper, and how it is tested.

    Args:
        id: unique over all papers.
        paper: arXiv number.
        source: where in the paper it stands.
        statement: what is claimed, in words.
        paper_value: the paper's value, as the paper gives it.
        paper_values: the same by model, where the paper gives it for several.
        test: name of the test.
        claimed: the values for which the claim holds.
        parameters: what the test needs beside rows and region.
        where: column -> value of the rows that count; empty: all.
        sentence: ids of the paper's sentences that it tests; none: the question, or the control, is ours.
        of_data: whether it is about the paper's own data, such as one of its features: no other can test it.
    """

    id: str
    paper: str
    source: str
    statement: str
    paper_value: str | int | float
    test: str
    claimed: Region
    parameters: Mapping[str, Any]
    paper_values: Mapping[str, str | int | float] = field(default_factory=dict)
    where: Mapping[str, str | int | float] = field(default_factory=dict)
    sentence: Sequence[str] = ()
    of_data: bool = False

    def value_for(self, model: str | None) -> str | int | float:
        """The paper's value for a model; the general one where the paper did not use it."""
        return self.paper_values.get(model or "", self.paper_value)


@dataclass(frozen=True)
class Sentence:
    """What a paper says in its own words.

    Args:
        id: by which claims name it.
        place: where it stands.
        text: the words.
        open: why no claim tests it; empty where claims do.
        is_asked: whether it is a question, such as a review's: claims answer it, and it has no verdict of its own.
    """

    id: str
    place: str
    text: str
    open: str = ""
    is_asked: bool = False


@dataclass(frozen=True)
class Question:
    """What a reader asks first, and which claims decide it.

    Args:
        ask: the question, to be answered by yes or no.
        readings: of each what it is about, the id of the claim, and whether that claims the opposite.
        note: what else to know.
    """

    ask: str
    readings: Sequence[tuple[str, str, bool]]
    note: str = ""


@dataclass(frozen=True)
class Printed:
    """What a paper prints beside its claims.

    Args:
        figures: figure -> the paper's statement of it, and what else our figure needs to know.
        tables: table -> its numbers, nested as the claims file has them.
    """

    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Paper:
    """A paper: its claims by experiment, what it prints and says, and what a reader of it should know or asks.

    `data` are the data sets that stand for its own: what it says of features, or prints under figures, is of them. None
    is named where it says nothing of the kind.
    """

    id: str
    title: str
    url: str
    claims: Mapping[str, Sequence[Claim]]
    printed: Printed
    notes: Sequence[str] = ()
    sentences: Sequence[Sentence] = ()
    questions: Sequence[Question] = ()
    authors: Sequence[str] = ()
    data: Sequence[str] = ()

    def is_about(self, dataset: str | None) -> bool:
        """Whether what it says of its own data is said of this data set, too."""
        return not self.data or dataset is None or dataset in self.data

    @property
    def bibtex(self) -> str:
        """The entry of a bibliography; the year is that of the arXiv number."""
        fields = {
            "title": f"{{{self.title}}}",
            "author": " and ".join(self.authors),
            "year": f"20{self.id[:2]}",
            "eprint": self.id,
            "archivePrefix": "arXiv",
            "url": self.url,
        }
        lines = [f"  {name} = {{{words}}}," for name, words in fields.items() if words]
        return "\n".join([f"@misc{{arXiv:{self.id},", *lines, "}"])


def claim_tests() -> dict[str, Callable[..., Outcome]]:
    """The tests of all studies by name."""
    of_studies = [look_up(study.claim_tests) for study in studies() if study.claim_tests]
    return united([GENERAL_TESTS, *of_studies])


def judge(claim: Claim, rows: pd.DataFrame) -> Record:
    """Test a claim on a run's rows.

    Returns:
        A record of claims.json; its numbers are None where the verdict is `not tested`.
    """
    known: Record = {
        "id": claim.id,
        "paper": claim.paper,
        "source": claim.source,
        "statement": claim.statement,
    }
    known["paper_value"] = claim.value_for(_model(rows))
    try:
        outcome = claim_tests()[claim.test](_chosen(rows, claim), claim.claimed, **claim.parameters)
    except NotTestable as reason:
        verdict = Verdict.INCONCLUSIVE if isinstance(reason, Undecided) else Verdict.NOT_TESTED
        return known | unmeasured(verdict, str(reason))
    estimate = outcome.estimate
    return known | {
        "value": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "n": estimate.n,
        "p_value": estimate.p_value,
        "test": estimate.test,
        "verdict": str(outcome.verdict),
        "note": outcome.note,
    }


def judge_paper(paper: Paper, experiment: str, rows: pd.DataFrame) -> list[Record]:
    """Judge a paper's claims on a run; those about its own data, of a run on other data, are one line together."""
    claims = paper.claims.get(experiment, ())
    if paper.is_about(_dataset(rows)):
        return judge_all(claims, rows)
    records = judge_all([claim for claim in claims if not claim.of_data], rows)
    others = [claim for claim in claims if claim.of_data]
    if not others:
        return records
    listed = ", ".join(dict.fromkeys(claim.id.split("/")[1] for claim in others))
    line: Record = {
        "id": f"{paper.id}/{OTHER_DATA}/{experiment}",
        "paper": paper.id,
        "source": "",
        "statement": f"{len(others)} claims of {experiment} about other data than this run's ({listed}).",
        "paper_value": "of its own data",
    }
    reason = f"they are about the paper's own data ({', '.join(paper.data)}), not about {_dataset(rows)}"
    return [*records, line | unmeasured(Verdict.NOT_TESTED, reason)]


def judge_all(claims: Sequence[Claim], rows: pd.DataFrame) -> list[Record]:
    """Judge claims on a run's rows, and correct for how many readings of one statement are among them.

    Claims that name the same sentence first are readings of it, such as one baseline against each of four others: their
    p-values are corrected together (Holm 1979), and one that does not survive leaves its reading inconclusive. A claim
    of ours, and a reading without a p-value (a range has none), stand for themselves.
    """
    records = [judge(claim, rows) for claim in claims]
    families: dict[tuple[str, str], list[int]] = {}
    for place, (claim, record) in enumerate(zip(claims, records, strict=True)):
        if claim.sentence and record["p_value"] is not None:
            families.setdefault((claim.paper, claim.sentence[0]), []).append(place)
    for (_, sentence), places in families.items():
        corrected = paired.holm([records[place]["p_value"] for place in places])
        for place, p_value in zip(places, corrected.tolist(), strict=True):
            records[place] |= _after_holm(records[place], p_value, f"{len(places)} readings of {sentence!r}")
    return records


def _after_holm(record: Record, p_value: float, of: str) -> Record:
    """What the correction leaves of a verdict, and says of it."""
    if of.startswith("1 "):
        return {}
    note = f"{record['note']}; p = {p_value:.2g} by Holm over the {of}"
    decided = record["p_value"] < 1 - CONFIDENCE  # else the verdict rests on something that is corrected already
    lost = decided and p_value >= 1 - CONFIDENCE and record["verdict"] != Verdict.INCONCLUSIVE
    if lost:
        return {"verdict": str(Verdict.INCONCLUSIVE), "note": f"{note}: {record['verdict']} if it stood alone"}
    return {"note": note}


def printed_for(papers: Sequence[Paper], experiment: str, dataset: str | None = None) -> Printed:
    """What the papers of an experiment print, together; under figures of other data than theirs nothing stands."""
    of_experiment = [paper.printed for paper in papers if experiment in paper.claims]
    silent = {name for paper in papers if not paper.is_about(dataset) for name in paper.printed.figures}
    return Printed(
        {
            name: {key: one for key, one in words.items() if key != "statement" or name not in silent}
            for printed in of_experiment
            for name, words in printed.figures.items()
        },
        {name: numbers for printed in of_experiment for name, numbers in printed.tables.items()},
    )


def unmeasured(verdict: Verdict, reason: str) -> Record:
    """Fill the measured half of a record where there is no estimate."""
    empty: Record = dict.fromkeys(("value", "ci_low", "ci_high", "n", "p_value", "test"))
    return empty | {"verdict": str(verdict), "note": reason}


def _chosen(rows: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """Take the rows that a claim is about, where it could fail."""
    features = rows["feature"].nunique() if "feature" in rows else 0
    if features and int(k := claim.where.get("k", 0)) >= features:
        raise NotTestable(f"k = {k} of {features} features: every ranking has the same ones")
    found = choose(rows, claim.where)
    if claim.where and found.empty:
        raise NotTestable(
            f"the run has no rows with {', '.join(f'{key}={value}' for key, value in claim.where.items())}"
        )
    return found


def _model(rows: pd.DataFrame) -> str | None:
    models = rows["model"].dropna().unique().tolist() if "model" in rows else []
    return str(models[0]) if len(models) == 1 else None


def _dataset(rows: pd.DataFrame) -> str | None:
    found = rows["dataset"].dropna().unique().tolist() if "dataset" in rows else []
    return str(found[0]) if len(found) == 1 else None
