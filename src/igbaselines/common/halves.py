"""Work that leaves nothing but files, every other piece of it done by a copy of this process on another core."""

import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from igbaselines.common.cores import usable_cores
from igbaselines.common.signals import left_to_parent

PATIENCE = 60.0  # seconds that the copy may take beyond ours

T = TypeVar("T")


def in_halves(work: Callable[[T], object], pieces: Sequence[T]) -> None:
    """Do some work on each piece; where Linux has a core for it, a copy of this process does every other one.

    What the copy has not done is done here, whether it failed, was killed, or waits for a lock that was held as it was
    made: so errors are those of this process.
    """
    ours, theirs = pieces[::2], pieces[1::2]
    copy = _copy_at(work, theirs) if theirs and sys.platform == "linux" and usable_cores() > 1 else None
    try:
        for piece in ours:
            work(piece)
    except BaseException:
        _ends_well(copy, 0.0)
        raise
    for piece in () if _ends_well(copy, PATIENCE) else theirs:
        work(piece)


def _copy_at(work: Callable[[T], object], pieces: Sequence[T]) -> tuple[int, int] | None:
    """A copy of this process that works on pieces, as long as this one is there; None without room for it.

    Returns:
        Its number, and a pipe that ends with it.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pipe, held = os.pipe()
    with left_to_parent():
        try:
            copy = os.fork()
        except OSError:
            os.close(pipe)
            os.close(held)
            return None
        if copy:
            os.close(held)
            return copy, pipe
        code = 1
        try:
            for piece in pieces:
                if os.getppid() == parent:
                    work(piece)
            code = 0
        finally:
            os._exit(code)  # and nothing of what the other process has to do at its end


def _ends_well(copy: tuple[int, int] | None, patience: float) -> bool:
    """Whether a copy ends well in time; if not, it is killed."""
    if copy is None:
        return False
    number, pipe = copy
    ended: list[int] = []
    try:
        ended, _, _ = select.select([pipe], [], [], patience)
    finally:
        os.close(pipe)
        if not ended:
            os.kill(number, signal.SIGKILL)
        _, status = os.waitpid(number, 0)
    return bool(ended) and os.waitstatus_to_exitcode(status) == 0
