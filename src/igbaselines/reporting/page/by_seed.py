"""Verdicts that hang on the seed: what holds with one and not with another is decided by neither."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from igbaselines.reporting.claims import Record
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.statistics.verdicts import Verdict
from igbaselines.running.config import RUN_TIME_KEYS

FLIPS = "not decided, since it flips"
HOLDS = (Verdict.REPRODUCED, Verdict.PARTLY)


def steady(runs: Sequence[ReportedRun]) -> list[ReportedRun]:
    """Take decisions back that flip with the seed: complete runs that differ in the seed alone are one experiment.

    A claim that is reproduced, or partly, in one of them and not reproduced in another is inconclusive in all, and its
    note says with which seed it was what. The run's own claims.json stays as it is: a run knows no other.
    """
    groups: dict[str, list[tuple[str, ReportedRun]]] = {}
    for run in runs:
        if (known := _settings(run)) is not None:
            settings, seed = known
            groups.setdefault(settings, []).append((seed, run))
    changed = {
        (run.experiment, run.label): replace(run, claims=[_settled(record, flips) for record in run.claims])
        for group in groups.values()
        if (flips := _flips(group))
        for _, run in group
    }
    return [changed.get((run.experiment, run.label), run) for run in runs]


def _flips(group: Sequence[tuple[str, ReportedRun]]) -> dict[str, str]:
    """The claims on which runs of other seeds contradict one another, and what each of them says."""
    said: dict[str, dict[str, str]] = {}
    for seed, run in group:
        for record in run.claims:
            said.setdefault(record["id"], {})[seed] = record["verdict"]
    return {
        claim: ", ".join(f"{verdict} with seed {seed}" for seed, verdict in verdicts.items())
        for claim, verdicts in said.items()
        if Verdict.NOT_REPRODUCED in verdicts.values() and set(HOLDS) & set(verdicts.values())
    }


def _settled(record: Record, flips: Mapping[str, str]) -> Record:
    if record["id"] not in flips:
        return record
    note = f"{record['note']}; {FLIPS}: {flips[record['id']]}"
    return record | {"verdict": str(Verdict.INCONCLUSIVE), "note": note}


def _settings(run: ReportedRun) -> tuple[str, str] | None:
    """Everything of a complete run's configuration but its seed, and the seed; None where it cannot be read."""
    config = run.settings
    if run.state != "complete" or "seed" not in config:
        return None
    kept = {str(key): value for key, value in config.items() if key not in (*RUN_TIME_KEYS, "seed")}
    try:
        return json.dumps([run.experiment, kept], sort_keys=True, default=str), str(config["seed"])
    except TypeError:  # of keys that are no texts, which no run of ours has
        return None
