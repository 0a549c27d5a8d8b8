"""Ctrl-C, damaged checkpoints and caches, a clock that jumps, a full memory: the rows of the undisturbed run."""

import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.commands import Command
from tests.damage import damage, say_damaged
from tests.running.faults import (
    SMALL,
    Sign,
    alive_in_session,
    check_equal,
    checkpointed,
    ended,
    expect_nobody_left,
    finished,
    logged,
    measured,
    press_ctrl_c,
    started,
    there,
    wait_for,
)
from tests.studies.hep.data.pythia.pythia_settings import needs_pythia
from tests.studies.hep.data.test_generate_hep import SCRIPT
from tests.studies.hep.data.test_generate_hep import SMALL as SMALL_PYTHIA

# So many baselines that the events are explained in several chunks.
CHUNKS = (
    "attribution.baselines.background.count=90",
    "attribution.baselines.background_weighted.count=90",
    "attribution.rule.n_steps=4",
    "attribution.signal_events=500",
    "evaluation.networks=1",
    "evaluation.top_k=[all]",
)
SLOW = pytest.mark.slow


def expect_stop(result: "subprocess.CompletedProcess[str]") -> None:
    """It ended as it was asked to, and said so, and nothing else that a user does not expect."""
    assert result.returncode == 130, result.stderr
    assert "stopping once the work in hand is saved; the same signal again: at once" in result.stderr
    assert result.stderr.splitlines()[-1] == "interrupted: the same command goes on from here"
    assert "Traceback" not in result.stderr


def kept(command: Command) -> list[Path]:
    """What attempts have left for those that follow."""
    return sorted(path for path in command.outputs.glob("*/.*/checkpoints/**/*") if path.is_file())


# What is interrupted, by which overrides, at which sign, and what of it has been kept then.
INTERRUPTED: dict[str, tuple[tuple[str, ...], Callable[[Command], Sign], str]] = {
    "training": (("experiment=hep_baselines",), lambda run: logged(run, "events taken"), "*-*.safetensors"),
    "attribution": (
        ("experiment=hep_baselines", *CHUNKS),
        lambda run: logged(run, "validation loss"),
        "unfinished-attribution-*.safetensors",
    ),
    "photographs": (
        ("experiment=weighted_gradients", "hydra.mode=RUN", "dataset.n_images=2"),
        lambda run: checkpointed(run, "*.json"),
        "*.json",
    ),
    "grid worlds": (("experiment=shapley_gridworld",), lambda run: checkpointed(run, "*.json"), "*.safetensors"),
}


@SLOW
@pytest.mark.parametrize("what", INTERRUPTED)
def test_interrupted_and_then_damaged_it_ends_with_the_same_rows(
    what: str, command: Command, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    overrides, sign_of, pattern = INTERRUPTED[what]
    overrides = (*overrides, "scale=smoke")
    with started(command.arguments(*overrides)) as process:
        wait_for(sign_of(command), process)
        expect_stop(press_ctrl_c(process))
        expect_nobody_left(process.pid)
    assert command.runs() == []
    assert [file for file in kept(command) if file.match(pattern)], kept(command)

    damaged = []
    for file, kind in zip(kept(command), itertools.cycle(["truncated", "bit in the middle", "empty"]), strict=False):
        damage(file, kind, other=file)
        damaged.append(file)
    rows = finished(command, *overrides)
    (log,) = command.outputs.glob("*/[!.]*/run.log")
    said = log.read_text()
    # of the files of one unit the first that is found damaged is named
    named = {file.stem for file in damaged if say_damaged(file) in said}
    assert named == {file.stem for file in damaged}
    fixtures = {"training": "smoke", "grid worlds": "gridworld_smoke"}
    if what in fixtures:
        undisturbed = measured(request.getfixturevalue(fixtures[what]))
    else:
        undisturbed = finished(Command(tmp_path / "undisturbed", command.data), *overrides)
    check_equal(rows, undisturbed)


@SLOW
@pytest.mark.parametrize("moment", ["as workers start", "in the middle"])
def test_generation_interrupted_and_its_cache_damaged(moment: str, tmp_path: Path) -> None:
    overrides = (*SMALL, "dataset.n_events=30000", "workers=2")
    undisturbed = finished(Command(tmp_path / "undisturbed", tmp_path / "data of the undisturbed"), *overrides)
    command = Command(tmp_path / "outputs", tmp_path / "data")
    with started(command.arguments(*overrides)) as process:
        wait_for(lambda: len(alive_in_session(process.pid)) > 2, process)  # Python's resource tracker is the second
        time.sleep(0.5 if moment == "as workers start" else 4)
        expect_stop(press_ctrl_c(process))
        expect_nobody_left(process.pid)
    assert not list(command.data.rglob("*.parquet"))
    with started(command.arguments(*overrides)) as process:
        wait_for(there(command.data, "cache/*.json"), process)
        process.kill()
    (cache,) = command.data.glob("cache/*.parquet")
    damage(cache, "bit in the middle", other=cache)
    check_equal(finished(command, *overrides), undisturbed)
    (log,) = command.outputs.glob("*/[!.]*/run.log")
    assert f"{cache} does not have the checksum" in log.read_text()


@SLOW
@needs_pythia
def test_generation_ahead_of_a_run_interrupted(tmp_path: Path) -> None:
    arguments = [sys.executable, str(SCRIPT), *SMALL_PYTHIA, "dataset.n_events=48", "workers=2"]
    whole = subprocess.run([*arguments, f"data_root={tmp_path / 'whole'}"], capture_output=True, check=False)
    assert whole.returncode == 0, whole.stderr
    interrupted = [*arguments, f"data_root={tmp_path / 'interrupted'}"]
    with started(interrupted) as process:
        wait_for(there(tmp_path / "interrupted", "cache/*/[!.]*.json"), process)
        asked = time.monotonic()
        result = press_ctrl_c(process)
        assert time.monotonic() - asked < 10
        assert result.returncode == 130
        assert result.stderr.splitlines()[-1] == "interrupted: the same command goes on from here"
        assert "Traceback" not in result.stderr
        expect_nobody_left(process.pid)
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "interrupted").rglob("*.parquet")}
    assert shards
    assert subprocess.run(interrupted, capture_output=True, check=False).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in shards} == shards
    (expected,), (found,) = ((tmp_path / root).glob("cache/*/events-*.parquet") for root in ("whole", "interrupted"))
    pd.testing.assert_frame_equal(pd.read_parquet(found), pd.read_parquet(expected), check_exact=True)


# The clock


def false_clock() -> str:
    """The library that lies about the time to whoever is started with it."""
    if shutil.which("faketime") is None:
        assert os.environ.get("CI") != "true", "the Debian package faketime is missing"
        pytest.skip("a clock that jumps needs the Debian package faketime")
    return subprocess.check_output(["faketime", "-f", "+0", "printenv", "LD_PRELOAD"], text=True).strip()


@SLOW
def test_a_clock_that_jumps(command: Command, smoke: Path, tmp_path: Path) -> None:
    """The wall clock, that is: what it would take to set the monotonic one, the system does not allow."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = {
        "LD_PRELOAD": false_clock(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    overrides = ("experiment=hep_baselines", "scale=smoke")
    years = [time.localtime().tm_year]
    with started(command.arguments(*overrides), env) as process:
        for offset, text in ((9, "network_0: validation loss"), (-20, "network_0: 100 events explained")):
            wait_for(logged(command, text), process)
            clock.write_text(f"{offset:+}y")
            years.append(years[0] + offset)
        wait_for(logged(command, "network_0: 14 retrained"), process)
        (log,) = command.outputs.glob("*/.*/attempt/run.log")
        seen = {int(line[:4]) for line in log.read_text().splitlines()}
        assert {min(abs(year - jump) for year in seen) for jump in years} <= {0, 1}, seen
        process.send_signal(signal.SIGKILL)
    for file in kept(command):  # from the future
        os.utime(file, (time.time() + 5 * 365 * 86400,) * 2)
    clock.write_text("-30y")
    with started(command.arguments(*overrides), env) as process:
        assert ended(process).returncode == 0
    (folder,) = command.runs()
    check_equal(measured(folder), measured(smoke))
    again = command(*overrides)
    assert "complete already" in again.stderr


# The memory


def leave_memory(process: "subprocess.Popen[str]", bytes_: int) -> None:
    """Let a process have so much more than what it has."""
    used = psutil.Process(process.pid).memory_info().vms
    resource.prlimit(process.pid, resource.RLIMIT_AS, (used + bytes_, resource.RLIM_INFINITY))


@SLOW
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_full_memory_gets_fewer_points(command: Command, tmp_path: Path) -> None:
    overrides = ("experiment=hep_baselines", "scale=smoke", *CHUNKS)
    with started(command.arguments(*overrides, "max_batch=1000000")) as process:
        wait_for(logged(command, "events taken"), process)
        leave_memory(process, 200 * 2**20)
        wait_for(logged(command, "memory ran out"), process)
        resource.prlimit(process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        result = ended(process)
        assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    undisturbed = finished(Command(tmp_path / "undisturbed", command.data), *overrides)
    pd.testing.assert_frame_equal(measured(folder), undisturbed, rtol=1e-4, atol=1e-6)


@SLOW
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
@pytest.mark.parametrize("megabytes", [1, 400])
def test_a_memory_that_stays_full_leaves_nothing_that_looks_complete(
    command: Command, megabytes: int, weighted_smoke: Path
) -> None:
    overrides = ("experiment=weighted_gradients", "scale=smoke")
    with started(command.arguments(*overrides, "max_batch=100000")) as process:
        wait_for(logged(command, "pictures at once"), process)
        leave_memory(process, megabytes * 2**20)
        result = ended(process)
    complete = [run for run in command.runs() if json.loads((run / "status.json").read_text())["state"] == "complete"]
    assert len(complete) == (result.returncode == 0)
    # 1, unless a library dies that does not look whether it got what it asked for
    assert result.returncode < 2, result.stderr
    assert "Traceback" not in result.stderr
    assert command(*overrides).returncode == 0
    (folder,) = command.runs()
    found, expected = measured(folder), measured(weighted_smoke)
    # Other chunks round otherwise: at few nodes D_alpha may end at the pixel beside, and in curves two pixels that are
    # nearly equal may change places.
    ladder = found["metric"].str.endswith("_at_nodes")
    pd.testing.assert_frame_equal(found[~ladder], expected[~ladder], rtol=2e-3, atol=1e-6)
    pd.testing.assert_frame_equal(found[ladder], expected[ladder], rtol=0.02, atol=1e-3)


CONVOLUTION = """
import resource
import torch
from igbaselines.attribution import Midpoint, path_attribution

torch.set_num_threads(1)
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.Tanh(), torch.nn.Conv2d(32, 8, 3))

def attributions(max_batch):
    f = lambda images: network(images).sum((1, 2, 3))
    return path_attribution(f, image, torch.zeros_like(image), rule=Midpoint(32), max_batch=max_batch).attributions

image = torch.randn(1, 3, 100, 100)
expected = attributions(1)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for more in range(20, 420, 40):  # wherever it strikes, in torch's memory or in that of the convolutions
    resource.setrlimit(resource.RLIMIT_AS, (used + more * 2**20, resource.RLIM_INFINITY))
    found = attributions(32)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3), more
print("fits")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_convolution_that_lacks_memory_gets_fewer_points() -> None:
    done = subprocess.run([sys.executable, "-c", CONVOLUTION], capture_output=True, text=True, check=False)
    assert done.stdout == "fits\n", done.stderr[-2000:]
