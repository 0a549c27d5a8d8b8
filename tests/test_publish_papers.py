"""What docs/ holds of the papers is what runs say: articles, figures and checksums of the rows."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from igbaselines.common.errors import UserError
from igbaselines.running.rows import write_rows
from tests.commands import load_script

COMMAND = "python run.py -m experiment=hep_baselines scale=full output_root=/a/b seed=0,1 hydra.mode=RUN"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("publish_papers")


@pytest.fixture(scope="module")
def runs(run_folder: Path, rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of two complete runs that differ in the seed."""
    root = tmp_path_factory.mktemp("outputs") / "hep_baselines"
    for seed in (1, 0):
        folder = root / f"full-{1 - seed}"
        shutil.copytree(run_folder, folder)
        write_rows(folder / "rows.parquet", rows.assign(seed=seed))
        config = {"experiment": "hep_baselines", "scale": "full", "dataset_name": "hep_synthetic"}
        (folder / "config.yaml").write_text(json.dumps(config | {"model_name": "swish_dnn", "seed": seed}))
        provenance = {"command": COMMAND, "code": "0123456789abcdef0", "seed": seed, "wall_time_s": 1234.5}
        (folder / "provenance.json").write_text(json.dumps(provenance))
    return sorted(root.iterdir())


def test_an_article_its_figures_and_what_was_run(script: ModuleType, runs: list[Path], tmp_path: Path) -> None:
    made = script.publish(runs, tmp_path)
    article = (made / "2412.13864.md").read_text(encoding="utf-8")
    assert article.startswith("# \\[Re\\] Constructing sensible baselines")
    shown = [line for line in article.splitlines() if line.startswith("![figure_")]
    assert len(shown) == len(list(made.glob("*.svg"))) == len(list((runs[0] / "figures").glob("*.svg"))) > 4
    assert "full-1: " in article.partition("## Figures")[2]  # the run of seed 0
    assert "full-0: " not in article.partition("## Figures")[2]
    table = (made / "README.md").read_text(encoding="utf-8")
    assert "output_root" not in article + table, "no path of the machine"
    assert "    python run.py -m experiment=hep_baselines scale=full seed=0,1\n" in article
    assert table.count("    python run.py -m experiment=hep_baselines scale=full seed=0,1\n") == 1
    assert [line[:30] for line in table.splitlines() if line.startswith("| swish")] == [
        f"| swish_dnn | {seed} | 21 min | {len(pd.read_parquet(runs[0] / 'rows.parquet'))}"[:30] for seed in (0, 1)
    ]
    for run in runs:
        assert hashlib.sha256((run / "rows.parquet").read_bytes()).hexdigest() in table


def test_verdicts_that_are_others_than_the_demos_are_told(script: ModuleType, runs: list[Path], tmp_path: Path) -> None:
    demo = tmp_path / "outputs" / "hep_baselines" / "demo-0"
    shutil.copytree(runs[0], demo)
    rows = pd.read_parquet(demo / "rows.parquet")
    few = rows[~rows["unit"].isin([f"network_{i}" for i in range(2, 100)])]
    write_rows(demo / "rows.parquet", few)
    found = script.publish(runs, tmp_path, [demo])
    ending = (found / "README.md").read_text(encoding="utf-8").partition("## Beside the demo")[2]
    (counts,) = [line for line in ending.splitlines() if line.startswith("**")]
    here, there = (re.findall(r"(\d+) of (\d+)", counts)[i] for i in (1, 0))
    assert int(here[1]) == 2 * int(there[1])
    assert int(here[0]) / int(here[1]) < int(there[0]) / int(there[1])
    assert re.search(r"\| `[\w/]+` \| inconclusive \| \w[\w ]+ 2 x \|", ending)


def test_what_was_there_is_replaced_and_no_other_folder(script: ModuleType, runs: list[Path], tmp_path: Path) -> None:
    results = tmp_path / "docs" / "results"
    for folder in ("papers", "comparison"):
        (results / folder).mkdir(parents=True)
        (results / folder / "old.md").write_text("old")
    script.publish(runs[:1], tmp_path)
    assert not (results / "papers" / "old.md").exists()
    assert (results / "comparison" / "old.md").exists()


@pytest.mark.parametrize("status", ['{"state": "failed"}', '{"state": "complete"}', None, ""])
def test_a_folder_that_is_no_complete_run_changes_nothing(
    script: ModuleType, runs: list[Path], tmp_path: Path, status: str | None
) -> None:
    """One that failed, one with nothing but its status, an empty one, and one that there is not."""
    other, old = tmp_path / "hep_baselines" / "other-0", tmp_path / "docs" / "results" / "papers" / "old.md"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    if status is not None:
        other.mkdir(parents=True)
    if status:
        (other / "status.json").write_text(status)
    with pytest.raises(UserError, match="hep_baselines/other-0: no complete run"):
        script.publish([runs[0], other], tmp_path)
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]
