"""Nothing from a configuration, a command line, an output, a checkpoint or an archive runs code or writes elsewhere."""

import ast
import os
import pickle
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.downloads import extract
from igbaselines.running.config import register, resolve
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.targets import instantiate
from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.experiments.records import for_each, one_by_one
from igbaselines.studies.images.experiments.selection import Chosen
from tests.commands import Command

SMOKE = ("experiment=hep_baselines", "scale=smoke")


class MakesAFolder:
    """What runs when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


# The real command, with traps that would make a folder or a file


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds what the commands are given; what a trap makes would be `made-NAME` in it."""
    place = tmp_path_factory.mktemp("place")
    (place / "conf" / "scale").mkdir(parents=True)
    (place / "conf" / "scale" / "trap.yaml").write_text(
        "# @package _global_\ndefaults: [smoke]\nhydra:\n callbacks:\n  mine: {deeper: ['${hydra.callbacks.trap}']}\n"
        f"  trap: {{_target_: os.mkdir, path: {place / 'made'}}}\n"
    )
    (place / "run.pickle").write_bytes(pickle.dumps(MakesAFolder(place / "made")))
    torch.save({"fc.bias": MakesAFolder(place / "made")}, place / "model.pth")
    return place


TRAPS: dict[str, tuple[list[str], str]] = {
    "a callback": (
        [*SMOKE, "+hydra.callbacks.mine={{_target_:os.mkdir,path:'{made}'}}"],
        "_target_ 'os.mkdir' is not allowed",
    ),
    "a file": (["experiment=hep_baselines", "scale=trap", "--config-dir={place}/conf"], "_target_ 'os.mkdir'"),
    "a log": (
        [
            *SMOKE,
            "+hydra.job_logging.handlers={{mine:{{class:logging.FileHandler,filename:'{made}'}}}}",
            "hydra.job_logging.root={{handlers:[mine]}}",
        ],
        "hydra.job_logging cannot be set",
    ),
    "a launcher": (
        [*SMOKE, "+hydra.launcher.mine={{_target_:os.mkdir,path:'{made}'}}", "-m"],
        "_target_ 'os.mkdir' is not allowed",
    ),
    "a function of ours": (
        [*SMOKE, "attribution.rule._target_=igbaselines.common.files.write_text", "+attribution.rule.path='{made}'"],
        "_target_ 'igbaselines.common.files.write_text' is not allowed",
    ),
    "a rerun": (["--experimental-rerun={place}/run.pickle"], "would read a pickle"),
    "a run folder": ([*SMOKE, "hydra.run.dir='{made}'"], "hydra.run.dir cannot be set"),
    "a checkpoint": (
        ["experiment=weighted_gradients", "scale=smoke", "model=resnet50", "model.checkpoint={place}/model.pth"],
        "refused, it holds code",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("overrides", "words"), TRAPS.values(), ids=TRAPS)
def test_a_trap_on_the_command_line(tmp_path: Path, place: Path, overrides: list[str], words: str) -> None:
    made = place / "made"
    command = Command(tmp_path / "outputs", place / "data")
    result = command(*(part.format(place=place, made=made) for part in overrides))
    assert result.returncode == 2, result.stderr
    said = result.stderr.splitlines()
    assert said[-1].startswith("error: ")
    assert words in said[-1]
    assert "Traceback" not in result.stderr
    assert not made.exists()


@pytest.mark.parametrize("file", ["run.pickle", "model.pth"])
def test_the_pickles_were_traps(tmp_path: Path, file: str) -> None:
    made = tmp_path / "made"
    if file == "run.pickle":
        pickle.loads(pickle.dumps(MakesAFolder(made)))
    else:
        torch.save({"fc.bias": MakesAFolder(made)}, tmp_path / file)
        torch.load(tmp_path / file, weights_only=False)
    assert made.exists()


# Names that become parts of paths

ESCAPES = ["../../elsewhere", "/elsewhere", "..", ".", "a/b", "a\\b", "a\0b", "", ".hidden", "a\nb", "x" * 300]


def composed(*overrides: str) -> DictConfig:
    register()
    names = ("dataset_name=d", "model_name=m")  # known only to a run
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        return compose("config", [*overrides, *names])


@pytest.fixture(scope="module")
def events() -> DictConfig:
    return composed(*SMOKE)


@pytest.fixture(scope="module")
def images() -> DictConfig:
    return composed("experiment=weighted_gradients", "scale=smoke", "model=resnet50")


@pytest.mark.parametrize("key", ["experiment", "dataset_name", "model_name", "scale"])
@pytest.mark.parametrize("name", ESCAPES)
def test_a_run_folder_has_no_name_that_leads_elsewhere(events: DictConfig, key: str, name: str) -> None:
    config = events.copy()
    config[key] = name
    with pytest.raises(UserError, match=f"^{key}=") as error:
        resolve(config)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["runner", "command_line", "context"])
def test_no_module_but_an_experiment_is_one(events: DictConfig, name: str) -> None:
    config = events.copy()
    config.experiment = name
    with pytest.raises(UserError, match=f"experiment='{name}' is unknown: .*hep_baselines or"):
        resolve(config)


@pytest.mark.parametrize("change", [{"architecture": "../../elsewhere"}, {"weights": "../../elsewhere"}])
def test_a_network_has_no_name_that_leads_elsewhere(images: DictConfig, change: dict[str, str]) -> None:
    config = cast("DictConfig", OmegaConf.merge(images, {"model": change}))
    with pytest.raises(UserError, match=r"^model_name="):
        resolve(config)


def test_an_architecture_has_no_name_that_leads_elsewhere() -> None:
    evaluation = composed("experiment=hep_architectures", "scale=smoke").evaluation
    recipe = evaluation.architectures.swish_dnn
    OmegaConf.set_struct(evaluation, False)
    for name in ESCAPES:
        evaluation.architectures = {name: recipe}
        with pytest.raises(UserError, match=r"^evaluation\.architectures="):
            instantiate(evaluation)


@pytest.mark.parametrize("dataset", ["hep_synthetic", "hep_pythia"])
def test_a_process_has_no_name_that_leads_elsewhere(dataset: str) -> None:
    node = composed("experiment=hep_baselines", "scale=smoke", f"dataset={dataset}").dataset
    OmegaConf.set_struct(node, False)
    node.processes["../../elsewhere"] = next(iter(node.processes.values()))
    with pytest.raises(UserError, match=r"unknown process '\.\./\.\./elsewhere'"):
        instantiate(node)


def test_photographs_are_kept_where_they_belong(tmp_path: Path) -> None:
    names = ["../../elsewhere", "/elsewhere", "..", "a/../../../b", "a\\b", "plain", "x" * 300]
    checkpoints, artifacts = tmp_path / "deep" / "checkpoints", tmp_path / "deep" / "artifacts"
    for folder in (checkpoints, artifacts):
        folder.mkdir(parents=True)
    run = Run(Rows("e", "d", "m", 0), checkpoints, artifacts, tmp_path, torch.device("cpu"), 0, None, 1)

    def work(place: int, chosen: Chosen, file: Path) -> dict[str, Any]:
        file.write_bytes(b"arrays")
        return {"rows": []}

    for_each(run, [Chosen(Photograph(name, Path(name)), 0, 1.0) for name in names], "kept", one_by_one(work))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len([path for path in files if path.parent == artifacts / "kept"]) == len(names)
    assert all(path.is_relative_to(checkpoints) or path.parent == artifacts / "kept" for path in files)


# What the source may not do

READERS = {  # what unpickles or runs what it reads, and the keyword that makes it harmless
    "torch.load": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
}
FORBIDDEN = (
    *("builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__", "os.system", "os.popen"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "cloudpickle.load", "cloudpickle.loads"),
    *(
        "pandas.read_pickle",
        "torch.hub.load",
        "torch.jit.load",
        "torch.export.load",
        "shutil.unpack_archive",
        "yaml.load",
        "yaml.load_all",
    ),
    *("yaml.unsafe_load", "yaml.full_load", "marshal.load", "marshal.loads", "shelve.open", "subprocess.getoutput"),
    *("hydra.utils.instantiate", "hydra.utils.call"),
)
ANY_OBJECT = ("read_pickle", "extractall")  # methods by which one is known
SAVED = "src/igbaselines/models/saved.py"  # networks that the command line names, and nothing else
KNOWN = {  # what checks before it builds, and what is code by its nature
    ("src/igbaselines/running/targets.py", "hydra.utils.instantiate"),
    *((SAVED, loader) for loader in ("torch.jit.load", "torch.export.load")),
}


def violations(source: str) -> list[str]:
    """Every call in a module that could run what it reads."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        first, _, rest = ast.unparse(call.func).partition(".")
        name = ".".join(part for part in (names.get(first, f"builtins.{first}"), rest) if part)
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        needed, value = READERS.get(name, ("", None))
        is_shell = name.startswith("subprocess.") and keywords.get("shell", "False") != "False"
        is_open = bool(needed) and keywords.get(needed) != str(value)
        if name in FORBIDDEN or name.endswith(ANY_OBJECT) or is_shell or is_open:
            found.append(name)
    return found


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What names of modules and of what is in them stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.partition(".")[0]
                yield alias.asname or package, alias.name if alias.asname else package
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


SOURCES = [path for folder in ("src", "scripts", "benchmarks") for path in (PROJECT_ROOT / folder).rglob("*.py")]


def test_the_source_runs_nothing_that_it_reads() -> None:
    assert len(SOURCES) > 100
    found = [(str(path.relative_to(PROJECT_ROOT)), name) for path in SOURCES for name in violations(path.read_text())]
    assert len(found) == len(KNOWN)
    assert set(found) == KNOWN


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(p)",
        "import torch as t\nt.load(p, weights_only=False)",
        "from torch import load\nload(p, weights_only=maybe)",
        "import numpy as np\nnp.load(p, allow_pickle=True)",
        "import numpy as np\nnp.load(p)",
        "import pickle\npickle.load(f)",
        "from pickle import loads as read\nread(b)",
        "import joblib\njoblib.load(p)",
        "import pandas as pd\npd.read_pickle(p)",
        "eval(text)",
        "exec(text)",
        "import yaml\nyaml.load(f, Loader=yaml.Loader)",
        "import subprocess\nsubprocess.run(c, shell=True)",
        "import os\nos.system(c)",
        "import tarfile\ntarfile.open(p).extractall()",
        "import hydra.utils\nhydra.utils.instantiate(node)",
        "from hydra.utils import instantiate\ninstantiate(node)",
    ],
)
def test_what_the_source_may_not_do_is_found(source: str) -> None:
    assert len(violations(source)) == 1


def test_what_the_source_may_do_is_not_found() -> None:
    assert not violations(
        "import torch, numpy as np, subprocess, yaml\nmodel.eval()\ntorch.load(p, weights_only=True)\n"
        "np.load(p, allow_pickle=False)\nyaml.safe_load(t)\nsubprocess.run(c, shell=False)"
    )


# Archives: more of them are in test_downloads.py


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFLNK])
def test_a_special_file_in_an_archive_is_refused(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        info = zipfile.ZipInfo("a.jpg")
        info.external_attr = (kind | 0o644) << 16
        file.writestr(info, b"/etc/passwd")
    with pytest.raises(UserError, match=r"'a\.jpg' is a link or a device"):
        extract(tmp_path / "a.zip", tmp_path / "out", ["*.jpg"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a\\..\\..\\b.jpg", "C:\\b.jpg", "\\b.jpg", "//b.jpg"])
def test_a_name_of_windows_leads_nowhere(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        info = zipfile.ZipInfo("placeholder")
        info.filename = info.orig_filename = name
        file.writestr(info, b"x")
    with pytest.raises(UserError, match="points outside the folder"):
        extract(tmp_path / "a.zip", tmp_path / "out", ["*.jpg", "*/*.jpg"])
    assert not (tmp_path / "out").exists()


def test_permissions_in_an_archive_are_not_taken_over(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        info = zipfile.ZipInfo("a.jpg")
        info.external_attr = (stat.S_IFREG | 0o6777) << 16
        file.writestr(info, b"x")
    (path,) = extract(tmp_path / "a.zip", tmp_path / "out", ["*.jpg"])
    assert not path.stat().st_mode & 0o6111


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_file_is_not_unpacked(tmp_path: Path, mode: str) -> None:
    (tmp_path / "x.jpg").write_bytes(b"x")
    with cast("Any", tarfile.open)(tmp_path / "a.zip", mode) as file:
        file.add(tmp_path / "x.jpg", "../x.jpg")
    with pytest.raises(UserError, match="damaged"):
        extract(tmp_path / "a.zip", tmp_path / "out", ["*.jpg"])
    assert not (tmp_path / "out").exists()
