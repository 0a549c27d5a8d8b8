"""Packages that announce themselves: found by `_target_`, known by checksum, and nothing beside them let in."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from igbaselines.common.errors import UserError
from igbaselines.running import plugins
from igbaselines.running.command import run_command
from igbaselines.running.offered import choice_name, conf_folders
from igbaselines.running.plugins import installed_plugins, load_plugins
from igbaselines.running.targets import checked, instantiate
from tests import prepared
from tests.commands import ROOT

RULE = '''
"""A quadrature rule of somebody's."""
from dataclasses import dataclass
import torch

@dataclass(frozen=True)
class Ends:
    """Both ends of the path."""
    half: float = 0.5

    def nodes_and_weights(self, pairs=(), generator=None):
        return torch.tensor([0.0, 1.0]).double(), torch.tensor([self.half, 1 - self.half]).double()

def not_a_dataclass():
    raise AssertionError
'''

ENDS = """
ig_ends:
  _target_: igbaselines.attribution.methods.AveragedGradients
  baselines: { _target_: igbaselines.attribution.baselines.ZeroBaseline }
  rule: { _target_: somebodys.ideas.Ends }
"""
IDEAS = """
from dataclasses import dataclass, field
from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.methods import AveragedGradients

@dataclass(frozen=True)
class IGEnds(AveragedGradients):
    baselines: object = ZeroBaseline()
    times: int = 2
    names: list[str] = field(default_factory=lambda: ["a"])

@dataclass
class OfLoad:
    def build(self):
        raise AssertionError

    def load(self, device):
        raise AssertionError

@dataclass(frozen=True)
class OnlyABaseline:
    def draw(self, inputs, background, generator):
        raise AssertionError
"""

pytestmark = pytest.mark.usefixtures("hydra_as_it_was")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which a package is installed that announces `somebodys.ideas`, and has another module."""
    package, about = tmp_path / "somebodys", tmp_path / "somebodys-1.0.dist-info"
    package.mkdir()
    about.mkdir()
    (package / "__init__.py").touch()
    (package / "ideas.py").write_text(RULE)
    (package / "other.py").write_text(RULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n")
    (package / "conf" / "methods").mkdir(parents=True)
    (package / "conf" / "methods" / "ig_ends.yaml").write_text(ENDS)
    (about / "entry_points.txt").write_text("[igbaselines.plugins]\nideas = somebodys.ideas\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.announced.cache_clear()
    yield tmp_path
    plugins.announced.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "somebodys"]:
        del sys.modules[name]


@pytest.mark.usefixtures("site")
def test_what_is_announced_is_built() -> None:
    rule = instantiate(OmegaConf.create({"_target_": "somebodys.ideas.Ends", "half": 0.25}))
    assert rule.nodes_and_weights()[1].tolist() == [0.25, 0.75]
    with pytest.raises(UserError, match="half"):
        checked(OmegaConf.create({"_target_": "somebodys.ideas.Ends", "hlf": 0.25}))


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    "target",
    [
        "somebodys.other.Ends",
        "somebodys.ideas.not_a_dataclass",
        "somebodys.ideas.torch.nn.Linear",
        "somebodys.ideas_too.Ends",
        "os.mkdir",
    ],
)
def test_nothing_beside_it_is(target: str) -> None:
    with pytest.raises(UserError, match=r"is not allowed|does not exist"):
        instantiate(OmegaConf.create({"_target_": target}))


def test_the_checksum_is_of_what_is_used(site: Path) -> None:
    node = {"attribution": {"rule": [{"_target_": "somebodys.ideas.Ends"}]}, "name": "somebodys.ideas.Ends"}
    assert installed_plugins({"attribution": {"_target_": "igbaselines.attribution.GaussLegendre"}}) == {}
    before = installed_plugins(node)
    assert list(before) == ["somebodys.ideas"]
    (site / "somebodys" / "other.py").write_text("")
    assert installed_plugins(node) == before
    (site / "somebodys" / "ideas.py").write_text(RULE + "\n")
    assert installed_plugins(node) != before


@pytest.mark.usefixtures("site")
def test_yaml_beside_an_installed_plugin_is_found_and_nothing_imported(site: Path) -> None:
    assert conf_folders() == [site / "somebodys" / "conf"]
    assert "somebodys" not in sys.modules


def test_dataclasses_of_a_file_are_choices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ideas_that_are_offered.py"
    file.write_text(IDEAS)
    words = [
        "experiment=hep_baselines",
        "scale=smoke",
        "methods=[ig_ends]",
        "methods.ig_ends.times=3",
        f"plugins=[{file}]",
    ]
    assert run_command([*words, "--cfg", "job"], lambda _: None) == 0
    shown = OmegaConf.create(capsys.readouterr().out)
    expected = {"_target_": "ideas_that_are_offered.IGEnds", "times": 3, "names": ["a"]}
    none = dict.fromkeys(("weighting", "path", "integrand"))  # fields that are objects are not there
    assert shown.methods == {"ig_ends": expected | none}
    assert instantiate(shown.methods.ig_ends).times == 3
    misspelt = ["experiment=hep_baselines", "methods=[ig_end]", f"plugins=[{file}]"]
    assert run_command([*misspelt, "--cfg", "job"], lambda _: None) == 2
    assert "ig_calibrated, ig_ends, ig_gaussian" in capsys.readouterr().err
    offered = ConfigStore.instance().repo
    assert "of_load.yaml" in offered["model"]  # which load their weights
    assert "of_load.yaml" not in offered.get("dataset", {})
    assert "only_a_baseline.yaml" not in offered["methods"]


@pytest.mark.parametrize(
    ("name", "choice"),
    [("IGMedian", "ig_median"), ("SmoothGrad", "smooth_grad"), ("Cifar10", "cifar10"), ("XRay2D", "x_ray2_d")],
)
def test_names_of_choices(name: str, choice: str) -> None:
    assert choice_name(name) == choice


def test_a_name_of_the_suites_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ideas_of_a_taken_name.py"
    file.write_text(IDEAS.replace("IGEnds", "IGZero"))
    assert run_command([f"plugins=[{file}]", "experiment=hep_baselines", "--cfg", "job"], lambda _: None) == 2
    assert "IGZero: methods has a ig_zero already, give yours another name" in capsys.readouterr().err


def test_a_file_of_the_current_folder_is_no_other_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m igbaselines` has it among the places where modules are looked for."""
    (tmp_path / "idea_of_this_folder.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(load_plugins([str(tmp_path / "idea_of_this_folder.py")])) == ["idea_of_this_folder"]


def test_where_a_file_breaks_is_told(tmp_path: Path) -> None:
    (tmp_path / "breaking_idea.py").write_text("import math\n\nmath.sqrt(-1)\n")
    with pytest.raises(UserError, match=r"breaking_idea.py cannot be imported: ValueError: .* \(line 3\)"):
        load_plugins([str(tmp_path / "breaking_idea.py")])


BREAKING = """
from dataclasses import dataclass

@dataclass
class IGBreaking:
    def attribute(self, task, generator):
        return task.inputs / task.nothing
"""


@pytest.mark.slow
def test_where_a_run_breaks_in_a_plugin_is_told(tmp_path: Path) -> None:
    file = tmp_path / "idea_that_breaks.py"
    file.write_text(BREAKING)
    words = ["experiment=comparison", "tasks=[planted]", "scale=smoke", f"plugins=[{file}]", "methods=[ig_breaking]"]
    words += ["metrics=[deletion_mean]", f"output_root={tmp_path / 'outputs'}", f"data_root={tmp_path}"]
    result = prepared.run([sys.executable, str(ROOT / "run.py"), *words])
    assert result.returncode == 1
    assert re.search(r"no attribute 'nothing' in idea_that_breaks.py, line 7\): see .*run.log", result.stderr)


@pytest.mark.slow
def test_a_run_with_an_installed_plugin(site: Path) -> None:
    """In processes of their own, as one run and as the jobs of a local sweep; another file is another run."""
    little = ["experiment=hep_baselines", "scale=smoke", "evaluation.networks=1", f"output_root={site / 'outputs'}"]
    rule = ["attribution.rule={_target_:somebodys.ideas.Ends}", "~attribution.rule.n_steps", "methods=[ig_ends]"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", str(site)])}
    local = ["hydra/launcher=local", "hydra.launcher.processes=1"]
    for text, more in ((RULE, []), (RULE + "\n", local)):
        (site / "somebodys" / "ideas.py").write_text(text)
        command = [sys.executable, "run.py", *little, *rule, *more]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    records = [json.loads(path.read_text()) for path in site.glob("outputs/*/*/provenance.json")]
    assert len({record["plugins"]["somebodys.ideas"] for record in records}) == 2
    for rows in site.glob("outputs/*/*/rows.parquet"):
        assert "ig_ends" in set(pd.read_parquet(rows)["method"])
