"""The task that users mean when they give a network, its inputs and a few words."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from igbaselines.attribution.baselines import PerStratum, TrainingMean, ZeroBaseline
from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.image_baselines import Blurred
from igbaselines.library.given import (
    Array,
    Arrays,
    Function,
    Inputs,
    NoBackground,
    Output,
    as_tensor,
    background_of,
)
from igbaselines.models.randomised import randomised
from igbaselines.tasks import Background, EachFeature, FeatureMask, Imputer, Players, Task
from igbaselines.tasks.outputs import Target, read_target

PREDICTED = "predicted"
AT_ONCE = 256  # inputs whose class is predicted in one pass


def task_of(
    network: Callable[..., Any],
    inputs: Arrays,
    target: Target | str | None,
    background: Arrays | Background | None,
    players: Array | tuple[Array, ...] | Players | None,
    imputers: Mapping[str, Imputer] | None,
    *,
    output: Output | None,
    max_batch: int | None,
    progress: Callable[[int], object] | None = None,
    masks: Bool[Tensor, "n h w"] | None = None,
) -> tuple[Task, Inputs]:
    """What is explained, and where each of the network's inputs lies in it."""
    parts = Inputs(tuple(as_tensor(one).shape[1:] for one in (inputs if isinstance(inputs, tuple) else (inputs,))))
    x = parts.join(inputs)
    as_it_is = output is None and progress is None and len(parts.shapes) == 1
    f = network if as_it_is else Function(network, parts, output, progress)
    if background is None:
        known: Background = NoBackground()
    else:
        known = background if isinstance(background, Background) else background_of(parts.join(background).to(x))
    if players is None or isinstance(players, Players):
        groups = players or EachFeature()
    elif isinstance(players, tuple):
        each = zip(players, parts.shapes, strict=True)
        groups = FeatureMask(parts.join(tuple(torch.as_tensor(one).reshape(1, *shape) for one, shape in each)))
    else:
        groups = FeatureMask(players)
    units = [str(place) for place in range(len(x))]
    has_examples = not isinstance(known, NoBackground)
    more = {**_imputers(x, has_examples), **(imputers or {})}
    task = Task("inputs", f, x, _targets(f, x, target), units, known, groups, more, masks, max_batch=max_batch)
    if isinstance(network, nn.Module) and next(network.parameters(), None) is not None:
        task = replace(task, variants={"randomised": partial(_shuffled, task, network)})
    return task, parts


def _shuffled(task: Task, network: nn.Module) -> Task:
    """The task of a network that has unlearned everything."""
    other = randomised(network, torch.Generator().manual_seed(0))
    return replace(task, f=replace(task.f, network=other) if isinstance(task.f, Function) else other)


def _imputers(x: Tensor, has_examples: bool) -> dict[str, Imputer]:
    """What absent players can become, by the names that the suite's own tasks have for it."""
    found: dict[str, Imputer] = {"zero": ZeroBaseline()}
    if has_examples:
        found |= {"mean": TrainingMean(), "background": PerStratum(5, at_most=True)}
    return found | ({"blur": Blurred()} if x.dim() == 4 else {})


def _targets(f: Callable[[Tensor], Tensor], x: Tensor, target: Target | str | None) -> Tensor | None:
    if not isinstance(target, str):
        return read_target(x, target)
    if target != PREDICTED:
        raise ValueError(f"target={target!r} is unknown: class indices, or {PREDICTED!r}")
    with torch.no_grad(), evaluation_mode(f):
        return torch.cat([f(some).argmax(dim=1) for some in x.split(AT_ONCE)])
