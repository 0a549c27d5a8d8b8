"""The peers of the benchmark do the job that they are timed on: the engine's, each to the accuracy of its own rule."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.peers import Peer, by_captum, by_path_explain, by_saliency, by_shap
from igbaselines.attribution import GaussLegendre, QuadratureRule, path_attribution

PEERS: dict[str, Peer] = {
    "Captum": by_captum,
    "PAIR saliency": by_saliency,
    "path_explain": by_path_explain,
    "shap GradientExplainer": by_shap,
}
STEPS, INPUTS, BASELINES, FEATURES = 9, 5, 3, 6
# shap's colours; its import does not concern what it computes
pytestmark = [
    pytest.mark.filterwarnings("ignore:The set_.* function will be deprecated:PendingDeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]
deterministic = pytest.mark.parametrize("name", ["Captum", "PAIR saliency", "path_explain"])
every = pytest.mark.parametrize("name", list(PEERS))


@dataclass(frozen=True)
class BothEnds:
    """Points from end to end of equal weight: a rule of its own, which counts the ends twice as much as a trapezoid."""

    steps: int

    def nodes_and_weights(
        self, pairs: tuple[int, ...] = (), generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        nodes = torch.linspace(0, 1, self.steps, dtype=torch.float64)
        return nodes, torch.full_like(nodes, 1 / self.steps)


RULES: dict[str, QuadratureRule] = {
    "Captum": GaussLegendre(STEPS),
    "PAIR saliency": BothEnds(STEPS),
    "path_explain": BothEnds(STEPS),
}


@dataclass(frozen=True)
class Job:
    """A small smooth network, and what is attributed."""

    network: nn.Module
    inputs: Tensor
    baselines: Tensor
    target: Tensor | None

    def by(self, name: str, steps: int = STEPS, size: int | None = None) -> Tensor:
        try:
            return PEERS[name](self.network, self.inputs, self.baselines, steps, self.target, size)
        except ImportError as error:
            pytest.skip(f"{name} is not installed: {error}")

    def by_the_engine(self, rule: QuadratureRule) -> Tensor:
        return path_attribution(self.network, self.inputs, self.baselines, rule=rule, target=self.target).attributions


@pytest.fixture(params=["classes", "one output"])
def job(request: pytest.FixtureRequest, generator: torch.Generator) -> Job:
    classes = request.param == "classes"
    last = nn.Linear(16, 4) if classes else nn.Sequential(nn.Linear(16, 1), nn.Flatten(0))
    network = nn.Sequential(nn.Flatten(), nn.Linear(FEATURES, 16), nn.SiLU(), last).requires_grad_(False)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    inputs, baselines = (torch.randn(rows, 2, 3, generator=generator) for rows in (INPUTS, BASELINES))
    return Job(network, inputs, baselines, torch.tensor([1, 3, 0, 1, 2]) if classes else None)


def largest_difference(result: Tensor, expected: Tensor) -> float:
    return float((result - expected).abs().max() / expected.abs().max())


@deterministic
@pytest.mark.parametrize("size", [None, 1, 2, 4, 100])
def test_a_peer_does_the_engines_job_by_its_own_rule(name: str, size: int | None, job: Job) -> None:
    assert largest_difference(job.by(name, size=size), job.by_the_engine(RULES[name])) < 1e-5


@deterministic
def test_a_peer_converges_to_integrated_gradients(name: str, job: Job) -> None:
    exact = job.by_the_engine(GaussLegendre(64))
    errors = [largest_difference(job.by(name, steps=steps), exact) for steps in (10, 40)]
    assert errors[0] < 0.1
    assert errors[1] < max(errors[0] / 3.5, 1e-5)


def test_shaps_random_estimate_converges_to_integrated_gradients(job: Job) -> None:
    exact = job.by_the_engine(GaussLegendre(64))
    few, many = (job.by("shap GradientExplainer", steps) for steps in (4, 256))
    errors = [float((result - exact).norm()) for result in (few, many)]
    assert 4 < errors[0] / errors[1] < 16  # 64 times the points: an eighth of the error, but for chance
    assert torch.cosine_similarity(many.flatten(), exact.flatten(), dim=0) > 0.99


def test_shap_draws_the_same_points_whatever_its_size_and_leaves_numpys_generator_alone(job: Job) -> None:
    np.random.seed(3)  # noqa: NPY002
    results = [job.by("shap GradientExplainer", size=size) for size in (None, 1, 4)]
    drawn = np.random.uniform()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert drawn == np.random.uniform()  # noqa: NPY002
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])


@every
@pytest.mark.parametrize("size", [None, 4])
def test_every_peer_spends_the_same_gradient_points(name: str, size: int | None, job: Job) -> None:
    points = []
    job.network.register_forward_hook(lambda module, arguments, output: points.append(len(output)))
    job.by(name, size=size)
    looks = BASELINES if name.startswith("shap") else 0  # shap runs the network on its baselines, to see the outputs
    assert sum(points) == INPUTS * BASELINES * STEPS + looks
    # All of one pass: path_explain and Captum one point of each input at least, saliency and shap of one input at most.
    assert size is None or max(points) <= size
