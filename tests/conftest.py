"""Fixtures that every test may use: seeded randomness, devices, and the engine's own checks of shapes."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hydra._internal.hydra
import jaxtyping
import numpy as np
import pytest
import torch
from hydra._internal.config_loader_impl import ConfigLoaderImpl

# A shell that runs pytest in the background has it ignore Ctrl-C, and so all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.commands", "tests.hep_rows"]

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """Call the code as users do: in tests jaxtyping refuses a bad shape before the code's own check."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads would wait for one another longer than they work on the small tensors of most tests."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if (
        not mounted
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], check=False).returncode
    ):
        pytest.skip("a small disk needs root and a mount that is allowed")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def hydra_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command guards Hydra for as long as its process lives, which here is that of other tests, too."""
    monkeypatch.setattr(hydra._internal.hydra, "ConfigLoaderImpl", ConfigLoaderImpl)
