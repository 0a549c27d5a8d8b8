"""What goes around a method, and backgrounds in short, against Captum, quantus, shap and cbaseline.

All explain events of a Swish network of 100 features, in float64, from the same noise and the same rows. A peer that is
not installed is named in the table, and not timed.
"""

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.turns import Candidate, Goal, Job, Work
from igbaselines.attribution import GaussLegendre
from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.field.noise import NoisyInputs, NoisyWeights
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.attribution.sources.calibrated import Calibrated
from igbaselines.attribution.sources.k_means import KMeansSummary
from igbaselines.tasks import Background, Imputer, Task, draw

OURS, CAPTUM, QUANTUS, SHAP, CBASELINE = "igbaselines", "Captum, NoiseTunnel", "quantus, Captum", "shap", "cbaseline"
FEATURES, HIDDEN, NODES, DRAWS, SIGMA = 100, 128, 16, 8, 0.2
ROWS, CLUSTERS, NEAREST = 5000, 20, 200
AS_FAST = 1 / 1.1


def jobs(quick: bool) -> list[Job]:
    """SmoothGrad and NoiseGrad of Integrated Gradients, a summary by k-means and a calibrated background."""
    events, rows = (20, 200) if quick else (500, ROWS)
    noise = f"Integrated Gradients, {events} events, {DRAWS} draws x {NODES} nodes"
    taken = f"{NEAREST} of {rows} events, weighted"
    return [
        _job("smooth_ig", f"SmoothGrad of {noise}", events, smoothed, Candidate(CAPTUM, by_noise_tunnel, 1e-9)),
        _job("noise_ig", f"NoiseGrad of {noise}", events, noisy, Candidate(QUANTUS, by_quantus, 1e-7)),
        _job("ig_kmeans", f"{CLUSTERS} centres of {rows} events", 1, *_both(summary, by_shap, rows, SHAP, 1e-10)),
        _job("ig_calibrated", taken, 1, *_both(calibrated, by_cbaseline, rows, CBASELINE, 1e-6)),
    ]


def _both(
    ours: Callable[[int], Work], theirs: Callable[[int], Work], rows: int, peer: str, tolerance: float
) -> tuple[Callable[[], Work], Candidate]:
    return partial(ours, rows), Candidate(peer, partial(theirs, rows), tolerance)


def _job(name: str, title: str, units: int, ours: Callable[[], Work], peer: Candidate) -> Job:
    unit = "events" if units > 1 else "background"
    goals = [Goal(OURS, peer.name, AS_FAST)]
    return Job(f"{name}-1", title, unit, units, [Candidate(OURS, ours), peer], goals, fewest_units=units)


def network() -> nn.Sequential:
    """A network with random weights, the same in every process."""
    torch.manual_seed(0)
    layers = (nn.Linear(FEATURES, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1))
    return nn.Sequential(*layers).double().eval().requires_grad_(False)


def events(n: int) -> Tensor:
    """Events around centres that lie apart, so that clusters are the same whoever looks for them."""
    generator = torch.Generator().manual_seed(1)
    centres = 10 * torch.randn(CLUSTERS, FEATURES, generator=generator, dtype=torch.float64)
    return centres[torch.arange(n) % CLUSTERS] + torch.randn(n, FEATURES, generator=generator, dtype=torch.float64)


def task(examples: Tensor, inputs: Tensor) -> Task:
    """Events explained beside others, whose features go from -1 to 1."""
    model, zero = network(), torch.zeros(FEATURES, dtype=torch.float64)
    background = Background(examples, zero, low=zero - 1, high=zero + 1)
    return Task(
        "events", lambda z: model(z).squeeze(1), inputs, None, [str(at) for at in range(len(inputs))], background
    )


def _attributed(method: Method) -> Work:
    every = events(ROWS)
    of = task(every, every)

    def work(k: int) -> Tensor:
        return method.attribute(of.take(slice(k)), torch.Generator().manual_seed(2)).attributions

    return work


def plain() -> AveragedGradients:
    """Integrated Gradients from zero."""
    return AveragedGradients(ZeroBaseline(), GaussLegendre(NODES))


def smoothed() -> Work:
    """SmoothGrad; sigma is in units of the range, which is 2."""
    return _attributed(NoisyInputs(plain(), DRAWS, SIGMA / 2))


def noisy() -> Work:
    """NoiseGrad."""
    return _attributed(NoisyWeights(plain(), DRAWS, SIGMA))


def by_noise_tunnel() -> Work:
    """Captum's, which draws an input at a time from torch's global generator: of one sample a pass the same noise."""
    from captum.attr import IntegratedGradients, NoiseTunnel

    tunnel, every = NoiseTunnel(IntegratedGradients(network())), events(ROWS)

    def work(k: int) -> Tensor:
        torch.manual_seed(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stdev of one number
            found: Tensor = tunnel.attribute(
                every[:k], nt_samples=DRAWS, nt_samples_batch_size=1, stdevs=SIGMA, n_steps=NODES, target=0
            )
        return found

    return work


def by_quantus() -> Work:
    """The networks of quantus, each explained by Captum."""
    from captum.attr import IntegratedGradients
    from quantus.helpers.model.pytorch_model import PyTorchModel

    model, every = PyTorchModel(network()), events(ROWS)

    def work(k: int) -> Tensor:
        torch.manual_seed(2)
        found = [
            IntegratedGradients(model.sample(1.0, SIGMA)).attribute(every[:k], n_steps=NODES, target=0)
            for _ in range(DRAWS)
        ]
        return torch.stack(found).mean(dim=0).detach()

    return work


def _summarised(rows: int, source: Imputer) -> Work:
    every = events(rows)
    of = task(every, every[:1])

    def work(k: int) -> Tensor:
        baselines, weights = draw(source, of.inputs, of.background, torch.Generator().manual_seed(2))
        return _in_order(baselines, weights)

    return work


def _in_order(baselines: Tensor, weights: Tensor) -> Tensor:
    """Weights and baselines, by the first feature."""
    order = baselines[:, 0].argsort()
    return torch.cat([weights[order, None], baselines[order]], dim=1)


def summary(rows: int) -> Work:
    """The centres and their shares."""
    return _summarised(rows, KMeansSummary(CLUSTERS))


def by_shap(rows: int) -> Work:
    """Those of shap."""
    import shap

    every = events(rows).numpy()

    def work(k: int) -> Tensor:
        found = shap.kmeans(every, CLUSTERS)
        weights = torch.from_numpy(np.asarray(found.weights, dtype=np.float64))
        return _in_order(torch.from_numpy(found.data), weights / weights.sum())

    return work


def calibrated(rows: int) -> Work:
    """A calibrated background."""
    return _summarised(rows, Calibrated(min(NEAREST, rows // 2)))


def by_cbaseline(rows: int) -> Work:
    """That of the paper's author, of a kernel that is one within a distance which all rows are within."""
    import cbaseline

    model, every = network(), events(rows)

    def work(k: int) -> Tensor:
        outputs = model(every).squeeze(1).numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # more candidates than are asked for
            found = cbaseline.background(
                outputs,
                outputs.mean(),
                every.numpy(),
                weighting="calibrated",
                kernel="uniform",
                bandwidth=1e6,
                candidate_size=min(NEAREST, rows // 2),
            )
        return _in_order(torch.from_numpy(found.rows), torch.from_numpy(found.weights))

    return work
