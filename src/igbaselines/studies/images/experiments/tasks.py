"""Tasks of photographs: what a network takes one for, the outline of its object, and other photographs beside it."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import MeanExample, TrainingMean, ZeroBaseline
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.image_baselines import Blurred, CornerMean, MeanColour
from igbaselines.attribution.methods import Method, attribute_all
from igbaselines.common.devices import sent
from igbaselines.studies.images.experiments.classifier import PhotographClassifier
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.tasks import Background, Imputer, Patches, Pixels, Task

# What absent pixels become: black; the colour that normalisation maps to zero; ...
IMPUTERS: Mapping[str, Imputer] = MappingProxyType(
    {
        "zero": ZeroBaseline(),
        "mean": TrainingMean(),
        "blur": Blurred(),
        "corner_mean": CornerMean(),
        "mean_colour": MeanColour(),
        "mean_photograph": MeanExample(),
    }
)


def image_key(name: str) -> int:
    """A number for a photograph: its random numbers do not depend on which others are explained beside it."""
    return zlib.crc32(name.encode())


def photograph_task(
    name: str,
    pixels: Float[Tensor, "1 3 h w"],
    target: Int[Tensor, " 1"],
    mask: Bool[Tensor, "h w"] | None,
    classifier: PhotographClassifier,
    background: Background,
) -> Task:
    """The class of one photograph, of pixels in [0, 1]; every pixel is a player.

    There is no mask where nobody outlined the object. The background are other photographs.
    """
    return Task(
        f"photograph {name}",
        classifier.explained,
        pixels,
        target,
        [name],
        background,
        Pixels(),
        IMPUTERS,
        masks=None if mask is None else mask[None],
        score=classifier.score(pixels, target),
        max_batch=classifier.max_batch,
    )


def task_of_chosen(chosen: Chosen, classifier: PhotographClassifier, background: Background) -> Task:
    """The task of a photograph, of the class that the network takes it for."""
    pixels = classifier.reader.pixels(chosen.photograph)
    mask = classifier.reader.mask(chosen.photograph, chosen.predicted)
    target = sent(torch.tensor([chosen.predicted]), pixels.device)
    return photograph_task(chosen.photograph.name, pixels[None], target, mask, classifier, background)


def seen_by(task: Task, classifier: PhotographClassifier) -> Task:
    """The same classes of the same pixels, for another network."""
    assert task.targets is not None
    return replace(
        task,
        f=classifier.explained,
        score=classifier.score(task.inputs, task.targets),
        background=replace(task.background, centre=classifier.centre.expand_as(task.inputs[0])),
        max_batch=classifier.max_batch,
    )


def together(tasks: Sequence[Task], classifier: PhotographClassifier) -> Task:
    """Several photographs as one task, named after the first; a mask is empty where nobody outlined the object."""
    first, *others = tasks
    if not others:
        return first
    inputs = torch.cat([one.inputs for one in tasks])
    targets = torch.cat([one.targets for one in tasks if one.targets is not None])
    empty = torch.zeros_like(inputs[:1, 0], dtype=torch.bool)
    outlined = any(one.masks is not None for one in tasks)
    return replace(
        first,
        name=f"{first.name} and {len(others)} more",
        inputs=inputs,
        targets=targets,
        units=[unit for one in tasks for unit in one.units],
        masks=torch.cat([empty if one.masks is None else one.masks for one in tasks]) if outlined else None,
        score=classifier.score(inputs, targets),
    )


def task_of(method: Method, task: Task, patch: int) -> Task:
    """The task as a method takes it: one that asks for few players gets square patches with this side [px]."""
    return replace(task, players=Patches(patch, patch)) if getattr(method, "few_players", False) else task


def attribute_photograph(
    methods: Mapping[str, Method], task: Task, patch: int, generator: torch.Generator
) -> dict[str, Attribution]:
    """Attribute by every method, from the same state of the generator; those of the same players share gradients."""
    found: dict[str, Attribution] = {}
    for few in (False, True):
        some = {name: method for name, method in methods.items() if getattr(method, "few_players", False) == few}
        found |= attribute_all(some, task_of(next(iter(some.values())), task, patch), generator) if some else {}
    return {name: found[name] for name in methods}
