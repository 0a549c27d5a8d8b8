"""Files are whole or not there."""

from pathlib import Path

import pytest

from igbaselines.files import replacing, write_text


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
