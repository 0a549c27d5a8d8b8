"""Noise around any method: on the inputs (SmoothGrad), or on the network's weights (NoiseGrad).

    SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825): phi(x) = 1/N sum_j phi(x + e_j),     e_j ~ N(0, (sigma range)^2)
    NoiseGrad (Bykov et al. 2022, arXiv:2106.10185):    phi(x) = 1/N sum_j phi(x; w * e_j),  e_j ~ N(1, sigma^2)

Every draw explains another input, or another network, with baselines of its own. One around the other is NoiseGrad++.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.budget import Budget, TooSmallBudgetError
from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.reach import held_by
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.methods import Method, within
from igbaselines.attribution.perturbation import points_at_once
from igbaselines.tasks import Function, Task, class_score


@dataclass(frozen=True)
class _Noise(ABC):
    """The mean of a method over draws of noise.

    Args:
        method: explains every draw.
        count: draws, at least 1.
        sigma: standard deviation of the noise.
    """

    gives_up: ClassVar[str | None]
    method: Method
    count: int = 8
    sigma: float = 0.1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count of draws must be at least 1, got {self.count}")
        if not 0 <= self.sigma < torch.inf:
            raise ValueError(f"sigma is a standard deviation, 0 or more, got {self.sigma}")

    @property
    def few_players(self) -> bool:
        """Whether the method asks for few players."""
        return getattr(self.method, "few_players", False)

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Attribute by the mean over the draws; baselines, their weights and gaps are those of each draw in turn.

        Raises:
            ValueError: where the method or the noise does not fit the task.
        """
        at_inputs = _at_inputs(task)  # before any noise: it is the first call of a copy made for gradients
        found = [self.explain(task, generator) for _ in range(self.count)]
        return replace(_mean(found, at_inputs), gives_up=self.gives_up)

    @abstractmethod
    def explain(self, task: Task, generator: torch.Generator) -> Attribution:
        """Explain a draw."""

    def within(self, task: Task, budget: Budget) -> "_Noise":
        """The method for a budget, of which every draw gets the same.

        Raises:
            TooSmallBudgetError: where that does not pay for the method.
        """
        try:
            method = within(self.method, task, replace(budget, evaluations=budget.evaluations / self.count))
        except TooSmallBudgetError as error:
            raise TooSmallBudgetError(self.count * error.least) from None
        return replace(self, method=method)


@dataclass(frozen=True)
class NoisyInputs(_Noise):
    """SmoothGrad of any method (Smilkov et al. 2017); sigma in units of the range of each feature."""

    gives_up: ClassVar[str | None] = "f(x + noise) - f(x') on average"

    def explain(self, task: Task, generator: torch.Generator) -> Attribution:
        """Explain the inputs under noise, drawn on the CPU, so that it is the same for every device."""
        low, high = task.background.bounds()
        noise = torch.randn(task.inputs.shape, generator=generator).to(task.inputs)
        noisy = task.inputs + self.sigma * (high - low) * noise
        return self.method.attribute(replace(task, inputs=noisy), generator)


@dataclass(frozen=True)
class NoisyWeights(_Noise):
    """NoiseGrad of any method (Bykov et al. 2022): every parameter of the network times N(1, sigma^2).

    The network has its own weights back afterwards, bit by bit; meanwhile other threads see those of the draw.
    """

    gives_up: ClassVar[str | None] = "f(x) - f(x') of networks with noise on their weights, on average"

    def explain(self, task: Task, generator: torch.Generator) -> Attribution:
        """Explain the network under noise, drawn on the CPU.

        Raises:
            ValueError: where f shows no parameters.
        """
        with noisy_weights(task.f, self.sigma, generator):
            return self.method.attribute(task, generator)


@contextmanager
def noisy_weights(f: Function, sigma: float, generator: torch.Generator) -> Iterator[None]:
    """Multiply all parameters of the networks that f holds by N(1, sigma^2), and put their values back.

    Raises:
        ValueError: where there are none.
    """
    parameters = {id(p): p for module in held_by(f)[0] for p in module.parameters() if p.is_floating_point()}.values()
    if not parameters:
        raise ValueError("noise on weights is of networks with parameters, and none was found in f")
    kept = [parameter.detach().clone() for parameter in parameters]
    try:
        with torch.no_grad():
            for parameter in parameters:
                parameter.mul_(1 + sigma * torch.randn(parameter.shape, generator=generator).to(parameter))
        yield
    finally:
        with torch.no_grad():
            for parameter, values in zip(parameters, kept, strict=True):
                parameter.copy_(values)


def _at_inputs(task: Task) -> Float[Tensor, " n"]:
    score, every = class_score(task.f, task.targets), torch.arange(len(task.inputs), device=task.inputs.device)
    with evaluation_mode(task.f), torch.no_grad():
        return torch.cat([score(task.inputs[some], some) for some in every.split(points_at_once(task))])


def _mean(found: Sequence[Attribution], at_inputs: Float[Tensor, " n"]) -> Attribution:
    """The mean of attributions, each of whose pairs is one of the whole."""

    def joined(parts: Sequence[Tensor | None]) -> Tensor | None:
        there = [part for part in parts if part is not None]
        return torch.cat(there, dim=1) if len(there) == len(parts) else None

    weights, gradients = joined([one.weights for one in found]), joined([one.gradients for one in found])
    forwards = [one.forwards for one in found if one.forwards is not None]
    players = [one.players for one in found if one.players is not None]
    return Attribution(
        torch.stack([one.attributions for one in found]).mean(dim=0),
        None,
        at_inputs,
        torch.cat([one.f_baselines for one in found], dim=1),
        torch.cat([one.completeness_gap + (one.f_inputs - at_inputs)[:, None] for one in found], dim=1),
        None if weights is None else weights / len(found),
        gradients,
        torch.stack(players).mean(dim=0) if players else None,
        torch.stack(forwards).sum(dim=0) if forwards else None,
    )
