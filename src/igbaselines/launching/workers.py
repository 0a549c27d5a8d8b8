"""Jobs in joblib's worker processes: they import once what many short jobs need, but if one dies all of them do."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from igbaselines.errors import RunFailedError
from igbaselines.launching.jobs import RUNNING, Job
from igbaselines.stopping import stop_here


def run_in_workers(jobs: Sequence[Job], parameters: Mapping[str, Any], logs: Path) -> None:
    """Do all jobs in parallel.

    Args:
        jobs: to do; each is told how it ended.
        parameters: of `joblib.Parallel`.
        logs: folder for what they print, made if missing.

    Raises:
        StoppedError: if a stop was asked for.
        RunFailedError: if a worker was killed; jobs that have not ended by then are not done.
    """
    logs.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        job.log, job.state = logs / f"{job.name}.log", RUNNING
    parallel = Parallel(**parameters, backend="loky", return_as="generator_unordered")
    try:
        for place, code in parallel(delayed(_work)(place, job.arguments, job.log) for place, job in enumerate(jobs)):
            jobs[place].judge(f"ended with exit code {code}")
            stop_here()
    except TerminatedWorkerError as error:
        for job in jobs:
            if job.state == RUNNING:
                job.judge("a worker was killed, and with it all that had not ended")
        raise RunFailedError(
            "a worker of joblib was killed, by the memory's limit perhaps: hydra/launcher=local loses that job alone"
        ) from error


def _work(place: int, arguments: Sequence[str], log: Path) -> tuple[int, int]:
    from igbaselines.command_line import run_command

    with log.open("ab", buffering=0) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    return place, run_command(arguments)
