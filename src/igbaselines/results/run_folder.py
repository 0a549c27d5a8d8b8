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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from igbaselines.files import write_text

log = logging.getLogger(__name__)


def config_hash(config: Mapping[str, Any], without: tuple[str, ...]) -> str:
    """Hash a configuration, leaving out the keys that do not change what is computed."""
    kept = {key: value for key, value in config.items() if key not in without}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:10]


def read_status(folder: Path) -> dict[str, Any]:
    """What a run's or a shard's status.json says; nothing where there is none, or a damaged one."""
    try:
        status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


class RunFolder:
    """The folder of one configuration.

    Args:
        output_root: folder of all runs.
        experiment: name of the experiment.
        name: label and hash of the run.
    """

    def __init__(self, output_root: Path, experiment: str, name: str) -> None:
        self.path = output_root / experiment / name
        self.work = output_root / experiment / f".{name}"
        self.attempt = self.work / "attempt"
        self.checkpoints = self.work / "checkpoints"
        self._lock = output_root / ".locks" / f"{experiment}-{name}.lock"

    @classmethod
    def at(cls, path: Path) -> "RunFolder":
        """The folder whose place, or hidden place, is known."""
        return cls(path.parents[1], path.parent.name, path.name.removeprefix("."))

    def is_complete(self) -> bool:
        """Whether the run has ended well."""
        return read_status(self.path).get("state") == "complete"

    def is_held(self) -> bool:
        """Whether a process is at the run now."""
        return is_held(self._lock)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out of this run while the block lasts; the lock ends with its holder."""
        with alone(self._lock, self.path):
            yield

    def recover(self) -> None:
        """Finish what a process that was killed between its last file and its renaming had left to do."""
        if read_status(self.attempt).get("state") == "complete":
            self._move_into_place()
        if self.is_complete() and not self.attempt.exists():
            shutil.rmtree(self.work, ignore_errors=True)

    def begin(self, afresh: bool) -> None:
        """Make room for an attempt.

        Args:
            afresh: forget the checkpoints of earlier attempts too.
        """
        if afresh:
            shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.attempt, ignore_errors=True)
        self.attempt.mkdir(parents=True)
        self.checkpoints.mkdir(exist_ok=True)

    def complete(self, **details: Any) -> None:  # noqa: ANN401 (JSON)
        """Declare the attempt complete: its status is written last, then it is moved into place."""
        write_status(self.attempt, "complete", **details)
        self._move_into_place()
        shutil.rmtree(self.work)

    def fail(self, error: BaseException) -> Path:
        """Declare the attempt failed; its checkpoints stay, and so does an earlier complete run.

        Returns:
            The folder where the failure is recorded.
        """
        write_failure(self.attempt, error)
        self._job_file(None).unlink(missing_ok=True)
        if self.is_complete():
            return self.attempt
        self._move_into_place()
        return self.path

    def discard(self) -> None:
        """Forget the attempt, leaving the checkpoints where there are any."""
        shutil.rmtree(self.attempt, ignore_errors=True)
        for folder in (self.checkpoints, self.work):
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()

    def record_job(self, shard: int | None, **details: str) -> None:
        """Remember which job has the run, or a shard of it, and how the last one ended that left no status.

        Args:
            shard: index of the shard, or None for the whole run.
            details: `id` and `log` of a job that was submitted, `state` and `ended` (why) of one that is over.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        earlier = {} if "id" in details else self.job_record(shard)  # a new job has not ended as the last one did
        write_text(self._job_file(shard), json.dumps(earlier | details) + "\n")

    def end_job(self, shard: int | None, ended: str) -> None:
        """Remember how a job ended that leaves no status, if it was one that a launcher had started."""
        if self._job_file(shard).exists():
            self.record_job(shard, state="failed", ended=ended)

    def job_record(self, shard: int | None) -> dict[str, str]:
        """What `record_job` remembers."""
        return _job_record(self._job_file(shard))

    def job_records(self) -> list[dict[str, str]]:
        """What `record_job` remembers of the run and of all its shards."""
        return [_job_record(file) for file in sorted(self.work.glob("job*.json"))]

    def _job_file(self, shard: int | None) -> Path:
        return self.work / ("job.json" if shard is None else f"job-{shard}.json")

    def shard(self, index: int, count: int) -> "ShardFolder":
        """The folder of one of the jobs that share the run."""
        name = f"shard-{index}-of-{count}"
        return ShardFolder(self.work / name, count, self._lock.with_name(f"{self._lock.stem}-{name}.lock"))

    def shards(self) -> "list[ShardFolder]":
        """The shards that have been begun, in any division."""
        numbers = [path.name.split("-")[1::2] for path in sorted(self.work.glob("shard-*-of-*"))]
        return [self.shard(int(index), int(count)) for index, count in numbers]

    def _move_into_place(self) -> None:
        previous = self.work / "previous"
        shutil.rmtree(previous, ignore_errors=True)
        if self.path.exists():
            self.path.rename(previous)
        self.attempt.rename(self.path)
        shutil.rmtree(previous, ignore_errors=True)


def _job_record(file: Path) -> dict[str, str]:
    try:
        record: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record


class ShardFolder:
    """Where one of the jobs that share a run keeps its log and says how it ended; results are the run's checkpoints.

    Args:
        path: the folder.
        count: shards of the run.
        lock: of this shard.
    """

    def __init__(self, path: Path, count: int, lock: Path) -> None:
        self.path = path
        self.count = count
        self._lock = lock

    def is_complete(self) -> bool:
        """Whether all units of the shard have their checkpoints."""
        return read_status(self.path).get("state") == "complete"

    def is_held(self) -> bool:
        """Whether a process is at the shard now."""
        return is_held(self._lock)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out of this shard while the block lasts; the lock ends with its holder."""
        with alone(self._lock, self.path):
            yield

    def begin(self) -> None:
        """Make room for an attempt."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)

    def complete(self) -> None:
        """Declare the shard complete."""
        write_status(self.path, "complete")

    def fail(self, error: BaseException) -> Path:
        """Declare the shard failed; returns where that is recorded."""
        write_failure(self.path, error)
        return self.path


def write_status(folder: Path, state: str, **details: Any) -> None:  # noqa: ANN401 (JSON)
    """Say how an attempt ended: `complete` or `failed`, and when."""
    status = {"state": state, "ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **details}
    write_text(folder / "status.json", json.dumps(status, indent=2) + "\n")


def write_failure(folder: Path, error: BaseException) -> None:
    """Say what an attempt failed of."""
    lines = traceback.format_exception(error)
    write_status(folder, "failed", error=f"{type(error).__name__}: {error}", traceback="".join(lines))


@contextmanager
def alone(file: Path, what: Path) -> Iterator[None]:
    """Hold a lock file while the block lasts, waiting for its holder if need be; the lock ends with its holder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is at %s: waiting for it", what)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


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
