"""Every file and every command of docs/extending.md, as a reader would try them."""

import hashlib
import json
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torchvision.datasets import CIFAR10

from tests import prepared
from tests.commands import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS: list[str] = re.findall(r"^    (python run\.py .*)$", PAGE, re.MULTILINE)
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the reader's, with the page's files in it."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def run(folder: Path, command: str, *more: str) -> "subprocess.CompletedProcess[str]":
    words = [*shlex.split(command)[2:], f"output_root={folder / 'outputs'}", *more]
    return prepared.run([sys.executable, str(ROOT / "run.py"), *words], folder)


def command_with(word: str) -> str:
    (found,) = [command for command in COMMANDS if f"experiment={word} " in command]
    return found


def check(folder: Path, experiment: str, methods: set[str]) -> Path:
    """The run's folder, once its rows, labels, tables and figures have what the page promises."""
    result = run(folder, command_with(experiment))
    assert result.returncode == 0, result.stderr
    (status,) = folder.glob("outputs/*/*/status.json")
    rows = pd.read_parquet(status.with_name("rows.parquet"))
    assert methods <= set(rows["method"])
    assert methods <= set(rows.loc[rows["metric"] == "concentration", "method"])
    named = json.loads(status.with_name("names.json").read_text())["metrics"]
    assert set(rows["metric"]) <= set(named)  # what the experiment measures itself, too
    assert named["concentration"]["better"] == "higher"
    tables = "".join(table.read_text() for table in status.parent.glob("tables/*.md"))
    assert "smooth grad" in tables.lower().replace("_", " ")
    assert "Gini index of the attributions" in tables or "concentration" in tables
    assert list(status.parent.glob("figures/*.png"))
    return status.parent


def test_the_page_shows_files_and_commands() -> None:
    assert set(FILES) == {"my_ideas.py", "my_conf/methods/ig_median_fine.yaml", "my_data.py"}
    assert FILES["my_ideas.py"].count("\n") <= 120
    assert len(COMMANDS) == 6


@pytest.mark.slow
def test_ideas_meet_grid_worlds(folder: Path) -> None:
    check(folder, "shapley_gridworld", {"smooth_grad"})


@pytest.mark.slow
def test_ideas_meet_collisions(folder: Path) -> None:
    made = check(folder, "hep_baselines", {"smooth_grad", "ig_median"})
    assert run(folder, "python run.py action=report").returncode == 0
    page = "".join(path.read_text(encoding="utf-8") for path in (folder / "outputs" / "report").rglob("*.html"))
    assert made.name in page
    assert "smooth_grad" in page or "smooth grad" in page
    assert "Gini index of the attributions" in page


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["shapley_images", "weighted_gradients"])
def test_ideas_meet_photographs(folder: Path, experiment: str) -> None:
    made = check(folder, experiment, {"smooth_grad"})
    assert made.name.startswith("sample_photos-brightness-smoke-")
    assert "brightness" in set(pd.read_parquet(made / "rows.parquet")["model"])


@pytest.mark.slow
def test_ideas_are_compared(folder: Path) -> None:
    check(folder, "comparison", {"smooth_grad", "ig_median_fine"})


def test_no_configuration_file_can_name_code(folder: Path) -> None:
    sneaky = folder / "my_conf" / "experiment" / "sneaky.yaml"
    sneaky.parent.mkdir(exist_ok=True)
    sneaky.write_text("# @package _global_\ndefaults:\n  - hep_baselines\n  - _self_\nplugins: [my_ideas.py]\n")
    (folder / "my_ideas.py").write_text("import pathlib\npathlib.Path('made').touch()\n")
    for mode in ((), ("-m",)):
        result = run(folder, "python run.py --config-dir=my_conf experiment=sneaky scale=smoke", *mode)
        assert result.returncode == 2
        assert "plugins=[...] names code" in result.stderr
    swept = run(
        folder, "python run.py -m experiment=hep_baselines scale=smoke +hydra.sweeper.params.plugins=[my_ideas.py]"
    )
    assert swept.returncode == 2
    assert not (folder / "made").exists()


@pytest.mark.slow
def test_another_file_is_another_run(folder: Path) -> None:
    """The other one as a local sweep, whose jobs are processes of their own."""
    command = command_with("hep_baselines").replace("hep_baselines", "hep_combined") + " evaluation.networks=1"
    local = ("hydra/launcher=local", "hydra.launcher.processes=1")
    for more, text in (((), ""), (local, "\n# one more line\n")):
        (folder / "my_ideas.py").write_text(FILES["my_ideas.py"] + text)
        result = run(folder, command, *more)
        assert result.returncode == 0, result.stderr
    assert len(list(folder.glob("outputs/*/*/status.json"))) == 2


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        ("nowhere.py", "there is no such file"),
        ("my_conf", "a Python file is needed"),
        ("broken.py", "cannot be imported: SyntaxError"),
        ("torch.py", "a module torch is there already"),
    ],
)
def test_a_file_that_cannot_be_taken_is_told_in_one_line(folder: Path, plugins: str, said: str) -> None:
    (folder / "broken.py").write_text("def")
    (folder / "torch.py").touch()
    result = run(folder, f"python run.py experiment=hep_baselines scale=smoke plugins=[{plugins}]")
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_pictures_of_another_dataset_are_explained(folder: Path) -> None:
    """Twenty pictures as torchvision has CIFAR-10's; its own checksums are those of the real files."""
    batches = folder / "cifar" / CIFAR10.base_folder
    batches.mkdir(parents=True)
    labels = [index % 10 for index in range(20)]
    pixels = np.repeat(np.array([25 * label + 2 for label in labels], dtype=np.uint8)[:, None], 3072, axis=1)
    sums = {}
    for name, content in {
        "test_batch": {"data": pixels, "labels": labels},
        "batches.meta": {"label_names": CLASSES},
    }.items():
        (batches / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((batches / name).read_bytes()).hexdigest()
    file = folder / "my_data.py"
    of_test = f"""
CIFAR10.train_list = []
CIFAR10.test_list = [["test_batch", "{sums["test_batch"]}"]]
CIFAR10.meta = CIFAR10.meta | {{"md5": "{sums["batches.meta"]}"}}
"""
    file.write_text(file.read_text() + of_test)
    result = run(folder, command_with("explain"))
    assert result.returncode == 0, result.stderr
    (rows,) = folder.glob("outputs/*/*/rows.parquet")
    assert set(pd.read_parquet(rows)["label"].dropna()) <= set(CLASSES)
