"""Run folders: what looks complete is complete, and nothing is lost on the way there."""

import json
import multiprocessing
import time
from pathlib import Path

import pytest

from igbaselines.running.run_folder import RunFolder, config_hash


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path, "experiment", "label-0123456789")


def test_the_hash_ignores_how_a_run_is_carried_out_and_nothing_else() -> None:
    config = {"seed": 0, "device": "cpu", "dataset": {"n_events": 5}}
    name = config_hash(config, without=("device",))
    assert name == config_hash({"dataset": {"n_events": 5}, "device": "cuda", "seed": 0}, without=("device",))
    assert name != config_hash({**config, "seed": 1}, without=("device",))
    assert name != config_hash({**config, "dataset": {"n_events": 6}}, without=("device",))


def test_an_attempt_shows_only_once_it_is_complete(folder: RunFolder) -> None:
    folder.begin(afresh=False)
    (folder.attempt / "rows.parquet").write_text("rows")
    assert not folder.path.exists()
    folder.complete(wall_time_s=1.5)
    assert folder.is_complete()
    assert (folder.path / "rows.parquet").read_text() == "rows"
    status = json.loads((folder.path / "status.json").read_text())
    assert (status["state"], status["wall_time_s"]) == ("complete", 1.5)
    assert [path.name for path in folder.path.parent.iterdir()] == [folder.path.name]


def test_checkpoints_outlive_a_killed_attempt_and_not_a_forced_one(folder: RunFolder) -> None:
    folder.begin(afresh=False)
    (folder.checkpoints / "network").write_text("trained")
    (folder.attempt / "half").write_text("written")
    folder.begin(afresh=False)  # what a new process does after a kill
    assert (folder.checkpoints / "network").exists()
    assert not (folder.attempt / "half").exists()
    folder.shard(0, 2).begin()
    folder.record_job(id="7", log="7.log")
    folder.begin(afresh=True)
    assert not (folder.checkpoints / "network").exists()
    assert folder.shards() == []
    assert folder.job_record()["id"] == "7"  # which is the job that begins


@pytest.mark.parametrize("end", ["complete", "failed"])
def test_every_forced_run_begins_afresh_unless_the_last_was_killed(folder: RunFolder, end: str) -> None:
    folder.begin(afresh=True)
    (folder.checkpoints / "network").write_text("trained")
    folder.begin(afresh=True)
    assert (folder.checkpoints / "network").exists()
    if end == "complete":
        folder.complete()
    else:
        folder.fail(ValueError("no signal"))
    folder.begin(afresh=True)
    assert not (folder.checkpoints / "network").exists()


def test_recovery_leaves_what_was_begun_over_a_complete_run(folder: RunFolder) -> None:
    folder.begin(afresh=False)
    folder.complete()
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / "network").write_text("trained by a shard, on other data")
    folder.recover()
    assert (folder.checkpoints / "network").exists()


def test_a_file_that_is_being_written_is_no_shard(folder: RunFolder) -> None:
    folder.shard(1, 2).record_job(id="7_1", log="7.log")
    (folder.work / ".job-shard-0-of-2.json.0123abcd.tmp").touch()
    assert [shard.path.name for shard in folder.shards()] == ["shard-1-of-2"]


def test_a_run_killed_just_before_its_renaming_is_complete(folder: RunFolder) -> None:
    folder.begin(afresh=False)
    (folder.attempt / "rows.parquet").write_text("rows")
    (folder.attempt / "status.json").write_text('{"state": "complete"}')
    folder.recover()
    assert folder.is_complete()
    assert (folder.path / "rows.parquet").read_text() == "rows"


def test_a_failure_keeps_its_traceback_and_the_checkpoints(folder: RunFolder) -> None:
    folder.begin(afresh=False)
    (folder.checkpoints / "network").write_text("trained")
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError as error:
        where = folder.fail(error)
    status = json.loads((where / "status.json").read_text())
    assert where == folder.path
    assert status["state"] == "failed"
    assert "ZeroDivisionError: by zero" in status["traceback"]
    assert not folder.is_complete()
    folder.begin(afresh=False)
    assert (folder.checkpoints / "network").exists()
    folder.complete()
    assert folder.is_complete()


def test_a_failed_rerun_leaves_the_complete_run_alone(folder: RunFolder) -> None:
    folder.begin(afresh=False)
    (folder.attempt / "rows.parquet").write_text("good")
    folder.complete()
    folder.begin(afresh=True)
    where = folder.fail(ValueError("broke"))
    assert where == folder.attempt
    assert folder.is_complete()
    assert (folder.path / "rows.parquet").read_text() == "good"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "failed"}'])
def test_a_damaged_or_failed_status_is_not_complete(folder: RunFolder, text: str) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "status.json").write_text(text)
    assert not folder.is_complete()


def test_a_shard_knows_how_long_it_took_once_it_has_ended_well(folder: RunFolder) -> None:
    shard = folder.shard(0, 2)
    assert shard.seconds() == 0
    shard.begin()
    shard.complete(12.5)
    assert shard.is_complete()
    assert [found.seconds() for found in folder.shards()] == [12.5]
    shard.begin()
    assert shard.seconds() == 0


def test_discarding_leaves_no_trace_but_checkpoints(folder: RunFolder) -> None:
    folder.begin(afresh=False)
    folder.discard()
    assert list(folder.path.parent.iterdir()) == []
    folder.begin(afresh=False)
    (folder.checkpoints / "network").write_text("trained")
    folder.discard()
    assert (folder.checkpoints / "network").exists()


def _hold(root: Path, seconds: float, held: "multiprocessing.synchronize.Event") -> None:
    with RunFolder(root, "experiment", "label-0123456789").alone():
        held.set()
        time.sleep(seconds)


def test_two_processes_take_turns_and_a_dead_holder_is_no_obstacle(folder: RunFolder, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, 1.0, held))
    holder.start()
    assert held.wait(60)
    start = time.monotonic()
    with folder.alone():
        waited = time.monotonic() - start
    holder.join()
    assert waited > 0.5
    held = context.Event()
    killed = context.Process(target=_hold, args=(tmp_path, 600.0, held))
    killed.start()
    assert held.wait(60)
    killed.kill()
    killed.join()
    with folder.alone():  # would wait for ten minutes on a lock that outlives its holder
        assert not killed.is_alive()
