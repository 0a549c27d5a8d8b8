"""A note of every sweep that was launched: which runs belong together, so that a part of them shows as a part."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from igbaselines.files import write_text
from igbaselines.launching.jobs import Job

log = logging.getLogger(__name__)

FOLDER = ".sweeps"


@dataclass(frozen=True)
class SweepRun:
    """A run of a sweep.

    Args:
        overrides: that it differs by.
        folder: its experiment and label; None where the overrides ask for nothing that works.
        note: why they do not work.
    """

    overrides: str
    folder: tuple[str, str] | None
    note: str = ""


@dataclass(frozen=True)
class Sweep:
    """A sweep that was launched.

    Args:
        command: that launched it last.
        launcher: that did it last.
        runs: of the sweep.
    """

    command: str
    launcher: str
    runs: tuple[SweepRun, ...]


def record_sweep(output_root: Path, command: str, launcher: str, jobs: Sequence[Job]) -> None:
    """Write the note; a sweep of the same runs takes the place of the older one."""
    runs = {}
    for job in jobs:  # the jobs that share a run have one number
        folder = None if job.run is None else (job.run.folder.path.parent.name, job.run.folder.path.name)
        runs[job.number] = {"overrides": job.differs, "folder": folder, "note": job.note if folder is None else ""}
    record = {"command": command, "launcher": launcher, "runs": list(runs.values())}
    folders = sorted(str(run["folder"] or run["overrides"]) for run in runs.values())
    name = hashlib.sha256(json.dumps(folders).encode()).hexdigest()[:10]
    (output_root / FOLDER).mkdir(parents=True, exist_ok=True)
    write_text(output_root / FOLDER / f"{name}.json", json.dumps(record, indent=1) + "\n")


def find_sweeps(output_root: Path) -> list[Sweep]:
    """All sweeps of which there is a note, the one launched last comes last."""
    files = sorted((output_root / FOLDER).glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
    sweeps = []
    for file in files:
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            runs = tuple(
                SweepRun(str(run["overrides"]), tuple(run["folder"]) if run["folder"] else None, str(run["note"]))
                for run in record["runs"]
            )
            sweeps.append(Sweep(str(record["command"]), str(record["launcher"]), runs))
        except (ValueError, KeyError, TypeError):
            log.warning("%s is damaged: its runs are shown one by one", file)
    return sweeps
