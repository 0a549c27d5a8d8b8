"""A run's folder: found by the hash of its configuration, written beside, and moved into place when it is whole.

`<output_root>/<experiment>/<label>-<hash>/` appears only by renaming a finished attempt. Until then everything lives in
the hidden `.<label>-<hash>/`: the attempt, and the checkpoints, which outlive an attempt that was killed.
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


class RunFolder:
    """The folder of one configuration.

    Args:
        output_root: folder of all runs.
        experiment: name of the experiment.
        name: label and hash of the run.
    """

    def __init__(self, output_root: Path, experiment: str, name: str) -> None:
        self.path = output_root / experiment / name
        self._work = output_root / experiment / f".{name}"
        self.attempt = self._work / "attempt"
        self.checkpoints = self._work / "checkpoints"
        self._lock = output_root / ".locks" / f"{experiment}-{name}.lock"

    def is_complete(self) -> bool:
        """Whether the run has ended well."""
        return _state(self.path) == "complete"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out of this run while the block lasts; the lock ends with its holder."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("another process is at %s: waiting for it", self.path)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def recover(self) -> None:
        """Finish what a process that was killed between its last file and its renaming had left to do."""
        if _state(self.attempt) == "complete":
            self._move_into_place()
        if self.is_complete() and not self.attempt.exists():
            shutil.rmtree(self._work, ignore_errors=True)

    def begin(self, afresh: bool) -> None:
        """Make room for an attempt.

        Args:
            afresh: forget the checkpoints of earlier attempts too.
        """
        if afresh:
            shutil.rmtree(self._work, ignore_errors=True)
        shutil.rmtree(self.attempt, ignore_errors=True)
        self.attempt.mkdir(parents=True)
        self.checkpoints.mkdir(exist_ok=True)

    def complete(self, **details: Any) -> None:  # noqa: ANN401 (JSON)
        """Declare the attempt complete: its status is written last, then it is moved into place."""
        self._write_status("complete", **details)
        self._move_into_place()
        shutil.rmtree(self._work)

    def fail(self, error: BaseException) -> Path:
        """Declare the attempt failed; its checkpoints stay, and so does an earlier complete run.

        Returns:
            The folder where the failure is recorded.
        """
        lines = traceback.format_exception(error)
        self._write_status("failed", error=f"{type(error).__name__}: {error}", traceback="".join(lines))
        if self.is_complete():
            return self.attempt
        self._move_into_place()
        return self.path

    def discard(self) -> None:
        """Forget the attempt, leaving the checkpoints where there are any."""
        shutil.rmtree(self.attempt, ignore_errors=True)
        if self.checkpoints.exists() and not any(self.checkpoints.iterdir()):
            shutil.rmtree(self._work)

    def _write_status(self, state: str, **details: Any) -> None:  # noqa: ANN401 (JSON)
        status = {"state": state, "ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **details}
        write_text(self.attempt / "status.json", json.dumps(status, indent=2) + "\n")

    def _move_into_place(self) -> None:
        previous = self._work / "previous"
        shutil.rmtree(previous, ignore_errors=True)
        if self.path.exists():
            self.path.rename(previous)
        self.attempt.rename(self.path)
        shutil.rmtree(previous, ignore_errors=True)


def _state(folder: Path) -> str | None:
    try:
        status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return str(status.get("state")) if isinstance(status, dict) else None
