"""A process that has imported torch and what else is slow, and forks into each `python run.py ...` that it is told of.

What it forks into is what a user starts: the same code as `__main__`, with arguments, environment and output of its
own, which ends as any process does. Only the seconds of importing other people's packages are saved.
"""

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LATEST = 300  # seconds that a command may take
ONE_AT_A_TIME = threading.Lock()
SERVE = """
import gc, json, os, sys
import hydra, matplotlib.figure, numpy, pandas, scipy.stats, sklearn.metrics, torch, yaml
from tests.prepared import become
gc.freeze()  # or each child would copy the memory of all these modules, only to find no garbage there
for line in sys.stdin:
    child = os.fork()
    if not child:
        become(**json.loads(line))
        break
    os.write(1, b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def environment() -> dict[str, str]:
    """What a user has who has not asked Hydra for tracebacks."""
    return {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"}


@cache
def _server() -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SERVE]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    atexit.register(server.communicate)  # closes its standard input, with which it ends
    return server


def run(command: Sequence[str], folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run` gives for `python script ...`, in a folder other than the current one if need be.

    Packages that read an environment variable when they are imported have seen that of the first command.
    """
    python, *arguments = command
    assert python == sys.executable
    with ONE_AT_A_TIME, tempfile.TemporaryDirectory() as scratch:
        server, out, err = _server(), Path(scratch) / "out", Path(scratch) / "err"
        assert server.stdin is not None
        assert server.stdout is not None
        told = {
            "arguments": arguments,
            "environment": environment(),
            "folder": str(folder or Path.cwd()),
            "streams": [os.devnull, str(out), str(err)],
        }
        server.stdin.write(json.dumps(told) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        said = [path.read_text(encoding="utf-8") for path in (out, err)]
    if code == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(command, LATEST, *said)
    return subprocess.CompletedProcess(command, code, *said)


def become(arguments: list[str], environment: dict[str, str], folder: str, streams: list[str]) -> None:
    """Turn this process into `python *arguments` and run it."""
    for number, (path, mode) in enumerate(zip(streams, (os.O_RDONLY, *2 * (os.O_WRONLY | os.O_CREAT,)), strict=True)):
        opened = os.open(path, mode)
        os.dup2(opened, number)
        os.close(opened)
    signal.alarm(LATEST)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).parent)
    runpy.run_path(arguments[0], run_name="__main__")
