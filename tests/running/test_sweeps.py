"""Notes of sweeps: read as they were written, in the order of their launches, whatever is broken."""

import os
from pathlib import Path

import pytest

from igbaselines.running.states import RunState
from igbaselines.running.sweeps import FOLDER, Sweep, SweepRun, find_sweeps, write_sweep

RUNS = (
    SweepRun("seed=0", ("experiment", "x-0")),
    SweepRun("seed=1", ("experiment", "x-1")),
    SweepRun("seed=ten", None, "seed must be a number"),
)


def test_a_sweep_is_read_as_it_was_written_and_the_newest_is_last(tmp_path: Path) -> None:
    other = Sweep("python run.py -m seed=7", "serial", (SweepRun("seed=7", ("experiment", "x-7")),))
    write_sweep(tmp_path, Sweep("python run.py -m seed=0,1,ten", "local", RUNS))
    write_sweep(tmp_path, other)
    again = Sweep("python run.py hydra/launcher=slurm seed=ten,1,0", "slurm", RUNS[::-1])
    write_sweep(tmp_path, again)  # the same runs: in the place of the first
    for when, file in enumerate(sorted((tmp_path / FOLDER).iterdir(), key=lambda file: file.stat().st_mtime_ns)):
        os.utime(file, (when, when))
    assert find_sweeps(tmp_path) == [other, again]


def test_every_run_has_a_state(tmp_path: Path) -> None:
    known = [RunState("experiment", "x-0", "complete"), RunState("another", "x-1", "running")]
    found = Sweep("", "", RUNS).states(known)
    assert [run for run, _ in found] == list(RUNS)
    assert [state.state for _, state in found] == ["complete", "not begun", "failed"]
    assert (found[1][1].experiment, found[1][1].label) == ("experiment", "x-1")
    assert found[2][1].note == "seed must be a number"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '{"command": "x"}', '{"command": "x", "launcher": "y", "runs": 5}'),
        '{"command": "x", "launcher": "y", "runs": [{"overrides": "", "note": "", "folder": ["one"]}]}',
        '{"command": "x", "launcher": "y", "runs": [{"overrides": "", "note": "", "folder": 7}]}',
    ],
)
def test_a_damaged_note_is_said_and_left_out(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = Sweep("python run.py -m seed=0,1", "local", RUNS[:2])
    write_sweep(tmp_path, whole)
    (tmp_path / FOLDER / "damaged.json").write_text(text)
    (tmp_path / FOLDER / "folder.json").mkdir()
    assert find_sweeps(tmp_path) == [whole]
    assert "damaged.json is damaged, so its runs are shown one by one" in caplog.text
    assert find_sweeps(tmp_path / "nowhere") == []
