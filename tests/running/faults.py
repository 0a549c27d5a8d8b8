"""What the tests of faults share: runs in a session of their own, signs of how far they are, and rows to compare."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import psutil

from tests.commands import Command
from tests.launching.conftest import without_seconds

Sign = Callable[[], bool]  # whether a run has come so far
# seconds: a worker notices that its parent is gone once it has been imported, Python's resource tracker a moment later
NO_WORKERS_LEFT = 30
# The smallest run that generates events, trains, attributes and draws: 8 seconds of one core.
SMALL = (
    "experiment=hep_weightings",
    "scale=smoke",
    "dataset=hep_synthetic",
    "dataset.n_events=2000",
    "model.max_epochs=1",
    "evaluation.networks=1",
    "attribution.signal_events=20",
)


def start(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Start a command in a session of its own, as a terminal gives it one."""
    environment = {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"}
    return subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True, env=environment | dict(env or {}), start_new_session=True
    )


@contextmanager
def started(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A command in a session of its own, of which nothing is left afterwards."""
    with start(arguments, env) as process:
        try:
            yield process
        finally:
            kill_session(process.pid)


def kill_session(leader: int) -> None:
    """Kill what is left of a session."""
    for pid in alive_in_session(leader):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def alive_in_session(leader: int) -> list[int]:
    """Processes of a session, but for the dead that wait to be noticed."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if process.pid and os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def expect_nobody_left(leader: int) -> None:
    """Check that a session ends with its leader."""
    until(lambda: not alive_in_session(leader), "no process of the session is left", NO_WORKERS_LEFT)


def press_ctrl_c(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    """Send what a terminal does, to every process in the foreground; returns how the command ended."""
    os.killpg(process.pid, signal.SIGINT)
    return ended(process)


def ended(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    """Wait for a command's end."""
    _, said = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, "", said)


def wait_for(sign: Sign, process: "subprocess.Popen[str]") -> None:
    """Wait until a run has come so far."""
    until(lambda: sign() or process.poll() is not None, "the sign", 120)
    assert process.poll() is None, f"it ended before the sign:\n{process.communicate()[1]}"


def until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait for a condition, and fail where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def there(root: Path, pattern: str) -> Sign:
    """The sign that a file is there."""
    return lambda: any(root.glob(pattern))


def checkpointed(command: Command, pattern: str = "*.*") -> Sign:
    """The sign that a run has kept something."""
    return there(command.outputs, f"*/.*/checkpoints/**/[!.]{pattern}")


def logged(command: Command, text: str) -> Sign:
    """The sign that a run has said something."""
    return lambda: any(text in log.read_text() for log in command.outputs.glob("*/.*/attempt/run.log"))


def finished(command: Command, *overrides: str) -> pd.DataFrame:
    """Let a run end by itself; returns what it has measured."""
    result = command(*overrides)
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    # nothing lies beside it, nor any unfinished file in it
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert not [path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"]
    return measured(folder)


def measured(folder: Path) -> pd.DataFrame:
    """The rows of a run, but for the seconds that it took."""
    return without_seconds(pd.read_parquet(folder / "rows.parquet"))


def check_equal(rows: pd.DataFrame, undisturbed: pd.DataFrame) -> None:
    """Check that a run has measured what the undisturbed run has, to the last bit."""
    pd.testing.assert_frame_equal(rows, undisturbed, check_exact=True)
