"""kill -9 at random moments, again and again: the run that ends at last has the rows of the undisturbed one."""

import random
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.commands import Command
from tests.running.faults import (
    NO_WORKERS_LEFT,
    alive_in_session,
    check_equal,
    finished,
    kill_session,
    measured,
    start,
    until,
)

SYNTHETIC = ("dataset=hep_synthetic", "dataset.n_events=3000", "evaluation.top_k=[1,2,all]", "workers=2")
EXPERIMENTS = {
    "hep_baselines": ("scale=smoke", *SYNTHETIC),
    "weighted_gradients": ("scale=smoke", "hydra.mode=RUN", "dataset.n_images=2"),
    "shapley_gridworld": ("scale=smoke",),
}
KILLS = 10  # of each
# What a kill waits for before its random delay: nothing, a checkpoint, or tables and figures being made.
SIGNS = ("", "outputs/*/.*/checkpoints/**/[!.]*.*", "outputs/*/.*/attempt/rows.parquet")
LONGEST_DELAY = 2.5  # seconds after a sign


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_rows(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed of the moments: {seed}")
    with ThreadPoolExecutor(2) as pool:
        kills = [
            pool.submit(kill_again_and_again, tmp_path / name, name, random.Random(f"{seed} {name}"))
            for name in EXPERIMENTS
        ]
    for name, killed in zip(EXPERIMENTS, kills, strict=True):
        assert killed.exception() is None, f"{name}, seed {seed}: {killed.exception()}"


def kill_again_and_again(folder: Path, experiment: str, moments: random.Random) -> None:
    """Kill runs of one experiment at random moments; a run that gets through is compared, and another one begun."""
    overrides = (f"experiment={experiment}", *EXPERIMENTS[experiment])
    begun = time.monotonic()
    undisturbed = finished(Command(folder / "undisturbed", folder / "data of the undisturbed"), *overrides)
    length = time.monotonic() - begun
    command = Command(folder / "outputs", folder / "data")
    sessions, killed = [], 0
    try:
        while killed < KILLS:
            with start(command.arguments(*overrides)) as process:
                sessions.append(process.pid)
                sleep_until_a_moment(folder, length, moments, process)
                process.kill()
            assert process.returncode in (0, -signal.SIGKILL)
            killed += process.returncode < 0
            for run in command.runs():  # those that are visible are complete
                check_equal(measured(run), undisturbed)
            if process.returncode == 0:
                shutil.rmtree(command.outputs)
                shutil.rmtree(command.data)
        check_equal(finished(command, *overrides), undisturbed)
        until(lambda: not any(map(alive_in_session, sessions)), "no worker is left", NO_WORKERS_LEFT)
    finally:
        for session in sessions:
            kill_session(session)


def sleep_until_a_moment(folder: Path, length: float, moments: random.Random, process: "subprocess.Popen[str]") -> None:
    """Wait for a random sign, or for none, and then for a random time; or for the end of the run."""
    sign = moments.choice(SIGNS)
    while sign and process.poll() is None and not any(folder.glob(sign)):
        time.sleep(0.02)
    with suppress(subprocess.TimeoutExpired):
        process.wait(moments.uniform(0, LONGEST_DELAY if sign else length))
