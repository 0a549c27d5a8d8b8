"""The note of a sweep, from the jobs that were planned for it."""

from collections.abc import Sequence
from pathlib import Path

from igbaselines.launching.jobs import Job
from igbaselines.results.sweeps import Sweep, SweepRun, write_sweep


def record_sweep(output_root: Path, command: str, launcher: str, jobs: Sequence[Job]) -> None:
    """Write down which runs a sweep has.

    Args:
        output_root: folder of all runs.
        command: that launched it.
        launcher: its name.
        jobs: of the sweep; those that share a run have one number.
    """
    runs = {job.number: _run(job) for job in jobs}
    write_sweep(output_root, Sweep(command, launcher, tuple(runs.values())))


def _run(job: Job) -> SweepRun:
    if job.run is None:
        return SweepRun(job.differs, None, job.note)
    folder = job.run.folder.path
    return SweepRun(job.differs, (folder.parent.name, folder.name))
