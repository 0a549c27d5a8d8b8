"""The same job done by several candidates, each in a process of its own, in turn (A B C A B C): seconds and memory.

Results are compared before anything is timed. Turns let a busy spell of the machine hit every candidate, and ratios are
taken round by round. A candidate that is too slow for the whole job does some of its units, and its seconds are scaled.
"""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import torch
from torch import Tensor

from igbaselines.allocator import keep_freed_memory

Size = TypeVar("Size", int, int | None)
Work = Callable[[int], Tensor | None]  # does so many units of the job; the result, if there is one
JOBS = ("hep", "images", "weighted", "players", "retraining", "generation")
PRELOADED = ["torchvision", "captum.attr", "shap", "saliency.core", "shapiq", *(f"benchmarks.{job}" for job in JOBS)]


@dataclass(frozen=True)
class Candidate:
    """One way to do a job.

    Args:
        name: of the row.
        prepare: called in the candidate's own process; what it returns is timed. Importable, with arguments that are.
        tolerance: largest difference from the job's first candidate, as a share of its largest value; None where the
            result is not compared.
        check: prepares what is compared, in one more process, where that is not a unit of what is timed.
    """

    name: str
    prepare: Callable[[], Work]
    tolerance: float | None = None
    check: Callable[[], Work] | None = None


@dataclass(frozen=True)
class Goal:
    """How many times as fast as another candidate one has to be, at least, and what there is to know if it is not."""

    candidate: str
    against: str
    at_least: float
    note: str = ""


@dataclass(frozen=True)
class Job:
    """What is done, in how many units, by whom; results are compared with the first candidate's."""

    name: str
    title: str
    unit: str
    units: int
    candidates: Sequence[Candidate]
    goals: Sequence[Goal] = ()
    limit: str = ""  # the candidate that nothing can beat


@dataclass
class Timing:
    """What was measured of a candidate.

    Args:
        candidate: its name.
        seconds: for the whole job, round by round.
        units: how many of the job's units were timed.
        difference: from the first candidate's result, as a share of its largest value.
        memory: peak beyond the imports [MiB].
        failed: why there is nothing, in a line.
    """

    candidate: str
    seconds: list[float] = field(default_factory=list)
    units: int = 0
    difference: float | None = None
    memory: float = 0.0
    failed: str = ""

    @property
    def median(self) -> float:
        """Median over the rounds."""
        return statistics.median(self.seconds)


def time_in_turns(job: Job, rounds: int, seconds_a_turn: float, threads: int) -> list[Timing]:
    """Compare the candidates, then time them in turns; two are enough where one unit takes more than four turns.

    Raises:
        SystemExit: where a candidate does another job than the first.
    """
    workers: list[_Worker] = []
    timings: list[Timing] = []
    try:
        for candidate in job.candidates:  # one after another: some choose their batch size by trying
            workers.append(_Worker(candidate, threads))
            timings.append(workers[-1].ready())
        running = [(worker, timing) for worker, timing in zip(workers, timings, strict=True) if not timing.failed]
        if not running:
            return timings
        _compare(job, running, threads)
        estimates = [worker.estimate(2 * seconds_a_turn) for worker, _ in running]
        for estimate, (_, timing) in zip(estimates, running, strict=True):
            timing.units = max(1, min(job.units, round(seconds_a_turn / estimate)))
        for _ in range(min(rounds, 2) if max(estimates) > 4 * seconds_a_turn else rounds):
            for estimate, (worker, timing) in zip(estimates, running, strict=True):
                if estimate < 2 * seconds_a_turn:
                    worker.run(1)  # caches, and memory that went cold while it waited
                seconds, timing.memory = worker.run(timing.units)
                timing.seconds.append(seconds * job.units / timing.units)
        return timings
    finally:
        for worker in workers:
            worker.close()


def _compare(job: Job, running: Sequence[tuple["_Worker", Timing]], threads: int) -> None:
    reference = None
    for worker, timing in running:
        result = _checked(worker, threads)
        reference = result if reference is None else reference
        if worker.candidate.tolerance is None or result is None or reference is None:
            continue
        timing.difference = float(np.abs(result - reference).max() / np.abs(reference).max())
        if not timing.difference <= worker.candidate.tolerance:
            raise SystemExit(
                f"{job.name}: {timing.candidate} is {timing.difference:.1e} away from {job.candidates[0].name}, more "
                f"than {worker.candidate.tolerance:.0e}: they do not do the same job"
            )


def _checked(worker: "_Worker", threads: int) -> Any:  # noqa: ANN401 (an array, or None)
    check = worker.candidate.check
    if check is None:
        return worker.result()
    other = _Worker(Candidate(worker.candidate.name, check), threads)
    try:
        other.ready()
        return other.result()
    finally:
        other.close()


class _Worker:
    """A candidate in its own process, forked from a server that has made the imports."""

    def __init__(self, candidate: Candidate, threads: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.candidate = candidate
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, candidate, threads))
        self.process.start()
        theirs.close()

    def ready(self) -> Timing:
        """Wait until the candidate is prepared."""
        try:
            return Timing(self.candidate.name, failed=self.connection.recv())
        except EOFError:
            raise SystemExit(f"{self.candidate.name} could not be prepared: its error is above") from None

    def result(self) -> Any:  # noqa: ANN401 (an array, or None)
        """The result of a unit, if there is one."""
        return self._ask(None)

    def run(self, units: int) -> tuple[float, float]:
        """Seconds, and peak memory [MiB]."""
        answer: tuple[float, float] = self._ask(units)
        return answer

    def estimate(self, short: float) -> float:
        """Seconds of a unit; where that is short, of a second one, since the first may find its memory cold."""
        first, _ = self.run(1)
        return min(first, self.run(1)[0]) if first < short else first

    def _ask(self, units: int | None) -> Any:  # noqa: ANN401
        try:
            self.connection.send(units)
            answer = self.connection.recv()
        except (EOFError, BrokenPipeError):
            raise SystemExit(f"{self.candidate.name} failed: its error is above") from None
        return answer

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join()


def _serve(connection: Connection, candidate: Candidate, threads: int) -> None:
    torch.set_num_threads(threads)
    keep_freed_memory()  # as runs of the suite do; else page faults fall to whoever allocates the most
    before = psutil.Process().memory_info().rss
    try:
        work = candidate.prepare()
    except ImportError as error:  # a peer that is not installed is a row that says so
        connection.send(f"not installed: {error}")
        return
    connection.send("")
    while True:
        try:
            units = connection.recv()
        except EOFError:
            return
        if units is None:
            compared = work(1)
            connection.send(None if compared is None else compared.numpy(force=True))
            continue
        forget_peak()
        start = time.perf_counter()
        work(units)
        seconds = time.perf_counter() - start
        connection.send((seconds, (peak_bytes() - before) / 2**20))


def forget_peak() -> None:
    """Let the peak of the process begin anew, where the system can (Linux)."""
    file = Path("/proc/self/clear_refs")
    if file.exists():
        file.write_text("5")


def peak_bytes() -> int:
    """The most memory that the process has held since `forget_peak`, or so far where the system does not forget."""
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def fastest(make: Callable[[Size], Callable[[], object]], sizes: Sequence[Size], tries: int = 2) -> Size:
    """The size whose work is done first, tried so often, and each once more beforehand, for its memory."""

    def seconds(size: Size) -> float:
        work, taken = make(size), []
        work()
        for _ in range(tries):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
        return min(taken)

    return min(sizes, key=seconds)
