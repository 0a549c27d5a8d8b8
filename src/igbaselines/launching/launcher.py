"""What all launchers share: leave out what is complete, do the rest, and say in the end what became of every job."""

import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from igbaselines.common.errors import RunFailedError
from igbaselines.common.places import COMMAND
from igbaselines.launching.jobs import COMPLETE, SKIPPED, WAITING, Job, judge_whole_runs, plan
from igbaselines.launching.summary import print_summary
from igbaselines.running.command import SWEEP
from igbaselines.running.config import FULL_ERROR, absolute
from igbaselines.running.sweeps import Sweep, SweepRun, write_sweep

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
        words = [word for word in sys.argv[1:] if word != SWEEP]  # which the launcher implies
        record_sweep(Path(absolute(config.output_root)), shlex.join([*COMMAND, *words]), launcher, jobs)
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
        said = f"not complete: {missing} of {len(jobs)} jobs"
        raise RunFailedError(f"{said}; the same command goes on with what is missing")


def record_sweep(output_root: Path, command: str, launcher: str, jobs: Sequence[Job]) -> None:
    """Write down which runs a sweep has, so that a part shows as a part; jobs that share a run have one number."""
    runs = {}
    for job in jobs:
        folder = None if job.run is None else (job.run.folder.path.parent.name, job.run.folder.path.name)
        runs[job.number] = SweepRun(job.differs, folder, job.note if folder is None else "")
    write_sweep(output_root, Sweep(command, launcher, tuple(runs.values())))


def _count(jobs: Sequence[Job], state: str) -> int:
    return sum(job.state == state for job in jobs)


@contextmanager
def _environment_of_user() -> Iterator[None]:
    """Jobs shall tell their errors in a line each, as a command does; see `running.command`."""
    ours = os.environ.pop(FULL_ERROR, None)
    try:
        yield
    finally:
        if ours is not None:
            os.environ[FULL_ERROR] = ours
