"""What an average over drawn baselines is worth for its gradients: many baselines, or many nodes of each?

Error: sum over the features of |attribution - reference|, as a share of the sum of |reference|; median over the inputs,
mean over draws. The reference averages over the whole population, by Gauss-Legendre with many nodes. Gradients are
counted, not timed. The table of docs/methods.md.

    python -m benchmarks.rotated                 # a trained Swish network, and photographs: some minutes on one core
    python -m benchmarks.rotated --quick         # seconds: shows that it works
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.adaptive import FEATURES, Job, swish_jobs
from igbaselines.attribution import GaussLegendre, Midpoint, QuadratureRule, RandomPoint, Rotated, path_attribution

SIDE, DRAWS = 96, 4
RULES: Mapping[str, Callable[[int], QuadratureRule]] = {
    "Gauss-Legendre": GaussLegendre,
    "rotated": Rotated,
    "random point": lambda _: RandomPoint(),
}
NODES = {"Gauss-Legendre": (8, 4, 2, 1), "rotated": (8, 4, 2, 1), "random point": (1,)}


def jobs(quick: bool) -> Iterator[tuple[Job, tuple[int, ...]]]:
    """What is attributed from which population, and the gradients of an input."""
    generator = torch.Generator().manual_seed(2)
    for job in swish_jobs(quick):
        population = torch.randn(20 if quick else 500, FEATURES, generator=generator, dtype=torch.float64)
        yield replace(job, inputs=job.inputs[:30], baselines=population, reference=GaussLegendre(24)), (16, 40, 160)
    if not quick:
        yield image_job(generator), (16, 32)


def image_job(generator: torch.Generator) -> Job:
    """The class of three photographs, from parts of others, as they come when networks are trained."""
    from benchmarks.weighted import Photograph

    photographs = Photograph.several(False, None)
    network = photographs[0].explained.network  # the logits
    whole = torch.cat([one.task.inputs for one in photographs])

    def part(pictures: Tensor) -> Tensor:
        side = int(torch.randint(112, 224, (), generator=generator))
        down, across = torch.randint(0, 225 - side, (2,), generator=generator).tolist()
        return small(pictures[..., down : down + side, across : across + side])

    def small(pictures: Tensor) -> Tensor:
        return nn.functional.interpolate(pictures, size=SIDE, mode="bilinear", antialias=True)

    inputs, population = small(whole[:3]), torch.cat([part(whole[3:]) for _ in range(6)])
    with torch.no_grad():
        target = network(inputs).argmax(dim=1)
    return Job(f"efficientnet_lite0, logit, {SIDE} px", network, inputs, population, target, Midpoint(16), ())


def error(job: Job, reference: Tensor, rule: QuadratureRule, count: int, seed: int) -> float:
    """That of an average over so many baselines."""
    generator = torch.Generator().manual_seed(seed)
    chosen = job.baselines[torch.randperm(len(job.baselines), generator=generator)[:count]]
    found = path_attribution(job.f, job.inputs, chosen, rule=rule, target=job.target, generator=generator).attributions
    missed = (found - reference).flatten(1).abs().sum(dim=1)
    return float((missed / reference.flatten(1).abs().sum(dim=1)).median())


def show(job: Job, gradients: tuple[int, ...], console: Console) -> None:
    """A row for each rule and number of nodes."""
    reference = path_attribution(job.f, job.inputs, job.baselines, rule=job.reference, target=job.target).attributions
    table = Table("rule", "nodes", *map(str, gradients), title=f"{job.name}: error by gradients an input")
    for name, make in RULES.items():
        for nodes in NODES[name]:
            counts = [spent // nodes for spent in gradients]
            cells = [
                f"{sum(error(job, reference, make(nodes), count, seed) for seed in range(DRAWS)) / DRAWS:.2f}"
                for count in counts
            ]
            table.add_row(name, str(nodes), *cells)
    console.print(table)


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small, to see that it works")
    for job, gradients in jobs(parser.parse_args().quick):
        show(job, gradients, Console(width=120))


if __name__ == "__main__":
    main()
