"""What state every run under an output root is in: read from its files and its lock, whoever made them."""

from dataclasses import dataclass
from pathlib import Path

from igbaselines.results.run_folder import RunFolder, read_status

COMPLETE, FAILED, RUNNING, SUBMITTED, INTERRUPTED = "complete", "failed", "running", "submitted", "interrupted"
LAST_LINES = 12


@dataclass(frozen=True)
class RunState:
    """The state of one run.

    Args:
        experiment: name of the experiment.
        label: name of the folder.
        state: `complete`, `failed` (it says why), `running` (a process holds it), `submitted` (a batch system has it),
            or `interrupted` (begun, and nobody is at it).
        note: why it failed or was interrupted, how far its shards are, or which job has it; in one line.
        last_lines: of the traceback or the log of a run that failed or was interrupted.
        log: file of the last attempt's log.
        seconds: that a complete run took.
    """

    experiment: str
    label: str
    state: str
    note: str = ""
    last_lines: str = ""
    log: Path | None = None
    seconds: float | None = None


def find_states(output_root: Path) -> list[RunState]:
    """The state of every run that has been begun or submitted, in order of their names."""
    places = {
        (path.parent.name, path.name.removeprefix("."))
        for path in output_root.glob("[!.]*/*")
        if path.is_dir() and ((path / "status.json").is_file() or path.name.startswith("."))
    }
    return [state_of(RunFolder(output_root, *place)) for place in sorted(places)]


def state_of(folder: RunFolder) -> RunState:
    """The state of one run, of which something is there."""
    experiment, label = folder.path.parent.name, folder.path.name
    status = read_status(folder.path)
    shards = folder.shards()
    if folder.is_held() or any(shard.is_held() for shard in shards):
        return RunState(experiment, label, RUNNING, _progress(folder), log=_log(folder))
    if status.get("state") == COMPLETE:
        return RunState(experiment, label, COMPLETE, log=folder.path / "run.log", seconds=status.get("seconds"))
    jobs = folder.job_records()
    if any("id" in job and "ended" not in job for job in jobs):
        waiting = ", ".join(job["id"] for job in jobs if "id" in job and "ended" not in job)
        return RunState(experiment, label, SUBMITTED, f"SLURM job {waiting}", log=_log(folder))
    if status.get("state") == FAILED:
        note, lines = first_line(str(status.get("error") or "")), str(status.get("traceback") or "")
        return RunState(experiment, label, FAILED, note, last_lines(lines), folder.path / "run.log")
    for shard in shards:
        of_shard = read_status(shard.path)
        if of_shard.get("state") == FAILED:
            note, lines = first_line(str(of_shard.get("error") or "")), str(of_shard.get("traceback") or "")
            return RunState(experiment, label, FAILED, note, last_lines(lines), shard.path / "run.log")
    ended = [job["ended"] for job in jobs if "ended" in job]
    note = "; ".join(word for word in (*dict.fromkeys(ended), _progress(folder)) if word)
    state = FAILED if any(job.get("state") == FAILED for job in jobs) else INTERRUPTED
    log = _log(folder)
    return RunState(experiment, label, state, note, last_lines(_text(log)), log)


def first_line(text: str) -> str:
    """The first line of a text; a message over several lines begins with what matters."""
    return text.strip().splitlines()[0] if text.strip() else ""


def last_lines(text: str) -> str:
    """The last lines of a traceback or a log."""
    return "\n".join(text.rstrip().splitlines()[-LAST_LINES:])


def _progress(folder: RunFolder) -> str:
    shards = folder.shards()
    done = sum(shard.is_complete() for shard in shards)
    return f"{done} of {max(shard.count for shard in shards)} shards complete" if shards else ""


def _log(folder: RunFolder) -> Path | None:
    """The log that was written last, of what is not in place yet."""
    files = [folder.attempt / "run.log", *(shard.path / "run.log" for shard in folder.shards())]
    files += [Path(job["log"]) for job in folder.job_records() if "log" in job]
    there = [file for file in files if file.is_file()]
    return max(there, key=lambda file: file.stat().st_mtime_ns, default=None)


def _text(file: Path | None) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file is not None else ""
