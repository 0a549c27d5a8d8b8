"""2310.04821, Shapley Integrated Gradients, on photographs: do coalitions make better baselines than the usual ones?

Every method explains the predicted class of every photograph with the same number of gradient points. Its maps are
judged by deletion, insertion and the object's outline, and compared with those that another network gives of the same
pixels. Beside the main setting, Shapley Integrated Gradients is tried with other patches and other numbers of
coalitions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from igbaselines.common.errors import UserError
from igbaselines.metrics import Quantity
from igbaselines.metrics.completeness import COMPLETENESS_GAP, relative_gap
from igbaselines.metrics.stability import CONSISTENCY, map_consistency
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.explanations import save_maps
from igbaselines.studies.images.experiments.judging import DELETION, INSERTION, JUDGED, by_others, curves, on_object
from igbaselines.studies.images.experiments.records import Record
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.studies.images.experiments.settings import (
    SHAPLEY_IG,
    ShapleyImagesAttribution,
    ShapleyImagesEvaluation,
)
from igbaselines.studies.images.experiments.shapley_maps import MethodMap, Sampling, every_map, timed_map
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.studies.images.tasks import of_patches, seen_by, task_of
from igbaselines.tasks import Task

METHODS, PATCH, COALITIONS = "methods", "patch", "coalitions"  # the studies of a run
GRADIENT_POINTS = Quantity("gradient_points", "gradient points", better="lower")
SECONDS = Quantity("seconds", "seconds", "s", "lower")
MEASURED = (*JUDGED, CONSISTENCY, GRADIENT_POINTS, SECONDS)

Row = dict[str, Any]


def run(
    run: Run,
    dataset: PhotographDataset,
    model: ImageModel,
    attribution: AttributionSettings,
    evaluation: ShapleyImagesEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`.

    Args:
        run: where it runs and where results go.
        dataset: the photographs.
        model: the network.
        attribution: methods and their cost.
        evaluation: metrics, the other network, and what is varied.

    Raises:
        UserError: for data or settings that cannot work, before any attribution.
    """
    check_settings(model, attribution, evaluation)
    models = {"": model, "other_": evaluation.other_model}
    names = {quantity.name for quantity in MEASURED}
    study = PhotographStudy.begin(run, dataset, models, attribution, attribution.methods(), names)
    first = study.task(study.chosen[0])  # explained once for nothing: the first gradients of a process take longer
    name, method = next(iter(study.methods_of(study.drawn(first)).items()))
    timed_map(name, method, task_of(method, first, study.patch), run.seed)
    study.for_each("examples", partial(one_photograph, study, evaluation))


def check_settings(model: ImageModel, attribution: object, evaluation: ShapleyImagesEvaluation) -> None:
    """Say before any work that both networks see the same pixels, and that there are players.

    Raises:
        UserError: where not.
    """
    if not isinstance(attribution, AttributionSettings):
        raise UserError("this experiment compares methods of attribution: attribution=shapley_ig")
    other = evaluation.other_model
    if (other.architecture, other.checkpoint) == (model.architecture, model.checkpoint):
        raise UserError(
            f"evaluation.other_model is the model itself, {model.architecture}: choose another network, such as "
            "model@evaluation.other_model=efficientnet_lite2"
        )
    if other.preprocessing != model.preprocessing:
        raise UserError(
            f"both networks must see the same pixels: evaluation.other_model has {other.preprocessing}, "
            f"model has {model.preprocessing}"
        )
    check_patches(model, attribution, *evaluation.patches)


def check_patches(model: ImageModel, attribution: AttributionSettings, *others: int) -> None:
    """Say that a patch as large as the picture leaves no players.

    Raises:
        UserError: where one is.
    """
    own = {"attribution.patch": attribution.patch} if isinstance(attribution, ShapleyImagesAttribution) else {}
    for key, patch in (*own.items(), *(("evaluation.patches", other) for other in others)):
        if patch >= model.size:
            raise UserError(f"{key} must be below model.size ({model.size}) for there to be players, got {patch}")


def one_photograph(
    study: PhotographStudy, evaluation: ShapleyImagesEvaluation, index: int, chosen: Chosen, file: Path
) -> Record:
    """Explain a photograph by every method and in every setting, and judge the maps."""
    task, seed = study.task(chosen), study.run.seed
    drawn = study.methods_of(study.drawn(task))
    methods = every_map(drawn, task, study.patch, seed)
    studies = sweeps(study.attribution, evaluation, task.inputs.shape[-1])
    tried = dict.fromkeys(studies.get(METHODS, ()), methods[0])
    for sampling in chain.from_iterable(studies.values()):
        if sampling not in tried:
            found = timed_map(SHAPLEY_IG, sampling.of(drawn[SHAPLEY_IG]), of_patches(task, sampling.patch), seed)
            tried[sampling] = replace(found, change=methods[0].change)
    values = measure(evaluation, task, [*methods, *list(tried.values())[1:]], seed)
    others = by_others(study.metrics, task, torch.stack([one.attributions for one in methods]), seed)
    main = next(iter(tried)).columns() if tried else {}
    rows: list[Row] = []
    for place, one in enumerate(methods):
        of_map = values[place] | {metric: of_maps[place] for metric, of_maps in others.items()}
        rows += _rows(one.method, of_map, study=METHODS, **(main if one.method == SHAPLEY_IG else {}))
    rows += _consistency_rows(study, evaluation, task, methods)
    of_sampling = dict(zip(tried, [values[0], *values[len(methods) :]], strict=True)) if tried else {}
    for name in (PATCH, COALITIONS):
        for sampling in dict.fromkeys(studies.get(name, ())):
            rows += _rows(SHAPLEY_IG, of_sampling[sampling], study=name, **sampling.columns())
    rows.append({"method": "network", "metric": "probability", "value": chosen.probability})
    if index < evaluation.examples:
        shown = {one.method: one.attributions for one in methods}
        mask = None if task.masks is None else task.masks[0]
        save_maps(file, task.inputs[0], shown, mask, chosen.label, chosen.probability)
    return {"rows": rows}


def sweeps(
    attribution: AttributionSettings, evaluation: ShapleyImagesEvaluation, side: int
) -> dict[str, list[Sampling]]:
    """The settings of Shapley Integrated Gradients in each study of the run; none where it is not compared.

    Args:
        attribution: with the main setting.
        evaluation: what is varied.
        side: of the photographs [px].
    """
    if not isinstance(attribution, ShapleyImagesAttribution):
        return {}
    main = Sampling(side, attribution.patch, attribution.coalitions)
    return {
        METHODS: [main],
        PATCH: [replace(main, patch=patch) for patch in evaluation.patches],
        COALITIONS: [replace(main, coalitions=coalitions) for coalitions in evaluation.coalitions],
    }


def measure(
    evaluation: ShapleyImagesEvaluation, task: Task, maps: Sequence[MethodMap], seed: int
) -> list[dict[str, float]]:
    """Every metric of every map of a photograph but the other network's opinion."""
    attributions = torch.stack([one.attributions for one in maps])
    (_, deletion), (_, insertion) = (curves(evaluation, task, attributions, seed, coming) for coming in (False, True))
    of_all = {DELETION.name: deletion, **on_object(evaluation, task, attributions), INSERTION.name: insertion}
    values = [dict(zip(of_all, of_map, strict=True)) for of_map in torch.stack(list(of_all.values()), dim=1).tolist()]
    for one, of_map in zip(maps, values, strict=True):
        if not math.isnan(one.change):
            change = torch.tensor([one.change], dtype=torch.float64)
            of_map[COMPLETENESS_GAP.name] = relative_gap(one.found.attributions.cpu(), change).item()
        of_map |= {GRADIENT_POINTS.name: one.gradient_points, SECONDS.name: one.seconds}
    return values


def _consistency_rows(
    study: PhotographStudy, evaluation: ShapleyImagesEvaluation, task: Task, methods: Sequence[MethodMap]
) -> list[Row]:
    """How well the maps agree with those that the other network gives of the same class and pixels."""
    elsewhere = seen_by(task, study.classifiers[1])
    others = every_map(study.methods_of(study.drawn(elsewhere)), elsewhere, study.patch, study.run.seed)
    maps, of_other = (torch.stack([one.attributions for one in some]) for some in (methods, others))
    agreement = map_consistency(maps, of_other, evaluation.consistency_grid).tolist()
    known = {"study": METHODS, "other_model": evaluation.other_model.architecture}
    return [
        row
        for one, value in zip(methods, agreement, strict=True)
        for row in _rows(one.method, {CONSISTENCY.name: value}, **known)
    ]


def _rows(method: str, values: Mapping[str, float], **known: str | float) -> list[Row]:
    return [{"method": method, "metric": metric, "value": value, **known} for metric, value in values.items()]
