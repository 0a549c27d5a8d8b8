"""Signals that reach every process of a job, and are the business of the one that started the others."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# A terminal's Ctrl-C, and what SLURM sends.
TO_ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


@contextmanager
def left_to_parent() -> Iterator[None]:
    """Processes that are started while the block lasts inherit that these are blocked, and do not die of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TO_ALL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
