"""Values that are no matter of their point alone: random numbers, and points that are mixed."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from igbaselines.attribution import path_attribution
from igbaselines.attribution.fitness import Fitness
from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.metrics import DeletionAUC
from igbaselines.tasks import Background, Task
from tests.attribution.conftest import mlp

Function = Callable[[Tensor], Any]
X, ZERO = torch.rand(3, 6, dtype=torch.float64) + 0.5, torch.zeros(1, 6, dtype=torch.float64)
OWN = torch.Generator().manual_seed(0)
NETWORK = mlp()

RANDOM: dict[str, Function] = {
    "dropout": lambda x: NETWORK(functional.dropout(x, 0.5)),
    "dropout behind": lambda x: NETWORK(functional.dropout(x.sin(), 0.1).cos()),
    "feature dropout": lambda x: NETWORK(functional.alpha_dropout(x, 0.5, training=True)),
    "noise": lambda x: NETWORK(x + 0.01 * torch.randn_like(x)),
    "one number": lambda x: x.sum(1) * torch.rand(()),
}


@pytest.mark.parametrize("f", RANDOM.values(), ids=RANDOM.keys())
@pytest.mark.parametrize("max_batch", [None, 1, 2, 100])
@pytest.mark.parametrize("inputs", [X[:1], X], ids=["one input", "three"])
def test_refuses_random_numbers(f: Function, max_batch: int | None, inputs: Tensor) -> None:
    message = r"f draws random numbers, so that .* pass training=False .* or draw from a generator that f makes"
    with pytest.raises(ValueError, match=message):
        path_attribution(f, inputs, ZERO, max_batch=max_batch)


@pytest.mark.parametrize("f", RANDOM.values(), ids=RANDOM.keys())
def test_all_that_evaluate_f_refuse_random_numbers(f: Function) -> None:
    generator = torch.Generator().manual_seed(0)
    task = Task("t", f, X, None, list("abc"), Background(X, ZERO[0]))
    for evaluate in (
        lambda: exact_shapley_values(f, X, ZERO),
        lambda: Fitness(mask=Zero()).d_alpha(task, X[:, None], generator),
        lambda: DeletionAUC(Zero()).curves(task, X, torch.arange(len(X)), generator),
    ):
        with pytest.raises(ValueError, match="f draws random numbers"):
            evaluate()


class Zero:
    def draw(self, inputs: Tensor, background: Background, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(inputs[:1]), torch.ones(1, dtype=torch.float64)


def drawn_in_vain(x: Tensor) -> Any:
    """As networks do that drop whole layers, which draw before they look at their mode."""
    return NETWORK(x) if torch.rand(()) > -1 else x


class FirstCall(nn.Module):
    """Random features that are drawn at the first call, and kept."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        if not len(self.features):
            self.features = torch.randn(6, 4, dtype=torch.float64)
        return (x @ self.features).tanh().sum(1)


@pytest.mark.parametrize(
    "f",
    [
        NETWORK,
        drawn_in_vain,
        FirstCall(),
        lambda x: NETWORK(x + 0.01 * torch.randn(x.shape, generator=OWN, dtype=x.dtype)),
        lambda x: NETWORK(x).half().double(),
        lambda x: (NETWORK(x) * 1e14 + 1e16) - 1e16,
    ],
    ids=["plain", "in vain", "at the first call", "generator of its own", "half", "cancellation"],
)
@pytest.mark.parametrize("max_batch", [None, 1, 2])
def test_takes_what_is_no_matter_of_torchs_generators(f: Function, max_batch: int | None) -> None:
    path_attribution(f, X, ZERO, max_batch=max_batch)
    path_attribution(f, X[:1], ZERO, max_batch=max_batch)


def test_takes_what_another_thread_draws() -> None:
    def f(x: Tensor) -> Any:
        thread = threading.Thread(target=lambda: torch.rand(3))
        thread.start()
        thread.join()
        return NETWORK(x)

    path_attribution(f, X, ZERO)


# Points that are mixed

BUFFERS = torch.zeros(6, dtype=torch.float64), torch.ones(6, dtype=torch.float64)
MIXED: dict[str, Function] = {
    "softmax": lambda x: NETWORK(x).softmax(0),
    "mean": lambda x: NETWORK(x - x.mean(0)),
    "a little of the mean": lambda x: NETWORK(x - 0.01 * x.mean(0)),
    "largest": lambda x: NETWORK(x) / x.abs().amax(),
    "norm": lambda x: NETWORK(functional.normalize(x, dim=0)),
    "batch statistics": lambda x: NETWORK(
        functional.batch_norm(torch.stack([x, x * 2], 2), *BUFFERS, training=True)[..., 0]
    ),
    "attention": lambda x: NETWORK((x @ x.T).softmax(1) @ x),
    "cumulative": lambda x: NETWORK(x.cumsum(0)),
}


@pytest.mark.parametrize("f", MIXED.values(), ids=MIXED.keys())
@pytest.mark.parametrize("max_batch", [None, 2, 100])
@pytest.mark.parametrize("inputs", [X[:1], X], ids=["one input", "three"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_refuses_to_mix_points(f: Function, max_batch: int | None, inputs: Tensor, dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match="f mixes the points that go through together, such as by a softmax"):
        path_attribution(lambda x: f(x.double()).to(x), inputs.to(dtype), ZERO.to(dtype) + 0.1, max_batch=max_batch)


def test_refuses_to_mix_classes_and_own_baselines() -> None:
    f = mlp(classes=3)
    for baselines in (ZERO, X.flip(0)[:, None] * 0.5):
        with pytest.raises(ValueError, match="f mixes the points"):
            path_attribution(lambda x: f(x).softmax(0), X, baselines, target=[0, 1, 2])


def test_points_that_never_meet_may_be_mixed() -> None:
    for f in (NETWORK, lambda x: NETWORK(x) - NETWORK(x).mean(0).detach()):
        path_attribution(f, X, ZERO, max_batch=1)
