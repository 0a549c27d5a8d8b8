"""How the maps of a photograph are judged, all of them in one batch: what both comparisons of methods share."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution import Attribution
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import DeletionAUC, Metric, OverlapAUC, PointingGame, judged
from igbaselines.metrics.completeness import COMPLETENESS_GAP, relative_gap
from igbaselines.metrics.perturbation_curves import area
from igbaselines.studies.images.experiments.settings import MapEvaluation
from igbaselines.studies.images.experiments.tasks import image_key
from igbaselines.tasks import Task

DELETION, INSERTION = DeletionAUC().quantity, DeletionAUC(insertion=True).quantity
OVERLAP = OverlapAUC().quantity
JUDGED = (DELETION, INSERTION, OVERLAP, PointingGame().quantity, COMPLETENESS_GAP)


def gap(found: Attribution, change: Float[Tensor, " 1"] | None = None) -> float | None:
    """The completeness gap, to the change that the attribution names itself, or is told; None where nobody knows it."""
    change = found.change if change is None else change
    return None if change.isnan() else relative_gap(found.attributions, change).item()


def gaps(found: Mapping[str, Attribution]) -> list[dict[str, float]]:
    """For each input the completeness gap of each method of which somebody knows it."""
    change = torch.stack([one.change for one in found.values()])
    missed = torch.stack([relative_gap(one.attributions, one.change) for one in found.values()])
    of_inputs = torch.stack([change, missed]).cpu().permute(2, 0, 1)  # the host waits once
    return [
        {name: value for name, known, value in zip(found, *of_input.tolist(), strict=True) if not math.isnan(known)}
        for of_input in of_inputs
    ]


def curves(
    evaluation: MapEvaluation,
    task: Task,
    maps: Float[Tensor, "maps c h w"],
    seed: int,
    insertion: bool = False,
    of: Sequence[int] | None = None,
) -> tuple[Float[Tensor, "maps points"], list[float]]:
    """Deletion or insertion curves of maps, and the areas under them; a random mask is that of all.

    `of` says which of the photographs each map explains; None: the first.
    """
    metric = DeletionAUC(evaluation.mask, evaluation.grid, evaluation.ranking, insertion)
    generator = generator_for(seed, "images: masks", image_key(task.units[0]))
    found = metric.curves(task, maps, torch.tensor(of or [0] * len(maps)), generator)
    return found, area(found, evaluation.grid).tolist()


def on_object(
    evaluation: MapEvaluation, task: Task, maps: Float[Tensor, "maps c h w"], of: Sequence[int] | None = None
) -> dict[str, list[float]]:
    """Metric -> a value for each map, of the metrics of the object's outline; none where nobody drew one."""
    every, draws_nothing = task.take(of or [0] * len(maps)), torch.Generator()
    overlap = OverlapAUC(evaluation.ranking, evaluation.overlap == "released_code")
    metrics: list[Metric] = [overlap, PointingGame(evaluation.ranking)]
    return {
        metric.quantity.name: metric.score(every, maps, draws_nothing).tolist()
        for metric in metrics
        if metric.why_not(every) is None
    }


def by_others(
    metrics: Mapping[str, Metric], task: Task, maps: Float[Tensor, "maps c h w"], seed: int
) -> dict[str, list[float]]:
    """Metric -> a value for each map, of the metrics of the command line; every map meets the same random numbers."""
    found = {}
    for name, metric in metrics.items():
        if metric.why_not(task) is None:
            draws = partial(generator_for, seed, f"images: metric {name}", image_key(task.units[0]))
            scores = judged(metric, task, {str(place): one[None] for place, one in enumerate(maps)}, draws)
            found[metric.quantity.name] = torch.cat(list(scores.values())).tolist()
    return found
