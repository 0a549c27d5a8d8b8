"""A run's folder: found by the hash of its configuration, written beside, and moved into place when it is whole.

`<output_root>/<experiment>/<label>-<hash>/` appears only by renaming a finished attempt. Until then everything lives in
the hidden `.<label>-<hash>/`: the attempt, the checkpoints, which outlive an attempt that was killed, and the shards,
if several jobs share the run.
"""

import hashlib
import json
import logging
import shutil
import time
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from igbaselines.common.files import damaged_files, locked, read_json, read_signed, write_record, write_text
from igbaselines.running.provenance import code_checksum

log = logging.getLogger(__name__)

STATUS, LOG = "status.json", "run.log"
DRAWN = ("tables/", "figures/", "claims.json")  # what is made of the rows, and can be made of them again


def config_hash(config: Mapping[str, Any], without: tuple[str, ...]) -> str:
    """Hash a configuration, leaving out the keys that do not change what is computed."""
    kept = {key: value for key, value in config.items() if key not in without}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:10]


def read_status(folder: Path) -> dict[str, Any]:
    """What a run's or a shard's status.json says; nothing where there is none, or a damaged one."""
    file = folder / STATUS
    found = _read(file)
    if not {"files", "checksum"} & found.keys():
        found.pop("seconds", None)
        return found  # of a failure, or of an earlier version: it vouches for nothing
    try:
        return read_signed(file)
    except (OSError, ValueError):
        return {}


def _read(file: Path) -> dict[str, Any]:
    try:
        found = read_json(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class _Held:
    """A folder that one process at a time works on, with its lock file, and a file of what is known of its job."""

    def __init__(self, path: Path, lock: Path, job: Path) -> None:
        self.path, self._lock, self._job = path, lock, job

    def is_complete(self) -> bool:
        """Whether the work has ended well."""
        return read_status(self.path).get("state") == "complete"

    def is_held(self) -> bool:
        """Whether a process is at it now."""
        return is_held(self._lock)

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes out while a block lasts; the lock ends with its holder."""
        return locked(self._lock, self.path)

    def record_job(self, **details: str) -> None:
        """Remember `id` and `log` of the job that has it, or `state` and `ended` (why) of one that left no status."""
        self._job.parent.mkdir(parents=True, exist_ok=True)
        earlier = {} if "id" in details else self.job_record()  # a new job has not ended as the last one did
        write_text(self._job, json.dumps(earlier | details) + "\n")

    def end_job(self, ended: str) -> None:
        """Remember how a job ended that leaves no status, if it was one that a launcher had started."""
        if self._job.exists():
            self.record_job(state="failed", ended=ended)

    def job_record(self) -> dict[str, str]:
        """What `record_job` remembers."""
        return _read(self._job)


class RunFolder(_Held):
    """The folder of one configuration; its name is the run's label and hash."""

    def __init__(self, output_root: Path, experiment: str, name: str) -> None:
        self.work = output_root / experiment / f".{name}"
        lock = output_root / ".locks" / f"{experiment}-{name}.lock"
        super().__init__(output_root / experiment / name, lock, self.work / "job.json")
        self.attempt = self.work / "attempt"
        self.checkpoints = self.work / "checkpoints"
        self._afresh = self.work / "afresh"

    @classmethod
    def at(cls, path: Path) -> "RunFolder":
        """The folder whose place, or hidden place, is known."""
        return cls(path.parents[1], path.parent.name, path.name.removeprefix("."))

    def recover(self) -> None:
        """Finish what a process that was killed between its last file and its renaming had left to do."""
        if read_status(self.attempt).get("state") == "complete":
            self._move_into_place()

    def damaged(self) -> list[str]:
        """Files of a complete run that are not any more what they were when it ended; the log counts for nothing."""
        status = read_status(self.path)
        return damaged_files(self.path / STATUS, status) if "files" in status else []

    def is_of_other_code(self) -> bool:
        """Whether a complete run was made by other code than today's."""
        return bool(read_status(self.path).get("code") != code_checksum())

    def keep_measured(self, damaged: Collection[str]) -> bool:
        """Take what a complete run has measured over into the attempt, where none of it is damaged."""
        if not damaged or not all(name.startswith(DRAWN) for name in damaged):
            return False
        for name in read_status(self.path)["files"]:
            if not name.startswith(DRAWN):
                (self.attempt / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.path / name, self.attempt / name)
        return True

    def tidy(self) -> None:
        """Remove what a run leaves that was killed between its renaming and its end, or that a launcher wrote since."""
        shutil.rmtree(self.work, ignore_errors=True)

    def begin(self, afresh: bool) -> None:
        """Make room for an attempt.

        `afresh` forgets the checkpoints of earlier attempts too, unless the last one, which was killed, had done so
        already: it goes on like any other.
        """
        if afresh and not self._afresh.exists():
            for folder in (self.checkpoints, *(shard.path for shard in self.shards())):
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.attempt, ignore_errors=True)
        self.attempt.mkdir(parents=True)
        self.checkpoints.mkdir(exist_ok=True)
        if afresh:
            self._afresh.touch()

    def complete(self, **details: Any) -> None:  # noqa: ANN401 (JSON)
        """Declare the attempt complete: its status, which vouches for its files, is written last; then it moves."""
        files = sorted(path for path in self.attempt.rglob("*") if path.is_file() and path.name not in (STATUS, LOG))
        write_record(self.attempt / STATUS, _ended("complete", **details), vouched_for=files)
        self._afresh.unlink(missing_ok=True)
        self._move_into_place()
        self.tidy()

    def fail(self, error: BaseException) -> Path:
        """Declare the attempt failed, and return where; its checkpoints stay, and so does an earlier complete run."""
        write_failure(self.attempt, error)
        self._afresh.unlink(missing_ok=True)
        self._job.unlink(missing_ok=True)
        if self.is_complete():
            return self.attempt
        self._move_into_place()
        return self.path

    def discard(self) -> None:
        """Forget the attempt, leaving the checkpoints where there are any."""
        shutil.rmtree(self.attempt, ignore_errors=True)
        self._afresh.unlink(missing_ok=True)
        for folder in (self.checkpoints, self.work):
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()

    def shard(self, index: int, count: int) -> "ShardFolder":
        """The folder of one of the jobs that share the run."""
        name = f"shard-{index}-of-{count}"
        lock = self._lock.with_name(f"{self._lock.stem}-{name}.lock")
        return ShardFolder(self.work / name, lock, self.work / f"job-{name}.json", count)

    def shards(self) -> "list[ShardFolder]":
        """The shards that have been begun or submitted, in any division."""
        begun, submitted = self.work.glob("shard-*-of-*"), self.work.glob("job-shard-*-of-*.json")
        found = {path.stem.removeprefix("job-") for path in (*begun, *submitted)}
        numbers = sorted((int(count), int(index)) for index, count in (name.split("-")[1::2] for name in found))
        return [self.shard(index, count) for count, index in numbers]

    def _move_into_place(self) -> None:
        previous = self.work / "previous"
        shutil.rmtree(previous, ignore_errors=True)
        if self.path.exists():
            self.path.rename(previous)
        self.attempt.rename(self.path)
        shutil.rmtree(previous, ignore_errors=True)


class ShardFolder(_Held):
    """Where one of so many jobs that share a run keeps its log and says how it ended; its results are checkpoints."""

    def __init__(self, path: Path, lock: Path, job: Path, count: int) -> None:
        super().__init__(path, lock, job)
        self.count = count

    def is_complete(self) -> bool:
        """Whether the work has ended well, and was done by the code of today: its checkpoints are no others'."""
        return super().is_complete() and read_status(self.path).get("code") == code_checksum()

    def seconds(self) -> float:
        """How long the work took that is complete; 0 where none is, or another code has done it."""
        return float(read_status(self.path).get("seconds", 0)) if self.is_complete() else 0.0

    def begin(self) -> None:
        """Make room for an attempt."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)

    def complete(self, seconds: float = 0.0) -> None:
        """Declare the shard complete after so many seconds."""
        write_record(self.path / STATUS, _ended("complete", code=code_checksum(), seconds=seconds))
        self._job.unlink(missing_ok=True)

    def fail(self, error: BaseException) -> Path:
        """Declare the shard failed; returns where that is recorded."""
        write_failure(self.path, error)
        self._job.unlink(missing_ok=True)
        return self.path


def write_failure(folder: Path, error: BaseException) -> None:
    """Say what an attempt failed of."""
    lines = traceback.format_exception(error)
    status = _ended("failed", error=f"{type(error).__name__}: {error}", traceback="".join(lines))
    write_text(folder / STATUS, json.dumps(status, indent=2) + "\n")


def _ended(state: str, **details: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    """How an attempt ended: `complete` or `failed`, and when."""
    return {"state": state, "ended": time.strftime("%Y-%m-%dT%H:%M:%S%z")} | details


def is_held(file: Path) -> bool:
    """Whether a process holds a lock file."""
    if not file.exists():
        return False
    try:
        with FileLock(file).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that can only be read: nobody writes there
        return False


def data_changed(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether a file of the user's is another than the one that a complete run was made from."""
    try:
        recorded = set(read_json(folder / "provenance.json")["checksums"].values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return True  # damaged since
    current = [source.checksum() for source in _sources(settings)]
    return any(checksum is not None and checksum not in recorded for checksum in current)


def _sources(settings: object) -> Iterator[Any]:
    """What a run is made from that may change outside of its configuration: whatever has a checksum."""
    if hasattr(settings, "checksum"):
        yield settings
    elif isinstance(settings, dict) or is_dataclass(settings):
        for part in (settings if isinstance(settings, dict) else vars(settings)).values():
            yield from _sources(part)
