"""What is not there and why, in words: for claims that no run has tested, and for what combines a part of a sweep."""

import shlex
from collections import Counter
from collections.abc import Sequence

from igbaselines.common.places import COMMAND
from igbaselines.running.states import (
    COMPLETE,
    FAILED,
    INTERRUPTED,
    NOT_BEGUN,
    RUNNING,
    SUBMITTED,
    UNREADABLE,
    RunState,
)
from igbaselines.running.sweeps import Sweep

MOST_SAID = 3  # reasons, or runs, that a sentence lists
VERBS = {  # of one run, of several
    FAILED: ("failed", "failed"),
    UNREADABLE: ("cannot be read", "cannot be read"),
    INTERRUPTED: ("was interrupted", "were interrupted"),
    NOT_BEGUN: ("has not begun", "have not begun"),
    RUNNING: ("is still running", "are still running"),
    SUBMITTED: ("has been submitted to SLURM", "have been submitted to SLURM"),
}


def why_untested(experiment: str, runs: Sequence[RunState], sweeps: Sequence[Sweep]) -> str:
    """Say why no run has tested a claim of an experiment: what became of the runs that might have.

    Sweeps know of runs that nobody has begun, and their commands.
    """
    in_sweeps = [(state, sweep.command) for sweep in sweeps for _, state in sweep.states(runs)]
    commands = {(state.experiment, state.label): command for state, command in in_sweeps}
    there = {(state.experiment, state.label): state for state in [*(state for state, _ in in_sweeps), *runs]}
    reasons = Counter(
        (state.state, _detail(state, commands.get(place, "the same command")))
        for place, state in there.items()
        if state.experiment == experiment and state.state != COMPLETE
    ).most_common()
    if not reasons:
        return f"no complete run has tested it yet: {shlex.join(COMMAND)} experiment={experiment}"
    said = [f"{_runs(count, len(reasons))} {VERBS[state][count > 1]}{detail}" for (state, detail), count in reasons]
    return "; ".join(said[:MOST_SAID]) + _more(sum(count for _, count in reasons[MOST_SAID:]))


def say_part(sweep: Sweep, runs: Sequence[RunState]) -> str:
    """Say how many of a sweep's runs are in, and which are not; nothing where all are."""
    states = sweep.states(runs)
    missing = [f"{run.overrides} ({state.state})" for run, state in states if state.state != COMPLETE]
    if not missing:
        return ""
    are_networks = all(run.overrides.startswith("model=") and " " not in run.overrides for run in sweep.runs)
    kind = "networks" if are_networks else "runs"
    listed = ", ".join(missing[:MOST_SAID]) + _more(len(missing) - MOST_SAID)
    return f"{len(states) - len(missing)} of {len(states)} {kind} of a sweep are in; missing: {listed}"


def _detail(state: RunState, command: str) -> str:
    """What follows the verb: why, or what to do."""
    if state.state in (FAILED, UNREADABLE):
        return f": {state.note}"
    note = f" ({state.note})" if state.note and state.state != SUBMITTED else ""
    return note + {INTERRUPTED: f": {command} goes on", NOT_BEGUN: f": {command}"}.get(state.state, "")


def _runs(count: int, kinds: int) -> str:
    return f"{count} runs" if count > 1 else "the run" if kinds == 1 else "1 run"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
