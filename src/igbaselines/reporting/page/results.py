"""What the runs say of every claim: one result for each claim and run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from igbaselines.reporting.claims import Paper, Record, unmeasured
from igbaselines.reporting.page.decide import what_decides
from igbaselines.reporting.page.missing import why_untested
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.render import RESULT_COLUMNS
from igbaselines.reporting.statistics.verdicts import Verdict
from igbaselines.running.sweeps import Sweep

CLAIM_COLUMNS = ["paper", "id", "source", "statement", "paper_value", "experiment", "run", *RESULT_COLUMNS]


@dataclass(frozen=True)
class Result:
    """What one run says of a claim, and what would decide it; `run` is empty where no run tested it."""

    experiment: str
    run: str
    record: Record
    decides: str = ""


@dataclass(frozen=True)
class ReportedClaim:
    """A claim in the paper's words, with the result of every run that tested it."""

    id: str
    paper: str
    source: str
    statement: str
    paper_value: str | int | float
    results: list[Result] = field(default_factory=list)

    @property
    def is_tested(self) -> bool:
        """Whether any run tells."""
        return any(result.record["verdict"] != Verdict.NOT_TESTED for result in self.results)

    def value_for(self, result: Result) -> str | int | float:
        """The paper's value that a result stands beside: a paper may give one for each network."""
        return result.record.get("paper_value", self.paper_value)  # type: ignore[no-any-return]

    @property
    def has_values_by_run(self) -> bool:
        """Whether the paper's value is another for some run, so that one for all does not do."""
        return any(self.value_for(result) != self.paper_value for result in self.results)


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
    known = {claim.id: claim for paper in papers for listed in paper.claims.values() for claim in listed}
    for run in runs:
        decides = what_decides(known, run)
        for record in run.claims:
            words = {key: record[key] for key in ("id", "paper", "source", "statement", "paper_value")}
            reported = claims.setdefault(record["id"], ReportedClaim(**words))
            reported.results.append(Result(run.experiment, run.label, record, decides.get(record["id"], "")))
    return list(claims.values())


def count_verdicts(claims: Sequence[ReportedClaim]) -> dict[str, dict[str, int]]:
    """Count each run's verdicts: run -> verdict -> number of claims."""
    counts: dict[str, dict[str, int]] = {}
    for result in (result for claim in claims for result in claim.results):
        of_run = counts.setdefault(result.run or "not run", {str(verdict): 0 for verdict in Verdict})
        of_run[result.record["verdict"]] = of_run.get(result.record["verdict"], 0) + 1
    return counts


def count_results(claim: ReportedClaim) -> str:
    """Say in a line what many runs found: 12 runs: 9 reproduced, 3 inconclusive."""
    found = [result.record["verdict"] for result in claim.results]
    counts = [f"{found.count(verdict)} {verdict}" for verdict in dict.fromkeys([*map(str, Verdict), *found])]
    return f"{len(found)} runs: {', '.join(words for words in counts if not words.startswith('0 '))}"


def claims_table(claims: Sequence[ReportedClaim]) -> pd.DataFrame:
    """One line for each claim and run."""
    lines = [
        {key: result.record[key] for key in RESULT_COLUMNS}
        | {key: getattr(claim, key) for key in ("paper", "id", "source", "statement")}
        | {"paper_value": claim.value_for(result), "experiment": result.experiment, "run": result.run}
        for claim in claims
        for result in claim.results
    ]
    return pd.DataFrame(lines, columns=CLAIM_COLUMNS)
