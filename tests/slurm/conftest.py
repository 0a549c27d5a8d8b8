"""A real SLURM cluster on this machine, brought up once for the tests that ask for it and taken down at their end."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts" / "slurm"
CANNOT_BE_HAD_HERE = 3  # up.sh's exit code without root, or without SLURM and a way to install it
SAVED_AFTER = 6  # seconds: slurmctld writes down what has changed every five, and a crash forgets younger jobs


@dataclass(frozen=True)
class Cluster:
    """The cluster whose state lies in `folder`; `env` is the environment of whoever uses it."""

    folder: Path
    env: dict[str, str]

    def run(self, *command: str | Path, check: bool = True, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run a command, such as `scontrol`, as a user of the cluster does."""
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=check, timeout=timeout)

    def submit(self, script: str, *options: str) -> str:
        """Hand a shell script to sbatch, with 100 MB if the options say nothing else; returns the job's id."""
        options = ("--mem=100", "--output=/dev/null", *options)
        return self.run("sbatch", "--parsable", *options, f"--wrap={script}").stdout.strip()

    def records(self, job: str) -> list[dict[str, str]]:
        """What SLURM knows of a job (`7`), a task of an array (`7_0`) or each task of one (`7`)."""
        lines = self.run("scontrol", "--oneliner", "show", "job", job).stdout.splitlines()
        return [dict(word.partition("=")[::2] for word in reversed(line.split())) for line in lines]

    def states(self, job: str) -> dict[str, str]:
        """The state of each task of an array; those that wait together share a key, such as `2-3%2`."""
        return {record["ArrayTaskId"]: record["JobState"] for record in self.records(job)}

    def state(self, job: str) -> str:
        """The state of a job (`7`) or of a task of an array (`7_0`)."""
        (record,) = self.records(job)
        return record["JobState"]

    def wait_for(self, job: str, state: str, seconds: float = 30) -> None:
        until(lambda: self.state(job) == state, f"{job} is {state}", seconds)

    def pids_of(self, job: str) -> list[int]:
        """The processes of a running job or task: its script, srun, and what they started; at its very start none."""
        (record,) = self.records(job)
        listed = self.run("scontrol", "listpids", record["JobId"], record["NodeList"], check=False).stdout.splitlines()
        return [pid for line in listed[1:] if (pid := int(line.split()[0])) > 0]

    def kill_controller(self) -> None:
        """Kill slurmctld as a crash does, once it has saved the jobs that it has; those that run go on."""
        time.sleep(SAVED_AFTER)
        pid = int((self.folder / "pid" / "slurmctld").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in self.processes(), "slurmctld is gone")

    def start_controller(self) -> None:
        up(self.folder)

    def processes(self) -> list[int]:
        """All processes of the cluster and of its users, but this one."""
        return [process.pid for process in psutil.process_iter() if process.pid != os.getpid() and self._has(process)]

    def _has(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            uses_it: bool = process.environ().get("SLURM_CONF") == self.env["SLURM_CONF"]
            return uses_it or process.cwd() == str(self.folder)  # SLURM's own overwrite their environment
        except psutil.Error:  # it ended meanwhile
            return False


def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for a condition, and fail where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def up(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Bring a cluster up; where none can be had the test is skipped, but not in CI, where there must be one."""
    result = subprocess.run([SCRIPTS / "up.sh", folder], stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    if result.returncode == CANNOT_BE_HAD_HERE and os.environ.get("CI") != "true":
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr
    return result


def down(folder: Path) -> None:
    subprocess.run([SCRIPTS / "down.sh", folder], check=True, timeout=120)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster in a folder of its own, of which nothing is left afterwards.

    Not in pytest's folders: their paths are too long for sockets.
    """
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name).resolve()
        try:
            up(folder)
            sourced = subprocess.check_output(["bash", "-c", '. "$0" && env -0', folder / "env.sh"], text=True)
            cluster = Cluster(folder, dict(line.split("=", 1) for line in sourced.split("\0") if line))
            yield cluster
        finally:
            down(folder)
        until(lambda: not cluster.processes(), "no process is left")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that tests share: two nodes of four CPUs, partitions main, low and high."""
    with running_cluster() as cluster:
        yield cluster
