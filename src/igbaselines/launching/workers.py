"""Jobs in joblib's worker processes: they import once what many short jobs need, but if one dies all of them do."""

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing import active_children
from pathlib import Path

from joblib import effective_n_jobs
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

from igbaselines.common.errors import UserError
from igbaselines.common.stopping import listen, stop_asked, stop_here
from igbaselines.launching.jobs import FAILED, Job
from igbaselines.launching.processes import SECONDS_BETWEEN_LOOKS, end_of, threads_of_each

SECONDS_IDLE = 10  # then a worker ends, and be it that nobody is there any more to end it


def run_in_workers(jobs: Sequence[Job], n_jobs: int, logs: Path) -> None:
    """Do all jobs in parallel.

    Args:
        jobs: to do; each is told how it ended.
        n_jobs: workers, as joblib counts them: -1 is one a core.
        logs: folder for what they print, made if missing.

    Raises:
        UserError: if there may be no worker.
        StoppedError: if a stop was asked for; running jobs are asked to stop too, and waited for.
    """
    try:
        workers = effective_n_jobs(n_jobs)
    except (TypeError, ValueError) as error:
        raise UserError(f"hydra.launcher.n_jobs must be a number from 1, or -1 for all cores, got {n_jobs}") from error
    logs.mkdir(parents=True, exist_ok=True)
    waiting, running, asked, broken = list(jobs), dict[Future[int], Job](), False, False
    with ProcessPoolExecutor(workers, timeout=SECONDS_IDLE, initializer=_prepare, env=threads_of_each(workers)) as pool:
        while running or (waiting and not asked and not broken):
            if stop_asked() and not asked:
                asked = True
                for worker in active_children():
                    worker.terminate()
            # No more at once than there are workers: what is submitted cannot be taken back.
            while waiting and len(running) < workers and not asked and not broken:
                log = logs / f"{waiting[0].name}.log"
                try:
                    future = pool.submit(_work, waiting[0].arguments, log)
                except BrokenProcessPool:
                    broken = True
                else:
                    running[future] = waiting.pop(0)
                    running[future].log = log
            for future in wait(running, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done:
                _judge(running.pop(future), future)
    if asked:
        stop_here()


def _judge(job: Job, future: "Future[int]") -> None:
    error = future.exception()
    if isinstance(error, TerminatedWorkerError):
        job.judge("a worker was killed, and joblib ends all with it (hydra/launcher=local loses one job alone)")
    elif error is not None:
        job.judge(f"{type(error).__name__}: {error}", FAILED)
    else:
        job.judge(*end_of(future.result()))


def _prepare() -> None:
    """Make ready for jobs, in a new worker: stops come from the launcher, and mean a job and not the worker."""
    os.setpgid(0, 0)
    listen()  # before the imports, which take seconds
    from igbaselines.running.config import register

    register()


def _work(arguments: Sequence[str], log: Path) -> int:
    from igbaselines.command_line import run_command

    with log.open("wb", buffering=0) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    return run_command(arguments)
