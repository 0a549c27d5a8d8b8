"""What all launchers share: leave out what is complete, do the rest, and say in the end what became of every job."""

import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from igbaselines.command_line import FULL_ERROR
from igbaselines.errors import RunFailedError
from igbaselines.launching.jobs import COMPLETE, SKIPPED, WAITING, Job, judge_whole_runs, plan
from igbaselines.launching.summary import print_summary
from igbaselines.launching.sweeps import record_sweep

log = logging.getLogger(__name__)


def launch(
    loader: ConfigLoader,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    work: Callable[[list[Job]], None],
) -> None:
    """Launch a sweep.

    Args:
        loader: of the configuration.
        config: of the sweep.
        job_overrides: overrides of each run.
        first: number of the first of them.
        work: does the jobs that are not complete, and tells each of them how it ended.

    Raises:
        UserError: if nothing can work, before anything is launched.
        RunFailedError: behind the summary, if any run is not complete.
        StoppedError: behind the summary, if a stop was asked for.
    """
    with _environment_of_user():
        jobs = plan(loader, config, job_overrides, first)
        launcher = str(config.hydra.runtime.choices["hydra/launcher"])
        record_sweep(Path(config.output_root), shlex.join(["python", "run.py", *sys.argv[1:]]), launcher, jobs)
        todo = [job for job in jobs if job.state == WAITING]
        log.info("%d jobs: %d to do, %d complete already", len(jobs), len(todo), _count(jobs, SKIPPED))
        try:
            if todo:
                work(todo)
        finally:
            judge_whole_runs(jobs)
            if _count(jobs, WAITING) < len(jobs):
                print_summary(jobs)
    if missing := len(jobs) - _count(jobs, COMPLETE) - _count(jobs, SKIPPED):
        raise RunFailedError(
            f"{missing} of {len(jobs)} jobs are not complete: the same command does them, and no others"
        )


@contextmanager
def launching_alone(output_root: Path) -> Iterator[None]:
    """Let one launcher at a time look what is in the queue and submit the rest."""
    with FileLock(output_root / ".locks" / "launch.lock"):
        yield


def _count(jobs: Sequence[Job], state: str) -> int:
    return sum(job.state == state for job in jobs)


@contextmanager
def _environment_of_user() -> Iterator[None]:
    """Jobs shall tell their errors in a line each, as a command does; see `command_line`."""
    ours = os.environ.pop(FULL_ERROR, None)
    try:
        yield
    finally:
        if ours is not None:
            os.environ[FULL_ERROR] = ours
