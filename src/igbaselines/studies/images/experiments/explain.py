"""Explanations of one's own photographs: overlays, attributions and a row for each, without a claim to test."""

from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.weighting import EqualFitness, FitnessWeighting, InverseFitness
from igbaselines.common.errors import UserError
from igbaselines.metrics.maps import relative_gap
from igbaselines.running.context import Run
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.classifier import Classifier, load_classifier
from igbaselines.studies.images.experiments.explanations import (
    REFERENCE,
    explain_photograph,
    save_explanation,
    save_maps,
)
from igbaselines.studies.images.experiments.records import Record, Work, for_each
from igbaselines.studies.images.experiments.selection import (
    Chosen,
    add_selection,
    load_mask,
    load_pixels,
    reference_photographs,
    select,
)
from igbaselines.studies.images.experiments.settings import (
    ExplainEvaluation,
    ImageAttribution,
    ShapleyImagesAttribution,
)
from igbaselines.studies.images.experiments.shapley_images import check_patch
from igbaselines.studies.images.experiments.shapley_maps import MapMaker
from igbaselines.studies.images.networks.recipe import ImageModel


def run(
    run: Run,
    dataset: PhotographDataset,
    model: ImageModel,
    attribution: ImageAttribution | ShapleyImagesAttribution,
    evaluation: ExplainEvaluation,
) -> None:
    """Explain every photograph; `explanations/NAME.npz` holds its attributions.

    With Shapley Integrated Gradients it holds those of plain Integrated Gradients from the same reference, too, and
    `patches`, what each player gets.

    Args:
        run: where it runs and where results go.
        dataset: the photographs.
        model: the network.
        attribution: method, baselines, quadrature and fitness.
        evaluation: what is written beside the rows.

    Raises:
        UserError: for photographs or settings that cannot work.
    """
    if isinstance(attribution, ShapleyImagesAttribution):
        check_patch("attribution.patch", attribution.patch, model)
    elif isinstance(attribution, ImageAttribution):
        check_baselines(attribution)
    else:
        raise UserError("this experiment explains photographs: attribution=ig, weighted_gradients, shapley_ig, ...")
    if (checksum := dataset.checksum()) is not None:
        run.checksums["dataset"] = checksum
    found = dataset.photographs()
    classifier = load_classifier(model, attribution, run)
    examples = reference_photographs(found.candidates, classifier, attribution.reference_images, run.seed, REFERENCE)
    selection = select(found, classifier)
    add_selection(run, selection)
    explain: Work
    if isinstance(attribution, ShapleyImagesAttribution):
        explain = partial(_by_coalitions, MapMaker(classifier, attribution, examples, run.seed))
    else:
        explain = partial(_one_photograph, classifier, attribution, examples, run.seed)
    for_each(run, selection.chosen, "explanations", explain)


def check_baselines(settings: ImageAttribution) -> None:
    """Say before any work that Integrated Gradients start from one baseline."""
    baselines = sum(getattr(source, "count", 1) for source in settings.baselines.values())
    if settings.method == "ig" and baselines > 1:
        raise UserError(
            f"attribution=ig starts from one baseline, attribution/baselines has {baselines}: "
            "attribution=expected_gradients averages over several"
        )


def _weighting(settings: ImageAttribution) -> FitnessWeighting:
    """The weights of the method asked for."""
    if settings.method == "weighted_gradients":
        return InverseFitness()
    if settings.method == "filtered_weighted_gradients":
        return InverseFitness(settings.filter_below)
    return EqualFitness()


def _one_photograph(
    classifier: Classifier,
    settings: ImageAttribution,
    examples: Float[Tensor, "m c h w"],
    seed: int,
    index: int,
    chosen: Chosen,
    file: Path,
) -> Record:
    pixels = load_pixels(chosen.photograph, classifier)
    explanation = explain_photograph(chosen, pixels, examples, classifier, settings, seed)
    weights = _weighting(settings).of_fitness(explanation.d_alpha)
    maps = explanation.averaged(weights)
    label = chosen.label
    mask = load_mask(chosen, classifier)
    shown = {settings.method: maps[0]}
    save_explanation(file, explanation, shown, weights[0], mask, label, chosen.probability, keep_channels=True)
    of_method = {
        "probability": chosen.probability,
        "predicted_class": chosen.predicted,
        "completeness_gap": explanation.completeness_gap(maps, weights).item(),
    }
    rows = [
        {"method": settings.method, "metric": metric, "value": value, "label": label}
        for metric, value in of_method.items()
    ]
    for metric, values in (("weight", weights[0]), ("d_alpha", explanation.d_alpha[0])):
        for name, value in zip(explanation.names, values.tolist(), strict=True):
            rows.append({"method": "ig", "metric": metric, "value": value, "baseline": name})
    return {"rows": rows}


def _by_coalitions(maker: MapMaker, index: int, chosen: Chosen, file: Path) -> Record:
    """Explain a photograph by Shapley Integrated Gradients, and by plain ones from the same reference beside them."""
    pixels = load_pixels(chosen.photograph, maker.classifier)
    control = maker.control(chosen, pixels)
    found = maker.shapley(chosen, pixels, maker.sampling, control.change)
    label, mask = chosen.label, load_mask(chosen, maker.classifier)
    assert found.players is not None
    across = -(-pixels.shape[2] // maker.settings.patch)
    save_maps(
        file,
        pixels,
        {one.method: one.attributions for one in (found, control)},
        mask,
        label,
        chosen.probability,
        keep_channels=True,
        patches=found.players.view(-1, across).float().cpu().numpy(),
    )
    rows = []
    for one in (found, control):
        change = torch.tensor([one.change], dtype=torch.float64, device=pixels.device)
        of_method = {
            "probability": chosen.probability,
            "predicted_class": chosen.predicted,
            "completeness_gap": relative_gap(one.attributions[None], change).item(),
            "gradient_points": one.gradient_points,
        }
        rows += [
            {"method": one.method, "metric": metric, "value": value, "label": label}
            for metric, value in of_method.items()
        ]
    return {"rows": rows}
