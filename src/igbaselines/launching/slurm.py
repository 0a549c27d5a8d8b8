"""Jobs as arrays on a SLURM cluster, through submitit.

Every task of an array does what the command line would. Before its time is up SLURM sends it USR2: submitit then puts
it back into the queue, and it goes on from its checkpoints. What became of a job its status file tells; SLURM is asked
which jobs are still there, and why one is gone that left no status.
"""

import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from igbaselines.errors import UserError
from igbaselines.launching.jobs import RUNNING, Job
from igbaselines.results.states import first_line
from igbaselines.stopping import stop_here

if TYPE_CHECKING:
    import submitit

log = logging.getLogger(__name__)

LARGEST_ARRAY = 1000  # SLURM's MaxArraySize is 1001 where nobody has changed it
SECONDS_BETWEEN_LOOKS = (2.0, 30.0)  # at first, and when the jobs have run for ten minutes
QUERY_TIMEOUT = 60.0


@dataclass(frozen=True)
class Command:
    """What a task of an array calls.

    Args:
        arguments: of `python run.py`.
    """

    arguments: tuple[str, ...]

    def __call__(self) -> int:
        """Do what the command line would; returns its exit code."""
        from igbaselines.command_line import run_command

        logging.getLogger("submitit").propagate = False  # it prints by itself
        return run_command(self.arguments)

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """What to call when the task comes up again: the same, which goes on from the run's checkpoints."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def adopt(jobs: Sequence[Job]) -> list[Job]:
    """Find out which jobs are in the queue already, from an earlier launch, and which are to be submitted.

    Raises:
        UserError: if SLURM cannot be asked.
    """
    there = _in_queue()
    if there is None:
        raise UserError("squeue does not answer: is this a node of a SLURM cluster, and its controller up?")
    new = []
    for job in jobs:
        assert job.run is not None
        record = job.run.folder.job_record(job.run.shard.index)
        if record.get("id") in there:
            job.state, job.note, job.log = RUNNING, f"SLURM job {record['id']}", Path(record["log"])
            job.id = str(record["id"])
        else:
            new.append(job)
    return new


def submit(jobs: Sequence[Job], parameters: Mapping[str, Any]) -> None:
    """Submit jobs as arrays.

    Args:
        jobs: to submit; each is told its id and log.
        parameters: those of hydra-submitit-launcher's SLURM launcher.

    Raises:
        UserError: if sbatch refuses them, with its words.
    """
    import submitit

    executor = _executor(parameters)
    for start in range(0, len(jobs), LARGEST_ARRAY):
        part = jobs[start : start + LARGEST_ARRAY]
        try:
            submitted = executor.submit_array([Command(tuple(job.arguments)) for job in part])
        except submitit.core.utils.FailedJobError as error:
            raise UserError(f"sbatch refused the jobs: {_words_of_sbatch(error)}") from error
        for job, handle in zip(part, submitted, strict=True):
            assert job.run is not None
            job.id, job.log = handle.job_id, Path(handle.paths.stdout)
            job.state, job.note = RUNNING, f"SLURM job {job.id}"
            job.run.folder.record_job(job.run.shard.index, id=job.id, log=str(job.log))
        log.info("%d jobs submitted: %s, logs in %s", len(part), part[0].id.split("_")[0], executor.folder.parent)


def wait(jobs: Sequence[Job]) -> None:
    """Wait until the jobs are over; each is told how it ended.

    Raises:
        StoppedError: if a stop was asked for; the jobs go on.
    """
    start, gone = time.monotonic(), set[str]()
    running = [job for job in jobs if job.state == RUNNING]
    while running:
        first, last = SECONDS_BETWEEN_LOOKS
        pause = time.monotonic() + min(last, first + (time.monotonic() - start) / 20)
        while time.monotonic() < pause:
            stop_here()
            time.sleep(0.2)
        there = _in_queue()
        if there is None:
            continue  # the controller is down for a while: nobody knows, so nobody is dead
        for job in running:
            if job.id not in there:
                # A status that another node has just written may take a moment to be seen here: look twice.
                if job.has_new_status() or job.id in gone:
                    job.judge(_why_gone(job.id))
                gone.add(job.id)
        running = [job for job in running if job.state == RUNNING]


def _executor(parameters: Mapping[str, Any]) -> "submitit.AutoExecutor":
    import submitit
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

    of_all_executors = set(OmegaConf.structured(BaseQueueConf).keys())
    values = dict(parameters)
    folder, timeouts = values.pop("submitit_folder"), values.pop("max_num_timeout")
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster="slurm", slurm_max_num_timeout=timeouts)
        executor.update_parameters(
            **{key if key in of_all_executors else f"slurm_{key}": value for key, value in values.items()}
        )
    except (RuntimeError, ValueError, TypeError, NameError) as error:
        raise UserError(f"hydra/launcher=slurm: {first_line(str(error))}") from error
    return executor


def _words_of_sbatch(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.startswith("sbatch: error: ")]
    return "; ".join(line.removeprefix("sbatch: error: ") for line in lines) or first_line(str(error))


def _in_queue() -> set[str] | None:
    """Ids of this user's jobs that wait or run; None if SLURM does not answer."""
    answer = _ask("squeue", "--me", "--noheader", "--array", "--format=%i")
    return None if answer is None else set(answer.split())


def _why_gone(job_id: str) -> str:
    """SLURM's word for the end of a job: it remembers for a while, and for good where there is accounting."""
    questions = (
        ("sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job_id}", "--format=State"),
        ("scontrol", "show", "--oneliner", "job", job_id),
    )
    readers: tuple[Callable[[str], str], ...] = (
        lambda answer: answer.split("|")[0],
        lambda answer: answer.partition("JobState=")[2].partition(" ")[0],
    )
    for question, read in zip(questions, readers, strict=True):
        if (answer := _ask(*question)) and (state := read(first_line(answer))):
            return f"SLURM says {state}"
    return "SLURM has forgotten it"


def _ask(*command: str) -> str | None:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
