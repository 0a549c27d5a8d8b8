"""Explanations of one's own photographs by any method: overlays, attributions and rows, without a claim to test."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from igbaselines.attribution import Attribution
from igbaselines.common.errors import UserError
from igbaselines.metrics import undirected
from igbaselines.metrics.completeness import COMPLETENESS_GAP
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.explanations import of_baselines, of_patches, save_maps
from igbaselines.studies.images.experiments.judging import by_others, gap
from igbaselines.studies.images.experiments.records import Record, Row, baseline_rows, rows_of
from igbaselines.studies.images.experiments.selection import SELECTION, Chosen
from igbaselines.studies.images.experiments.settings import (
    IG_ABSENT,
    SHAPLEY_IG,
    ExplainEvaluation,
    ImageAttribution,
    ShapleyImagesAttribution,
)
from igbaselines.studies.images.experiments.shapley_images import GRADIENT_POINTS, check_patches
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.experiments.targets import asked
from igbaselines.studies.images.experiments.tasks import attribute_photograph
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.tasks import Task

log = logging.getLogger(__name__)
NAMED = 20  # photographs that the log names with their class
MEASURED = (
    *(COMPLETENESS_GAP, GRADIENT_POINTS, *SELECTION),
    *undirected("predicted_class", "d_alpha", "weight"),
)


def run(
    run: Run,
    dataset: PhotographDataset,
    model: ImageModel,
    attribution: AttributionSettings,
    evaluation: ExplainEvaluation,
) -> None:
    """Explain every photograph by every method; `explanations/NAME.npz` holds the attributions.

    Of Shapley Integrated Gradients and all that is compared with it, it takes plain Integrated Gradients from the same
    reference. Of methods that attribute to patches the file holds `patches`, too, what each of them gets.
    """
    if not isinstance(attribution, AttributionSettings):
        raise UserError("this experiment explains photographs: attribution=ig, weighted_gradients, shapley_ig, ...")
    check_patches(model, attribution)
    own = attribution.methods()
    if isinstance(attribution, ShapleyImagesAttribution):
        own = {name: own[name] for name in (SHAPLEY_IG, IG_ABSENT)}
    study = PhotographStudy.begin(run, dataset, {"": model}, attribution, own)
    one = study.classifiers[0]
    chosen = asked(study.chosen, evaluation.target, evaluation.against, study.names, one)
    log.info("explained: %s", ", ".join(f"{photo.photograph.name} as {photo.label}" for photo in chosen[:NAMED]))
    replace(study, chosen=chosen).for_each("explanations", partial(one_photograph, study, evaluation.smoothing))


def one_photograph(study: PhotographStudy, smoothing: float, index: int, chosen: Chosen, file: Path) -> Record:
    """Explain a photograph by every method; of named baselines also say what each of them is worth."""
    task = study.task(chosen)
    attribution = study.drawn(task)
    stream = "images: coalitions" if isinstance(attribution, ShapleyImagesAttribution) else "images: nodes"
    methods, generator = study.methods_of(attribution), study.generator(stream, task)
    found = attribute_photograph(methods, task, study.patch, generator)
    rows = _method_rows(study, task, chosen, found)
    more: dict[str, Any] = of_patches(methods, found, task, study.patch)
    if isinstance(attribution, ImageAttribution):
        own = found[attribution.method]
        assert own.weights is not None
        assert own.per_baseline is not None
        # How fit each baseline is, also where no weights are made of it.
        d_alpha = (own.fitness or attribution.fitness.d_alpha(task, own.per_baseline, generator)).d_alpha
        rows += baseline_rows({"weight": own.weights[0], "d_alpha": d_alpha}, list(attribution.baselines))
        more |= of_baselines(attribution.baselines, own, d_alpha)
    save_maps(file, task, chosen, found, keep_channels=True, smoothing=smoothing, **more)
    return {"rows": rows}


def _method_rows(study: PhotographStudy, task: Task, chosen: Chosen, found: Mapping[str, Attribution]) -> list[Row]:
    """What the network makes of a photograph, and what its explanations cost and are worth."""
    maps = torch.cat([one.attributions for one in found.values()])
    others = by_others(study.metrics, task, maps, study.run.seed)
    rows = []
    for place, (name, one) in enumerate(found.items()):
        values = {"probability": chosen.probability, "predicted_class": chosen.predicted}
        control = found.get(IG_ABSENT) if name == SHAPLEY_IG else None
        missed = gap(one, None if control is None else control.change)
        values |= {} if missed is None else {COMPLETENESS_GAP.name: missed}
        values |= {GRADIENT_POINTS.name: int(one.gradient_points)}
        values |= {metric: of_maps[place] for metric, of_maps in others.items()}
        rows += rows_of(name, values, label=chosen.label)
    return rows
