"""A smoke run of each experiment, made as a user makes it, that the tests of this folder look at."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from tests import prepared

ROOT = prepared.ROOT


def load_script(name: str) -> ModuleType:
    """A module of scripts/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # what it gives to other processes they look up
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Command:
    """`python run.py ...` with its own outputs and a cache of events that the tests share."""

    outputs: Path
    data: Path

    def arguments(self, *overrides: str) -> list[str]:
        folders = [f"output_root={self.outputs}", f"data_root={self.data}"]
        return [sys.executable, str(ROOT / "run.py"), *folders, *overrides]

    def start(self, *overrides: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.arguments(*overrides), stderr=subprocess.PIPE, text=True, env=prepared.environment()
        )

    def __call__(self, *overrides: str) -> "subprocess.CompletedProcess[str]":
        return prepared.run(self.arguments(*overrides))

    def runs(self) -> list[Path]:
        return sorted(path.parent for path in self.outputs.glob("[!.]*/[!.]*/status.json"))


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def command(tmp_path: Path, data_root: Path) -> Command:
    return Command(tmp_path / "outputs", data_root)


def _smoke_run(tmp_path_factory: pytest.TempPathFactory, data_root: Path, experiment: str) -> Path:
    command = Command(tmp_path_factory.mktemp(experiment), data_root)
    result = command(f"experiment={experiment}", "scale=smoke")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    return folder


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """The folder of a smoke run on collisions."""
    return _smoke_run(tmp_path_factory, data_root, "hep_baselines")


@pytest.fixture(scope="session")
def gridworld_smoke(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """The folder of a smoke run of Shapley Integrated Gradients on grid worlds."""
    return _smoke_run(tmp_path_factory, data_root, "shapley_gridworld")


@pytest.fixture(scope="session")
def shapley_images_smoke(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """The folder of a smoke run of Shapley Integrated Gradients on the sample photographs."""
    return _smoke_run(tmp_path_factory, data_root, "shapley_images")


@pytest.fixture(scope="session")
def weighted_smoke(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """The folder of a smoke run of Weighted Gradients on the sample photographs."""
    return _smoke_run(tmp_path_factory, data_root, "weighted_gradients")


@pytest.fixture(scope="session")
def smoke_command(smoke: Path, data_root: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """The command that made the smoke run."""
    return Command(smoke.parents[1], data_root)
