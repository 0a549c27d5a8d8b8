"""Small networks in float64, and the plain loop that the engine has to agree with."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import QuadratureRule

Function = Callable[[Tensor], Tensor]
Network = Callable[..., nn.Module]


@dataclass(frozen=True)
class Expected:
    attributions: Tensor
    per_baseline: Tensor
    f_inputs: Tensor
    f_baselines: Tensor


def plain_loop(
    f: Function,
    inputs: Tensor,
    baselines: Tensor,
    weights: Tensor | None,
    rule: QuadratureRule,
    target: Tensor | None = None,
) -> Expected:
    """The definition, one input, one baseline and one node at a time."""
    nodes, coefficients = rule.nodes_and_weights()

    def value(point: Tensor, i: int) -> Tensor:
        output = f(point[None])[0]
        return output if target is None else output[target[i]]

    n = len(inputs)
    k = baselines.shape[baselines.dim() - inputs.dim()]
    per_baseline = torch.zeros(n, k, *inputs.shape[1:], dtype=inputs.dtype)
    attributions = torch.zeros_like(inputs)
    f_inputs = torch.stack([value(inputs[i], i) for i in range(n)]).detach()
    f_baselines = torch.zeros(n, k, dtype=inputs.dtype)
    for i in range(n):
        for j in range(k):
            start = baselines[j] if baselines.dim() == inputs.dim() else baselines[i, j]
            f_baselines[i, j] = value(start, i).detach()
            for a, c in zip(nodes.tolist(), coefficients.tolist(), strict=True):
                point = (start + a * (inputs[i] - start)).requires_grad_()
                (gradient,) = torch.autograd.grad(value(point, i), point)
                per_baseline[i, j] += c * gradient * (inputs[i] - start)
            if weights is None:
                weight = torch.tensor(1 / k, dtype=inputs.dtype)
            else:
                weight = weights[j] if weights.dim() == 1 else weights[i, j]
            attributions[i] += weight * per_baseline[i, j]
    return Expected(attributions, per_baseline, f_inputs, f_baselines)


def mlp(seed: int = 0, classes: int | None = None, features: int = 6) -> nn.Module:
    """A smooth network of vectors; one value a point without `classes`."""
    torch.manual_seed(seed)
    layers = [nn.Linear(features, 10), nn.Tanh(), nn.Linear(10, 8), nn.SiLU(), nn.Linear(8, classes or 1)]
    return nn.Sequential(*layers, *([] if classes else [nn.Flatten(0)])).double()


def cnn(seed: int = 0, classes: int | None = None) -> nn.Module:
    """A small network of 2 x 8 x 8 images, with BatchNorm, ReLU and dropout."""
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(4)
    norm.running_mean = torch.rand(4)
    layers = [
        nn.Conv2d(2, 4, 3),
        norm,
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(144, classes or 1),
    ]
    return nn.Sequential(*layers, *([] if classes else [nn.Flatten(0)])).double().eval()


@pytest.fixture
def loop() -> Callable[..., Expected]:
    return plain_loop


@pytest.fixture
def make_mlp() -> Network:
    return mlp


@pytest.fixture
def make_cnn() -> Network:
    return cnn


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """The networks here are small."""
