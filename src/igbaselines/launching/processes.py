"""Jobs side by side on this machine, each a process of its own: one that is killed takes no other with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from igbaselines.common.cores import usable_cores
from igbaselines.common.errors import UserError
from igbaselines.common.stopping import stop_asked, stop_here
from igbaselines.launching.jobs import FAILED, KILLED, RUNNING, Job, check_gpu

SECONDS_BETWEEN_LOOKS = 0.1

Running = list[tuple[Job, "subprocess.Popen[bytes]", str | None]]  # with the GPU that it was given


def run_processes(jobs: Sequence[Job], processes: int, logs: Path) -> None:
    """Do all jobs, so many at once, which share the cores and print into `logs`; each is told how it ended.

    Raises:
        UserError: if none may run, or there is no GPU for those that ask for one.
        StoppedError: if a stop was asked for; running jobs are asked to stop too, and waited for.
    """
    if not isinstance(processes, int) or processes < 1:
        raise UserError(f"hydra.launcher.processes must be a number from 1, got {processes}")
    check_gpu(jobs)
    logs.mkdir(parents=True, exist_ok=True)
    waiting, running, gpus = list(jobs), Running(), visible_gpus()
    while waiting or running:
        if stop_asked():
            _stop(running)
            stop_here()
        while waiting and len(running) < processes:
            job, gpu = waiting.pop(0), least_busy(gpus, [of for *_, of in running])
            running.append((job, _start(job, processes, logs, gpu), gpu))
        time.sleep(SECONDS_BETWEEN_LOOKS)
        for job, process, _ in running:
            if process.poll() is not None:
                job.judge(*end_of(process.returncode))
        running = [one for one in running if one[1].returncode is None]


def _start(job: Job, processes: int, logs: Path, gpu: str | None) -> "subprocess.Popen[bytes]":
    job.log = logs / f"{job.name}.log"
    job.state = RUNNING
    with job.log.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "igbaselines", *job.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | threads_of_each(processes) | only_gpu(gpu, job.arguments),
            process_group=0,  # a terminal's Ctrl-C reaches the jobs through us, once
        )


def _stop(running: Running) -> None:
    for _, process, _ in running:
        process.send_signal(signal.SIGTERM)
    for job, process, _ in running:
        process.wait()
        job.judge(*end_of(process.returncode))


def end_of(code: int) -> tuple[str, str]:
    """How a process ended that left no word of its own, and what that makes of its job."""
    if code in (-signal.SIGTERM, 128 + signal.SIGTERM, 128 + signal.SIGINT):
        return "stopped: the same command goes on from here", KILLED
    return (f"killed by {signal.Signals(-code).name}", KILLED) if code < 0 else (f"ended with exit code {code}", FAILED)


def threads_of_each(processes: int) -> dict[str, str]:
    """Environment of one of so many processes: more threads than cores would only wait for one another."""
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, usable_cores() // processes)))}


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may name: those that it names already, or the numbers of all that there are."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    if not Path("/dev/nvidiactl").exists():  # on a machine without a driver nobody waits for torch
        return []
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def least_busy(gpus: Sequence[str], taken: Sequence[str | None]) -> str | None:
    """The GPU that the fewest running jobs have, the first of equals; None where there is none."""
    return min(gpus, key=taken.count, default=None)


def only_gpu(gpu: str | None, arguments: Sequence[str]) -> dict[str, str]:
    """Environment of a job that sees one GPU alone; one that names its own (device=cuda:1) sees what there is."""
    own = any(word.startswith("device=cuda:") for word in arguments)
    return {} if gpu is None or own else {"CUDA_VISIBLE_DEVICES": gpu}
