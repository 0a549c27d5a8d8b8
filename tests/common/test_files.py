"""Files are whole or not there."""

import errno
import itertools
import json
import math
import os
from pathlib import Path

import pytest

from igbaselines.common.errors import UserError
from igbaselines.common.files import (
    LONGEST_NAME,
    as_path,
    check_writable,
    file_name_of,
    read_record,
    replacing,
    write_record,
    write_text,
)
from tests.damage import EVERY_DAMAGE, damage, say_damaged


def test_replaces_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_leaves_nothing_behind_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"

    def fail(error: BaseException) -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(KeyboardInterrupt):
        fail(KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    with pytest.raises(OSError, match="disk is full"):
        fail(OSError("disk is full"))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "rows.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_writes_text_in_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "η_j\n")
    assert (tmp_path / "a.txt").read_bytes() == "η_j\n".encode()


def test_records_come_back(tmp_path: Path) -> None:
    record = {"rows": [{"value": 0.1 + 0.2}, {"value": math.inf}], "name": "caf\udce9 η", "pair": (1, 2), "none": None}
    write_record(tmp_path / "a.json", record)
    as_json = {"rows": record["rows"], "name": record["name"], "pair": [1, 2], "none": None}
    assert read_record(tmp_path / "a.json") == as_json


def test_no_record_gives_none_and_nothing_to_say(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.npz").write_bytes(b"without a record")
    assert read_record(tmp_path / "a.json") is None
    assert caplog.messages == []


@pytest.mark.parametrize("damaged", ["json", "npz"])
@pytest.mark.parametrize("kind", EVERY_DAMAGE)
def test_a_damaged_record_gives_none_and_is_told(
    kind: str, damaged: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for index, name in enumerate("ab"):
        (tmp_path / f"{name}.npz").write_bytes(bytes(range(index, index + 100)))
        write_record(tmp_path / f"{name}.json", {"value": index}, vouched_for=[tmp_path / f"{name}.npz"])
    damage(tmp_path / f"a.{damaged}", kind, tmp_path / f"b.{damaged}")
    assert read_record(tmp_path / "a.json") is None
    assert caplog.messages == [say_damaged(tmp_path / f"a.{damaged}")]
    assert read_record(tmp_path / "b.json") == {"value": 1}


def test_a_record_does_not_vouch_for_a_file_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.npz").write_bytes(b"a")
    write_record(tmp_path / "a.json", {}, vouched_for=[tmp_path / "a.npz"])
    (tmp_path / "a.npz").unlink()
    assert read_record(tmp_path / "a.json") is None
    assert caplog.messages == [say_damaged(tmp_path / "a.npz")]


@pytest.mark.parametrize("content", [b"[]", b"null", b'"checksum"', b"3", b'{"value": 1}', b"\xff\xfe"])
def test_what_is_no_record_gives_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert read_record(tmp_path / "a.json") is None


def test_changed_values_are_not_believed(tmp_path: Path) -> None:
    write_record(tmp_path / "a.json", {"value": 1.0})
    content = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(content | {"value": 2.0}))
    assert read_record(tmp_path / "a.json") is None
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_record(tmp_path / "a.json") == {"value": 1.0}


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Lustre answers where it is mounted without them."""

    def flock(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    check_writable("output_root", tmp_path)
    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(UserError, match=r"output_root=.* without file locks \(Function not implemented\).*-o flock"):
        check_writable("output_root", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_name_has_a_file_name_of_its_own() -> None:
    """All names of up to six characters out of those that separate, and some that are long."""
    names = ["".join(chars) for size in range(1, 7) for chars in itertools.product("a_/b", repeat=size)]
    names += ["x" * 151, "x" * 152, "é" * 76, "é" * 77, "a b", "a_b", "a  b", "photograph a b", "photograph a_b"]
    files = [file_name_of(name) for name in set(names)]
    assert len(set(files)) == len(set(names))
    assert not any("/" in file or len(file.encode()) > LONGEST_NAME for file in files)
    assert [file_name_of(name) for name in ("plain", "a/b", "imagenet_03")] == ["plain", "a__b", "imagenet_03"]


@pytest.mark.parametrize(
    ("typed", "meant"), [("~", "HOME"), ("~/a", "HOME/a"), ("~nobody_here/a", "~nobody_here/a"), ("a~", "a~")]
)
def test_a_home_is_a_home(typed: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert str(as_path(typed)) == meant.replace("HOME", "/home/me")
