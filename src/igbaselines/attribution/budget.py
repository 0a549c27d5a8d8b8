"""What a method may spend on an input, so that methods are compared at equal cost and not at settings someone chose.

A budget counts evaluations of f. A gradient counts as what it costs on this network: the floating-point operations of a
node of a path over those of a forward pass, counted and not timed, so that they are the same in every run. What a
method does for a budget is a rule of the method (`within`), never a result.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.path import path_attribution
from igbaselines.attribution.engine.quadrature import GaussLegendre
from igbaselines.tasks import Task

FORWARD_AND_BACKWARD = 2.0  # what a gradient counts where f has no operation that is counted


class TooSmallBudgetError(ValueError):
    """A budget does not pay for the least that a method can do.

    Args:
        least: evaluations that it takes.
    """

    def __init__(self, least: float) -> None:
        super().__init__(f"it takes {least:.0f} evaluations at least")
        self.least = least


@dataclass(frozen=True)
class Budget:
    """What a method may spend on each input.

    Args:
        evaluations: of f, forward passes.
        gradient: what the gradient at a point counts, in evaluations.
    """

    evaluations: float | int
    gradient: float = FORWARD_AND_BACKWARD

    def pays(
        self, gradients: float | int = 0, forwards: float | int = 0, apart: float | int = 0, least: int = 1
    ) -> int:
        """How many times it pays for so many gradients and evaluations, beside some evaluations apart.

        Raises:
            TooSmallBudgetError: where these are fewer than `least` times.
        """
        each = gradients * self.gradient + forwards
        times = math.floor((self.evaluations - apart) / each + 1e-9)
        if times < least:
            raise TooSmallBudgetError(apart + least * each)
        return times


def gradient_cost(task: Task) -> float:
    """What the gradient at a point of a path costs on the task's network, in forward passes.

    Products of matrices and convolutions count. A pass back to the inputs costs about as much as a forward pass; less
    where the first step is affine and taken once a path (`AffineStem`).
    """
    one = task.take([0])

    def path(n_steps: int) -> object:
        start = torch.zeros_like(one.inputs)
        return path_attribution(one.f, one.inputs, start, rule=GaussLegendre(n_steps), target=one.targets)

    path(2)  # a copy for gradients is checked at its first call, which shall not be counted
    with _Operations() as forward, evaluation_mode(one.f), torch.no_grad():
        one.f(one.inputs)
    counts = []
    for n_steps in (2, 4):  # what is done once a path goes out
        with _Operations() as counted:
            path(n_steps)
        counts.append(counted.count)
    of_node = (counts[1] - counts[0]) / 2
    return of_node / forward.count if forward.count and of_node else FORWARD_AND_BACKWARD


class _Operations(TorchDispatchMode):
    """Counts floating-point operations, as torch's `FlopCounterMode` does, but without hooks on the modules.

    Hooks would read what the layers of a copy for gradients pass to one another, and end its shortcuts.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        given = kwargs or {}
        result = func(*args, **given)
        formula = _FUSED.get(str(func._overloadpacket)) or flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.count += formula(*args, **given, out_val=result)
        return result


def _convolution(x: Tensor, weight: Tensor, *_: object, out_val: Tensor) -> int:
    return int(conv_flop_count(list(x.shape), list(weight.shape), list(out_val.shape)))


def _linear(x: Tensor, weight: Tensor, *_: object, out_val: Tensor) -> int:
    return 2 * out_val.numel() * x.shape[-1]


# Operations of oneDNN that copies for gradients take, which torch's table does not have.
_FUSED: dict[str, Callable[..., int]] = {
    "mkldnn._convolution_pointwise": _convolution,
    "mkldnn._linear_pointwise": _linear,
}
