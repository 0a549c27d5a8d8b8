"""The optimiser without the compiler takes torch's steps, to the bit."""

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from igbaselines.models.optimiser import adamw

Optimiser = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


def trained(optimiser_of: Optimiser, scheduled: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    weights = [torch.randn(shape, generator=generator).requires_grad_() for shape in ((4, 7), (7,))]
    x = torch.randn(50, 4, generator=generator)
    optimiser = optimiser_of(weights)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=20) if scheduled else None
    for _ in range(20):
        optimiser.zero_grad()
        (torch.tanh(x @ weights[0] + weights[1]) - 1).square().mean().backward()
        optimiser.step()
        if schedule is not None:
            schedule.step()
    return [weight.detach() for weight in weights]


@pytest.mark.parametrize("scheduled", [False, True])
def test_takes_the_steps_of_torch(scheduled: bool) -> None:
    ours = trained(lambda weights: adamw(weights, 0.1, 0.3), scheduled)
    plain = trained(lambda weights: torch.optim.AdamW(weights, lr=0.1, weight_decay=0.3, fused=True), scheduled)
    assert all(torch.equal(a, b) for a, b in zip(ours, plain, strict=True))


def test_leaves_no_graph_behind() -> None:
    weight = torch.ones(3, requires_grad=True)
    optimiser = adamw([weight], 0.1, 0.0)
    weight.sum().backward()
    optimiser.step()
    assert weight.is_leaf
    optimiser.zero_grad()
    assert weight.grad is None
