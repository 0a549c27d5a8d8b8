"""Run folders in every state, read without ever raising."""

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from igbaselines.reporting.page.html import write_report
from igbaselines.reporting.page.runs import ReportedRun, find_runs, read_results, read_yaml
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.running.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete run's, with as little in it as there can be."""
    path = tmp_path / "hep_baselines" / "demo-1"
    path.mkdir(parents=True)
    for name, content in (("config.yaml", ""), ("provenance.json", "{}"), ("claims.json", "[]")):
        (path / name).write_text(content)
    (path / "status.json").write_text('{"state": "complete"}')
    return path


def the_run(folder: Path) -> ReportedRun:
    (run,) = find_runs(folder.parents[1])
    assert (run.experiment, run.label, run.folder) == (folder.parent.name, folder.name, folder)
    return run


def test_a_complete_run_is_read_as_it_was_written(run_folder: Path) -> None:
    run = the_run(run_folder)
    assert (run.experiment, run.label, run.state) == ("hep_baselines", "demo-0123abcd", "complete")
    assert [figure.name for figure in run.figures][:2] == ["figure_1", "figure_2a"]
    assert run.figures[0].caption.startswith("Figure 1. The 5 features")
    assert set(run.tables) == {"claims", "completeness", "curves", "events", "premises", "rankings"}
    assert run.claims == json.loads((run_folder / "claims.json").read_text())


def test_runs_that_are_not_complete_are_there_with_what_is_known(tmp_path: Path) -> None:
    failed, killed, running, submitted = (RunFolder(tmp_path, "a", name) for name in ("x-1", "x-2", "x-3", "x-4"))
    for folder in (failed, killed, running):
        folder.begin(afresh=False)
        (folder.attempt / "run.log").write_text("the last line\n")
    failed.fail(ValueError("no signal"))
    killed.record_job(state="killed", ended="killed by SIGKILL")
    submitted.record_job(id="7")
    with running.alone():
        runs = find_runs(tmp_path)
    assert [(run.state, run.note) for run in runs] == [
        ("failed", "ValueError: no signal"),
        ("interrupted", "killed by SIGKILL"),
        ("running", ""),
        ("submitted", "SLURM job 7"),
    ]
    assert [run.last_lines for run in runs[:3]] == ["ValueError: no signal", "the last line", ""]
    assert not any(run.claims or run.tables or run.config for run in runs)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
MERGED = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9))


@pytest.mark.parametrize("text", [BOMB, MERGED, "[" * 10**5, "a: " * 3, "{" * 60 + "}" * 60])
def test_yaml_that_stands_for_billions_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_yaml(text)


@pytest.mark.parametrize("name", ["config.yaml", "claims.json", "provenance.json", "figures/f.png", "tables/t.csv"])
def test_a_pipe_in_a_run_blocks_nothing(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert the_run(folder).state == "unreadable"
    write_report(folder.parents[1])


@pytest.mark.slow
def test_sixty_million_rows_in_a_small_file_are_not_read(folder: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(60_000_000, dtype=np.int8)), pa.array([1.0]))
    pq.write_table(pa.table(dict.fromkeys(("value", "k", "seed", "unit"), column)), folder / "rows.parquet")
    assert (folder / "rows.parquet").stat().st_size < 2 * 10**6
    with pytest.raises(NotTestable, match="too many"):
        read_results(the_run(folder))


RECORD = {
    **{"id": "x", "paper": "y", "source": "s", "statement": "t", "paper_value": 1, "test": None, "n": None},
    **{"value": None, "ci_low": None, "ci_high": None, "p_value": None, "verdict": "not tested", "note": ""},
}


@pytest.mark.parametrize(
    "changed",
    [{"p_value": "small"}, {"id": ["x"]}, {"verdict": None}, {"value": {}}, {"note": 7}, {"paper_value": None}],
)
def test_a_claim_that_cannot_be_printed_makes_a_run_unreadable(folder: Path, changed: dict[str, Any]) -> None:
    (folder / "claims.json").write_text(json.dumps([RECORD | {"more": 1}]))
    assert the_run(folder).claims == [RECORD]
    (folder / "claims.json").write_text(json.dumps([RECORD | changed]))
    run = the_run(folder)
    assert (run.state, run.claims) == ("unreadable", [])
    assert next(iter(changed)) in run.note


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("claims.json", text) for text in ("", "{", "7", '[{"id": "x"}]', '["x"]', "[" * 100_000)),
        ("config.yaml", None),
        ("config.yaml", "\udcff"),
        ("provenance.json", "{"),
        ("figures/f.png", "no image"),
        ("tables/t.csv", ""),
        ("tables/t.csv", 'a,b\n1,2\n1,2,3\n"'),
    ],
)
def test_a_run_with_a_broken_file_is_unreadable(folder: Path, name: str, content: str | None) -> None:
    assert the_run(folder).state == "complete"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    if content is not None:
        (folder / name).write_bytes(content.encode(errors="surrogateescape"))
    run = the_run(folder)
    assert run.state == "unreadable"
    assert "Error: " in run.note
    assert "\n" not in run.note


def test_no_damage_stops_the_report(run_folder: Path, tmp_path: Path) -> None:
    """Files cut short, or with a bit changed: the run is shown as it is, or as unreadable."""
    chance = random.Random(0)
    names = [
        "config.yaml",
        "claims.json",
        "provenance.json",
        "status.json",
        "figures/figure_5.png",
        "tables/events.csv",
    ]
    for number in range(24):
        folder = tmp_path / "hep_baselines" / f"damaged-{number}"
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(run_folder / name, folder / name)
        damaged = folder / names[number % len(names)]
        content = bytearray(damaged.read_bytes())
        place = chance.randrange(len(content))
        content[place] ^= 1 << chance.randrange(8)
        damaged.write_bytes(content[:place] if number < 12 else content)
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert all(f"damaged-{number}" in page for number in range(24))
    assert sum(run.state == "unreadable" for run in find_runs(tmp_path)) >= 6


@pytest.mark.parametrize(
    "text", ["{1: a, b: c}", "{null: {2: x, y: 3}}", "[1]", "7", "? [a, b]\n: c", "a: 2001-13-45", "!!x y"]
)
def test_whatever_stands_in_a_configuration_the_page_is_there(folder: Path, text: str) -> None:
    (folder / "config.yaml").write_text(f"dataset_name: d\ndeeper: {text}" if text.startswith("{") else text)
    assert "demo-1" in write_report(folder.parents[1]).read_text()
