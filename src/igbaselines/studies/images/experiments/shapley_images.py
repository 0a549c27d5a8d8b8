"""2310.04821, Shapley Integrated Gradients, on photographs: do coalitions make better baselines than the usual ones?

Every method explains the predicted class of every photograph with the same number of gradient points. Its maps are
judged by deletion, insertion and the object's outline, and compared with those that another network gives of the same
pixels. Beside the main setting, Shapley Integrated Gradients is tried with other patches and other numbers of
coalitions.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

import torch

from igbaselines.common.errors import UserError
from igbaselines.metrics import Quantity
from igbaselines.metrics.completeness import COMPLETENESS_GAP
from igbaselines.metrics.stability import CONSISTENCY, map_consistency
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments import judging
from igbaselines.studies.images.experiments.explanations import save_maps
from igbaselines.studies.images.experiments.records import Record, Row, rows_of
from igbaselines.studies.images.experiments.selection import SELECTION, Chosen
from igbaselines.studies.images.experiments.settings import (
    IG_ABSENT,
    SHAPLEY_IG,
    ShapleyImagesAttribution,
    ShapleyImagesEvaluation,
)
from igbaselines.studies.images.experiments.shapley_maps import Sampling, TimedMap, every_map
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.experiments.tasks import seen_by
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.tasks import Task

METHODS, PATCH, COALITIONS = "methods", "patch", "coalitions"  # the studies of a run
GRADIENT_POINTS = Quantity("gradient_points", "gradient points", better="lower")
SECONDS = Quantity("seconds", "seconds", "s", "lower")
MEASURED = (*judging.JUDGED, CONSISTENCY, GRADIENT_POINTS, SECONDS, *SELECTION)


def run(
    run: Run,
    dataset: PhotographDataset,
    model: ImageModel,
    attribution: AttributionSettings,
    evaluation: ShapleyImagesEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`."""
    check_settings(model, attribution, evaluation)
    models = {"": model, "other_": evaluation.other_model}
    study = PhotographStudy.begin(run, dataset, models, attribution, attribution.methods())
    every_map(study, study.task(study.chosen[0]), 1)  # the first gradients of a process take longer
    study.for_each("examples", partial(one_photograph, study, evaluation))


def check_settings(model: ImageModel, attribution: object, evaluation: ShapleyImagesEvaluation) -> None:
    """Refuse, before any work, networks that see other pixels, and patches that leave no players."""
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
    """Refuse a patch as large as the picture: it leaves no players."""
    own = {"attribution.patch": attribution.patch} if isinstance(attribution, ShapleyImagesAttribution) else {}
    for key, patch in (*own.items(), *(("evaluation.patches", other) for other in others)):
        if patch >= model.size:
            raise UserError(f"{key} must be below model.size ({model.size}) for there to be players, got {patch}")


def one_photograph(
    study: PhotographStudy, evaluation: ShapleyImagesEvaluation, index: int, chosen: Chosen, file: Path
) -> Record:
    """Explain a photograph by every method and in every setting, and judge the maps."""
    task = study.task(chosen)
    methods, studies = every_map(study, task), sweeps(study.attribution, evaluation, task.inputs.shape[-1])
    tried = dict.fromkeys(studies.get(METHODS, ()), methods[0])
    for sampling in chain.from_iterable(studies.values()):
        tried[sampling] = tried.get(sampling) or sampling.map(study, task)
    values = measure(evaluation, task, [*methods, *list(tried.values())[1:]], study.run.seed)
    of_setting = dict(zip(tried, [values[0], *values[len(methods) :]], strict=False))
    maps = torch.cat([one.found.attributions for one in methods])
    others = judging.by_others(study.metrics, task, maps, study.run.seed)
    main = next(iter(tried)).columns() if tried else {}
    rows: list[Row] = []
    for place, one in enumerate(methods):
        of_map = values[place] | {metric: of_maps[place] for metric, of_maps in others.items()}
        rows += rows_of(one.method, of_map, study=METHODS, **(main if one.method == SHAPLEY_IG else {}))
    rows += _consistency_rows(study, evaluation, task, methods)
    for name in (PATCH, COALITIONS):
        for sampling in dict.fromkeys(studies.get(name, ())):
            rows += rows_of(SHAPLEY_IG, of_setting[sampling], study=name, **sampling.columns())
    rows += rows_of("network", {"probability": chosen.probability})
    if index < evaluation.examples:
        save_maps(file, task, chosen, {one.method: one.found for one in methods})
    return {"rows": rows}


def sweeps(
    attribution: AttributionSettings, evaluation: ShapleyImagesEvaluation, side: int
) -> dict[str, list[Sampling]]:
    """The settings of Shapley Integrated Gradients in each study, of photographs with a side [px]; none without it."""
    if not isinstance(attribution, ShapleyImagesAttribution):
        return {}
    main = Sampling(side, attribution.patch, attribution.coalitions)
    return {
        METHODS: [main],
        PATCH: [replace(main, patch=patch) for patch in evaluation.patches],
        COALITIONS: [replace(main, coalitions=coalitions) for coalitions in evaluation.coalitions],
    }


def measure(
    evaluation: ShapleyImagesEvaluation, task: Task, maps: Sequence[TimedMap], seed: int
) -> list[dict[str, float]]:
    """Every metric of every map of a photograph but the other network's opinion."""
    attributions = torch.cat([one.found.attributions for one in maps])
    _, deletion = judging.curves(evaluation, task, attributions, seed)
    _, insertion = judging.curves(evaluation, task, attributions, seed, insertion=True)
    of_all = {
        judging.DELETION.name: deletion,
        **judging.on_object(evaluation, task, attributions),
        judging.INSERTION.name: insertion,
    }
    control = next((one.found.change for one in maps if one.method == IG_ABSENT), None)
    values = []
    for place, one in enumerate(maps):
        of_map = {metric: of_maps[place] for metric, of_maps in of_all.items()}
        missed = judging.gap(one.found, control if one.method == SHAPLEY_IG else None)
        of_map |= {} if missed is None else {COMPLETENESS_GAP.name: missed}
        values.append(of_map | {GRADIENT_POINTS.name: int(one.found.gradient_points), SECONDS.name: one.seconds})
    return values


def _consistency_rows(
    study: PhotographStudy, evaluation: ShapleyImagesEvaluation, task: Task, methods: Sequence[TimedMap]
) -> list[Row]:
    """How well the maps agree with those that the other network gives of the same class and pixels."""
    others = every_map(study, seen_by(task, study.classifiers[1]))
    maps, of_other = (torch.cat([one.found.attributions for one in some]) for some in (methods, others))
    agreement = map_consistency(maps, of_other, evaluation.consistency_grid).tolist()
    known = {"study": METHODS, "other_model": evaluation.other_model.architecture}
    return [
        row
        for one, value in zip(methods, agreement, strict=True)
        for row in rows_of(one.method, {CONSISTENCY.name: value}, **known)
    ]
