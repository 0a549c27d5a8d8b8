"""Work shared with a copy of this process: all of it is done, whatever becomes of the copy."""

import os
import signal
import time
from pathlib import Path

import pytest

from igbaselines.common import halves
from igbaselines.common.halves import in_halves


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "usable_cores", lambda: 2)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of all copies that are made."""
    found, fork = [], os.fork

    def noted() -> int:
        copy = fork()
        found.append(copy)
        return copy

    monkeypatch.setattr(os, "fork", noted)
    return found


def all_gone(copies: list[int]) -> bool:
    """Whether none of these processes is there any more, not even unwaited for."""
    for copy in copies:
        with pytest.raises(ChildProcessError):
            os.waitpid(copy, os.WNOHANG)
    return len(copies) > 0


def by(folder: Path) -> dict[str, int]:
    return {path.name: int(path.read_text()) for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_every_piece_is_worked_on_once_by_either(count: int, tmp_path: Path) -> None:
    def work(piece: int) -> None:
        with (tmp_path / str(piece)).open("x") as file:
            file.write(str(os.getpid()))

    in_halves(work, range(count))
    done = by(tmp_path)
    assert list(done) == [str(piece) for piece in range(count)]
    for piece, process in done.items():
        assert (process == os.getpid()) == (int(piece) % 2 == 0)


@pytest.mark.parametrize("how", ["fails", "is killed", "waits for ever"])
def test_what_the_copy_does_not_do_is_done_here(
    how: str, copies: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "PATIENCE", 0.5)
    here = os.getpid()

    def work(piece: int) -> None:
        if os.getpid() != here and piece == 3:
            if how == "fails":
                raise ValueError("on purpose")
            if how == "is killed":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(100)
        (tmp_path / str(piece)).write_text(str(os.getpid()))

    in_halves(work, range(5))
    assert by(tmp_path) == {str(piece): here for piece in range(5)}
    assert all_gone(copies)


def test_errors_are_those_of_this_process(copies: list[int]) -> None:
    def work(piece: int) -> None:
        if piece in (0, 1):
            raise OSError(f"no room for {piece}")
        time.sleep(100)

    with pytest.raises(OSError, match="no room for 0"):
        in_halves(work, [0, 3, 4, 5])
    with pytest.raises(OSError, match="no room for 1"):
        in_halves(work, [1])
    assert all_gone(copies)


def test_a_copy_that_has_lost_its_parent_goes_on_with_nothing(tmp_path: Path) -> None:
    middle = os.fork()
    if not middle:
        here = os.getpid()

        def work(piece: int) -> None:
            if os.getpid() == here:
                time.sleep(0.2)
                os._exit(0)
            time.sleep(0.5)
            (tmp_path / str(piece)).write_text("0")

        in_halves(work, range(8))
    os.waitpid(middle, 0)
    time.sleep(1.5)
    assert list(by(tmp_path)) == ["1"]


def test_signals_are_left_to_this_process(tmp_path: Path) -> None:
    def work(piece: int) -> None:
        if piece == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        (tmp_path / str(piece)).write_text(str(os.getpid()))

    in_halves(work, range(2))
    assert by(tmp_path)["1"] != os.getpid()
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
