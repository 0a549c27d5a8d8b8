"""Run folders in every state, read without ever raising."""

import json
from pathlib import Path

import pytest

from igbaselines.reporting.runs import LAST_LINES, find_runs, read_run


def folder_with(root: Path, label: str, status: str) -> Path:
    folder = root / "hep_baselines" / label
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(status)
    return folder


def test_a_complete_run_is_read_as_it_was_written(run_folder: Path) -> None:
    run = read_run(run_folder)
    assert (run.experiment, run.label, run.state) == ("hep_baselines", "demo-0123abcd", "complete")
    assert [figure.name for figure in run.figures][:2] == ["figure_1", "figure_2a"]
    assert run.figures[0].caption.startswith("Figure 1. The 5 features")
    assert set(run.tables) == {"claims", "completeness", "curves", "events", "rankings"}
    assert run.claims == json.loads((run_folder / "claims.json").read_text())


def test_a_failed_run_tells_why(tmp_path: Path) -> None:
    traceback = "\n".join(f"line {number}" for number in range(30)) + "\nValueError: no signal"
    run = read_run(folder_with(tmp_path, "a", json.dumps({"state": "failed", "traceback": traceback})))
    assert (run.state, run.error) == ("failed", "ValueError: no signal")
    assert len(run.last_lines.splitlines()) == LAST_LINES


def test_a_failed_run_without_traceback_shows_its_log(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a", json.dumps({"state": "failed", "error": "out of disk"}))
    (folder / "run.log").write_text("one\ntwo\n")
    run = read_run(folder)
    assert (run.error, run.last_lines) == ("out of disk", "one\ntwo")


@pytest.mark.parametrize("status", ["{", "[]", "null", '{"stat": 1}', '{"state": "dreaming"}', '{"state": "complete"}'])
def test_a_broken_run_is_listed_as_unreadable(tmp_path: Path, status: str) -> None:
    run = read_run(folder_with(tmp_path, "a", status))
    assert run.state == "unreadable"
    assert run.error


def test_a_run_with_broken_claims_or_figures_is_unreadable(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a", '{"state": "complete"}')
    (folder / "config.yaml").write_text("")
    (folder / "provenance.json").write_text("{}")
    (folder / "claims.json").write_text('[{"id": "x"}]')
    assert read_run(folder).state == "unreadable"
    (folder / "claims.json").write_text("[]")
    assert read_run(folder).state == "complete"
    (folder / "figures").mkdir()
    (folder / "figures" / "f.png").write_text("no image")
    assert read_run(folder).state == "unreadable"


def test_only_finished_folders_are_found(tmp_path: Path) -> None:
    folder_with(tmp_path, "b", "{}")
    folder_with(tmp_path, ".partial", "{}")
    (tmp_path / "hep_baselines" / "no-status").mkdir()
    assert [run.label for run in find_runs(tmp_path)] == ["b"]
    assert find_runs(tmp_path / "nowhere") == []
