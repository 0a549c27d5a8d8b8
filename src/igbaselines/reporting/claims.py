"""What the papers claim (conf/claims), read, checked, and judged on the rows of a run."""

import inspect
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import yaml

from igbaselines.common.errors import UserError
from igbaselines.reporting.claim_tests import TESTS as GENERAL_TESTS
from igbaselines.reporting.rows import choose
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import CONFIDENCE
from igbaselines.reporting.statistics.verdicts import NotTestable, Outcome, Region, Undecided, Verdict
from igbaselines.running.study import look_up, studies, united

Record = dict[str, Any]
Choice: TypeAlias = str | int | float
Yaml: TypeAlias = "str | int | float | list[Yaml] | dict[str, Yaml] | None"

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has been built with it

PAPER_KEYS = {"paper", "title", "url", "names", "figures", "claims"}
PAPER_EXTRAS = {"tables", "notes", "sentences", "questions", "authors", "data"}
CLAIM_KEYS = {"id", "source", "statement", "paper_value", "test", "claimed", "parameters"}
CLAIM_EXTRAS = {"paper_values", "where", "sentence", "of_data"}
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
    """

    id: str
    place: str
    text: str
    open: str = ""


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


def load_papers(claims_root: Path) -> list[Paper]:
    """Read every paper's claims.

    Args:
        claims_root: folder of one YAML file a paper.

    Raises:
        UserError: naming file and claim, for a missing or unknown field, test or parameter, or a repeated id.
    """
    papers = [_paper(path) for path in sorted(claims_root.glob("*.yaml"))]
    seen: set[str] = set()
    for claim in (claim for paper in papers for claims in paper.claims.values() for claim in claims):
        if claim.id in seen:
            raise UserError(f"conf/claims: the claim {claim.id!r} stands there twice")
        seen.add(claim.id)
    return papers


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


def _paper(path: Path) -> Paper:
    content = LOADER(path.read_text(encoding="utf-8")).get_single_data()
    where = f"conf/claims/{path.name}"
    if not isinstance(content, dict):
        raise UserError(f"{where}: expected a mapping with the keys {', '.join(sorted(PAPER_KEYS))}")
    _require_keys(where, content, PAPER_KEYS, PAPER_EXTRAS)
    claims = {
        experiment: [
            _claim(f"{where}, claim {concrete.get('id', '?')!r}", content["paper"], concrete)
            for written in listed
            for concrete in _expanded(written, content["names"])
        ]
        for experiment, listed in content["claims"].items()
    }
    printed = Printed(content["figures"], content.get("tables", {}))
    sentences = _sentences(where, content.get("sentences", ()), [one for listed in claims.values() for one in listed])
    ids = {claim.id for listed in claims.values() for claim in listed}
    questions = [_question(where, content["paper"], ids, fields) for fields in content.get("questions", ())]
    notes, authors, data = (content.get(key, ()) for key in ("notes", "authors", "data"))
    if not data and any(claim.of_data for listed in claims.values() for claim in listed):
        raise UserError(f"{where}: claims with of_data need `data`, the data sets that they are about")
    known = (content["paper"], content["title"], content["url"], claims, printed, notes, sentences)
    return Paper(*known, questions, authors, data)


def _question(where: str, paper: str, claims: Collection[str], fields: Mapping[str, Any]) -> Question:
    """Read a question; each reading names one claim, or under `unless` one that says the opposite."""
    where = f"{where}, question {fields.get('ask', '?')!r}"
    _require_keys(where, fields, {"ask", "readings"}, {"note"})
    readings = []
    for reading in fields["readings"]:
        deciding = "unless" if "unless" in reading else "claim"
        _require_keys(where, reading, {"of", deciding}, set())
        claim = f"{paper}/{reading[deciding]}"
        if claim not in claims:
            raise UserError(f"{where}: there is no claim {claim!r}")
        readings.append((str(reading["of"]), claim, deciding == "unless"))
    return Question(fields["ask"], readings, fields.get("note", ""))


def _sentences(where: str, written: Sequence[Mapping[str, str]], claims: Sequence[Claim]) -> list[Sentence]:
    """Read a paper's sentences; each is tested by a claim, or says why none tests it."""
    for fields in written:
        _require_keys(f"{where}, sentence {fields.get('id', '?')!r}", fields, {"id", "place", "text"}, {"open"})
    sentences = [Sentence(**fields) for fields in written]
    known = {sentence.id for sentence in sentences}
    for claim in claims:
        if unknown := [name for name in claim.sentence if name not in known]:
            raise UserError(f"{where}, claim {claim.id!r}: the paper's sentences have no {', '.join(unknown)}")
    tested = {name for claim in claims for name in claim.sentence}
    for sentence in sentences:
        if (sentence.id in tested) == bool(sentence.open):
            wrong = "is tested: it cannot be open" if sentence.open else "is tested by no claim: say why under `open`"
            raise UserError(f"{where}, sentence {sentence.id!r} {wrong}")
    return sentences


def _claim(where: str, paper: str, fields: Mapping[str, Any]) -> Claim:
    _require_keys(where, fields, CLAIM_KEYS, CLAIM_EXTRAS)
    if not isinstance(fields.get("paper_values", {}), dict):
        raise UserError(f"{where}: paper_values must map models to values")
    chosen = fields.get("where", {})
    if not isinstance(chosen, dict) or not all(isinstance(value, str | int | float) for value in chosen.values()):
        raise UserError(f"{where}: where must map columns to a text, a number, true or false")
    tests = claim_tests()
    if fields["test"] not in tests:
        raise UserError(f"{where}: unknown test {fields['test']!r}; there are {', '.join(tests)}")
    try:
        claimed = Region(**{edge: float(value) for edge, value in fields["claimed"].items()})
        inspect.signature(tests[fields["test"]]).bind(None, claimed, **fields["parameters"])
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}") from error
    return Claim(**{**fields, "id": f"{paper}/{fields['id']}", "paper": paper, "claimed": claimed})


def _require_keys(where: str, found: Mapping[str, Any], expected: set[str], optional: set[str]) -> None:
    missing, unknown = expected - found.keys(), found.keys() - expected - optional
    if missing or unknown:
        parts = [f"missing {', '.join(sorted(missing))}"] if missing else []
        parts += [f"unknown {', '.join(sorted(unknown))}"] if unknown else []
        raise UserError(f"{where}: {'; '.join(parts)}")


def _expanded(written: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Record]:
    """Write a claim out once for each combination of its `each` lists.

    `{key}` stands for the value of the list `key`: as it is in ids, parameters and `where` (a number stays one where
    nothing stands beside it), by its name (`names`) in words.
    """
    choices: Mapping[str, Sequence[Choice]] = written.get("each", {})
    template = {key: value for key, value in written.items() if key != "each"}
    for values in itertools.product(*choices.values()):
        raw = dict(zip(choices, values, strict=True))
        named: dict[str, Choice] = {key: names.get(str(value), value) for key, value in raw.items()}
        words = {key: _filled(value, named) for key, value in template.items() if key in ("statement", "source")}
        yield {key: _filled(value, raw) for key, value in template.items()} | words


def _filled(value: Yaml, choices: Mapping[str, Choice]) -> Yaml:
    """Replace `{key}` in all texts of a YAML value."""
    if isinstance(value, str):
        for key, choice in choices.items():
            if value == f"{{{key}}}":
                return choice
            value = value.replace(f"{{{key}}}", str(choice))
        return value
    if isinstance(value, list):
        return [_filled(item, choices) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, choices) for key, item in value.items()}
    return value
