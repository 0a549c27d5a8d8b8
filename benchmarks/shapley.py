"""Time exact Shapley values, Shapley Integrated Gradients and the Shapley sampler against the bare network.

The network is 14-64-64-1 with SiLU in float32, the inputs are 200. Exact values take all 2^14 coalitions, 3.3 million
evaluations. Shapley IG is compared with `path_attribution` from as many given baselines: what it costs beyond that is
for building them and their weights. Candidates take turns, so that a busy spell of the machine hits them all; times
are medians. Last comes how fast the sampler approaches the exact values.

    python -m benchmarks.shapley            # under a minute on two cores
    python -m benchmarks.shapley --quick    # seconds: shows that it works, times nothing worth knowing

On a machine that others use, threads wait for one another and times scatter: take --threads 1.
"""

import argparse
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling, exact_shapley_values
from igbaselines.tasks import Background, Task

NODES = 8
BARE_BATCH = 4096
COUNTS = (16, 64, 256, 1024, 4096)


@dataclass(frozen=True)
class Job:
    """What is attributed."""

    network: nn.Module
    inputs: Tensor
    coalitions: int
    rounds: int

    @property
    def absent(self) -> Tensor:
        """Zero, as every player's absent value."""
        return torch.zeros_like(self.inputs[:1])

    def task(self, count: int | None = None) -> Task:
        """The inputs, or the first of them."""
        inputs = self.inputs[:count]
        units = [str(place) for place in range(len(inputs))]
        return Task("inputs", self.network, inputs, None, units, Background(inputs, self.absent[0]))


@dataclass(frozen=True)
class Timing:
    """Median seconds, and how many points of the network they were for."""

    name: str
    seconds: float
    points: int


def make_job(quick: bool) -> Job:
    torch.manual_seed(0)
    features, n, coalitions, rounds = (6, 10, 8, 1) if quick else (14, 200, 64, 3)
    layers = [nn.Linear(features, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1), nn.Flatten(0)]
    inputs = torch.randn(n, features, generator=torch.Generator().manual_seed(0))
    return Job(nn.Sequential(*layers), inputs, coalitions, rounds)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def bare_values(job: Job, points: int) -> None:
    """Evaluate the network at as many points, and nothing else."""
    batch = job.inputs.repeat(-(-BARE_BATCH // len(job.inputs)), 1)[:BARE_BATCH]
    with torch.no_grad():
        for _ in range(-(-points // BARE_BATCH)):
            job.network(batch)


def peak_bytes() -> int:
    """The most memory that the process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def in_turns(runs: dict[str, tuple[Callable[[], object], int]], rounds: int) -> list[Timing]:
    """Time the runs, each with its number of points, one after the other and again."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (run, _) in runs.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    return [Timing(name, statistics.median(taken[name]), points) for name, (_, points) in runs.items()]


def given_baselines(job: Job, method: ShapleyIG) -> tuple[Callable[[], object], int]:
    """Plain path attribution from as many baselines as Shapley IG has."""
    generator = torch.Generator().manual_seed(2)
    kept = torch.rand(len(job.inputs), job.coalitions, job.inputs.shape[1], generator=generator) < 0.5
    baselines = job.inputs[:, None] * kept
    return partial(path_attribution, job.network, job.inputs, baselines, None, method.rule), baselines[..., 0].numel()


def time_all(job: Job) -> list[Timing]:
    sig = ShapleyIG(ZeroBaseline(), coalitions=job.coalitions, rule=GaussLegendre(NODES))
    sampler, task = ShapleySampling(ZeroBaseline(), coalitions=COUNTS[2]), job.task()
    evaluations = int(sampler.attribute(task, seeded()).evaluations.sum())
    all_of_them = len(job.inputs) * 2 ** job.inputs.shape[1]
    plain, pairs = given_baselines(job, sig)
    runs: dict[str, tuple[Callable[[], object], int]] = {
        "exact values": (partial(exact_shapley_values, job.network, job.inputs, job.absent), all_of_them),
        "limit: the network alone": (partial(bare_values, job, all_of_them), all_of_them),
        "Shapley IG": (lambda: sig.attribute(task, seeded()), pairs * NODES),
        "path attribution, baselines given": (plain, pairs * NODES),
        "Shapley sampler": (lambda: sampler.attribute(task, seeded()), evaluations),
        "limit: the network alone, as often": (partial(bare_values, job, evaluations), evaluations),
    }
    return in_turns(runs, job.rounds)


def report(timings: list[Timing], growth: int, job: Job, console: Console) -> None:
    table = Table(
        title=f"{len(job.inputs)} inputs of {job.inputs.shape[1]} features, {torch.get_num_threads()} threads"
    )
    for heading in ("what", "median [s]", "points", "ns a point", "times its limit"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for mine, limit in zip(timings[::2], timings[1::2], strict=True):
        for timing in (mine, limit):
            ratio = f"{mine.seconds / limit.seconds:.2f}" if timing is mine else ""
            each = f"{timing.seconds / timing.points * 1e9:.0f}"
            table.add_row(timing.name, f"{timing.seconds:.3g}", str(timing.points), each, ratio)
    console.print(table)
    console.print(f"peak memory grew by {growth / 2**20:.0f} MiB during the first exact values")


def convergence(job: Job, console: Console) -> None:
    """Print the root mean square error of the sampler for more and more coalitions."""
    task = job.task(50)
    exact = exact_shapley_values(job.network, task.inputs, job.absent).values
    for paired in (False, True):
        errors = []
        for count in COUNTS:
            players = ShapleySampling(ZeroBaseline(), coalitions=count, paired=paired).attribute(task, seeded()).players
            assert players is not None
            errors.append(math.sqrt(float((players - exact).square().mean())))
        slope = np.polyfit(np.log(COUNTS), np.log(errors), 1)[0]
        numbers = ", ".join(f"{count}: {error:.1e}" for count, error in zip(COUNTS, errors, strict=True))
        name = "in pairs" if paired else "one by one"
        console.print(f"RMS error of the sampler, {name}: {numbers}; falls as coalitions^{slope:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tiny job, to see that it works")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="one a core (the default)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    job, console = make_job(arguments.quick), Console(width=120)
    bare_values(job, BARE_BATCH)  # what torch itself takes on first use is not counted
    before = peak_bytes()
    exact_shapley_values(job.network, job.inputs, job.absent)
    growth = peak_bytes() - before
    report(time_all(job), growth, job, console)
    convergence(job, console)


if __name__ == "__main__":
    main()
