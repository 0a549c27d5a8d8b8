"""What there is and what is not, in the terminal: behind a sweep, and for `action=status`."""

import os
import shlex
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from igbaselines.common.errors import RunFailedError
from igbaselines.common.places import COMMAND
from igbaselines.launching.jobs import Job
from igbaselines.reporting.page.missing import why_untested
from igbaselines.running.config import CLAIMS_ROOT
from igbaselines.running.states import COMPLETE, RunState, count_states, explain_states, find_states
from igbaselines.running.sweeps import Sweep, find_sweeps


def print_summary(jobs: Sequence[Job]) -> None:
    """Print what became of every job of a sweep."""
    with _telling():
        for job in jobs:
            _print_line(job.label, job)
        counts = Counter(job.state for job in jobs)
        print("  " + ", ".join(f"{count} {state}" for state, count in counts.most_common()))


def print_status(output_root: Path) -> None:
    """Print the state of every run under an output root: of a sweep those that are not complete, of the others all."""
    with _telling():
        _print_status(output_root)


@contextmanager
def _telling() -> Iterator[None]:
    """Say of standard output what goes wrong there: the output folder has nothing to do with it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        raise RunFailedError(f"standard output cannot be written: {error.strerror}") from error


def _print_status(output_root: Path) -> None:
    states = find_states(output_root)
    sweeps = [(sweep, sweep.states(states)) for sweep in find_sweeps(output_root)]
    if not states and not sweeps:
        print(f"no runs under {output_root} yet: {shlex.join(COMMAND)} experiment=NAME makes one")
        return
    for sweep, runs in sweeps:
        print(f"sweep ({sweep.launcher}): {count_states([state for _, state in runs])}\n  {sweep.command}")
        for run, state in runs:
            if state.state != COMPLETE:
                _print_line(run.overrides, state)
        print()
    in_sweeps = {run.folder for sweep, _ in sweeps for run in sweep.runs}
    if alone := [state for state in states if (state.experiment, state.label) not in in_sweeps]:
        print(f"runs of no sweep: {count_states(alone)}")
        for state in alone:
            _print_line(f"{state.experiment}/{state.label}", state)
        print()
    _print_untested(states, [sweep for sweep, _ in sweeps])
    for line in explain_states([*(state for _, runs in sweeps for _, state in runs), *alone]):
        print(line)


def _print_untested(states: Sequence[RunState], sweeps: Sequence[Sweep]) -> None:
    """Print how many claims wait for runs that have been begun, or launched, and why."""
    launched = {run.folder[0] for sweep in sweeps for run in sweep.runs if run.folder}
    begun = {state.experiment for state in states} | launched
    waiting = begun - {state.experiment for state in states if state.state == COMPLETE}
    if not waiting:
        return
    from igbaselines.reporting.papers import load_papers  # and the tests of claims with it: pandas and scipy

    for paper in load_papers(CLAIMS_ROOT):
        for experiment in waiting.intersection(paper.claims):
            reason = why_untested(experiment, states, sweeps)
            print(f"not tested: {len(paper.claims[experiment])} claims of {paper.id} ({experiment}): {reason}")


def _print_line(name: str, of: RunState | Job) -> None:
    """Print a run's or a job's state, and where that is not good, why and where to read more."""
    print(f"  {of.state:<13} {_duration(of.seconds):>8}  {name}")
    for more in (of.note, str((of.state != COMPLETE and of.log) or "")):
        if more:
            print(f"      {more}")
    if isinstance(of, RunState) and of.last_lines:
        print(textwrap.indent(of.last_lines, "      | "))


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {rest:02} s" if minutes else f"{rest} s"
