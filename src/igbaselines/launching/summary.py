"""What there is and what is not, in the terminal: behind a sweep, and for `action=status`."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from igbaselines.launching.jobs import Job
from igbaselines.reporting.page.missing import why_untested
from igbaselines.running.config import CLAIMS_ROOT
from igbaselines.running.states import (
    COMPLETE,
    RunState,
    count_states,
    explain_states,
    find_states,
)
from igbaselines.running.sweeps import Sweep, find_sweeps


@dataclass(frozen=True)
class StateLine:
    """One run or job: its name, its state, and where that is not good, why and where to read more."""

    name: str
    state: str
    seconds: float | None = None
    note: str = ""
    log: Path | None = None
    last_lines: str = ""


def print_summary(jobs: Sequence[Job]) -> None:
    """Print what became of every job of a sweep."""
    for job in jobs:
        _print_line(StateLine(job.label, job.state, job.seconds, job.note, None if job.state == COMPLETE else job.log))
    counts = Counter(job.state for job in jobs)
    print("  " + ", ".join(f"{count} {state}" for state, count in counts.most_common()))


def print_status(output_root: Path) -> None:
    """Print the state of every run under an output root: of a sweep those that are not complete, of the others all."""
    states = find_states(output_root)
    sweeps = [(sweep, sweep.states(states)) for sweep in find_sweeps(output_root)]
    if not states and not sweeps:
        print(f"no runs under {output_root} yet: python run.py experiment=NAME makes one")
        return
    for sweep, runs in sweeps:
        print(f"sweep ({sweep.launcher}): {count_states([state for _, state in runs])}\n  {sweep.command}")
        for run, state in runs:
            if state.state != COMPLETE:
                _print_line(_of_state(run.overrides, state))
        print()
    in_sweeps = {run.folder for sweep, _ in sweeps for run in sweep.runs}
    if alone := [state for state in states if (state.experiment, state.label) not in in_sweeps]:
        print(f"runs of no sweep: {count_states(alone)}")
        for state in alone:
            _print_line(_of_state(f"{state.experiment}/{state.label}", state))
        print()
    _print_untested(states, [sweep for sweep, _ in sweeps])
    for line in explain_states([*(state for _, runs in sweeps for _, state in runs), *alone]):
        print(line)


def _print_untested(states: Sequence[RunState], sweeps: Sequence[Sweep]) -> None:
    """Print how many claims wait for runs that have been begun, or launched, and why."""
    begun = {state.experiment for state in states} | {
        run.folder[0] for sweep in sweeps for run in sweep.runs if run.folder
    }
    waiting = begun - {state.experiment for state in states if state.state == COMPLETE}
    if not waiting:
        return
    from igbaselines.reporting.claims import load_papers  # and the tests of claims with it: pandas and scipy

    for paper in load_papers(CLAIMS_ROOT):
        for experiment in waiting.intersection(paper.claims):
            reason = why_untested(experiment, states, sweeps)
            print(f"not tested: {len(paper.claims[experiment])} claims of {paper.id} ({experiment}): {reason}")


def _of_state(name: str, state: RunState) -> StateLine:
    log = None if state.state == COMPLETE else state.log
    return StateLine(name, state.state, state.seconds, state.note, log, state.last_lines)


def _print_line(line: StateLine) -> None:
    print(f"  {line.state:<13} {_duration(line.seconds):>8}  {line.name}")
    for more in (line.note, str(line.log or "")):
        if more:
            print(f"      {more}")
    if line.last_lines:
        print(textwrap.indent(line.last_lines, "      | "))


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {rest:02} s" if minutes else f"{rest} s"
