"""Time the engine against Captum's Integrated Gradients and against the bare network.

The job is that of 2412.13864: a network of 100 features and two hidden layers of 128 with Swish, 1000 inputs,
20 baselines, 50 nodes; a million gradients in float32. Results are compared before anything is timed. The
candidates then take turns, so that a busy spell of the machine hits them all; times are medians.

    python benchmarks/engine.py            # under three minutes on two cores
    python benchmarks/engine.py --quick    # seconds: shows that it works, times nothing worth knowing

On a machine that others use, threads wait for one another and times scatter: take --threads 1.
"""

import argparse
import csv
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import captum
import torch
from captum.attr import IntegratedGradients
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.models.dnn import DNN, Standardise
from igbaselines.models.inference import for_gradients

FEATURES, HIDDEN, FEW_NODES = 100, [128, 128], 12
CAPTUM_SIZES = (250, 500, 1000, 2500, 10_000)
CHUNKS = (128, 256, 512, 1024, 2048, 4096)
SECONDS_A_TURN = 3.0
TOLERANCE = 1e-3  # of the largest attribution: float32, and the quadrature error of the few nodes
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Job:
    """What is attributed."""

    network: DNN
    inputs: Tensor
    baselines: Tensor
    nodes: int
    rounds: int


@dataclass(frozen=True)
class Candidate:
    """One way to do the job; `run` takes the number of baselines and returns the attributions, if it has any."""

    name: str
    run: Callable[[int], Tensor | None]


@dataclass(frozen=True)
class Timing:
    """Seconds for the whole job, and how many of its baselines were timed."""

    name: str
    seconds: list[float]
    baselines: int

    @property
    def median(self) -> float:
        """Median over the turns."""
        return statistics.median(self.seconds)


def make_job(quick: bool) -> Job:
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    mean, scale = torch.randn(FEATURES, generator=generator), torch.rand(FEATURES, generator=generator) + 0.5
    network = DNN(Standardise(mean, scale), HIDDEN, dropout=0.2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)
    n, k, nodes, rounds = (40, 3, 50, 1) if quick else (1000, 20, 50, 3)
    inputs, baselines = (torch.randn(rows, FEATURES, generator=generator) * scale + mean for rows in (n, k))
    return Job(network.eval(), inputs, baselines, nodes, rounds)


def ours(f: Callable[[Tensor], Tensor], job: Job, nodes: int) -> Callable[[int], Tensor]:
    return lambda k: path_attribution(f, job.inputs, job.baselines[:k], rule=GaussLegendre(nodes)).attributions


def by_captum(network: nn.Module, job: Job, size: int | None) -> Callable[[int], Tensor]:
    """Captum takes at least all its inputs at once: a smaller size means several calls."""
    explainer = IntegratedGradients(network)

    def attribute(inputs: Tensor, baseline: Tensor) -> Tensor:
        result: Tensor = explainer.attribute(
            inputs, baseline.expand_as(inputs), n_steps=job.nodes, method="gausslegendre", internal_batch_size=size
        )
        return result

    def run(k: int) -> Tensor:
        groups = job.inputs.split(min(size or len(job.inputs), len(job.inputs)))
        return torch.cat([sum((attribute(g, b) for b in job.baselines[:k]), torch.zeros(())) / k for g in groups])

    return run


def bare_gradients(job: Job, chunk: int) -> Callable[[int], None]:
    """Forward and backward behind the stem for as many points as the job has, and nothing else."""
    fast = for_gradients(job.network)
    points = fast.affine_stem(job.inputs).repeat(-(-chunk // len(job.inputs)), 1)[:chunk].detach().requires_grad_()

    def run(k: int) -> None:
        for _ in range(-(-len(job.inputs) * k * job.nodes // chunk)):
            torch.autograd.grad(fast.after_stem(points).sum(), points)

    return run


def bare_products(job: Job, chunk: int) -> Callable[[int], None]:
    """The same number of points through the matrix products of forward and backward behind the stem alone."""
    z, weight, logit = torch.randn(chunk, HIDDEN[0]), torch.randn(HIDDEN[0], HIDDEN[1]), torch.randn(HIDDEN[1], 1)

    def run(k: int) -> None:
        for _ in range(-(-len(job.inputs) * k * job.nodes // chunk)):
            hidden = z @ weight
            (hidden @ logit) @ logit.T @ weight.T

    return run


def seconds(run: Callable[[int], object], baselines: int) -> float:
    start = time.perf_counter()
    run(baselines)
    return time.perf_counter() - start


def fastest(make: Callable[[int], Callable[[int], object]], sizes: Iterable[int]) -> int:
    """The size that is fastest on two baselines, each tried twice."""
    return min(sizes, key=lambda size: min(seconds(make(size), 2) for _ in range(2)))


def make_candidates(job: Job) -> list[Candidate]:
    fast = for_gradients(job.network)
    size = fastest(lambda size: by_captum(job.network, job, size), CAPTUM_SIZES)
    chunk = fastest(lambda chunk: bare_gradients(job, chunk), CHUNKS)
    return [
        Candidate("igbaselines, plain network", ours(job.network.forward, job, job.nodes)),
        Candidate("igbaselines, for_gradients", ours(fast, job, job.nodes)),
        Candidate(f"igbaselines, for_gradients, {FEW_NODES} nodes", ours(fast, job, FEW_NODES)),
        Candidate(f"Captum, internal_batch_size={size}", by_captum(job.network, job, size)),
        Candidate(f"Captum, internal_batch_size={size}, for_gradients", by_captum(fast, job, size)),
        Candidate("Captum, default", by_captum(job.network, job, None)),
        Candidate(f"limit: gradients behind the stem, {chunk} at once", bare_gradients(job, chunk)),
        Candidate(f"limit: their matrix products, {chunk} at once", bare_products(job, chunk)),
    ]


def compare(candidates: list[Candidate], console: Console) -> None:
    """Print the differences from the first candidate, as shares of its largest attribution.

    Raises:
        SystemExit: where the candidates do not do the same job.
    """
    results = {candidate.name: candidate.run(2) for candidate in candidates}
    reference = results[candidates[0].name]
    assert reference is not None
    for name, result in results.items():
        if result is not None and result is not reference:
            difference = float((result - reference).abs().max() / reference.abs().max())
            console.print(f"max difference {difference:.1e}  {name}")
            if difference > TOLERANCE:
                raise SystemExit(f"{name} does not agree with {candidates[0].name}")


def time_in_turns(candidates: list[Candidate], job: Job) -> list[Timing]:
    """Time whole jobs, or as many baselines as take about SECONDS_A_TURN, scaled up."""
    every = len(job.baselines)
    baselines = {}
    for candidate in candidates:  # the warm-up
        estimate = seconds(candidate.run, 1)
        baselines[candidate.name] = max(1, min(every, round(SECONDS_A_TURN / estimate)))
    times: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    for _ in range(job.rounds):
        for candidate in candidates:
            k = baselines[candidate.name]
            times[candidate.name].append(seconds(candidate.run, k) * every / k)
    return [Timing(name, taken, baselines[name]) for name, taken in times.items()]


def report(timings: list[Timing], job: Job, console: Console) -> None:
    n, k = len(job.inputs), len(job.baselines)
    fastest_captum = min(timing.median for timing in timings if timing.name.startswith("Captum"))
    table = Table(title=f"{n} inputs x {k} baselines x {job.nodes} nodes, {FEATURES} features, {HIDDEN} Swish")
    table.add_column("what")
    for heading in ("median [s]", "least [s]", "most [s]", "Captum's best / this", "timed"):
        table.add_column(heading, justify="right")
    rows = []
    for timing in timings:
        ratio = fastest_captum / timing.median
        least, most = min(timing.seconds), max(timing.seconds)
        timed = "whole" if timing.baselines == k else f"{timing.baselines}/{k}, scaled"
        numbers = (f"{timing.median:.3g}", f"{least:.3g}", f"{most:.3g}", f"{ratio:.2f}")
        table.add_row(timing.name, *numbers, timed)
        rows.append((timing.name, timing.median, least, most, ratio, timing.baselines, k))
    console.print(table)
    console.print(
        f"torch {torch.__version__}, captum {captum.__version__}, {torch.get_num_threads()} threads, "
        f"{platform.processor() or platform.machine()}"
    )
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "engine.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("what", "median_s", "least_s", "most_s", "ratio_to_captum", "baselines_timed", "baselines"))
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tiny job, to see that it works")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="one a core (the default)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    job = make_job(arguments.quick)
    console = Console(width=120)
    candidates = make_candidates(job)
    compare(candidates, console)
    report(time_in_turns(candidates, job), job, console)


if __name__ == "__main__":
    main()
