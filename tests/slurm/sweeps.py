"""Sweeps on the tests' cluster: launched as a user launches them, their jobs held up, and what they left behind."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from igbaselines.running.run_folder import RunFolder
from igbaselines.running.states import RunState, find_states
from tests.launching.conftest import without_seconds
from tests.slurm.conftest import Cluster, until

ROOT = Path(__file__).parents[2]
PATIENCE = 200.0  # seconds: for what takes 30 where nothing else has to be done
# Six seconds of a core, most of them imports.
RUN: tuple[str, ...] = ("experiment=hep_weightings", "scale=smoke", "evaluation.networks=3", "dataset.n_events=2000")
RUN += ("model.max_epochs=1", "attribution.signal_events=20")
ON_CLUSTER = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=2")


@dataclass(frozen=True)
class Launcher:
    """A running `python run.py ...`; it leads a process group, as in a terminal."""

    process: "subprocess.Popen[bytes]"
    output: Path

    def text(self) -> str:
        """What it has printed so far."""
        return self.output.read_text()

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Its exit code and what it printed."""
        return self.process.wait(PATIENCE), self.text()


@dataclass
class Sweep:
    """A command for a sweep, with an output root of its own.

    Args:
        cluster: that it is launched on.
        folder: of the output and data roots.
        words: of the command line.
        launchers: that have been started.
    """

    cluster: Cluster
    folder: Path
    words: tuple[str, ...]
    launchers: list[Launcher] = field(default_factory=list)

    def launch(self) -> Launcher:
        """Start the command."""
        self.folder.mkdir(exist_ok=True)
        output = self.folder / f"launcher-{len(self.launchers)}.txt"
        places = (f"output_root={self.output_root}", f"data_root={self.folder / 'data'}")
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, ROOT / "run.py", *RUN, *self.words, *places],
                env=self.cluster.env | {"OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.launchers.append(Launcher(process, output))
        return self.launchers[-1]

    @property
    def output_root(self) -> Path:
        return self.folder / "outputs"

    def states(self) -> list[RunState]:
        """The state of each run, from its files and its lock."""
        return find_states(self.output_root)

    def running(self) -> int:
        """How many runs a process is at."""
        return sum(state.state == "running" for state in self.states())

    def submitted(self) -> list[str]:
        """Ids of all jobs that were ever submitted."""
        files = self.output_root.glob(".sweeps/slurm/*/*/*_submitted.pkl")
        return sorted(file.name.removesuffix("_submitted.pkl") for file in files)

    def logs(self) -> list[str]:
        """What each job has printed, in all its attempts."""
        return [file.read_text() for file in sorted(self.output_root.glob(".sweeps/slurm/*/*/*_log.out"))]

    def folder_of(self, job: str) -> RunFolder | None:
        """The folder of the run that a job is at, once that is written down."""
        folders = [RunFolder.at(state.folder) for state in self.states()]
        return next(
            (
                folder
                for folder in folders
                if job in [place.job_record().get("id") for place in (folder, *folder.shards())]
            ),
            None,
        )

    def checkpoints(self, job: str) -> dict[str, tuple[int, int]]:
        """The finished parts of the run that a job is at: inode and time of each file, which nobody may write again."""
        folder = self.folder_of(job)
        files = [] if folder is None else folder.checkpoints.rglob("networks-*")
        return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}

    def worker(self, job: str) -> psutil.Process | None:
        """The process that does a job's work, once there is one: SLURM's own child, and not what that may fork."""
        for pid in self.cluster.pids_of(job):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if "submitit.core._submit" in process.cmdline() and _name_of(process.parent()) == "slurmstepd":
                    return process
        return None

    def worker_with_checkpoint(self, job: str) -> psutil.Process:
        """The process that does a job's work, when the first part of it is done."""
        until(lambda: len(self.checkpoints(job)) > 0, f"job {job} has a checkpoint", PATIENCE)
        worker = self.worker(job)
        assert worker is not None
        return worker

    def freeze(self, jobs: int) -> list[psutil.Process]:
        """Hold up so many jobs as soon as they have begun: they need no core, and end when the test wants it."""
        until(lambda: len(self.submitted()) == jobs, f"{jobs} jobs are submitted", PATIENCE)
        until(lambda: all(self.worker(job) for job in self.submitted()), "they have begun", PATIENCE)
        workers = [worker for job in self.submitted() if (worker := self.worker(job))]
        for worker in workers:
            worker.suspend()
        return workers

    def kill_launchers(self) -> None:
        """End those that a failed test has left."""
        for launcher in self.launchers:
            launcher.process.kill()
            launcher.process.wait()


def _name_of(process: psutil.Process | None) -> str:
    return "" if process is None else process.name()


def rows_of(folder: Path) -> pd.DataFrame:
    """The rows of a complete run, in an order of their own, without those that tell how long something took."""
    rows = without_seconds(pd.read_parquet(folder / "rows.parquet"))
    return rows.sort_values([name for name in rows.columns if name != "value"]).reset_index(drop=True)


def has_pending(process: psutil.Process, signum: signal.Signals) -> bool:
    """Whether a frozen process has been sent a signal."""
    status = dict(line.split(":\t") for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return any(int(status[name], 16) >> (signum - 1) & 1 for name in ("SigPnd", "ShdPnd"))
