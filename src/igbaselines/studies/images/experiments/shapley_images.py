"""2310.04821, Shapley Integrated Gradients, on photographs: do coalitions make better baselines than the usual ones?

Every method explains the predicted class of every photograph with the same number of gradient points. Its maps are
judged by deletion, insertion and the object's outline, and compared with those that another network gives of the same
pixels. Beside the main setting, Shapley Integrated Gradients is tried with other patches and other numbers of
coalitions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from igbaselines.attribution.weighted import class_score
from igbaselines.common.errors import UserError
from igbaselines.metrics.maps import MapJudge, map_consistency, relative_gap
from igbaselines.running.context import Run
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.classifier import load_classifier
from igbaselines.studies.images.experiments.explanations import REFERENCE, save_maps
from igbaselines.studies.images.experiments.records import Record, for_each
from igbaselines.studies.images.experiments.selection import (
    Chosen,
    add_selection,
    load_mask,
    load_pixels,
    reference_photographs,
    select,
)
from igbaselines.studies.images.experiments.settings import (
    SHAPLEY_IG,
    ShapleyImagesAttribution,
    ShapleyImagesEvaluation,
)
from igbaselines.studies.images.experiments.shapley_maps import MapMaker, MethodMap, Sampling
from igbaselines.studies.images.networks.recipe import ImageModel

METHODS, PATCH, COALITIONS = "methods", "patch", "coalitions"  # the studies of a run

Row = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """What every photograph of the run shares.

    Args:
        maker: explains for the network.
        other: explains for the other network, from the same baselines.
        other_name: of the other network.
        evaluation: metrics, and what is varied.
    """

    maker: MapMaker
    other: MapMaker
    other_name: str
    evaluation: ShapleyImagesEvaluation

    def sweeps(self) -> dict[str, list[Sampling]]:
        """The settings of Shapley Integrated Gradients in each study that varies them."""
        main, settings = self.maker.sampling, self.evaluation
        return {
            PATCH: [Sampling(main.side, patch, main.coalitions) for patch in settings.patches],
            COALITIONS: [Sampling(main.side, main.patch, coalitions) for coalitions in settings.coalitions],
        }


def run(
    run: Run,
    dataset: PhotographDataset,
    model: ImageModel,
    attribution: ShapleyImagesAttribution,
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
    if (checksum := dataset.checksum()) is not None:
        run.checksums["dataset"] = checksum
    found = dataset.photographs()
    classifier = load_classifier(model, attribution, run)
    examples = reference_photographs(found.candidates, classifier, attribution.reference_images, run.seed, REFERENCE)
    if len(examples) <= attribution.example_baselines:
        raise UserError(
            f"{len(examples)} photographs can be read, but attribution.example_baselines="
            f"{attribution.example_baselines} others are needed beside each: take fewer, or more photographs"
        )
    other = load_classifier(evaluation.other_model, attribution, run, prefix="other_")
    maker, other_maker = (MapMaker(network, attribution, examples, run.seed) for network in (classifier, other))
    study = Study(maker, other_maker, evaluation.other_model.architecture, evaluation)
    selection = select(found, classifier)
    add_selection(run, selection)
    first = selection.chosen[0]  # explained once for nothing: the first gradients of a process take longer
    maker.shapley(first, load_pixels(first.photograph, classifier), maker.sampling, change=1.0)
    for_each(run, selection.chosen, "examples", partial(one_photograph, study))


def check_settings(model: ImageModel, attribution: object, evaluation: ShapleyImagesEvaluation) -> None:
    """Say before any work that both networks see the same pixels, and that there are players.

    Raises:
        UserError: where not.
    """
    if not isinstance(attribution, ShapleyImagesAttribution):
        raise UserError("this experiment compares methods itself: attribution=shapley_ig")
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
    for key, patch in [
        ("attribution.patch", attribution.patch),
        *(("evaluation.patches", p) for p in evaluation.patches),
    ]:
        check_patch(key, patch, model)


def check_patch(key: str, patch: int, model: ImageModel) -> None:
    """Say that a patch as large as the picture leaves no players.

    Raises:
        UserError: where it is.
    """
    if patch >= model.size:
        raise UserError(f"{key} must be below model.size ({model.size}) for there to be players, got {patch}")


def one_photograph(study: Study, index: int, chosen: Chosen, file: Path) -> Record:
    """Explain a photograph by every method and in every setting, and judge the maps."""
    classifier = study.maker.classifier
    pixels, mask = load_pixels(chosen.photograph, classifier), load_mask(chosen, classifier)
    methods = study.maker.every_method(chosen, pixels)
    tried = {study.maker.sampling: methods[0]}
    for sampling in (setting for settings in study.sweeps().values() for setting in settings):
        if sampling not in tried:
            tried[sampling] = study.maker.shapley(chosen, pixels, sampling, methods[0].change)
    varied = list(tried.values())[1:]
    values = measure(study, chosen, pixels, [*methods, *varied], mask)
    main = study.maker.sampling.columns()
    rows: list[Row] = []
    for found, of_map in zip(methods, values[: len(methods)], strict=True):
        known = {"study": METHODS} | (main if found.method == SHAPLEY_IG else {})
        rows += [
            {"method": found.method, "metric": metric, "value": value, **known} for metric, value in of_map.items()
        ]
    rows += _consistency_rows(study, chosen, pixels, methods)
    of_sampling = dict(zip(tried, [values[0], *values[len(methods) :]], strict=True))
    rows += _sweep_rows(study, of_sampling)
    rows.append({"method": "network", "metric": "probability", "value": chosen.probability})
    if index < study.evaluation.examples:
        shown = {found.method: found.attributions for found in methods}
        save_maps(file, pixels, shown, mask, chosen.label, chosen.probability)
    return {"rows": rows}


def measure(
    study: Study,
    chosen: Chosen,
    pixels: Float[Tensor, "c h w"],
    maps: list[MethodMap],
    mask: Bool[Tensor, "h w"] | None,
) -> list[dict[str, float]]:
    """Every metric of every map of a photograph but the other network's opinion."""
    evaluation, classifier = study.evaluation, study.maker.classifier
    released = evaluation.overlap == "released_code"
    judge = MapJudge(evaluation.mask, evaluation.grid, evaluation.ranking, released, classifier.max_batch)
    target = torch.tensor([chosen.predicted], device=pixels.device)
    attributions = torch.stack([found.attributions for found in maps])
    score = class_score(classifier.scored, target)
    judged = judge.judge(score, pixels[None], attributions, mask, range(len(maps)))
    change = torch.tensor([found.change for found in maps], dtype=torch.float64, device=pixels.device)
    of_all = {
        **judged.of_all,
        "insertion_auc": judged.insertion_auc,
        "completeness_gap": relative_gap(attributions, change),
        "gradient_points": torch.tensor([found.gradient_points for found in maps]),
        "seconds": torch.tensor([found.seconds for found in maps], dtype=torch.float64),
    }
    return [
        dict(zip(of_all, values, strict=True))
        for values in zip(*(values.tolist() for values in of_all.values()), strict=True)
    ]


def _consistency_rows(
    study: Study, chosen: Chosen, pixels: Float[Tensor, "c h w"], methods: list[MethodMap]
) -> list[Row]:
    """How well the maps agree with those that the other network gives of the same class and pixels."""
    others = study.other.every_method(chosen, pixels)
    maps, of_other = (torch.stack([found.attributions for found in some]) for some in (methods, others))
    agreement = map_consistency(maps, of_other, study.evaluation.consistency_grid).tolist()
    known = {"metric": "consistency", "study": METHODS, "other_model": study.other_name}
    return [{"method": found.method, "value": value, **known} for found, value in zip(methods, agreement, strict=True)]


def _sweep_rows(study: Study, of_sampling: Mapping[Sampling, Mapping[str, float]]) -> list[Row]:
    """What Shapley Integrated Gradients is worth in every setting of every study that varies it."""
    return [
        {"method": SHAPLEY_IG, "metric": metric, "value": value, "study": name, **sampling.columns()}
        for name, settings in study.sweeps().items()
        for sampling in dict.fromkeys(settings)
        for metric, value in of_sampling[sampling].items()
    ]
