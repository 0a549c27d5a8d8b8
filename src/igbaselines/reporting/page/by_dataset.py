"""Verdicts side by side: what runs of an experiment that differ in the data set alone say of each claim."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from igbaselines.reporting.claims import Record
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.statistics.verdicts import Verdict
from igbaselines.running.config import RUN_TIME_KEYS

SCALES = ("smoke", "demo", "full", "paper")  # ascending
DATASET = ("dataset", "dataset_name")
ABLATION = "ablation"  # evaluation.study of runs that vary how they attribute and evaluate
SAME, DIFFER, CONTRARY = "same", "differ", "contrary"
CLAIM_COLUMNS = ["paper", "id", "source", "statement", "paper_value", "experiment", "model", "scale", "verdicts"]
CELL_COLUMNS = ("verdict", "value", "ci_low", "ci_high", "n", "note")


@dataclass(frozen=True)
class ClaimLine:
    """A claim, in the words of the first run that tested it, and its record of each data set's run, None if unknown."""

    claim: Record
    records: Sequence[Record | None]

    @property
    def verdicts(self) -> str:
        """How the verdicts stand to one another: the same, contrary (it holds here and not there), or different."""
        found = {record["verdict"] if record else Verdict.NOT_TESTED for record in self.records}
        if len(found) == 1:
            return SAME
        holds = found & {Verdict.REPRODUCED, Verdict.PARTLY}
        return CONTRARY if holds and Verdict.NOT_REPRODUCED in found else DIFFER


@dataclass(frozen=True)
class DatasetComparison:
    """The claims of an experiment, line by line, on several data sets, each with its run, for one network and scale."""

    experiment: str
    model: str
    scale: str
    runs: Mapping[str, ReportedRun]
    lines: Sequence[ClaimLine]

    def of_paper(self, paper: str) -> "DatasetComparison":
        """Keep the claims of one paper."""
        return replace(self, lines=[line for line in self.lines if line.claim["paper"] == paper])

    def count(self, verdicts: str) -> int:
        """Count the claims whose verdicts are the same, differ or are contrary."""
        return sum(line.verdicts == verdicts for line in self.lines)


@dataclass(frozen=True)
class _Configured:
    """A complete run, and of its configuration what tells runs apart."""

    run: ReportedRun
    dataset: str
    study: tuple[str, str, str]  # experiment, network, study: each is compared once
    scale: str
    settings: str  # everything but the data set


def compare_datasets(runs: Sequence[ReportedRun]) -> list[DatasetComparison]:
    """Set runs side by side that differ in the data set alone, where there are any.

    Of an experiment, network and study only one such set is shown: that at the largest scale, then that of the most
    data sets, then that with the newest run. Of several runs on one data set (other events, say) the newest stands
    for it. Ablations are left out: what they vary is their own; and runs that are not complete or cannot be read.
    """
    sets: dict[tuple[tuple[str, str, str], str], list[_Configured]] = {}
    for configured in filter(None, map(_configured, runs)):
        sets.setdefault((configured.study, configured.settings), []).append(configured)
    best: dict[tuple[str, str, str], list[_Configured]] = {}
    for (study, _), found in sorted(sets.items(), key=lambda item: _preference(item[1])):
        if len({configured.dataset for configured in found}) > 1:
            best[study] = found
    return [_comparison(found) for _, found in sorted(best.items())]


def comparisons_table(comparisons: Sequence[DatasetComparison]) -> pd.DataFrame:
    """Lay out a line for each claim, with the columns of each data set beside one another."""
    lines = []
    for comparison in comparisons:
        known = {key: getattr(comparison, key) for key in ("experiment", "model", "scale")}
        for line in comparison.lines:
            words = {key: line.claim[key] for key in ("paper", "id", "source", "statement", "paper_value")}
            cells: dict[str, object] = {}
            for (dataset, run), record in zip(comparison.runs.items(), line.records, strict=True):
                cells |= {f"{dataset}: {key}": record[key] for key in CELL_COLUMNS} if record else {}
                cells[f"{dataset}: run"] = run.label
            lines.append(words | known | {"verdicts": line.verdicts} | cells)
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=CLAIM_COLUMNS)


def _configured(run: ReportedRun) -> _Configured | None:
    config = run.settings
    if run.state != "complete" or not config.get("dataset_name"):
        return None
    evaluation = config.get("evaluation")
    study = str(evaluation.get("study") or "") if isinstance(evaluation, dict) else ""
    if study == ABLATION:
        return None
    settings = {str(key): value for key, value in config.items() if key not in (*RUN_TIME_KEYS, *DATASET)}
    try:
        told = json.dumps(settings, sort_keys=True, default=str)
    except TypeError:  # of keys that are no texts, which no run of ours has
        return None
    named = (run.experiment, str(config.get("model_name") or ""), study)
    return _Configured(run, _dataset(config), named, str(config.get("scale")), told)


def _dataset(config: Mapping[str, Any]) -> str:
    """Name the data set; a file of the user's is one of its own."""
    name, dataset = str(config["dataset_name"]), config.get("dataset")
    path = dataset.get("path") if isinstance(dataset, dict) else None
    stem = Path(str(path)).stem if path else name
    return name if stem == name else f"{name} {stem}"


def _preference(found: Sequence[_Configured]) -> tuple[int, int, str]:
    scale = found[0].scale
    datasets = {configured.dataset for configured in found}
    newest = max(configured.run.ended for configured in found)
    return SCALES.index(scale) if scale in SCALES else -1, len(datasets), newest


def _comparison(found: Sequence[_Configured]) -> DatasetComparison:
    newest = {of.dataset: of for of in sorted(found, key=lambda of: of.run.ended)}
    columns = dict(sorted(newest.items()))
    records = [{record["id"]: record for record in of.run.claims} for of in columns.values()]
    claims: dict[str, Record] = {}
    for of_run in records:
        claims = of_run | claims
    experiment, model, _ = found[0].study
    lines = [ClaimLine(claim, [of_run.get(name) for of_run in records]) for name, claim in claims.items()]
    return DatasetComparison(experiment, model, found[0].scale, {name: of.run for name, of in columns.items()}, lines)
