"""What the papers claim, read from conf/claims and checked: a file a paper."""

import inspect
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from igbaselines.common.errors import UserError
from igbaselines.reporting.claims import Claim, Paper, Printed, Question, Record, Sentence, claim_tests
from igbaselines.reporting.statistics.verdicts import Region

Choice: TypeAlias = str | int | float
Yaml: TypeAlias = "str | int | float | list[Yaml] | dict[str, Yaml] | None"

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has been built with it

PAPER_KEYS = {"paper", "title", "url", "names", "figures", "claims"}
PAPER_EXTRAS = {"tables", "notes", "sentences", "questions", "authors", "data"}
CLAIM_KEYS = {"id", "source", "statement", "paper_value", "test", "claimed", "parameters"}
CLAIM_EXTRAS = {"paper_values", "where", "sentence", "of_data"}


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


def _sentences(where: str, written: Sequence[Mapping[str, Any]], claims: Sequence[Claim]) -> list[Sentence]:
    """Read a paper's sentences; each is tested by a claim, or says why none tests it."""
    for fields in written:
        _require_keys(
            f"{where}, sentence {fields.get('id', '?')!r}", fields, {"id", "place", "text"}, {"open", "is_asked"}
        )
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
