"""Tasks of photographs: what a network takes one for, the outline of its object, and other photographs beside it."""

import zlib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import torch

from igbaselines.attribution.baselines import MeanExample, TrainingMean, ZeroBaseline
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.image_baselines import Blurred, CornerMean, MeanColour
from igbaselines.attribution.methods import Method, attribute_all
from igbaselines.studies.images.experiments.classifier import PhotographClassifier
from igbaselines.studies.images.experiments.selection import Chosen, load_mask, load_pixels
from igbaselines.tasks import Background, Imputer, Patches, Pixels, Task

PATCH = 32  # side of the players of coalitions, where an attribution does not say it [px]

IMPUTERS: Mapping[str, Imputer] = MappingProxyType(
    {
        "zero": ZeroBaseline(),  # black
        "mean": TrainingMean(),  # zero after normalisation
        "blur": Blurred(),
        "corner_mean": CornerMean(),
        "mean_colour": MeanColour(),
        "mean_photograph": MeanExample(),
    }
)


def image_key(name: str) -> int:
    """A number for a photograph: its random numbers do not depend on which others are explained beside it."""
    return zlib.crc32(name.encode())


def photograph_task(chosen: Chosen, classifier: PhotographClassifier, background: Background) -> Task:
    """The class that a network gives a photograph; every pixel is a player.

    Args:
        chosen: the photograph and its class.
        classifier: the network.
        background: other photographs.

    Raises:
        UnreadablePhotographError: if the photograph or its mask cannot be read any more.
    """
    pixels, mask = load_pixels(chosen.photograph, classifier)[None], load_mask(chosen, classifier)
    target = torch.tensor([chosen.predicted], device=pixels.device)
    return Task(
        f"photograph {chosen.photograph.name}",
        classifier.explained,
        pixels,
        target,
        [chosen.photograph.name],
        background,
        Pixels(),
        IMPUTERS,
        masks=None if mask is None else mask[None],
        score=classifier.score(pixels, target),
        max_batch=classifier.max_batch,
    )


def any_photograph(classifier: PhotographClassifier, background: Background, outlined: bool) -> Task:
    """What is known of every task before its photograph is chosen: which methods and metrics fit it, it can say."""
    pixels = background.examples[:1]
    return Task(
        "the photographs",
        classifier.explained,
        pixels,
        torch.zeros(1, dtype=torch.int64, device=pixels.device),
        ["any"],
        background,
        Pixels(),
        IMPUTERS,
        masks=torch.ones_like(pixels[:, 0], dtype=torch.bool) if outlined else None,
    )


def seen_by(task: Task, classifier: PhotographClassifier) -> Task:
    """The same class of the same pixels, for another network."""
    assert task.targets is not None
    return replace(
        task,
        f=classifier.explained,
        background=replace(task.background, centre=classifier.centre.expand_as(task.inputs[0])),
        score=classifier.score(task.inputs, task.targets),
        max_batch=classifier.max_batch,
    )


def of_patches(task: Task, side: int) -> Task:
    """The task with square patches as players [px]; its rows and columns of pixels need not be a multiple."""
    return replace(task, players=Patches(side, side))


def task_of(method: Method, task: Task, patch: int) -> Task:
    """The task as a method takes it: one that asks for few players gets patches with this side [px]."""
    return of_patches(task, patch) if getattr(method, "few_players", False) else task


def attribute_photographs(
    methods: Mapping[str, Method], task: Task, patch: int, generator: torch.Generator
) -> dict[str, Attribution]:
    """Attribute by every method, each from the same state of the generator: those of pixels, and those of patches."""
    found: dict[str, Attribution] = {}
    for few in (False, True):
        some = {name: method for name, method in methods.items() if getattr(method, "few_players", False) == few}
        if some:
            found |= attribute_all(some, task_of(next(iter(some.values())), task, patch), generator)
    return {name: found[name] for name in methods}
