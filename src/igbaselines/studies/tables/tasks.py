"""Rows of a table as a task: why a network takes each of them for what it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from igbaselines.attribution.baselines import PerStratum, TrainingMean, ZeroBaseline
from igbaselines.attribution.weighting import ByStratum
from igbaselines.tasks import Background, Imputer, Task

# What an absent feature becomes: zero, its mean, or that of a training row, every class as often as it occurs.
IMPUTERS: Mapping[str, Imputer] = MappingProxyType(
    {"zero": ZeroBaseline(), "mean": TrainingMean(), "background": PerStratum(5, ByStratum(), at_most=True)}
)


def row_task(
    name: str,
    network: nn.Module,
    inputs: Float[Tensor, "n d"],
    units: Sequence[str],
    background: Background,
    others: Mapping[str, Callable[[], nn.Module]],
    max_batch: int | None = None,
) -> Task:
    """The logit of the class that the network predicts for each row; every feature is a player.

    Deletion and fitness follow the probability of that class: a logit has no share to fall to.

    Args:
        name: of the task.
        network: from features in their own units, (m, d), to a logit of each class, (m, classes).
        inputs: rows that it was not trained on.
        units: their names.
        background: its training rows.
        others: networks by the name of the variant in which they explain the same rows, and the same classes.
        max_batch: points in one pass, or None.
    """
    with torch.no_grad():
        targets = network(inputs).argmax(dim=1)
    background = replace(background, own=targets)
    task = Task(name, network, inputs, targets, units, background, imputers=IMPUTERS, max_batch=max_batch)

    def variant(other: str) -> Task:
        found = others[other]()
        return replace(task, name=f"{name}, {other}", f=found, score=probability(found, targets))

    variants = {other: partial(variant, other) for other in others}
    return replace(task, score=probability(network, targets), variants=variants)


def probability(
    network: nn.Module, targets: Int[Tensor, " n"]
) -> Callable[[Float[Tensor, "m d"], Int[Tensor, " m"]], Float[Tensor, " m"]]:
    """The probability of the class of the input that each point is made from."""

    def score(points: Float[Tensor, "m d"], source: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        chances: Tensor = network(points).softmax(dim=1)
        return chances.gather(1, targets[source][:, None]).squeeze(1)

    return score


def training_background(x: Float[Tensor, "m d"], y: Int[Tensor, " m"], class_count: int) -> Background:
    """All training rows, in strata by their class, which weigh as often as it occurs.

    A stratum has the number of its class among the outputs of the network: those that are not of the target hold what
    2412.13864 takes as baselines, examples of everything but what is explained.
    """
    return Background(
        examples=x,
        centre=x.mean(dim=0),
        stratum=y,
        stratum_weight=torch.bincount(y, minlength=class_count) / len(y),
        low=x.amin(dim=0),
        high=x.amax(dim=0),
    )
