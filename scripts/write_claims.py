"""Write docs/claims.md (`python scripts/write_claims.py`): what the papers say, and which claims test it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from igbaselines.common.files import write_text
from igbaselines.reporting.claims import Claim, Paper
from igbaselines.reporting.papers import load_papers
from igbaselines.running.config import CLAIMS_ROOT

PAGE = Path(__file__).parents[1] / "docs" / "claims.md"
HEAD = """# What the papers say, and which claim tests it

Made by `python scripts/write_claims.py` from [conf/claims](../conf/claims), where each claim stands with its test,
its threshold and why it is read so. Verdicts are a run's: `claims.json` in its folder, or the page that
`python run.py action=report` writes. A sentence that no claim tests says why.
"""


def page(papers: Sequence[Paper]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(_of_paper, papers)])


def _of_paper(paper: Paper) -> str:
    claims = {claim.id: experiment for experiment, listed in paper.claims.items() for claim in listed}
    every = [claim for listed in paper.claims.values() for claim in listed]
    lines = [
        f"## [{paper.id}]({paper.url}): {paper.title}",
        "",
        "| where | words | claims |",
        "|---|---|---|",
    ]
    for sentence in paper.sentences:
        ids = [claim.id for claim in every if sentence.id in claim.sentence]
        tested = _listed(ids, claims) if ids else f"*not tested*: {sentence.open}"
        lines.append(f"| {_cell(sentence.place)} | {_cell(sentence.text)} | {_cell(tested)} |")
    open_ones = sum(bool(sentence.open) for sentence in paper.sentences)
    lines += ["", f"{len(paper.sentences)} sentences, {open_ones} of them tested by no claim.", ""]
    if ours := [claim for claim in every if not claim.sentence]:
        lines += ["Questions and controls of ours:", "", *_ours(ours, claims), ""]
    return "\n".join(lines)


def _ours(claims: Sequence[Claim], experiments: dict[str, str]) -> list[str]:
    return [f"- {part}" for part in _parts([claim.id for claim in claims], experiments)]


def _listed(ids: Iterable[str], experiments: dict[str, str]) -> str:
    return "; ".join(_parts(ids, experiments))


def _parts(ids: Iterable[str], experiments: dict[str, str]) -> list[str]:
    """Ids by what they have in common: `high/MET/` of background, background_weighted (hep_baselines)."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in ids:
        stem, slash, last = name.partition("/")[2].rpartition("/")
        groups.setdefault((experiments[name], stem + slash), []).append(last)
    return [
        f"`{stem}{last[0]}` ({experiment})" if len(last) == 1 else f"`{stem}` {', '.join(last)} ({experiment})"
        for (experiment, stem), last in groups.items()
    ]


def _cell(words: str) -> str:
    return words.replace("|", r"\|")


if __name__ == "__main__":
    write_text(PAGE, page(load_papers(CLAIMS_ROOT)))
