"""A finished run vouches for itself: by its data, by its code, and by checksums of its files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from igbaselines.common.files import read_bounded, read_json, write_text
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import register
from igbaselines.running.run_folder import RunFolder
from igbaselines.running.runner import Prepared, prepare
from igbaselines.running.states import state_of
from tests.commands import Command
from tests.damage import EVERY_DAMAGE, damage
from tests.running.faults import SMALL, check_equal, checkpointed, ended, finished, measured, started, wait_for
from tests.running.test_errors import expect_one_line, table

SLOW = pytest.mark.slow


def prepared(outputs: Path, *overrides: str) -> Prepared:
    register()
    names = ("dataset_name=d", "model_name=m", f"output_root={outputs}", f"data_root={outputs / 'data'}")
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        return prepare(compose("config", [*overrides, *names]))


# Which run it is


def test_a_relative_path_is_another_file_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        table().to_parquet(tmp_path / place / "events.parquet")
        for path in ("events.parquet", "./events.parquet", str(tmp_path / place / "events.parquet")):
            monkeypatch.chdir(tmp_path / place)
            run = prepared(
                tmp_path / "outputs", "experiment=hep_baselines", "dataset=hep_table", f"dataset.path={path}"
            )
            names.add(run.folder.path.name)
            assert run.settings["dataset"].path == str(tmp_path / place / "events.parquet")
    assert len(names) == 2


# The files of a finished run


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, "experiment", "label-0123456789")
    folder.begin(afresh=False)
    for name in ("rows.parquet", "claims.json", "artifacts/a.npz", "tables/t.csv", "run.log"):
        (folder.attempt / name).parent.mkdir(exist_ok=True)
        (folder.attempt / name).write_text(f"the content of {name}, which is long enough")
    folder.complete(seconds=1.0)
    return folder


@pytest.mark.parametrize("kind", [*EVERY_DAMAGE, "gone", "a folder"])
@pytest.mark.parametrize("name", ["rows.parquet", "claims.json", "artifacts/a.npz", "tables/t.csv"])
def test_a_damaged_file_is_named(folder: RunFolder, name: str, kind: str) -> None:
    assert state_of(folder).state == "complete"
    file = folder.path / name
    if kind in ("gone", "a folder"):
        file.unlink()
        if kind == "a folder":
            file.mkdir()
    else:
        damage(file, kind, other=folder.path / "status.json")
    assert folder.damaged() == [name]
    state = state_of(folder)
    assert state.state == "unreadable"
    assert f"{name} damaged" in state.note


def test_no_bit_of_a_status_can_change(folder: RunFolder) -> None:
    file = folder.path / "status.json"
    content = file.read_bytes()
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        file.write_bytes(changed)
        assert not folder.is_complete(), place
        assert state_of(folder).state == "unreadable"


def test_a_log_and_what_users_put_beside_are_not_vouched_for(folder: RunFolder) -> None:
    (folder.path / "run.log").write_text("less")
    (folder.path / "notes.txt").write_text("mine")
    assert folder.damaged() == []
    assert state_of(folder).state == "complete"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_block(folder: RunFolder) -> None:
    for name in ("status.json", "rows.parquet"):
        kept = (folder.path / name).read_bytes()
        (folder.path / name).unlink()
        os.mkfifo(folder.path / name)
        assert state_of(folder).state == "unreadable"
        (folder.path / name).unlink()
        (folder.path / name).write_bytes(kept)
    os.mkfifo(folder.path / "pipe")
    with pytest.raises(OSError, match="no file"):
        read_bounded(folder.path / "pipe")


def test_what_is_read_whole_is_bounded_and_no_deeper_than_python(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 10**6)
    with pytest.raises(ValueError, match="deep"):
        read_json(tmp_path / "deep.json")
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_bounded(tmp_path / "deep.json", most=10)


@pytest.mark.parametrize(
    "status",
    [
        '{"state": "complete"}',
        '{"state": "complete", "seconds": 1e400}',
        '{"state": "complete", "seconds": "long"}',
        '{"state": "complete", "seconds": NaN}',
        '{"state": "failed", "error": "\\ud800", "traceback": 5}',
        '{"state": ["complete"]}',
    ],
)
def test_a_status_that_anyone_could_have_written_is_told(folder: RunFolder, status: str, tmp_path: Path) -> None:
    (folder.path / "status.json").write_text(status)
    found = state_of(folder)
    write_text(tmp_path / "page.html", f"{found}")
    if found.state == "complete":
        assert found.note == "made by other code than today's"


@SLOW
def test_the_same_command_mends_what_is_damaged(command: Command) -> None:
    undisturbed = finished(command, *SMALL)
    (folder,) = command.runs()
    names = ("claims.json", "tables/places.csv", "figures/figure_weightings.png", "rows.parquet", "names.json")
    before = {name: (folder / name).read_bytes() for name in names}
    for name in names:
        damage(folder / name, "bit in the middle", other=folder / "status.json")
        status = command("action=status")
        assert f"{name} damaged" in status.stdout
        result = command(*SMALL)
        assert f"{name} damaged since the run was made: made again" in result.stderr
        was_measured = "validation loss" in result.stderr
        assert was_measured == (name in ("rows.parquet", "names.json")), name
        check_equal(measured(folder), undisturbed)
        assert (folder / "claims.json").read_bytes() == before["claims.json"]
        assert (folder / "names.json").read_bytes() == before["names.json"]
        assert "complete already" in command(*SMALL).stderr


@SLOW
def test_an_output_folder_removed_while_its_run_goes_on(command: Command) -> None:
    with started(command.arguments(*SMALL)) as process:
        wait_for(lambda: any(command.outputs.glob("*/.*/attempt/run.log")), process)
        shutil.rmtree(command.outputs)
        expect_one_line(ended(process), "was removed while the run was at work")


# The code


@SLOW
def test_a_killed_run_of_other_code_begins_again(tmp_path: Path) -> None:
    """Two networks: the first is trained, the code changes, and both have to be of the new code."""
    for name in ("src", "conf"):
        shutil.copytree(PROJECT_ROOT / name, tmp_path / "copy" / name)
    shutil.copy(PROJECT_ROOT / "run.py", tmp_path / "copy")
    env = {"PYTHONPATH": str(tmp_path / "copy" / "src")}
    overrides = (*SMALL, "evaluation.networks=2")

    def arguments(outputs: str, *more: str) -> list[str]:
        roots = (f"output_root={tmp_path / outputs}", f"data_root={tmp_path / 'data'}")
        return [sys.executable, str(tmp_path / "copy" / "run.py"), *roots, *overrides, *more]

    def done(outputs: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            arguments(outputs), capture_output=True, text=True, env=os.environ | env, cwd=tmp_path, check=False
        )

    command = Command(tmp_path / "killed", tmp_path / "data")
    with started(arguments("killed"), env) as process:
        wait_for(checkpointed(command, "etworks-*"), process)
        process.kill()
    recipe = tmp_path / "copy/src/igbaselines/studies/hep/networks/training.py"
    recipe.write_text(recipe.read_text() + "\n# another training\n")
    first, fresh = done("killed"), done("fresh")
    assert (first.returncode, fresh.returncode) == (0, 0), first.stderr + fresh.stderr
    assert first.stderr.count("validation loss") == fresh.stderr.count("validation loss") == 2
    (killed,), (other,) = ((tmp_path / name).glob("hep_weightings/*") for name in ("killed", "fresh"))
    check_equal(measured(killed), measured(other))
    recipe.write_text(recipe.read_text() + "\n# and another\n")
    assert "complete already, made by other code than today's" in done("killed").stderr
    status = json.loads((killed / "status.json").read_text())
    assert status["code"] == json.loads((killed / "provenance.json").read_text())["code"]
    assert isinstance(measured(killed), pd.DataFrame)
