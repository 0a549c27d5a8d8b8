"""How many gradients the adaptive rule saves: against fixed rules at equal completeness gap and at equal error.

Gradients are counted, not timed. The gap of a pair is a share of the total variation of f along its path; the error is
the sum of |IG - reference| over the features, a share of the sum of |reference|. For every tolerance the fixed rules
are searched for the fewest nodes that do as well: in the median and the 95 % quantile of the gap, and of the error.

    python -m benchmarks.adaptive                 # a trained Swish network in float64: a minute on one core
    python -m benchmarks.adaptive --images        # efficientnet_lite0 (ReLU6): some 5000 gradients
    python -m benchmarks.adaptive --quick         # seconds: shows that it works
"""

import argparse
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from igbaselines.attribution import Adaptive, Attribution, GaussLegendre, Midpoint, QuadratureRule, path_attribution
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import DNN, Probability
from igbaselines.tasks import Function

FEATURES, QUANTILES = 100, (0.5, 0.95)
TOLERANCES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4)
FAMILIES: dict[str, Callable[[int], QuadratureRule]] = {"Gauss-Legendre": GaussLegendre, "midpoint": Midpoint}


@dataclass(frozen=True)
class Job:
    """What is attributed, the rule that stands for the truth, and the fixed rules' numbers of nodes."""

    name: str
    f: Function
    inputs: Tensor
    baselines: Tensor
    target: Tensor | None
    reference: QuadratureRule
    nodes: tuple[int, ...]

    def explain(self, rule: QuadratureRule) -> Attribution:  # noqa: D102
        return path_attribution(
            self.f, self.inputs, self.baselines, rule=rule, target=self.target, keep_per_baseline=True
        )


def swish_jobs(quick: bool) -> Iterator[Job]:
    """A network of the shape of 2412.13864, trained on a curved boundary: its logit, and its probability."""
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    x = torch.randn(2000 if quick else 20_000, FEATURES, generator=generator)
    h = x @ (torch.randn(FEATURES, 5, generator=generator) / 3)
    y = (h[:, 0] * h[:, 1] + 3 * h[:, 2].sin() + 2 * h[:, 3].abs() - h[:, 4] ** 2 / 3 > 0.6).float()
    network = DNN(Standardise(torch.zeros(FEATURES), torch.ones(FEATURES)), [128, 128], dropout=0.2)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(1 if quick else 12):
        for batch in torch.randperm(len(x), generator=generator).split(512):
            optimiser.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(x[batch]), y[batch]).backward()
            optimiser.step()
    network.eval().double()
    inputs, baselines = x[: 10 if quick else 100].double(), x[100 : 103 if quick else 120].double()
    nodes = (4, 16) if quick else (*range(1, 25), 28, 32, 40, 48, 64, 96, 128)
    for name, f in {"Swish, logit": network, "Swish, probability": Probability(network)}.items():
        yield Job(name, f, inputs, baselines, None, GaussLegendre(200), nodes)


def image_job() -> Job:
    """The class of three photographs, from black and from another photograph."""
    from benchmarks.weighted import Photograph

    photograph = Photograph.make(quick=False)
    network = photograph.explained.network  # the logits
    examples = photograph.task.background.examples
    inputs, others = examples[:3], examples[1:4]
    baselines = torch.stack([torch.zeros_like(inputs), others], dim=1)
    with torch.no_grad():
        target = network(inputs).argmax(dim=1)
    return Job("efficientnet_lite0, logit", network, inputs, baselines, target, Midpoint(243), (3, 4, 6, 8, 16, 32, 64))


@torch.no_grad()
def variation(job: Job, points: int = 65) -> Tensor:
    """Total variation of f along each path, from its values alone."""
    n, features = len(job.inputs), job.inputs.shape[1:]
    starts = job.baselines if job.baselines.dim() > job.inputs.dim() else job.baselines.expand(n, -1, *features)
    values = []
    for a in torch.linspace(0, 1, points):
        output = job.f((starts + a * (job.inputs.unsqueeze(1) - starts)).flatten(0, 1))
        if job.target is not None:
            output = output.gather(1, job.target.repeat_interleave(starts.shape[1])[:, None]).squeeze(1)
        values.append(output.view(starts.shape[:2]))
    return sum((abs(b - a) for a, b in itertools.pairwise(values)), torch.zeros(()))


def quality(result: Attribution, truth: Attribution, scale: Tensor) -> list[float]:
    """Quantiles of the gap, and of the error."""
    assert result.per_baseline is not None
    assert truth.per_baseline is not None
    error = (result.per_baseline - truth.per_baseline).abs().flatten(2).sum(2)
    shares = (result.completeness_gap.abs() / scale, error / truth.per_baseline.abs().flatten(2).sum(2))
    return [float(share.flatten().quantile(q)) for share in shares for q in QUANTILES]


def fewest(found: dict[int, list[float]], measure: int, wanted: float) -> str:
    """The number of nodes from which on a fixed rule is as good."""
    enough = list(itertools.takewhile(lambda nodes: found[nodes][measure] <= wanted, sorted(found, reverse=True)))
    return str(enough[-1]) if enough else f">{max(found)}"


def compare(job: Job, console: Console) -> None:
    truth, scale = job.explain(job.reference), variation(job)
    fixed = {
        name: {nodes: quality(job.explain(make(nodes)), truth, scale) for nodes in job.nodes}
        for name, make in FAMILIES.items()
    }
    table = Table(title=f"{job.name}: {truth.completeness_gap.numel()} pairs")
    for heading in ("tolerance", "gradients", "at most", "gap 50 %", "95 %", "error 50 %", "95 %", *FAMILIES):
        table.add_column(heading, justify="right")
    for tolerance in TOLERANCES:
        result = job.explain(Adaptive(tolerance))
        assert result.gradients is not None
        found = quality(result, truth, scale)
        spent = (f"{result.gradients.double().mean():.1f}", str(int(result.gradients.max())))
        needed = [" ".join(fewest(rule, i, wanted) for i, wanted in enumerate(found)) for rule in fixed.values()]
        table.add_row(f"{tolerance:g}", *spent, *(f"{value:.1e}" for value in found), *needed)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tiny job, to see that it works")
    parser.add_argument("--images", action="store_true", help="a network of photographs instead of the Swish network")
    arguments = parser.parse_args()
    jobs = [image_job()] if arguments.images else swish_jobs(arguments.quick)
    for job in jobs:
        compare(job, Console(width=130))


if __name__ == "__main__":
    main()
