"""On a pretended GPU (where ../shared/tools has one): what waits for it and what is launched, and the device tests.

What it counts says how a GPU is used, not how fast it is; a loop that waits for each photograph would show here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import ROOT

PRETENDED = ROOT.parent / "shared" / "tools" / "pretend_gpu"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PRETENDED.is_dir(), reason="needs the pretended device of ../shared/tools"),
]


def run(*words: str) -> str:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), str(PRETENDED)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def counted(what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(str(Path(__file__).with_name("counted.py")), what).splitlines()[-1])
    return found


def test_photographs_share_waits_and_launches() -> None:
    found = counted("photographs")
    assert found["waits"] <= 12
    assert found["launches"] <= 200  # of a network of four layers
    assert found["passes"] <= 40  # a search goes on for all pairs of all photographs at once: one by one it is 200
    assert found["difference"] < 1e-6


def test_networks_of_events_share_launches() -> None:
    found = counted("hep")
    assert found["launches"] <= 12
    assert found["waits"] <= 6


def test_grid_worlds_wait_once_a_method_and_not_once_a_metric() -> None:
    found = counted("gridworld")
    assert found["code"] == 0
    assert found["waits"] <= 260
    assert found["launches"] <= 45_000


def test_tf32_is_for_gradients_alone_and_layouts_are_probed() -> None:
    found = counted("precision")
    assert (found["forward"], found["backward"], found["scored"]) == ([True], [True], [False])
    (said,) = [line for line in found["said"] if "cuDNN's benchmark" in line]
    assert "channels_last" in said
    assert "contiguous" in said


def test_device_tests_pass_there() -> None:
    """Those that a GPU would run, of the engine and of what is scored on one."""
    files = ["tests/attribution", "tests/tasks", "tests/metrics", "tests/common", "tests/studies/hep/networks"]
    # A network that comes back to the host is beyond it: its parameters stay where they were.
    back = "tests/attribution/shapley/test_sampled.py::test_players_are_groups_and_the_output_is_that_of_the_target"
    options = ["-p", "pretend_plugin", "-q", "-k", "cuda", "-p", "no:cacheprovider", f"--deselect={back}"]
    said = run("-m", "pytest", *options, *files)
    assert " passed" in said
    assert "failed" not in said
