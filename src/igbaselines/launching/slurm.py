"""Jobs as arrays on a SLURM cluster, through submitit.

Every task of an array does what the command line would. Before its time is up SLURM sends it USR2, before it gives its
place to another USR2 or TERM: it saves and goes back into the queue, from where it goes on. What became of a job its
status file tells; SLURM is asked which jobs are still there, and why one is gone that left no status.
"""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from igbaselines.common.errors import UserError, first_line
from igbaselines.common.stopping import stop_asked, stop_here
from igbaselines.launching.jobs import KILLED, RUNNING, Job
from igbaselines.running.run_folder import RunFolder
from igbaselines.running.states import SUBMITTED, find_states, state_of

if TYPE_CHECKING:
    import submitit
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

LARGEST_ARRAY = 1000  # SLURM's MaxArraySize is 1001 where nobody has changed it
SECONDS_BETWEEN_LOOKS = (2.0, 30.0)  # at first, and when the jobs have run for ten minutes
QUERY_TIMEOUT = 60.0
OUT_OF_MEMORY = re.compile(r"slurmstepd.*(exceeded.* memory limit|oom.kill)", re.IGNORECASE)  # in a job's log


@dataclass(frozen=True)
class Command:
    """What a task of an array calls: `python run.py` with these arguments."""

    arguments: tuple[str, ...]

    def __call__(self) -> None:
        """Do what the command line would, and end as it does."""
        import submitit

        from igbaselines.reporting.render import render_run
        from igbaselines.running.command import run_command
        from igbaselines.running.runner import execute, prepare

        logging.getLogger("submitit").propagate = False  # it prints by itself
        requeue = signal.getsignal(signal.SIGUSR2)  # submitit's: behind that it ends the process, wherever it is
        assert callable(requeue)

        def requeue_and_go_on(signum: int, frame: FrameType | None) -> None:
            try:
                requeue(signum, frame)  # at which SLURM sends TERM, for us to save, and KILL a while later
            except SystemExit:
                return
            except Exception as error:  # it has come up too often, or there is no controller to ask
                print(f"error: not put back into the queue: {error}")
                os.kill(os.getpid(), signal.SIGTERM)  # save what there is

        signal.signal(signal.SIGUSR2, requeue_and_go_on)

        def act(config: "DictConfig") -> None:
            execute(prepare(config), render_run)

        code = run_command(self.arguments, act)
        if code == 128 + signal.SIGTERM and _still_runs(submitit.JobEnvironment().job_id):
            requeue(signal.SIGUSR2, None)  # preempted: what ends by itself before it has to, SLURM does not requeue
        if code:
            sys.exit(code)  # so that SLURM calls it failed, and writes a mail to who has asked for one

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """What to call when the task comes up again: the same, which goes on from the run's checkpoints."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def adopt(jobs: Sequence[Job]) -> list[Job]:
    """Find out which jobs are in the queue already, from an earlier launch, and which are to be submitted.

    Raises:
        UserError: if SLURM cannot be asked.
    """
    there = in_queue()
    if there is None:
        raise UserError("squeue does not answer: is this a node of a SLURM cluster, and its controller up?")
    new = []
    for job in jobs:
        assert job.run is not None
        record = job.run.place.job_record()
        if job.is_whole():  # by another launcher's job, since we looked
            job.judge("")
        elif record.get("id") in there:
            job.state, job.note, job.log = RUNNING, f"SLURM job {record['id']}", Path(record["log"])
            job.id = str(record["id"])
        else:
            new.append(job)
    if len(new) < len(jobs):
        log.info("%d jobs are in SLURM's queue already", len(jobs) - len(new))
    return new


def submit(jobs: Sequence[Job], parameters: Mapping[str, Any]) -> None:
    """Submit jobs as arrays, by the parameters of hydra-submitit-launcher; each is told its id and log.

    Raises:
        UserError: if sbatch refuses them, with its words.
    """
    import submitit

    _check_lines("hydra.launcher", {name: value for name, value in parameters.items() if name != "setup"})
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
            job.run.place.record_job(id=job.id, log=str(job.log))
        log.info("%d jobs submitted: %s, logs in %s", len(part), part[0].id.split("_")[0], executor.folder.parent)


def wait(jobs: Sequence[Job]) -> None:
    """Wait until the jobs are over; each is told how it ended.

    Raises:
        StoppedError: if a stop was asked for; the jobs go on.
    """
    start, gone, answered = time.monotonic(), set[str](), True
    running = [job for job in jobs if job.state == RUNNING]
    while running:
        first, last = SECONDS_BETWEEN_LOOKS
        pause = time.monotonic() + min(last, first + (time.monotonic() - start) / 20)
        while time.monotonic() < pause:
            if stop_asked():
                ids = " ".join(sorted({job.id.split("_")[0] for job in running}))
                log.info("the jobs go on, and the same command waits for them again; `scancel %s` would end them", ids)
            stop_here()
            time.sleep(0.2)
        there = in_queue()
        if there is None and answered:
            log.warning("SLURM does not answer: its controller may be down for a while, and jobs go on without it")
        answered = there is not None
        if there is None:
            continue  # nobody knows, so nobody is dead
        for job in running:
            if job.id not in there:
                # A status that another node has just written may take a moment to be seen here: look twice.
                if job.has_new_status() or job.id in gone:
                    job.judge(_why_gone(job.id, job.log))
                gone.add(job.id)
        running = [job for job in running if job.state == RUNNING]


def _check_lines(key: str, value: Mapping[str, Any] | list[Any]) -> None:
    """What becomes an option in a job script is one line of it: the next would be run."""
    for name, part in value.items() if isinstance(value, Mapping) else enumerate(value):
        if isinstance(part, Mapping | list):
            _check_lines(f"{key}.{name}", part)
        elif len(f"{name} {part}".splitlines()) > 1:
            raise UserError(f"{key}.{name!r} must be one line, got {str(part)!r}")


def _executor(parameters: Mapping[str, Any]) -> "submitit.AutoExecutor":
    import submitit
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

    of_all_executors = set(OmegaConf.structured(BaseQueueConf).keys())
    values = dict(parameters)
    folder, timeouts = values.pop("submitit_folder"), values.pop("max_num_timeout")
    if not isinstance(cores := values["cpus_per_task"], int) or cores < 1:
        raise UserError(f"hydra.launcher.cpus_per_task must be a number from 1, which setup lines hand on, got {cores}")
    try:
        executor = submitit.AutoExecutor(
            folder=folder, cluster="slurm", slurm_max_num_timeout=timeouts, slurm_python=values.pop("python")
        )
        named = {key if key in of_all_executors else f"slurm_{key}": value for key, value in values.items()}
        executor.update_parameters(**named)
    except (RuntimeError, ValueError, TypeError, NameError) as error:
        raise UserError(f"hydra/launcher=slurm: {first_line(str(error))}") from error
    return executor


def _words_of_sbatch(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.startswith("sbatch: error: ")]
    return "; ".join(line.removeprefix("sbatch: error: ") for line in lines) or first_line(str(error))


def in_queue() -> set[str] | None:
    """Ids of this user's jobs that wait or run; None if SLURM does not answer."""
    answer = _ask("squeue", "--me", "--noheader", "--array", "--format=%i")
    return None if answer is None else set(answer.split())


def _still_runs(job_id: str) -> bool:
    """Whether nothing has been decided on a running job's end: scancel, a time limit and requeueing are decisions."""
    return _ask("squeue", "--noheader", f"--jobs={job_id}", "--format=%T") == "RUNNING\n"


def record_gone(output_root: Path) -> None:
    """Write down why jobs are gone that left no status and that nobody has waited for; without a cluster do nothing."""
    submitted = [RunFolder.at(state.folder) for state in find_states(output_root) if state.state == SUBMITTED]
    records = [(run, place, place.job_record()) for run in submitted for place in (run, *run.shards())]
    there = in_queue() if records else None
    if there is None:
        return
    for run, place, record in records:
        is_gone = record.keys() >= {"id", "log"} and "ended" not in record and record["id"] not in there
        if is_gone and place.job_record() == record and state_of(run).state == SUBMITTED:  # since SLURM was asked
            with suppress(OSError):  # who can only read leaves it at "submitted"
                place.record_job(state=KILLED, ended=_why_gone(record["id"], Path(record["log"])))


def _why_gone(job_id: str, log_file: Path | None) -> str:
    """SLURM's word for the end of a job: it remembers for a while, and for good where there is accounting."""
    fields = "--format=State,ExitCode"
    known = _ask("scontrol", "show", "--oneliner", "job", job_id) or ""
    found = re.search(r"JobState=(\S+).*? ExitCode=(\d+):(\d+)", known)
    if found is None:
        known = _ask("sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job_id}", fields) or ""
        found = re.match(r"([^|]+)\|(\d+):(\d+)", known)
    if found is None:
        return "SLURM has forgotten it"
    state, code, signum = found[1], int(found[2]), int(found[3])
    signum = signum or max(0, code - 128)  # as a shell tells it
    word = f"SLURM says {state}" + (f", {signal.Signals(signum).name}" if signum in signal.valid_signals() else "")
    if state == "OUT_OF_MEMORY" or _told_of_memory(log_file):
        return f"out of memory, of which hydra.launcher.mem_gb gives a job more ({word})"
    return word


def _told_of_memory(file: Path | None) -> bool:
    """Whether SLURM says in a job's log that it took too much memory: only with cgroups its state says so too."""
    try:
        return file is not None and OUT_OF_MEMORY.search(file.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return False


def _ask(*command: str) -> str | None:
    try:
        answer = subprocess.run(  # in a session of its own: Ctrl-C is for us
            command, capture_output=True, text=True, timeout=QUERY_TIMEOUT, check=False, start_new_session=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
