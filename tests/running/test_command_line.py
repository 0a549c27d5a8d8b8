"""What is typed is what is meant: paths of any kind reach the configuration, and no word is taken for another."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from igbaselines.running.command import as_text, run_command
from tests.commands import Command
from tests.running.test_errors import expect_one_line

# Lightning's checkpoints, dates, what people call their folders, and every character that shells or Hydra know
PIECES = [
    "epoch=3-step=10.ckpt",
    "photo (1).jpg",
    "(2)",
    "[a]",
    "{b}",
    "#1",
    "a&b",
    "it's",
    '"q"',
    "~",
    "é",
    "日本",
    "Ω",
]
PIECES += [
    "2024_11_05",
    "1e3",
    "true",
    "null",
    "a b",
    "$x",
    "%",
    "@",
    "!",
    ";",
    "<",
    ">",
    "^",
    "`",
    "|",
    "*",
    "?",
    ":",
    "+",
    "-",
]
PIECES += ["f(x)", "x=", "=x", "\t", "\\", "\n"]

pytestmark = pytest.mark.usefixtures("hydra_as_it_was")


def paths(count: int) -> list[str]:
    generator = np.random.default_rng(0)
    drawn = [[PIECES[i] for i in generator.integers(len(PIECES), size=generator.integers(1, 4))] for _ in range(count)]
    return [f"/data/{'/'.join(pieces)}/x" for pieces in drawn] + [f"pics-{''.join(pieces)}z" for pieces in drawn]


def typed(*words: str) -> DictConfig:
    """The configuration that words on the command line become."""
    found: list[DictConfig] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run.py"])
        assert run_command(words, found.append) == 0
    return found[0]


@pytest.mark.parametrize("path", paths(3))
def test_a_path_is_taken_as_it_is(path: str) -> None:
    assert typed("experiment=explain", f"dataset.path={path}").dataset.path == path


def test_hydra_reads_of_a_path_what_was_typed() -> None:
    for path in paths(300):
        (word,) = as_text([f"dataset.path={path}"])
        assert OverridesParser.create().parse_override(word).value() == path, path


@pytest.mark.parametrize("name", ["2024_11_05", "0.50", "true", "~", "f(1)"])
def test_a_name_alone_is_taken_as_it_is(name: str) -> None:
    config = typed("experiment=weighted_gradients", "hydra.mode=RUN", "model=resnet50", f"model.checkpoint={name}")
    assert config.model.checkpoint == name


@pytest.mark.parametrize(
    "value", ["[2024] x.jpg", "{x", "'x", '"a"b', "a,b=c", "range(1", "int(x).jpg", "a='b,c(", "[$`!\\x"]
)
def test_what_may_be_more_than_text_is_shown_quoted(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["experiment=explain", f"dataset.path={value}"], lambda _: None) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith(f"error: dataset.path={value} cannot be read")
    (cure,) = shlex.split(line.partition("if it is text: ")[2])
    assert typed("experiment=explain", cure).dataset.path == value


def test_a_comma_is_no_sweep_without_being_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["experiment=explain", "dataset.path=a,b"], lambda _: None) == 2
    line = capsys.readouterr().err
    (cure,) = shlex.split(line.partition("text ")[2].partition(", a sweep")[0])
    assert typed("experiment=explain", cure).dataset.path == "a,b"


def test_what_hydra_reads_stays_hydras() -> None:
    config = typed(
        "experiment=hep_baselines", "evaluation.top_k=[1,2]", "seed=1_0", "model.learning_rate=1e-2", "++shard.count=1"
    )
    assert (config.evaluation.top_k, config.seed, config.model.learning_rate) == ([1, 2], 10, 0.01)
    assert typed("experiment=explain", "dataset.path=${output_root}/a=b", "output_root=/x").dataset.path == "/x/a=b"


def test_a_home_is_expanded(command: Command, tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    env = os.environ | {"HOME": str(tmp_path)}
    words = command.arguments("experiment=explain", "dataset.path=~/pics")
    result = subprocess.run(words, capture_output=True, text=True, env=env, timeout=100, check=False)
    expect_one_line(result, f"{tmp_path}/pics: no images")


MISTAKES: list[tuple[list[str], list[str]]] = [
    *(
        ([f"{key}=null"], [f"{key}=null does not exist", "choose from"])
        for key in ("experiment", "scale", "model", "dataset")
    ),
    *(
        ([f"{key}=null"], [f"{key}=null does not exist", "choose from"])
        for key in ("attribution", "attribution/rule", "protocol")
    ),
    *(([f"model={value}"], ["model=", "choose from"]) for value in ("5", "1.5", "true", "", "nan")),
    (["~model=5"], ["model=5 does not exist"]),
    (["methods=5"], ["methods=5", "shapley_ig"]),
    (["+n_evnts=5"], ["unknown key n_evnts", "dataset.n_events"]),
    (["++seeds=3"], ["unknown key seeds", "seed"]),
    (["+dataset.n_evnts=3"], ["dataset.n_evnts", "n_events"]),
    (["+evaluation.topk=3"], ["evaluation.topk", "top_k"]),
    (["+attribution.rule.steps_=3"], ["steps_", "n_steps"]),
    (["n_evnts=5"], ["n_evnts", "dataset.n_events"]),
    (["-m", "--cfg", "job"], ["--multirun and --cfg cannot go together"]),
    (["photos/"], ["'photos/'", "key=value"]),
    (["dataset.pa th=x"], ["key=value"]),
    (["model=resnet50"], ["does not fit", "hep_baselines"]),
    (["dataset=sample_photos"], ["does not fit", "hep_baselines"]),
    (["+n_events=3"], ["unknown key n_events", "dataset.n_events"]),
]


@pytest.mark.parametrize("which", range(len(MISTAKES)), ids=lambda which: " ".join(MISTAKES[which][0]))
def test_a_mistake_is_one_line(which: int, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from igbaselines.running.runner import prepare

    words, said = MISTAKES[which]
    assert run_command(["experiment=hep_baselines", f"output_root={tmp_path}", *words], prepare) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    assert all(word in line for word in said), line


@pytest.mark.parametrize(
    ("experiment", "words", "said"),
    [
        ("explain", ["model=swish_dnn", "dataset.path=x"], ["DNNRecipe", "resnet50", "timm_model"]),
        ("explain", ["dataset=hep_pythia_sample"], ["HepTable", "image_folder"]),
        ("weighted_gradients", ["dataset=hep_pythia_sample", "hydra.mode=RUN"], ["HepTable", "sample_photos"]),
        ("shapley_gridworld", ["dataset=hep_pythia_sample"], ["HepTable", "gridworld"]),
        ("shapley_images", ["dataset=gridworld"], ["GridWorld"]),
        ("hep_scores", ["dataset=gridworld"], ["GridWorld"]),
    ],
)
def test_what_cannot_go_together_is_one_line(
    experiment: str, words: list[str], said: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from igbaselines.running.runner import prepare

    assert run_command([f"experiment={experiment}", f"output_root={tmp_path}", *words], prepare) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    assert all(word in line for word in said), line


def test_a_module_that_cannot_be_imported_is_no_name_that_does_not_exist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = "import resource; resource.setrlimit(resource.RLIMIT_AS, (600_000_000,) * 2)"
    code = f"{memory}\nfrom igbaselines.command_line import main\nmain()"
    words = [sys.executable, "-c", code, "experiment=hep_baselines", f"output_root={tmp_path}"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode != 0
    assert "does not exist" not in result.stderr
    assert "cannot be imported" in result.stderr.splitlines()[-1], result.stderr


@pytest.mark.parametrize("value", ["[2024]", "range(1)", "glob(*)", "choice(a)", "{a:1}", "shuffle(a)"])
def test_what_hydra_would_take_for_more_than_text_is_refused_with_the_text(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["experiment=explain", f"dataset.path={value}"], lambda _: None) == 2
    assert f"if it is text: \"dataset.path='{value}'\"" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["sort(a)", "str(1)", "1e3", "f(x)"])
def test_no_function_is_called_on_text(value: str) -> None:
    found: list[DictConfig] = []
    assert run_command(["experiment=explain", f"dataset.path={value}"], found.append) == 0
    assert [config.dataset.path for config in found] == [value]


def test_a_file_names_the_experiment_that_it_is_of() -> None:
    assert typed("experiment=weighted_gradients_ablation", "hydra.mode=RUN").experiment == "weighted_gradients"
