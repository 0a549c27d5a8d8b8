"""The state of a run in every way that it can begin, go on, end, and be damaged."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from igbaselines.running.provenance import code_checksum
from igbaselines.running.run_folder import RunFolder
from igbaselines.running.states import (
    LAST_LINES,
    MEANINGS,
    WHAT_NEXT,
    RunState,
    count_states,
    explain_states,
    find_states,
    last_lines,
    state_of,
)

LABEL = "data-net-demo-0123456789"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path, "experiment", LABEL)


def begun(folder: RunFolder) -> RunFolder:
    folder.begin(afresh=False)
    (folder.attempt / "run.log").write_text("network 0\nnetwork 1\n")
    return folder


def the_state(folder: RunFolder) -> RunState:
    """Of the only run there is, as it is found; the same as where it is known."""
    (found,) = find_states(folder.path.parents[1])
    assert found == state_of(folder)
    assert (found.experiment, found.label, found.folder) == ("experiment", LABEL, folder.path)
    return found


def test_a_complete_run_says_how_long_it_took(folder: RunFolder) -> None:
    begun(folder).complete(seconds=12.5, code=code_checksum())
    found = the_state(folder)
    assert (found.state, found.seconds, found.note) == ("complete", 12.5, "")
    assert found.ended[:2] == "20"
    with folder.alone():
        assert the_state(folder).state == "complete"  # its results stand while it is made again
        assert the_state(folder).note == "a process is at it again"


def test_a_failed_run_says_why(folder: RunFolder) -> None:
    begun(folder).fail(ValueError("no signal\nand more of it"))
    found = the_state(folder)
    assert (found.state, found.note) == ("failed", "ValueError: no signal")
    assert found.last_lines.endswith("and more of it")
    assert found.log == folder.path / "run.log"


@pytest.mark.parametrize(
    ("status", "note", "lines"),
    [
        ({"error": "out of disk"}, "out of disk", "one\ntwo"),
        ({"traceback": "a\nb\nKeyError: 'x'\n"}, "KeyError: 'x'", "a\nb\nKeyError: 'x'"),
        ({}, "no message", "one\ntwo"),
    ],
)
def test_a_failure_that_says_little_shows_its_log(
    folder: RunFolder, status: dict[str, str], note: str, lines: str
) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "run.log").write_text("one\ntwo\n")
    (folder.path / "status.json").write_text(json.dumps(status | {"state": "failed"}))
    found = the_state(folder)
    assert (found.state, found.note, found.last_lines) == ("failed", note, lines)


def test_a_run_is_running_while_its_lock_is_held_and_interrupted_then(folder: RunFolder) -> None:
    begun(folder)
    with folder.alone():
        assert the_state(folder).state == "running"
    found = the_state(folder)
    assert (found.state, found.last_lines) == ("interrupted", "network 0\nnetwork 1")
    assert found.log == folder.attempt / "run.log"
    folder.record_job(state="killed", ended="killed by SIGKILL")
    assert (the_state(folder).state, the_state(folder).note) == ("interrupted", "killed by SIGKILL")


def test_an_attempt_after_a_failure_counts_and_not_the_failure(folder: RunFolder) -> None:
    begun(folder).fail(ValueError("no signal"))
    folder.record_job(state="failed", ended="ValueError: no signal")
    begun(folder)
    found = the_state(folder)
    assert (found.state, found.note) == ("interrupted", "")


def test_a_job_that_left_no_status_has_failed_with_its_last_line(folder: RunFolder, tmp_path: Path) -> None:
    log = tmp_path / "7_0.out"
    log.write_text("reading\nerror: no such file\n")
    folder.record_job(id="7_0", log=str(log))
    found = the_state(folder)
    assert (found.state, found.note, found.jobs) == ("submitted", "SLURM job 7_0", ("7_0",))
    folder.end_job("no such file")
    found = the_state(folder)
    assert (found.state, found.note, found.jobs) == ("failed", "no such file", ())
    assert (found.log, found.last_lines) == (log, "")  # its line says it all
    folder.record_job(id="8_0", log=str(log))  # the same command again
    assert (the_state(folder).state, the_state(folder).note) == ("submitted", "SLURM job 8_0")


def test_shards_are_counted_and_the_job_of_a_complete_one_is_no_longer_waited_for(folder: RunFolder) -> None:
    for index in (0, 1, 2):
        folder.shard(index, 3).record_job(id=f"7_{index}")
    first, second = folder.shard(0, 3), folder.shard(1, 3)
    first.begin()
    with first.alone():
        assert (the_state(folder).state, the_state(folder).note) == ("running", "0 of 3 shards complete")
    first.complete()
    assert the_state(folder).note == "SLURM job 7_1, 7_2; 1 of 3 shards complete"
    for index in (1, 2):
        folder.shard(index, 3).record_job(state="killed", ended="SLURM says OUT_OF_MEMORY")
    assert the_state(folder).state == "interrupted"
    assert the_state(folder).note == "SLURM says OUT_OF_MEMORY; 1 of 3 shards complete"
    second.begin()
    second.fail(ValueError("no signal"))
    assert the_state(folder).state == "failed"
    assert the_state(folder).note == "ValueError: no signal; 1 of 3 shards complete"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"state": "dreaming"}', '{"state": ["complete"]}', "\ud800"])
def test_a_damaged_status_is_unreadable(folder: RunFolder, text: str) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "status.json").write_bytes(text.encode(errors="surrogatepass"))
    assert (the_state(folder).state, the_state(folder).note) == ("unreadable", "status.json is damaged")


@pytest.mark.parametrize("record", ["[]", "null", "7", '"ended"', '{"id": 7}', '{"ended": ["x"]}', '{"log": []}', "{"])
def test_a_damaged_note_of_a_job_stops_nothing(folder: RunFolder, record: str) -> None:
    begun(folder)
    (folder.work / "job.json").write_text(record)
    assert the_state(folder).state in ("unreadable", "interrupted")


def _seconds_are_words(folder: RunFolder) -> None:
    begun(folder).complete(seconds="long")


def _shard_has_no_number(folder: RunFolder) -> None:
    begun(folder)
    (folder.work / "shard-x-of-y").mkdir()


@pytest.mark.parametrize("damage", [_seconds_are_words, _shard_has_no_number])
def test_what_cannot_be_read_is_unreadable_with_a_reason(
    folder: RunFolder, damage: Callable[[RunFolder], None]
) -> None:
    damage(folder)
    assert the_state(folder).state == "unreadable"
    assert "Error: " in the_state(folder).note


def test_a_status_that_is_a_folder_is_damaged(folder: RunFolder) -> None:
    (folder.path / "status.json").mkdir(parents=True)
    assert (the_state(folder).state, the_state(folder).note) == ("unreadable", "status.json is damaged")


def test_only_what_is_a_runs_is_found(tmp_path: Path) -> None:
    for name in ("experiment/.ipynb_checkpoints/x", "experiment/notes", "report/tables", ".sweeps/local"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "experiment" / ".DS_Store").write_text("")
    (tmp_path / "loose").write_text("")
    assert find_states(tmp_path) == []
    assert find_states(tmp_path / "nowhere") == []


def test_runs_come_in_order_of_their_names_and_once(tmp_path: Path) -> None:
    for experiment, name in (("b", "x-1"), ("a", "x-2"), ("a", "x-1")):
        begun(RunFolder(tmp_path, experiment, name)).complete()
    begun(RunFolder(tmp_path, "a", "x-2"))  # a complete run that is made again
    assert [(found.experiment, found.label) for found in find_states(tmp_path)] == [
        ("a", "x-1"),
        ("a", "x-2"),
        ("b", "x-1"),
    ]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to open everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_closed_folder_is_unreadable_and_a_folder_to_read_only_is_read() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        root = Path(name)
        root.chmod(0o755)
        begun(RunFolder(root, "experiment", "closed-1")).complete()
        begun(RunFolder(root, "experiment", "done-2")).complete()
        with RunFolder(root, "experiment", "half-3").alone():
            begun(RunFolder(root, "experiment", "half-3"))
        closed, locks = root / "experiment" / "closed-1", root / ".locks"
        closed.chmod(0)
        for path in (root / "experiment", locks):
            path.chmod(0o555)
        try:
            with as_nobody():
                found = {state.label: state for state in find_states(root)}
        finally:
            for path in (closed, root / "experiment", locks):
                path.chmod(0o755)
    assert {label: state.state for label, state in found.items()} == {
        "closed-1": "unreadable",
        "done-2": "complete",
        "half-3": "interrupted",
    }
    assert found["closed-1"].note.startswith("PermissionError")


def test_of_a_long_log_the_end_is_shown(folder: RunFolder) -> None:
    begun(folder)
    (folder.attempt / "run.log").write_bytes(b"x" * 100_000 + b"\n" + b"\xff\n" * 30 + b"the last\n")
    lines = the_state(folder).last_lines.splitlines()
    assert len(lines) == LAST_LINES
    assert (lines[-1], lines[0]) == ("the last", "\N{REPLACEMENT CHARACTER}")
    assert last_lines("") == ""


def states(*names: str) -> list[RunState]:
    return [RunState("experiment", str(place), name) for place, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("complete", "complete"), "2 of 2 complete"),
        (("failed", "complete", "running", "failed"), "1 of 4 complete, 2 failed, 1 running"),
        (("not begun",), "0 of 1 complete, 1 not begun"),
    ],
)
def test_states_are_counted(names: tuple[str, ...], words: str) -> None:
    assert count_states(states(*names)) == words


def test_only_states_that_are_there_are_explained(folder: RunFolder) -> None:
    assert explain_states(states("complete")) == []
    lines: list[Any] = explain_states(states("failed", "complete", "failed"))
    assert lines[0].startswith("failed: ")
    assert lines[1:] == [WHAT_NEXT]
    assert all(len(line) <= 80 for line in explain_states(states(*MEANINGS)))
