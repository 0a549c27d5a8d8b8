"""What there is and what is not, in the terminal: behind a sweep, and for `action=status`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from igbaselines.launching.jobs import FAILED, Job
from igbaselines.launching.sweeps import Sweep, find_sweeps
from igbaselines.results.states import COMPLETE, RunState, find_states

NOT_BEGUN = "not begun"


@dataclass(frozen=True)
class Line:
    """One run or job: its name, its state, and where that is not good, why and where to read more."""

    name: str
    state: str
    seconds: float | None = None
    note: str = ""
    log: Path | None = None


def print_summary(jobs: Sequence[Job]) -> None:
    """Print what became of every job of a sweep."""
    _print_lines(
        [Line(job.label, job.state, job.seconds, job.note, None if job.state == COMPLETE else job.log) for job in jobs]
    )


def print_status(output_root: Path) -> None:
    """Print the state of every run under an output root, those of a sweep together."""
    states = {(state.experiment, state.label): state for state in find_states(output_root)}
    in_sweeps = set()
    for sweep in find_sweeps(output_root):
        print(f"\n{sweep.command}   ({sweep.launcher})")
        _print_lines(_of_sweep(sweep, states))
        in_sweeps |= {run.folder for run in sweep.runs}
    alone = [_of_state("/".join(place), state) for place, state in states.items() if place not in in_sweeps]
    if alone:
        print("\nruns of no sweep" if in_sweeps else "")
        _print_lines(alone)
    if not states and not in_sweeps:
        print(f"no runs under {output_root} yet: python run.py experiment=hep_baselines makes one")


def _of_sweep(sweep: Sweep, states: dict[tuple[str, str], RunState]) -> Iterable[Line]:
    for run in sweep.runs:
        if run.folder is None:
            yield Line(run.overrides, FAILED, note=run.note)
        elif (state := states.get(run.folder)) is None:
            yield Line(run.overrides, NOT_BEGUN)
        else:
            yield _of_state(run.overrides, state)


def _of_state(name: str, state: RunState) -> Line:
    return Line(name, state.state, state.seconds, state.note, None if state.state == COMPLETE else state.log)


def _print_lines(lines: Iterable[Line]) -> None:
    lines = list(lines)
    for line in lines:
        print(f"  {line.state:<13} {_duration(line.seconds):>8}  {line.name}")
        for more in (line.note, str(line.log or "")):
            if more:
                print(f"{'':26}{more}")
    counts = Counter(line.state for line in lines)
    print("  " + ", ".join(f"{count} {state}" for state, count in counts.most_common()))


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {rest:02} s" if minutes else f"{rest} s"
