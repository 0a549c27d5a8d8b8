"""Ending a run in good order: a signal asks, and the work stops where everything that is finished has been saved.

The first SIGINT (Ctrl-C) or SIGTERM (a batch system wants the machine back) only asks; the second ends the process.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STANDARD_ERROR = 2
_asked: list[int] = []


class StoppedError(KeyboardInterrupt):
    """The work ends here because a signal asked for it; `exit_code` is the shell's 128 + signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


@contextmanager
def stoppable() -> Iterator[None]:
    """While the block lasts, signals ask for a stop instead of forcing it."""
    before = {signum: signal.signal(signum, _ask) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        _asked.clear()


def stop_asked() -> bool:
    """Whether a signal has asked for a stop: what is not yet saved should be."""
    return bool(_asked)


def stop_here() -> None:
    """Mark a place where everything that is finished has been saved.

    Raises:
        StoppedError: if a signal has asked for a stop.
    """
    if _asked:
        raise StoppedError(_asked[0])


def _ask(signum: int, _frame: FrameType | None) -> None:
    if _asked:
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
        return
    _asked.append(signum)
    # Not by the log: a handler may come while the log holds its lock.
    with suppress(OSError):  # nobody reads it: `run.py ... 2>&1 | tee log`, where Ctrl-C has ended the tee
        os.write(STANDARD_ERROR, b"\nstopping once the work in hand is saved; the same signal again: at once\n")
