"""The circle broken: fitness with each of several masks, judged by deletion and insertion with each of them.

A baseline's fitness masks pixels, and so do the curves that judge the weights made of it: with one mask for both,
Weighted Gradients are judged by what they were made with. Gradients do not depend on masks and are those of the run;
overlap with the object masks nothing, and stands beside.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from igbaselines.attribution import Attribution
from igbaselines.attribution.fitness import Fitness
from igbaselines.attribution.weighting import InverseFitness
from igbaselines.common.devices import sent
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import Quantity
from igbaselines.studies.images.experiments import judging
from igbaselines.studies.images.experiments.records import Row, baseline_rows, rows_of
from igbaselines.studies.images.experiments.settings import EG, WG, WeightedGradientsEvaluation
from igbaselines.studies.images.experiments.tasks import image_key
from igbaselines.studies.images.experiments.weighted_measures import Batch, curves_of, on_object

DELETION, INSERTION, OVERLAP = (
    Quantity(f"{one.name}_by_mask", f"{one.label}, by mask", one.unit, one.better)
    for one in (judging.DELETION, judging.INSERTION, judging.OVERLAP)
)
BY_MASK = (DELETION, INSERTION, OVERLAP)


def mask_rows(
    batch: Batch, evaluation: WeightedGradientsEvaluation, found: Mapping[str, Attribution]
) -> list[list[Row]]:
    """For each photograph the areas of EG, and of WG with each mask of the fitness, by each mask of the metric.

    The columns `fitness_mask` and `metric_mask` name them: EG has no fitness, and overlap masks nothing.
    """
    rows: list[list[Row]] = [[] for _ in batch.tasks]
    if not evaluation.masks:
        return rows
    of_fitness = {
        name: _weighted(batch, replace(batch.attribution.fitness, mask=mask), found[WG])
        for name, mask in evaluation.masks.items()
    }
    for name, one in of_fitness.items():
        assert one.fitness is not None
        d_alpha = one.fitness.d_alpha.view(one.f_baselines.shape)
        for of, own in zip(rows, d_alpha, strict=True):
            of += _with(baseline_rows({"d_alpha_by_mask": own}, list(batch.attribution.baselines)), fitness_mask=name)
    methods: list[tuple[str, Mapping[str, str]]] = [(EG, {}), *((WG, {"fitness_mask": name}) for name in of_fitness)]
    every = torch.stack([found[EG].attributions, *(one.attributions for one in of_fitness.values())], dim=1)

    def add(place: int, metric: Quantity, areas: list[float], **known: str) -> None:
        for (method, of), area in zip(methods, areas, strict=True):
            rows[place] += rows_of(method, {metric.name: area}, **of, **known)

    for name, mask in evaluation.masks.items():
        for metric in (DELETION, INSERTION):
            judge, seed = replace(evaluation, mask=mask), batch.study.run.seed
            judged = curves_of(judge, batch.task, list(every), seed, insertion=metric is INSERTION)
            for place, (_, areas) in enumerate(judged):
                add(place, metric, areas, metric_mask=name)
    for place, on in enumerate(on_object(batch, evaluation, list(every))):
        if on:
            add(place, OVERLAP, on[judging.OVERLAP.name])
    return rows


def _weighted(batch: Batch, fitness: Fitness, own: Attribution) -> Attribution:
    """Weighted Gradients with another fitness; what is known of the run's own is not searched for again."""
    if fitness == batch.attribution.fitness:
        return own
    assert own.per_baseline is not None
    generator = generator_for(batch.study.run.seed, "images: masks", image_key(batch.task.units[0]))
    minimal = fitness.d_alpha(batch.task, own.per_baseline, generator)
    weights = InverseFitness().of_fitness(minimal.d_alpha.view(own.f_baselines.shape))
    return replace(own.reweighted(sent(weights, own.f_baselines.device), batch.task.player_map), fitness=minimal)


def _with(rows: list[Row], **known: str) -> list[Row]:
    return [row | known for row in rows]
