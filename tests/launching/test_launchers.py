"""Sweeps from launch to launch: what could be had is there, what could not is named, and is all that is done again."""

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.launching.conftest import ON_THE_WAY, PATIENCE, Sweep, processes_of, said, wait_until, without_seconds

Result = subprocess.CompletedProcess[str]
LOCAL = ("hydra/launcher=local", "model.learning_rate=0.001,0.002,1e30,many")


@dataclass(frozen=True)
class Launches:
    """A sweep of four runs on two processes, launched again and again.

    Args:
        sweep: the sweep.
        killed: how the first launch ended, in which the first job was killed.
        logs: of the first launch.
        kept: the file of the killed run's network: inodes that it had while the second launch lasted.
        second: how the second launch ended.
        third: how a launch of the complete runs alone ended.
        logs_of_all: of all launches.
    """

    sweep: Sweep
    killed: Result
    logs: list[Path]
    kept: set[int]
    second: Result
    third: Result
    logs_of_all: list[Path]


@pytest.fixture(scope="module")
def local(new_sweep: Callable[[], Sweep]) -> Launches:
    sweep = new_sweep()
    launcher = sweep.start(*LOCAL)
    wait_until(lambda: any(said(file, ON_THE_WAY) for file in sweep.outputs.glob(".sweeps/local/*/0.log")), launcher)
    (job,) = processes_of(launcher, "model.learning_rate=0.001")
    job.kill()
    out, err = launcher.communicate(timeout=PATIENCE)
    killed, logs = subprocess.CompletedProcess(launcher.args, launcher.returncode, out, err), sweep.logs()
    (network,) = sweep.outputs.glob("*/.*/checkpoints/**/networks-*")
    kept = {network.stat().st_ino}
    launcher = sweep.start(*LOCAL)
    while launcher.poll() is None:
        with suppress(FileNotFoundError):  # once the run is complete
            kept.add(network.stat().st_ino)
        time.sleep(0.02)
    out, err = launcher.communicate(timeout=PATIENCE)
    second = subprocess.CompletedProcess(launcher.args, launcher.returncode, out, err)
    third = sweep("hydra/launcher=local", "model.learning_rate=0.001,0.002")
    return Launches(sweep, killed, logs, kept, second, third, sweep.logs())


@pytest.fixture(scope="module")
def serial(new_sweep: Callable[[], Sweep]) -> tuple[Sweep, Result]:
    sweep = new_sweep()
    return sweep, sweep("model.learning_rate=0.001", "attribution.signal_events=20,100000,20")


def summary(result: Result) -> dict[str, tuple[str, str]]:
    """State and note of each job, by its number."""
    found = re.findall(r"^  (\S+(?: \w+)?) +(?:[\d hms]+ )? *(\d+): .*\n(?: {3,}(.*)\n)?", result.stdout, re.MULTILINE)
    return {number: (state, note) for state, number, note in found}


@pytest.mark.slow
def test_one_job_that_is_killed_takes_no_other_with_it(local: Launches) -> None:
    assert local.killed.returncode == 1, local.killed.stderr
    jobs = summary(local.killed)
    assert {number: state for number, (state, _) in jobs.items()} == {
        "0": "killed",
        "1": "complete",
        "2": "failed",
        "3": "failed",
    }
    assert "SIGKILL" in jobs["0"][1]
    assert "diverged" in jobs["2"][1]
    assert "many" in jobs["3"][1]
    assert [file.name for file in local.logs] == ["0.log", "1.log", "2.log"]
    assert all(str(file) in local.killed.stdout for file in (local.logs[0], local.logs[2]))
    assert local.killed.stderr.splitlines()[-1].startswith("error: not complete: 3 of 4 jobs")
    assert "Traceback" not in local.killed.stderr


@pytest.mark.slow
def test_the_same_command_does_what_is_missing_and_goes_on_where_it_was(local: Launches) -> None:
    assert local.second.returncode == 1
    states = {number: state for number, (state, _) in summary(local.second).items()}
    assert states == {"0": "complete", "1": "skipped", "2": "failed", "3": "failed"}
    assert len(local.kept) == 1  # the network was not trained again


@pytest.mark.slow
def test_a_sweep_that_is_complete_starts_nothing(local: Launches) -> None:
    assert local.third.returncode == 0, local.third.stderr
    assert {state for state, _ in summary(local.third).values()} == {"skipped"}
    assert [file.name for file in local.logs_of_all] == ["0.log", "1.log", "2.log", "0.log", "2.log"]


@pytest.mark.slow
def test_one_after_another_in_one_process(serial: tuple[Sweep, Result]) -> None:
    sweep, result = serial
    assert result.returncode == 1, result.stderr
    jobs = summary(result)
    assert {number: state for number, (state, _) in jobs.items()} == {
        "0": "complete",
        "1": "failed",
        "2": "skipped",
    }
    assert "signal_events=100000" in jobs["1"][1]
    assert "the same run as 0" in jobs["2"][1]
    assert len(sweep.runs()) == 1
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_run_that_was_killed_gives_what_an_undisturbed_one_gives(
    local: Launches, serial: tuple[Sweep, Result]
) -> None:
    there = {folder.name: folder for folder in local.sweep.runs()}
    same = [folder for folder in serial[0].runs() if folder.name in there]
    assert len(same) == 1
    resumed, undisturbed = (
        without_seconds(pd.read_parquet(folder / "rows.parquet")) for folder in (there[same[0].name], same[0])
    )
    pd.testing.assert_frame_equal(resumed, undisturbed)


@pytest.mark.slow
def test_what_became_of_the_sweep_is_written_down(local: Launches) -> None:
    states = [json.loads((folder / "status.json").read_text())["state"] for folder in local.sweep.runs()]
    assert sorted(states) == ["complete", "complete", "failed"]
    assert not list(local.sweep.outputs.glob("*/.*/attempt"))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["hydra/launcher=local", "hydra.launcher.processes=0"], ["processes", "from 1", "0"]),
        (["hydra/launcher=joblib", "seed=0,1"], ["hydra/launcher=joblib", "hydra/launcher=local"]),
        (["model.learning_rate=many,more"], ["none of the 2 runs", "many"]),
        (["action=report"], ["action=report", "alone"]),
        (["output_root=/proc/nowhere", "seed=0,1"], ["output_root=/proc/nowhere", "cannot be written"]),
    ],
    ids=shlex.join,
)
def test_a_sweep_in_which_nothing_can_be_done(
    new_sweep: Callable[[], Sweep], overrides: list[str], words: list[str]
) -> None:
    sweep = new_sweep()
    result = sweep(*overrides)
    assert result.returncode == 2
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert all(word in line for word in words), line
    assert "Traceback" not in result.stderr
    assert not list(sweep.outputs.glob("[!.]*"))
