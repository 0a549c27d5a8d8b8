"""What state every run under an output root is in: read from its files and its lock, whoever made them.

Whatever is broken there becomes a state, never an error.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from igbaselines.common.errors import first_line
from igbaselines.running.run_folder import RunFolder, read_status

COMPLETE, FAILED, RUNNING, SUBMITTED, INTERRUPTED = "complete", "failed", "running", "submitted", "interrupted"
NOT_BEGUN, UNREADABLE = "not begun", "unreadable"
MEANINGS = {
    FAILED: "it ended with an error, which stands beside it: mend that first",
    INTERRUPTED: "it was begun, and nobody is at it now; what it had finished is kept",
    NOT_BEGUN: "nobody has been at it yet",
    UNREADABLE: "its files are damaged, or closed to you",
    SUBMITTED: "it waits in SLURM's queue, or has just left it",
    RUNNING: "a process is at it now",
}
WHAT_NEXT = "Next: the same command again. It does what is missing, and nothing twice."
LAST_LINES = 12
MOST_NAMED = 3  # files
TAIL = 50_000  # bytes of a log that are looked at
WORK = ("attempt", "checkpoints", "job", "shard-")  # beginnings of what lies in a run's hidden folder


@dataclass(frozen=True)
class RunState:
    """The state of one run.

    Args:
        experiment: name of the experiment.
        label: name of the folder.
        state: `complete`, `failed` (it says why), `running` (a process holds it), `submitted` (a batch system has it),
            `interrupted` (begun, and nobody is at it), `unreadable`, or `not begun`, which only a sweep knows of.
        note: why it failed or was interrupted, how far its shards are, or which job has it; in one line.
        last_lines: of the traceback or the log of a run that failed or was interrupted.
        log: file of the last attempt's log.
        seconds: that a complete run took.
        ended: when it was complete, in ISO 8601.
        folder: where it lies, or will lie.
        jobs: ids of the jobs that a batch system has.
    """

    experiment: str
    label: str
    state: str
    note: str = ""
    last_lines: str = ""
    log: Path | None = None
    seconds: float | None = None
    ended: str = ""
    folder: Path = Path()
    jobs: tuple[str, ...] = ()


def find_states(output_root: Path) -> list[RunState]:
    """The state of every run that has been begun or submitted, in order of their names."""
    found = (path for path in output_root.glob("[!.]*/*") if _is_run(path))
    places = sorted({(path.parent.name, path.name.removeprefix(".")) for path in found})
    return [state_of(RunFolder(output_root, *place)) for place in places]


def state_of(folder: RunFolder) -> RunState:
    """The state of one run, of which something is there."""
    known = RunState(folder.path.parent.name, folder.path.name, UNREADABLE, folder=folder.path)
    try:
        return _judged(folder, known)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:  # damaged JSON may hold anything
        return replace(known, note=f"{type(error).__name__}: {first_line(str(error))}")


def count_states(states: Sequence[RunState]) -> str:
    """Say how many runs are complete, and what the others are: 5 of 6 complete, 1 failed."""
    counts = Counter(state.state for state in states)
    words = [f"{counts.pop(COMPLETE, 0)} of {len(states)} complete"]
    return ", ".join(words + [f"{count} {state}" for state, count in counts.most_common()])


def explain_states(states: Iterable[RunState]) -> list[str]:
    """Say what the states mean that are there, and what to do next; nothing where all is complete."""
    there = {state.state for state in states}
    lines = [f"{state}: {meaning}" for state, meaning in MEANINGS.items() if state in there]
    return [*lines, WHAT_NEXT] if lines else []


def last_lines(text: str) -> str:
    """The last lines of a traceback or a log."""
    return "\n".join(text.rstrip().splitlines()[-LAST_LINES:])


def _is_run(path: Path) -> bool:
    """Whether a folder is a run's, or a run's hidden one."""
    try:
        inside = [entry.name for entry in path.iterdir()]
    except (NotADirectoryError, FileNotFoundError):  # a file, or gone since
        return False
    except OSError:
        return True  # it may be one, and nobody can tell
    return any(name.startswith(WORK) for name in inside) if path.name.startswith(".") else "status.json" in inside


def _judged(folder: RunFolder, known: RunState) -> RunState:
    # The locks come first: a run that ends while we look has its status by the time that it lets go of them.
    held = folder.is_held() or any(shard.is_held() for shard in folder.shards())
    status = read_status(folder.path)
    if status.get("state") == COMPLETE:
        if not held and (damaged := folder.damaged()):
            return replace(known, note=f"{_some(damaged)} damaged since the run was made: the same command mends it")
        other = "made by other code than today's" if folder.is_of_other_code() else ""
        return _complete(replace(known, note=_joined("a process is at it again" if held else "", other)), status)
    if held:
        return replace(known, state=RUNNING, note=_progress(folder), log=_log(folder))
    jobs = _jobs(folder)
    if waiting := tuple(job["id"] for job in jobs if "id" in job and "ended" not in job):
        note = _joined(f"SLURM job {', '.join(waiting)}", _progress(folder))
        return replace(known, state=SUBMITTED, note=note, log=_log(folder), jobs=waiting)
    shards = [read_status(shard.path) for shard in folder.shards() if shard.path.is_dir()]
    # Since what is told of an earlier failure: an attempt, or a shard, that has no status yet was begun, and killed.
    begun_again = folder.attempt.is_dir() or not all(shards)
    if not begun_again and (folder.path / "status.json").exists():
        if status.get("state") == FAILED:
            return _failed(known, status, folder.path / "run.log")
        return replace(known, note="status.json is damaged")
    for shard in folder.shards():
        if (of_shard := read_status(shard.path)).get("state") == FAILED:
            failed = _failed(known, of_shard, shard.path / "run.log")
            return replace(failed, note=_joined(failed.note, _progress(folder)))
    ended = [job for job in jobs if "ended" in job and not (begun_again and job.get("state") == FAILED)]
    state = FAILED if any(job.get("state") == FAILED for job in ended) else INTERRUPTED
    note = _joined(*dict.fromkeys(job["ended"] for job in ended), _progress(folder))
    log = _log(folder)
    lines = "" if state == FAILED else last_lines(_tail(log))  # who has failed has said why
    return replace(known, state=state, note=note, last_lines=lines, log=log)


def _complete(known: RunState, status: Mapping[str, Any]) -> RunState:
    seconds = None if status.get("seconds") is None else float(status["seconds"])
    log, ended = known.folder / "run.log", str(status.get("ended") or "")
    return replace(known, state=COMPLETE, log=log, seconds=seconds, ended=ended)


def _failed(known: RunState, status: Mapping[str, Any], log: Path) -> RunState:
    """Tell a failure from its status: the error, and the end of the traceback, or of the log where there is none."""
    traceback = str(status.get("traceback") or "").strip()
    note = first_line(str(status.get("error") or "")) or (traceback.splitlines() or ["no message"])[-1]
    there = log if log.is_file() else None
    return replace(known, state=FAILED, note=note, last_lines=last_lines(traceback or _tail(there)), log=there)


def _jobs(folder: RunFolder) -> list[dict[str, str]]:
    """What is remembered of the jobs that have the run, or shards of it."""
    return [record for place in (folder, *folder.shards()) if (record := place.job_record())]


def _progress(folder: RunFolder) -> str:
    """How many shards are complete, of the division in which most are."""
    done = Counter(shard.count for shard in folder.shards() if shard.is_complete())
    begun = [shard.count for shard in folder.shards()]
    count = max(begun, key=lambda count: done[count], default=0)
    return f"{done[count]} of {count} shards complete" if begun else ""


def _log(folder: RunFolder) -> Path | None:
    """The log that was written last, of what is not in place yet."""
    files = [folder.attempt / "run.log", *(shard.path / "run.log" for shard in folder.shards())]
    files += [Path(job["log"]) for job in _jobs(folder) if "log" in job]
    there = [file for file in files if file.is_file()]
    return max(there, key=lambda file: file.stat().st_mtime_ns, default=None)


def _tail(file: Path | None) -> str:
    if file is None:
        return ""
    with file.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL))
        return log.read().decode(errors="replace")


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _joined(*words: str) -> str:
    return "; ".join(word for word in words if word)
