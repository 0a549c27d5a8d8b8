"""How the maps of a photograph are judged, all of them in one batch: what both comparisons of methods share."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution import Attribution
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import DeletionAUC, Metric, OverlapAUC, PointingGame
from igbaselines.metrics.completeness import COMPLETENESS_GAP, relative_gap
from igbaselines.metrics.perturbation_curves import area
from igbaselines.studies.images.experiments.settings import MapEvaluation
from igbaselines.studies.images.experiments.tasks import image_key
from igbaselines.tasks import Task

DELETION, INSERTION = DeletionAUC().quantity, DeletionAUC(insertion=True).quantity
JUDGED = (DELETION, INSERTION, OverlapAUC().quantity, PointingGame().quantity, COMPLETENESS_GAP)


def gap(found: Attribution, change: Float[Tensor, " 1"] | None = None) -> float | None:
    """The completeness gap, to the change that the attribution names itself, or is told; None where nobody knows it."""
    change = found.change if change is None else change
    return None if change.isnan() else relative_gap(found.attributions, change).item()


def curves(
    evaluation: MapEvaluation, task: Task, maps: Float[Tensor, "maps c h w"], seed: int, insertion: bool = False
) -> tuple[Float[Tensor, "maps points"], list[float]]:
    """Deletion or insertion curves of a photograph's maps, and the areas under them; a random mask is that of all."""
    metric = DeletionAUC(evaluation.mask, evaluation.grid, evaluation.ranking, insertion)
    generator = generator_for(seed, "images: masks", image_key(task.units[0]))
    found = metric.curves(task, maps, generator, torch.zeros(len(maps), dtype=torch.int64, device=maps.device))
    return found, area(found, evaluation.grid).tolist()


def on_object(evaluation: MapEvaluation, task: Task, maps: Float[Tensor, "maps c h w"]) -> dict[str, list[float]]:
    """Metric -> a value for each map, of the metrics of the object's outline; none where nobody drew one."""
    every, draws_nothing = task.take([0] * len(maps)), torch.Generator()
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
            key = (seed, f"images: metric {name}", image_key(task.units[0]))
            found[metric.quantity.name] = [metric.score(task, one[None], generator_for(*key)).item() for one in maps]
    return found
