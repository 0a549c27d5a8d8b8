"""Which GPU each process of a sweep gets."""

from collections.abc import Callable

import pytest
import torch

from igbaselines.launching.processes import least_busy, only_gpu, visible_gpus
from tests.launching.conftest import Sweep


def test_jobs_are_spread_over_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-5")
    gpus = visible_gpus()
    assert gpus == ["3", "GPU-5"]
    given: list[str | None] = []
    for _ in range(4):
        given.append(least_busy(gpus, given))
    assert given == ["3", "GPU-5", "3", "GPU-5"]
    assert least_busy(gpus, ["3", "3", "GPU-5"]) == "GPU-5"
    assert only_gpu("GPU-5", ["device=cuda", "seed=1"]) == {"CUDA_VISIBLE_DEVICES": "GPU-5"}
    assert only_gpu("3", ["device=cuda:1"]) == {}


def test_where_there_is_no_gpu_jobs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    assert least_busy([], []) is None
    assert only_gpu(None, []) == {}


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("launcher", ["serial", "local"])
def test_a_sweep_that_wants_a_gpu_ends_at_once_where_there_is_none(
    new_sweep: Callable[[], Sweep], launcher: str
) -> None:
    sweep = new_sweep()
    done = sweep(f"hydra/launcher={launcher}", "seed=0,1", "device=cuda")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: device=cuda cannot be used here: torch sees no GPU")
    assert not sweep.runs()
    assert not sweep.logs()
