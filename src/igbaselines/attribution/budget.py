"""What a method may spend on an input, so that methods are compared at equal cost and not at settings someone chose.

A budget counts evaluations of f. A gradient counts as what it costs on this network: the floating-point operations of a
node of a path over those of a forward pass, counted and not timed, so that they are the same in every run. What a
method does for a budget is a rule of the method (`within`), never a result.
"""

import math
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.path import path_attribution
from igbaselines.attribution.engine.quadrature import GaussLegendre
from igbaselines.tasks import Task

FORWARD_AND_BACKWARD = 2.0  # what a gradient counts where f has no operation that is counted


class TooSmallBudgetError(ValueError):
    """A budget does not pay for the least that a method can do."""


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
            raise TooSmallBudgetError(f"it takes {apart + least * each:.0f} evaluations at least")
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

    path(2)  # a copy for gradients is checked at its first call, which shall not be under a counter's eyes
    with FlopCounterMode(display=False) as forward, evaluation_mode(one.f), torch.no_grad():
        one.f(one.inputs)
    counts = []
    for n_steps in (2, 4):  # what is done once a path goes out
        with FlopCounterMode(display=False) as counted:
            path(n_steps)
        counts.append(counted.get_total_flops())
    operations, of_node = forward.get_total_flops(), (counts[1] - counts[0]) / 2
    return of_node / operations if operations and of_node else FORWARD_AND_BACKWARD
