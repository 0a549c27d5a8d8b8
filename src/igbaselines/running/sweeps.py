"""A note of every sweep that was launched: which runs belong together, so that a part of them shows as a part."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from igbaselines.common.files import read_json, write_text
from igbaselines.running.states import FAILED, NOT_BEGUN, RunState

log = logging.getLogger(__name__)

FOLDER = ".sweeps"


@dataclass(frozen=True)
class SweepRun:
    """A run of a sweep: the overrides it differs by, its experiment and label, or None and why they do not work."""

    overrides: str
    folder: tuple[str, str] | None
    note: str = ""


@dataclass(frozen=True)
class Sweep:
    """A sweep, with the command and the launcher that launched it last."""

    command: str
    launcher: str
    runs: tuple[SweepRun, ...]

    def states(self, known: Sequence[RunState]) -> list[tuple[SweepRun, RunState]]:
        """Each run with its state, by those of the runs that have been begun; those of other sweeps do no harm."""
        found = {(state.experiment, state.label): state for state in known}
        return [
            (run, found.get(run.folder) or RunState(*run.folder, NOT_BEGUN))
            if run.folder
            else (run, RunState("", "", FAILED, run.note))
            for run in self.runs
        ]


def write_sweep(output_root: Path, sweep: Sweep) -> None:
    """Write the note; a sweep of the same runs takes the place of the older one."""
    runs = sorted(str(run.folder or run.overrides) for run in sweep.runs)
    name = hashlib.sha256(json.dumps(runs).encode()).hexdigest()[:10]
    (output_root / FOLDER).mkdir(parents=True, exist_ok=True)
    write_text(output_root / FOLDER / f"{name}.json", json.dumps(asdict(sweep), indent=1) + "\n")


def find_sweeps(output_root: Path) -> list[Sweep]:
    """All sweeps of which there is a note that can be read, the one launched last comes last."""
    sweeps = []
    for file in (output_root / FOLDER).glob("*.json"):
        try:
            sweeps.append((file.stat().st_mtime_ns, _read(file)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged, so its runs are shown one by one (%s)", file, type(error).__name__)
    return [sweep for _, sweep in sorted(sweeps, key=lambda found: found[0])]


def _read(file: Path) -> Sweep:
    record = read_json(file)
    runs = []
    for run in record["runs"]:
        experiment, label = run["folder"] or ("", "")
        runs.append(SweepRun(str(run["overrides"]), (str(experiment), str(label)) if label else None, str(run["note"])))
    return Sweep(str(record["command"]), str(record["launcher"]), tuple(runs))
