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

from igbaselines.common.allocator import keep_freed_memory

SHORT = 2.0  # seconds of a unit: what takes longer is not done once more only to be warm
Size = TypeVar("Size", int, int | None)
Array = np.ndarray[Any, Any]
Work = Callable[[int], Tensor | None]  # does so many units of the job; the result, if there is one
JOBS = ("hep", "images", "weighted", "players", "field", "around", "retraining", "generation")
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
    fewest_units: int = 1  # that are timed: where a single one has more to pay than its part of the whole


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
    """Compare the candidates, then time them in turns; two are enough where one unit takes more than five turns.

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
        firsts = [worker.run(1) for worker, _ in running]
        _compare(job, [(*pair, first.result) for pair, first in zip(running, firsts, strict=True)], threads)
        estimates = []
        for first, (worker, timing) in zip(firsts, running, strict=True):
            # The first may have found its memory cold.
            short = first.seconds < SHORT
            estimates.append(min(first.seconds, worker.run(1).seconds) if short else first.seconds)
            timing.units = min(job.units, max(job.fewest_units, round(seconds_a_turn / estimates[-1])))
        for _ in range(min(rounds, 2) if max(estimates, default=0) > 5 * seconds_a_turn else rounds):
            for estimate, (worker, timing) in zip(estimates, running, strict=True):
                if estimate < SHORT:
                    worker.run(1)  # caches, and memory that went cold while it waited
                turn = worker.run(timing.units)
                timing.memory = turn.memory
                timing.seconds.append(turn.seconds * job.units / timing.units)
        return timings
    finally:
        for worker in workers:
            worker.close()


def _compare(job: Job, found: Sequence[tuple["_Worker", Timing, Array | None]], threads: int) -> None:
    reference = None
    for worker, timing, result in found:
        candidate = worker.candidate
        if candidate.check is not None:
            result = _checked(Candidate(candidate.name, candidate.check), threads)
        reference = result if reference is None else reference
        if candidate.tolerance is None or result is None or reference is None:
            continue
        timing.difference = float(np.abs(result - reference).max() / np.abs(reference).max())
        if not timing.difference <= candidate.tolerance:
            raise SystemExit(
                f"{job.name}: {timing.candidate} is {timing.difference:.1e} away from {job.candidates[0].name}, more "
                f"than {candidate.tolerance:.0e}: they do not do the same job"
            )


def _checked(candidate: Candidate, threads: int) -> Array | None:
    worker = _Worker(candidate, threads)
    try:
        worker.ready()
        return worker.run(1).result
    finally:
        worker.close()


@dataclass(frozen=True)
class _Turn:
    """What a turn gave: a result, if there is one, seconds, and peak memory beyond the imports [MiB]."""

    result: Array | None
    seconds: float
    memory: float


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

    def run(self, units: int) -> _Turn:
        """Let it do so many units."""
        try:
            self.connection.send(units)
            turn: _Turn = self.connection.recv()
        except (EOFError, BrokenPipeError):
            raise SystemExit(f"{self.candidate.name} failed: its error is above") from None
        return turn

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
        forget_peak()
        start = time.perf_counter()
        result = work(units)
        seconds = time.perf_counter() - start
        memory = (peak_bytes() - before) / 2**20
        connection.send(_Turn(None if result is None else result.numpy(force=True), seconds, memory))


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
