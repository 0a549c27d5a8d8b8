"""Progress bars on standard error, nothing where it is not a terminal; their steps are where work can be stopped."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from igbaselines.common.stopping import stop_here


@contextmanager
def bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block lasts.

    Yields:
        A function that takes how much is done, and saved, by now. It raises StoppedError where a stop was asked for.
    """
    times = TimeElapsedColumn(), TimeRemainingColumn()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *times
    console = Console(stderr=True)  # which calls what a notebook starts a terminal, since notebooks have colours
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(description, total=total)

        def show(done: int) -> None:
            progress.update(task, completed=done)
            stop_here()

        yield show


def shares(progress: Callable[[int], object], parts: int) -> list[Callable[[int], object]]:
    """Progress of parts that are worked on side by side: what each has done adds up to what all have."""
    done = [0] * parts

    def of(part: int) -> Callable[[int], object]:
        def show(count: int) -> object:
            done[part] = count
            return progress(sum(done))

        return show

    return [of(part) for part in range(parts)]
