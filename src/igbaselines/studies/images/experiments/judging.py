"""How the maps of a photograph are judged, all of them in one batch: what both comparisons of methods share."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.common.randomness import generator_for
from igbaselines.metrics import DeletionAUC, Metric, OverlapAUC, PointingGame
from igbaselines.metrics.completeness import COMPLETENESS_GAP
from igbaselines.metrics.perturbation_curves import area
from igbaselines.studies.images.experiments.settings import MapEvaluation
from igbaselines.studies.images.tasks import image_key
from igbaselines.tasks import Task

DELETION, INSERTION = DeletionAUC().quantity, DeletionAUC(insertion=True).quantity
JUDGED = (DELETION, INSERTION, OverlapAUC().quantity, PointingGame().quantity, COMPLETENESS_GAP)


def curves(
    evaluation: MapEvaluation, task: Task, maps: Float[Tensor, "maps c h w"], seed: int, insertion: bool = False
) -> tuple[Float[Tensor, "maps points"], Float[Tensor, " maps"]]:
    """Deletion or insertion curves of a photograph's maps, and the areas under them.

    Args:
        evaluation: what masked pixels become, and when they go.
        task: of one photograph.
        maps: attributions of its pixels.
        seed: of the run, for a random mask.
        insertion: whether pixels come instead of go.

    Raises:
        ValueError: for attributions that are NaN.
    """
    metric = DeletionAUC(evaluation.mask, evaluation.grid, evaluation.ranking, insertion)
    generator = generator_for(seed, "images: masks", image_key(task.units[0]))
    of_photograph = torch.zeros(len(maps), dtype=torch.int64, device=maps.device)
    found = metric.curves(task, maps, generator, of_photograph)
    return found, area(found, evaluation.grid)


def on_object(
    evaluation: MapEvaluation, task: Task, maps: Float[Tensor, "maps c h w"]
) -> dict[str, Float[Tensor, " maps"]]:
    """Metric -> a value for each map, of the metrics of the object's outline; none where nobody drew one."""
    every = task.take([0] * len(maps))
    released = evaluation.overlap == "released_code"
    metrics: list[Metric] = [OverlapAUC(evaluation.ranking, released), PointingGame(evaluation.ranking)]
    draws_nothing = torch.Generator()
    return {
        metric.quantity.name: metric.score(every, maps, draws_nothing)
        for metric in metrics
        if metric.why_not(every) is None
    }


def by_others(
    metrics: Mapping[str, Metric], task: Task, maps: Float[Tensor, "maps c h w"], seed: int
) -> dict[str, list[float]]:
    """Metric -> a value for each map, of the metrics of the command line; each map meets the same random numbers."""
    found = {}
    for name, metric in metrics.items():
        if metric.why_not(task) is None:
            key = (seed, f"images: metric {name}", image_key(task.units[0]))
            values = [metric.score(task, one[None], generator_for(*key)) for one in maps]
            found[metric.quantity.name] = torch.cat(values).tolist()
    return found
