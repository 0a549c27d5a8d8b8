"""The package as its users have it: built, installed into a clean environment, and tried from an empty folder.

What it depends on is linked from this environment instead of copied: torch alone has gigabytes. pip still checks that
nothing is missing, and finds nothing that is not required.
"""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from igbaselines.common.extras import MODULES, require, what_to_install
from tests.commands import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SITE = Path(str(importlib.metadata.distribution("numpy").locate_file("")))
ENGINE = """
import torch, igbaselines.library, igbaselines.tasks
from igbaselines.attribution import path_attribution
network, x = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softplus()), torch.rand(2, 4)
assert path_attribution(network, x, 0, target=1).completeness_gap.abs().max() < 1e-4
for method in igbaselines.library.METHODS:
    pictures = method == "ig_blur"
    f, one = (torch.nn.Sequential(torch.nn.Flatten(), network), x.view(2, 1, 2, 2)) if pictures else (network, x)
    strata = igbaselines.tasks.Background(
        torch.rand(9, *one.shape[1:]), torch.rand(one.shape[1:]), torch.arange(9) % 3, torch.ones(3)
    )
    found = igbaselines.explain(f, one, method, target=1, background=strata)
    assert igbaselines.evaluate(f, one, found, target=1, background=strata)
print(True)
"""


def requirements(*extras: str) -> Iterator[Requirement]:
    """What pyproject.toml asks for, without any extra or with these, which may name others."""
    words = [*PROJECT["dependencies"], *(word for extra in extras for word in PROJECT["optional-dependencies"][extra])]
    for requirement in map(Requirement, words):
        yield from requirements(*requirement.extras) if requirement.name == "igbaselines" else [requirement]


def normal(name: str) -> str:
    """A distribution's name as the index has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(wanted: Iterable[Requirement]) -> set[str]:
    """Names of the distributions that are needed for what is wanted, here."""
    found, todo = set[tuple[str, frozenset[str]]](), list(wanted)
    while todo:
        one = todo.pop()
        if (normal(one.name), frozenset(one.extras)) not in found:
            found.add((normal(one.name), frozenset(one.extras)))
            every = map(Requirement, importlib.metadata.requires(one.name) or ())
            todo += [needed for needed in every if is_needed(needed, one.extras)]
    return {name for name, _ in found}


def is_needed(requirement: Requirement, extras: Iterable[str]) -> bool:
    """Whether a requirement holds on this platform, with these extras."""
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": one}) for one in ("", *extras))


class Environment:
    """A virtual environment of its own, and an empty folder to work in."""

    def __init__(self, place: Path) -> None:
        self.place, self.folder = place / "venv", place / "folder"
        self.folder.mkdir()
        venv.create(self.place, with_pip=True)
        self.site = next(self.place.glob("lib/python*/site-packages"))

    def link(self, *extras: str) -> set[str]:
        """Make what the package needs visible; returns the names of those distributions."""
        names = closure(requirements(*extras))
        for name in names:
            files = importlib.metadata.files(name) or ()
            for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
                if (SITE / top).exists() and not (self.site / top).exists():
                    (self.site / top).symlink_to(SITE / top)
        return names

    def __call__(self, *words: str, code: int = 0) -> str:
        program = self.place / "bin" / words[0]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder.parent / "home"), "OMP_NUM_THREADS": "1"}
        environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        result = subprocess.run(
            [program, *words[1:]], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == code, result.stderr
        return result.stdout + result.stderr

    def install(self, wheel: Path, *extras: str) -> None:
        self("pip", "install", "--no-index", f"{wheel}[{','.join(extras)}]" if extras else str(wheel))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, so that both are whole."""
    place = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", place], cwd=ROOT, check=True)
    (sdist,) = place.glob("*.tar.gz")
    shutil.unpack_archive(sdist, place, filter="data")
    source = place / sdist.name.removesuffix(".tar.gz")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place], cwd=source, check=True)
    (wheel,) = place.glob("*.whl")
    return wheel


@pytest.mark.slow
def test_the_engine_alone_needs_three_packages(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    needed = environment.link()
    environment.install(wheel)
    assert {one.name for one in requirements()} == {"jaxtyping", "numpy", "torch"}
    installed = {normal(one["name"]) for one in json.loads(environment("pip", "list", "--format=json"))}
    assert installed - needed <= {"igbaselines", "pip", "setuptools"}
    assert not {"pandas", "hydra-core", "matplotlib", "scipy"} & installed
    assert environment("python", "-c", ENGINE) == "True\n"
    for word in ("igbaselines", "python -m igbaselines"):
        said = environment(*word.split(), "--help", code=2)
        assert re.fullmatch(r'error: \w+ is not installed: pip install "igbaselines\[runs\]"\n', said)


@pytest.mark.slow
def test_a_run_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    environment.link("suite")
    environment.install(wheel, "suite")
    package = environment.site / "igbaselines"
    before = set(package.rglob("*"))
    assert "experiment=NAME" in environment("igbaselines", "--help")
    environment("igbaselines", "experiment=hep_baselines", "scale=smoke")
    photos = environment.folder / "photos"
    photos.mkdir()
    foolbox = SITE / "foolbox" / "data"
    shutil.copy(next(iter(sorted(foolbox.glob("imagenet_*.jpg")))), photos)
    environment("python", "-m", "igbaselines", "experiment=explain", "dataset.path=photos", "scale=smoke")
    environment("igbaselines", "experiment=hep_baselines", "scale=smoke", "seed=1", "hydra/launcher=local")
    statuses = list(environment.folder.glob("outputs/*/*/status.json"))
    assert len(statuses) == 3
    record = json.loads(statuses[0].with_name("provenance.json").read_text())
    assert record["git"] == {"commit": None, "dirty": None}
    assert record["command"].startswith("igbaselines ")
    assert set(package.rglob("*")) == before


def test_every_extra_is_one_of_the_package_and_brings_what_it_says() -> None:
    top = importlib.metadata.packages_distributions()
    for extra, modules in MODULES.items():
        if extra == "mlflow" and find_spec("mlflow") is None:
            continue  # not among what tests need: it pins too much of what is beside it
        brought = closure(requirements(extra))
        for module in modules:
            names = top.get(module.split(".")[0], [])
            assert any(normal(name) in brought for name in names), module


def test_what_is_missing_is_said_in_one_line() -> None:
    assert what_to_install(ModuleNotFoundError(name="torchvision.models")) == (
        'torchvision is not installed: pip install "igbaselines[images]"'
    )
    assert what_to_install(ModuleNotFoundError(name="nowhere")) is None
    require("runs")
