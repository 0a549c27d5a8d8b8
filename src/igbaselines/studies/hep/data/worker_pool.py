"""Worker processes that make events: they leave signals to the process that started them, and end with it."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import ParamSpec, TypeVar

from igbaselines.common.errors import UserError
from igbaselines.common.signals import left_to_parent

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool(ProcessPoolExecutor):
    """Processes for use in a `with` block; where it ends in an error, what they have in work is given up."""

    def __init__(self, workers: int) -> None:
        try:
            super().__init__(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)
        except (OSError, ImportError) as error:  # of the semaphores, which are files there; or there are none at all
            raise UserError(f"{workers} worker processes need a writable /dev/shm ({error}): give workers=1") from error

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a worker call a function."""
        with left_to_parent():  # a worker that dies of them looks like a failure; workers are started from here
            return super().submit(fn, *args, **kwargs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # Who reads results waits for the rest of one whose worker is killed meanwhile, as long as anybody holds the
            # end that it came from: workers let go of it when they die, and here we do.
            self._result_queue._writer.close()  # type: ignore[attr-defined]
            for worker in multiprocessing.active_children():
                worker.kill()
        self.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Workers of a killed process would wait for ever, or go on beside those of the one that takes its place."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
