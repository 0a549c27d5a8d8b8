"""Tasks of tests: a function and its inputs, with as much of the rest as a test has to say."""

from typing import Any

import torch
from torch import Tensor

from igbaselines.attribution import Attribution
from igbaselines.metrics import Quantity
from igbaselines.tasks import Background, Function, Task


def task_of(
    f: Function, inputs: Tensor, background: Background | None = None, targets: Tensor | None = None, **others: Any
) -> Task:
    """A task of these inputs, whose background is zero and the inputs themselves where none is given."""
    background = background or Background(inputs, torch.zeros_like(inputs[0]))
    return Task("task", f, inputs, targets, [str(place) for place in range(len(inputs))], background, **others)


def players_of(attribution: Attribution) -> Tensor:
    """What each player gets."""
    assert attribution.players is not None
    return attribution.players


def misdirected() -> Quantity:
    """A quantity whose better direction is no direction; its constructor, whose types tests check, would refuse it."""
    quantity = Quantity("mine", "mine")
    object.__setattr__(quantity, "better", "more")
    return quantity
