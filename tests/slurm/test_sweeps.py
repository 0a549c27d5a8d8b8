"""Sweeps on a real cluster, and what may befall them there; the run folders tell how they ended, not SLURM.

Most of these minutes are SLURM's pauses: several scenes play at once, and each test looks how one of them went.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.slurm.conftest import Cluster, running_cluster, until
from tests.slurm.sweeps import ON_CLUSTER, PATIENCE, ROOT, RUN, Sweep, has_pending, rows_of

pytestmark = pytest.mark.slurm

AT_ONCE = 5  # more would keep one another waiting for a core


@dataclass
class Stage:
    """What the scenes share.

    Args:
        cluster: whose controller stays up.
        folder: for the sweeps.
        undisturbed: the rows that the run has without a cluster.
        sweeps: all of them.
    """

    cluster: Cluster
    folder: Path
    undisturbed: "Future[pd.DataFrame]"
    sweeps: list[Sweep] = field(default_factory=list)

    def sweep(self, name: str, *words: str, cluster: Cluster | None = None) -> Sweep:
        """A sweep with folders of its own."""
        sweep = Sweep(cluster or self.cluster, self.folder / name, (*ON_CLUSTER, *words))
        self.sweeps.append(sweep)
        return sweep

    def assert_rows(self, folder: Path) -> None:
        pd.testing.assert_frame_equal(rows_of(folder), self.undisturbed.result(PATIENCE), check_exact=True)


def at_its_time_limit_it_goes_on_from_its_checkpoints(stage: Stage) -> None:
    def take_time_away(job: str, worker: psutil.Process) -> None:
        (record,) = sweep.cluster.records(job)
        minutes = int(record["RunTime"].split(":")[1])
        # Now the two minutes' notice is due; slurmctld looks every 30 seconds.
        sweep.cluster.run("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes + 2}")
        _thaw_when_told(worker, signal.SIGUSR2)
        sweep.cluster.run("scontrol", "update", f"JobId={job}", "TimeLimit=10")

    sweep = stage.sweep("limit", "hydra.launcher.timeout_min=10", "hydra.launcher.signal_delay_s=120")
    _interrupted(stage, sweep, take_time_away)


def preempted_it_goes_on_from_its_checkpoints(stage: Stage) -> None:
    def take_place_away(job: str, worker: psutil.Process) -> None:
        (record,) = sweep.cluster.records(job)
        gpu = ("--partition=high", "--gres=gpu:1", f"--nodelist={record['NodeList']}")
        high = sweep.cluster.submit("sleep 1", *gpu)
        _thaw_when_told(worker, signal.SIGUSR2)
        sweep.cluster.wait_for(high, "COMPLETED", PATIENCE)

    sweep = stage.sweep("low", "hydra.launcher.partition=low", "hydra.launcher.gpus_per_node=1")
    _interrupted(stage, sweep, take_place_away)


def by_a_term_alone_it_goes_back_into_the_queue_too(stage: Stage) -> None:
    """What a preempted job gets from SLURM where `preempt_send_user_signal` is not set."""

    def send_term(job: str, worker: psutil.Process) -> None:
        sweep.cluster.run("scancel", "--signal=TERM", job)
        _thaw_when_told(worker, signal.SIGTERM)

    sweep = stage.sweep("term")
    _interrupted(stage, sweep, send_term)


def cancelled_by_its_user_it_stays_away(stage: Stage) -> None:
    sweep = stage.sweep("cancelled")
    launcher = sweep.launch()
    job, worker = _frozen(sweep)
    sweep.cluster.run("scancel", job)
    code, text = launcher.end()
    assert code == 1
    assert "SLURM says CANCELLED" in text
    assert not worker.is_running()
    assert sweep.cluster.run("squeue", "--noheader", f"--jobs={job}", check=False).stdout == ""
    (state,) = sweep.states()
    assert state.state == "interrupted"
    assert not state.folder.exists()


def _frozen(sweep: Sweep) -> tuple[str, psutil.Process]:
    """The job of a sweep of one run, and its process, held up when it has done a part of its work."""
    until(lambda: len(sweep.submitted()) == 1, "the job is submitted", PATIENCE)
    (job,) = sweep.submitted()
    worker = sweep.worker_with_checkpoint(job)
    worker.suspend()
    return job, worker


def _interrupted(stage: Stage, sweep: Sweep, interrupt: Callable[[str, psutil.Process], None]) -> None:
    """Launch a sweep of one run, and interrupt it when it has done a part of its work."""
    launcher = sweep.launch()
    job, worker = _frozen(sweep)
    folder, kept = sweep.folder_of(job), sweep.checkpoints(job)
    assert folder is not None
    begun = (folder.attempt / "run.log").read_text().splitlines()[0]  # with the time
    interrupt(job, worker)
    seen = {name: {identity} for name, identity in kept.items()}
    while launcher.process.poll() is None:
        with suppress(FileNotFoundError):  # once the run is complete
            for name, identity in sweep.checkpoints(job).items():
                seen.setdefault(name, set()).add(identity)
        time.sleep(0.1)
    code, text = launcher.end()
    assert (code, sweep.submitted()) == (0, [job]), text
    assert "1 complete" in text
    assert not (folder.path / "run.log").read_text().startswith(begun)  # there was a second attempt
    assert {name: len(seen[name]) for name in kept} == dict.fromkeys(kept, 1)  # which did nothing twice
    stage.assert_rows(folder.path)


def _thaw_when_told(worker: psutil.Process, signum: signal.Signals) -> None:
    """Let a frozen job act upon its signal."""
    with suppress(
        FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess
    ):  # SLURM may have done so, and the job have ended
        until(lambda: has_pending(worker, signum), "the job is told to go", PATIENCE)
        worker.resume()
    until(lambda: not worker.is_running(), "the job goes", PATIENCE)


def two_at_a_time_one_is_killed_and_only_that_one_is_run_again(stage: Stage) -> None:
    sweep = stage.sweep("array", "seed=0,1,2", "hydra.launcher.array_parallelism=2")
    launcher = sweep.launch()
    until(lambda: len(sweep.submitted()) == 3, "the array is submitted", PATIENCE)
    killed = sweep.submitted()[0]
    worker = sweep.worker_with_checkpoint(killed)
    folder = sweep.folder_of(killed)
    assert folder is not None
    worker.suspend()
    until(lambda: sweep.running() == 2, "another one runs beside it", PATIENCE)
    worker.kill()
    while launcher.process.poll() is None:
        assert sweep.running() <= 2
        time.sleep(0.5)
    code, text = launcher.end()
    assert code == 1, text
    assert "SLURM says FAILED, SIGKILL" in text
    assert "2 complete, 1 killed" in text
    assert sorted(state.state for state in sweep.states()) == ["complete", "complete", "interrupted"]
    assert not folder.path.exists()
    finished = {state.folder: (state.folder / "status.json").stat() for state in sweep.states() if state.ended}

    code, text = sweep.launch().end()
    assert code == 0, text
    assert "2 skipped, 1 complete" in text
    assert len(sweep.submitted()) == 4
    assert all((path / "status.json").stat() == status for path, status in finished.items())
    stage.assert_rows(folder.path)

    code, text = sweep.launch().end()
    assert code == 0, text
    assert "3 skipped" in text
    assert len(sweep.submitted()) == 4


def what_breaks_says_so_in_its_folder(stage: Stage) -> None:
    sweep = stage.sweep("broken", "model.learning_rate=1e30", "attribution.signal_events=20,100000")
    code, text = sweep.launch().end()
    assert code == 1
    assert "2 failed" in text, text
    broken, mistaken = sorted(sweep.states(), key=lambda state: "diverged" not in state.note)
    assert broken.state == "failed"
    assert broken.last_lines.splitlines()[-1].startswith("FloatingPointError: training diverged")
    assert "Traceback (most recent call last)" in (broken.folder / "run.log").read_text()
    assert not (broken.folder / "rows.parquet").exists()
    assert mistaken.state == "failed"
    assert "attribution.signal_events=100000" in mistaken.note
    assert mistaken.note in text
    assert not mistaken.folder.exists()


def above_its_memory_it_is_killed_and_the_summary_says_what_to_do(stage: Stage) -> None:
    sweep = stage.sweep("memory", "hydra.launcher.mem_gb=null", "+hydra.launcher.additional_parameters={mem: 300M}")
    code, text = sweep.launch().end()
    assert code == 1
    note = "out of memory, of which hydra.launcher.mem_gb gives a job more (SLURM says FAILED, SIGKILL)"
    assert note in text
    (state,) = sweep.states()
    assert (state.state, state.note) == ("interrupted", note)
    assert not state.folder.exists()


def shards_are_put_together_though_the_controller_dies(stage: Stage) -> None:
    with running_cluster() as cluster:
        sweep = stage.sweep("shards", "shard.count=3", cluster=cluster)
        launcher = sweep.launch()
        workers = sweep.freeze(3)
        cluster.kill_controller()
        until(lambda: "SLURM does not answer" in launcher.text(), "the launcher has noticed", PATIENCE)
        for worker in workers:
            worker.resume()
        cluster.start_controller()
        code, text = launcher.end()
        assert (code, len(sweep.submitted())) == (0, 3), text
        assert "3 complete" in text
        (state,) = sweep.states()
        stage.assert_rows(state.folder)


def what_sbatch_would_refuse_is_told_in_a_line(stage: Stage) -> None:
    for name, override, words in (
        ("partition", "partition=nonsense", "sbatch refused the jobs: invalid partition specified: nonsense"),
        ("cores", "cpus_per_task=null", "hydra.launcher.cpus_per_task must be a number from 1, .*, got None"),
    ):
        sweep = stage.sweep(name, f"hydra.launcher.{override}", "seed=0,1")
        code, text = sweep.launch().end()
        assert code == 2
        (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
        assert re.match(f"error: {words}", line), line
        assert sweep.submitted() == []
        assert sweep.states() == []


def a_job_runs_in_the_python_that_was_given(stage: Stage) -> None:
    """As in a container: another command starts Python there."""
    wrapper = stage.folder / "wrapped" / "python.sh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> "$0.calls"\nexec {sys.executable} "$@"\n')
    sweep = stage.sweep("wrapped_runs", f"hydra.launcher.python='sh {wrapper}'", "seed=0,1")
    code, text = sweep.launch().end()
    assert code == 0, text
    assert [state.state for state in sweep.states()] == ["complete"] * 2
    assert Path(f"{wrapper}.calls").read_text().count("-m submitit.core._submit") == 2


def launchers_at_once_and_one_that_is_interrupted_do_nothing_twice(stage: Stage) -> None:
    sweep = stage.sweep("together", "seed=0,1")
    first, second = sweep.launch(), sweep.launch()
    workers = sweep.freeze(2)
    adopted = "2 jobs are in SLURM's queue already"
    until(lambda: [adopted in one.text() for one in (first, second)].count(True) == 1, "the later adopts", PATIENCE)
    first.interrupt()
    code, text = first.end()
    assert code == 130
    assert "2 still running" in text
    assert (
        f"the jobs go on, and the same command waits for them again; `scancel {sweep.submitted()[0].split('_')[0]}`"
        in text
    )
    third = sweep.launch()
    until(lambda: adopted in third.text(), "the same command picks the jobs up", PATIENCE)
    for worker in workers:
        worker.resume()
    for launcher in (second, third):
        code, text = launcher.end()
        assert code == 0, text
        assert "2 complete" in text
    assert len(sweep.submitted()) == 2
    assert [log.count("hep_weightings on cpu") for log in sweep.logs()] == [1, 1]
    assert [state.state for state in sweep.states()] == ["complete", "complete"]


SCENES: list[Callable[[Stage], None]] = [  # the longest first
    two_at_a_time_one_is_killed_and_only_that_one_is_run_again,
    at_its_time_limit_it_goes_on_from_its_checkpoints,
    preempted_it_goes_on_from_its_checkpoints,
    by_a_term_alone_it_goes_back_into_the_queue_too,
    shards_are_put_together_though_the_controller_dies,
    launchers_at_once_and_one_that_is_interrupted_do_nothing_twice,
    what_breaks_says_so_in_its_folder,
    above_its_memory_it_is_killed_and_the_summary_says_what_to_do,
    cancelled_by_its_user_it_stays_away,
    a_job_runs_in_the_python_that_was_given,
    what_sbatch_would_refuse_is_told_in_a_line,
]


def _undisturbed(folder: Path) -> pd.DataFrame:
    places = [f"output_root={folder / 'outputs'}", f"data_root={folder / 'data'}"]
    command = [sys.executable, str(ROOT / "run.py"), *RUN, *places]
    folder.mkdir()
    subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=True, timeout=PATIENCE
    )
    (file,) = folder.glob("outputs/*/*/rows.parquet")
    return rows_of(file.parent)


@pytest.fixture(scope="module")
def scenes(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[dict[str, Future[None]]]":
    """All scenes, playing so many at a time."""
    folder = tmp_path_factory.mktemp("sweeps")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        stage = Stage(cluster, folder, pool.submit(_undisturbed, folder / "undisturbed"))
        try:
            yield {scene.__name__: pool.submit(scene, stage) for scene in SCENES}
        finally:
            for sweep in stage.sweeps:
                sweep.kill_launchers()


@pytest.mark.parametrize("scene", [scene.__name__ for scene in SCENES])
def test_sweep(scenes: "dict[str, Future[None]]", scene: str) -> None:
    scenes[scene].result()
