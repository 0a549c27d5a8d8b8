"""A sweep whose launcher is stopped, killed or has another beside it: nothing is lost and nothing done twice."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import pandas as pd
import psutil
import pytest

from tests.launching.conftest import ON_THE_WAY, PATIENCE, Sweep, processes_of, said, wait_until, without_seconds

pytestmark = pytest.mark.slow

SEEDS = ("hydra/launcher=local", "seed=0,1,2")
ONE_AT_A_TIME = (*SEEDS, "hydra.launcher.processes=1")


def on_the_way(sweep: Sweep) -> bool:
    return any(said(file, ON_THE_WAY) for file in sweep.logs())


def count_said(sweep: Sweep, words: str) -> int:
    return sum(file.read_text().count(words) for file in sweep.logs())


@pytest.fixture(scope="module")
def undisturbed(new_sweep: Callable[[], Sweep]) -> Sweep:
    sweep = new_sweep()
    assert sweep(*SEEDS).returncode == 0
    return sweep


def expect_the_same(sweep: Sweep, undisturbed: Sweep) -> None:
    assert [folder.name for folder in sweep.runs()] == [folder.name for folder in undisturbed.runs()]
    for rows, expected in zip(sweep.rows(), undisturbed.rows(), strict=True):
        assert without_seconds(rows).equals(without_seconds(expected))
    assert not list(sweep.outputs.glob("*/.*/attempt"))


@pytest.mark.parametrize("launcher", ["local", "serial"])
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_saves_what_is_in_hand_and_the_same_command_goes_on(
    new_sweep: Callable[[], Sweep], undisturbed: Sweep, launcher: str, signum: int, code: int
) -> None:
    sweep = new_sweep()
    process = sweep.start(f"hydra/launcher={launcher}", "seed=0,1,2")
    if launcher == "serial":
        wait_until(lambda: list(sweep.outputs.glob("*/.*/checkpoints/**/networks-*")), process)
    else:
        wait_until(lambda: on_the_way(sweep), process)
    process.send_signal(signum)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert "waiting" in out
    assert "failed" not in out
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "interrupted: the same command goes on from here"
    result = sweep(f"hydra/launcher={launcher}", "seed=0,1,2")
    assert result.returncode == 0, result.stderr
    expect_the_same(sweep, undisturbed)


def test_the_second_signal_ends_the_launcher_at_once(new_sweep: Callable[[], Sweep], undisturbed: Sweep) -> None:
    sweep = new_sweep()
    launcher = sweep.start(*ONE_AT_A_TIME)
    wait_until(lambda: on_the_way(sweep), launcher)
    (job,) = processes_of(launcher, "seed=0")
    job.suspend()  # it cannot answer, and the launcher waits for it
    launcher.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        launcher.communicate(timeout=2)
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=20)
    assert launcher.returncode == -signal.SIGINT
    psutil.wait_procs([job], timeout=PATIENCE)  # the kernel hangs up on stopped jobs that nobody can continue
    assert not job.is_running()
    assert sweep.runs() == []
    assert sweep(*SEEDS).returncode == 0
    expect_the_same(sweep, undisturbed)


def test_a_job_outlives_its_launcher_and_is_not_done_again(new_sweep: Callable[[], Sweep], undisturbed: Sweep) -> None:
    sweep = new_sweep()
    launcher = sweep.start(*ONE_AT_A_TIME)
    wait_until(lambda: on_the_way(sweep), launcher)
    launcher.kill()
    launcher.communicate(timeout=20)
    result = sweep(*ONE_AT_A_TIME)
    assert result.returncode == 0, result.stderr
    assert count_said(sweep, "complete: ") == 3  # one by the job that the first launcher left behind
    expect_the_same(sweep, undisturbed)


def test_a_stop_does_not_wait_for_a_run_that_another_has(new_sweep: Callable[[], Sweep]) -> None:
    sweep = new_sweep()
    first = sweep.start("seed=0")
    wait_until(lambda: list(sweep.outputs.glob("*/.*/checkpoints/**/networks-*")), first)
    os.kill(first.pid, signal.SIGSTOP)
    second = sweep.start("hydra/launcher=local", "seed=0")
    wait_until(lambda: count_said(sweep, "waiting for it"), second)
    second.send_signal(signal.SIGTERM)
    try:
        second.communicate(timeout=20)
    finally:
        os.kill(first.pid, signal.SIGCONT)
        first.communicate(timeout=PATIENCE)
    assert second.returncode == 143


def test_two_launchers_do_every_run_once(new_sweep: Callable[[], Sweep], undisturbed: Sweep) -> None:
    sweep = new_sweep()
    launchers = [sweep.start(*SEEDS) for _ in range(2)]
    said = [launcher.communicate(timeout=2 * PATIENCE) for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0, 0], said
    assert count_said(sweep, "complete: ") == 3
    expect_the_same(sweep, undisturbed)


def test_shards_over_a_run_of_other_data_do_nothing_twice(new_sweep: Callable[[], Sweep]) -> None:
    sweep = new_sweep()
    networks = "evaluation.networks=2"
    assert sweep(networks).returncode == 0
    table = sweep.data / "events.parquet"
    pd.read_parquet(table).iloc[::-1].to_parquet(table)
    launcher, seen = sweep.start("hydra/launcher=local", networks, "shard.count=2"), dict[str, set[int]]()
    while launcher.poll() is None:
        with suppress(FileNotFoundError):
            for file in sweep.outputs.glob("*/.*/checkpoints/**/networks-*"):
                seen.setdefault(str(file), set()).add(file.stat().st_ino)
        time.sleep(0.02)
    out, err = launcher.communicate()
    assert launcher.returncode == 0, err
    assert "2 complete" in out
    assert [len(files) for files in seen.values()] == [1, 1]
    assert not list(sweep.outputs.glob("*/.*/*"))
