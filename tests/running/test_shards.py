"""Runs that several jobs share: together they give the rows of the run that one job does alone."""

import json
import subprocess
from pathlib import Path

import pandas as pd
import psutil
import pytest

from igbaselines.reporting.papers import load_papers
from igbaselines.running.config import CLAIMS_ROOT
from igbaselines.studies.images.data.sample_photos import SamplePhotos
from tests.commands import ROOT, Command
from tests.launching.conftest import PATIENCE, wait_until, without_seconds

BY_THE_CLOCK = {
    claim.id
    for paper in load_papers(CLAIMS_ROOT)
    for claims in paper.claims.values()
    for claim in claims
    if str(claim.parameters.get("metric")).startswith("seconds")
}


def expect_the_rows_of(alone: Path, command: Command) -> None:
    (folder,) = command.runs()
    assert folder.name == alone.name
    shared, expected = (without_seconds(pd.read_parquet(path / "rows.parquet")) for path in (folder, alone))
    pd.testing.assert_frame_equal(shared, expected)
    assert {path.name for path in (folder / "figures").iterdir()} == {
        path.name for path in (alone / "figures").iterdir()
    }
    verdicts, expected_verdicts = (
        {claim["id"]: claim["verdict"] for claim in json.loads((path / "claims.json").read_text())}
        for path in (folder, alone)
    )
    assert BY_THE_CLOCK
    assert {key: value for key, value in verdicts.items() if key not in BY_THE_CLOCK} == {
        key: value for key, value in expected_verdicts.items() if key not in BY_THE_CLOCK
    }
    assert verdicts.keys() == expected_verdicts.keys()
    assert not list(command.outputs.glob("*/.*/shard-*"))


@pytest.mark.parametrize(
    ("experiment", "fixture", "count", "launcher"),
    [
        # Two networks: one of three shards has nothing to do.
        pytest.param("hep_baselines", "smoke", 3, "local", marks=pytest.mark.slow),
        pytest.param("hep_baselines", "smoke", 2, "serial", marks=pytest.mark.slow),
        pytest.param("shapley_gridworld", "gridworld_smoke", 2, "local", marks=pytest.mark.slow),
        pytest.param("shapley_images", "shapley_images_smoke", 2, "serial", marks=pytest.mark.slow),
        pytest.param("weighted_gradients", "weighted_smoke", 3, "local", marks=pytest.mark.slow),
    ],
)
def test_shards_give_the_rows_of_the_whole_run(
    command: Command, request: pytest.FixtureRequest, experiment: str, fixture: str, count: int, launcher: str
) -> None:
    alone = request.getfixturevalue(fixture)
    launch = (f"hydra/launcher={launcher}", f"experiment={experiment}", "scale=smoke", f"shard.count={count}")
    result = command(*launch)
    assert result.returncode == 0, result.stderr + result.stdout
    assert f"{count} complete" in result.stdout
    expect_the_rows_of(alone, command)
    again = command(*launch)
    assert (again.returncode, again.stdout.split()[0]) == (0, "skipped")


QUESTIONS = [
    *("hep_sample_counts", "hep_combined", "hep_scores", "hep_stability", "hep_architectures"),
    *("shapley_errors", "shapley_heads"),
]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", QUESTIONS)
def test_shards_of_other_experiments(command: Command, tmp_path: Path, experiment: str) -> None:
    expect_shards_to_give_the_rows(command, tmp_path, f"experiment={experiment}", "scale=smoke")


@pytest.mark.slow
def test_shards_of_your_own_photographs(command: Command, tmp_path: Path) -> None:
    samples = SamplePhotos(str(ROOT / "data" / "sample_photos.json")).photographs().candidates
    (tmp_path / "photos").mkdir()
    for name, sample in zip("abc", samples[4:7], strict=True):
        assert isinstance(sample.picture, Path)
        (tmp_path / "photos" / name).with_suffix(sample.picture.suffix).symlink_to(sample.picture)
    little = ("attribution/rule=midpoint", "attribution.rule.n_steps=4", "attribution.reference_images=2")
    photographs = f"dataset.path={tmp_path / 'photos'}"
    expect_shards_to_give_the_rows(command, tmp_path, "experiment=explain", "scale=smoke", photographs, *little)


def expect_shards_to_give_the_rows(command: Command, tmp_path: Path, *run: str) -> None:
    alone = Command(tmp_path / "alone", command.data)
    result = alone(*run)
    assert result.returncode == 0, result.stderr
    result = command("hydra/launcher=local", *run, "shard.count=2")
    assert result.returncode == 0, result.stderr + result.stdout
    expect_the_rows_of(alone.runs()[0], command)


def start(command: Command, *overrides: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command.arguments(*overrides), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    )


@pytest.mark.slow
def test_a_shard_that_is_killed_is_the_only_one_that_is_done_again(command: Command, smoke: Path) -> None:
    launch = ("hydra/launcher=local", "experiment=hep_baselines", "scale=smoke", "shard.count=2")
    launcher = start(command, *launch)
    wait_until(lambda: list(command.outputs.glob("*/.*/shard-1-of-2/run.log")), launcher)
    (job,) = (child for child in psutil.Process(launcher.pid).children() if "shard.index=1" in child.cmdline())
    job.kill()
    out, _ = launcher.communicate(timeout=PATIENCE)
    assert launcher.returncode == 1
    assert "killed by SIGKILL" in out
    assert "1 complete, 1 killed" in out
    assert command.runs() == []
    result = command(*launch)
    assert result.returncode == 0, result.stdout
    assert "1 complete\n" in result.stdout
    expect_the_rows_of(smoke, command)


@pytest.mark.slow
def test_a_shard_that_breaks_says_why(command: Command, smoke: Path) -> None:
    launch = ("experiment=hep_baselines", "scale=smoke", "shard.count=2")
    result = command("hydra/launcher=local", *launch, "model.learning_rate=1e30")
    assert result.returncode == 1
    assert result.stdout.count("diverged") == 2
    assert command.runs() == []
    assert "Traceback" not in result.stderr
    assert len(list(command.outputs.glob("*/.*/shard-*/status.json"))) == 2


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["shard.count=2"], ["shard.count=2", "-m"]),
        (["shard.count=2", "shard.index=0", "force=true"], ["force=true"]),
        (["shard.count=2", "shard.index=5"], ["shard.index", "= 1", "5"]),
    ],
)
def test_a_share_that_there_is_not(command: Command, overrides: list[str], words: list[str]) -> None:
    result = command("experiment=hep_baselines", "scale=smoke", *overrides)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert all(word in line for word in words), line
    assert not list(command.outputs.glob("*/[!.]*"))


@pytest.mark.slow
def test_an_experiment_that_has_no_parts_says_so(command: Command) -> None:
    result = command("hydra/launcher=local", "experiment=hep_generators", "scale=smoke", "shard.count=2")
    assert result.returncode == 2, result.stdout
    assert "shard.count" in result.stderr.splitlines()[-1]
    assert "hep_generators" in result.stderr.splitlines()[-1]
