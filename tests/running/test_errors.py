"""What can go wrong before or during a run: one clear line, an exit code that is not 0, and nothing half written."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.commands import Command

SMOKE = ("experiment=hep_baselines", "scale=smoke")


def expect_one_line(result: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert result.returncode != 0
    said = [line for line in result.stderr.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert said[-1] == errors[0]
    assert "Traceback" not in result.stderr
    assert all(word in errors[0] for word in words), errors[0]


def table(**changes: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {f"x{i}": rng.normal(size=600) for i in range(4)}
    columns |= {"process": ["s"] * 300 + ["b"] * 300, "label": [1] * 300 + [0] * 300}
    return pd.DataFrame(columns | changes)


MISTAKES: list[tuple[list[str], list[str]]] = [
    ([], ["choose an experiment", "hep_baselines"]),
    (["experiment=hep_baseline"], ["hep_baseline", "hep_baselines"]),
    ([*SMOKE, "dataset.n_evnts=5"], ["unknown key", "n_events"]),
    ([*SMOKE, "dataset.n_events=many"], ["n_events", "many"]),
    ([*SMOKE, "evaluation.signal_efficiency=1.5"], ["evaluation.signal_efficiency", "1.5"]),
    ([*SMOKE, "evaluation.top_k=[0]"], ["evaluation.top_k"]),
    ([*SMOKE, "evaluation.retrained_networks=3"], ["evaluation.retrained_networks=3", "evaluation.networks=2"]),
    ([*SMOKE, "evaluation.top_k=[two]"], ["top_k", "two"]),
    ([*SMOKE, "attribution.signal_events=100000"], ["signal_events", "n_events"]),
    ([*SMOKE, "attribution.rule._target_=os.system"], ["_target_", "os.system"]),
    ([*SMOKE, "model.dropout=1"], ["model.dropout"]),
    ([*SMOKE, "device=cuda:77"], ["device=cuda:77"]),
    ([*SMOKE, "dataset=hep_table"], ["path"]),
    ([*SMOKE, "dataset=hep_table", "dataset.path=nowhere.parquet"], ["nowhere.parquet"]),
    ([*SMOKE, "max_batch=0"], ["max_batch"]),
    (["action=dance"], ["action=dance", "report"]),
]


@pytest.mark.parametrize(("overrides", "words"), MISTAKES)
def test_a_mistake_on_the_command_line(command: Command, overrides: list[str], words: list[str]) -> None:
    expect_one_line(command(*overrides), *words)
    assert command.runs() == []
    assert not list(command.outputs.rglob("rows.parquet"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("events", "words"),
    [
        (table().drop(columns="label"), ["label"]),
        (table(x1=["text"] * 600), ["x1"]),
        (table(x2=[np.nan] + [0.0] * 599), ["x2"]),
        (table(label=[0] * 600), ["signal"]),
        (table(label=[1] * 600), ["background"]),
        (table(process=["s"] * 300 + ["b"] * 297 + ["rare"] * 3), ["rare", "3"]),
    ],
)
def test_a_table_that_will_not_do(command: Command, tmp_path: Path, events: pd.DataFrame, words: list[str]) -> None:
    path = tmp_path / "events.parquet"
    events.to_parquet(path)
    result = command(*SMOKE, "dataset=hep_table", f"dataset.path={path}", "attribution.signal_events=20")
    expect_one_line(result, *words)
    assert command.runs() == []


@pytest.mark.parametrize("key", ["output_root", "data_root"])
def test_a_folder_that_cannot_be_written(command: Command, tmp_path: Path, key: str) -> None:
    (tmp_path / "file").write_text("in the way")
    expect_one_line(command(*SMOKE, f"{key}={tmp_path / 'file' / 'outputs'}"), key, "cannot be written")


@pytest.mark.slow
def test_a_full_disk(command: Command, small_disk: Path) -> None:
    result = command(*SMOKE, f"output_root={small_disk}")
    expect_one_line(result, "space")
    assert not list(small_disk.glob("hep_baselines/[!.]*"))


def test_a_run_that_breaks_says_where_its_traceback_is(command: Command, tmp_path: Path) -> None:
    # What breaks in the middle of its work nobody can find out before.
    (tmp_path / "breaks.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Rule:\n    def nodes_and_weights(self, *_):\n"
        "        raise AttributeError('no nodes')\n"
    )
    result = command(
        *SMOKE,
        f"plugins=[{tmp_path / 'breaks.py'}]",
        "attribution.rule={_target_:breaks.Rule}",
        "~attribution.rule.n_steps",
    )
    expect_one_line(result, "hep_baselines failed", "run.log")
    (folder,) = command.runs()
    status = json.loads((folder / "status.json").read_text())
    assert status["state"] == "failed"
    assert "Traceback" in status["traceback"]
    assert "Traceback" in (folder / "run.log").read_text()
    assert command("action=report").returncode == 0
    assert "AttributeError" in (command.outputs / "report" / "index.html").read_text()


@pytest.mark.slow
def test_two_at_once_do_the_work_once(command: Command) -> None:
    little = ("experiment=hep_combined", "scale=smoke", "evaluation.networks=1")
    processes = [command.start(*little) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("complete already" in text for text in said) == 1
    assert len(command.runs()) == 1


def test_the_report_of_an_empty_folder_says_what_to_run(command: Command) -> None:
    assert command("action=report").returncode == 0
    page = (command.outputs / "report" / "index.html").read_text()
    assert "run.py experiment=hep_baselines" in page
