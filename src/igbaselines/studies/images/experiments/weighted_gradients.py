"""2505.03201, "Weighted Average Gradients for Feature Attribution": Tables 1 and 2, Figures 1 and 2, for one network.

Every photograph's Integrated Gradients are computed once from every baseline; the methods compared are averages of them
with other weights, and methods that give a photograph the same weights share its curves. The paper's tables are a sweep
over networks; the report puts them together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.weighted import pixel_importance
from igbaselines.attribution.weighting import EqualFitness, FitnessWeighting, InverseFitness, WithoutLeastFit
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics.maps import MapJudge
from igbaselines.metrics.perturbation_curves import PerturbationGrid
from igbaselines.metrics.stability import map_variance
from igbaselines.running.context import Run
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments.classifier import Classifier, load_classifier
from igbaselines.studies.images.experiments.explanations import (
    REFERENCE,
    Explanation,
    explain_photograph,
    image_key,
    save_explanation,
)
from igbaselines.studies.images.experiments.records import Record, for_each
from igbaselines.studies.images.experiments.selection import (
    Chosen,
    add_selection,
    load_mask,
    load_pixels,
    reference_photographs,
    select,
)
from igbaselines.studies.images.experiments.settings import ImageAttribution, WeightedGradientsEvaluation
from igbaselines.studies.images.networks.recipe import ImageModel

EG, WG, FILTERED, PERMUTED = (
    "expected_gradients",
    "weighted_gradients",
    "filtered_weighted_gradients",
    "permuted_weights",
)
PERMUTATION, DRAWS = 2_000_011, 2_000_012
CURVES = (EG, WG, FILTERED)  # whose mean curves are kept

Row = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """What every photograph of the run shares."""

    classifier: Classifier
    attribution: ImageAttribution
    evaluation: WeightedGradientsEvaluation
    examples: Float[Tensor, "m c h w"]
    seed: int


def run(
    run: Run,
    dataset: PhotographDataset,
    model: ImageModel,
    attribution: ImageAttribution,
    evaluation: WeightedGradientsEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`.

    Args:
        run: where it runs and where results go.
        dataset: the photographs.
        model: the network.
        attribution: baselines, quadrature and fitness.
        evaluation: metrics.

    Raises:
        UserError: for data or settings that cannot work, before any attribution.
    """
    method = getattr(attribution, "method", "another experiment's")
    if method != WG:
        raise UserError(f"this experiment compares methods itself: attribution={WG}, not {method}")
    if (checksum := dataset.checksum()) is not None:
        run.checksums["dataset"] = checksum
    found = dataset.photographs()
    classifier = load_classifier(model, attribution, run)
    examples = reference_photographs(found.candidates, classifier, attribution.reference_images, run.seed, REFERENCE)
    study = Study(classifier, attribution, evaluation, examples, run.seed)
    selection = select(found, classifier)
    add_selection(run, selection)
    records = for_each(run, selection.chosen, "examples", partial(one_photograph, study))
    _add_mean_curves(run, [record["curves"] for record in records], _shares(evaluation.grid))


def one_photograph(study: Study, index: int, chosen: Chosen, file: Path) -> Record:
    """Explain a photograph and judge the explanations."""
    pixels = load_pixels(chosen.photograph, study.classifier)
    mask = load_mask(chosen, study.classifier)
    explanation = explain_photograph(chosen, pixels, study.examples, study.classifier, study.attribution, study.seed)
    weights = method_weights(explanation, study, image_key(chosen.photograph.name))
    methods, matrix = list(weights), torch.stack(list(weights.values()))
    maps = explanation.averaged(matrix)
    rows, curves = measure(study, explanation, methods, matrix, maps, mask)
    rows += _baseline_rows(explanation, weights)
    rows += _variance_rows(study, explanation, image_key(chosen.photograph.name))
    rows.append({"method": "network", "metric": "probability", "value": chosen.probability})
    if index < study.evaluation.examples:
        shown = {method: maps[methods.index(method)] for method in CURVES}
        label = chosen.label
        save_explanation(file, explanation, shown, weights[WG], mask, label, chosen.probability)
    return {"rows": rows, "curves": curves}


def method_weights(explanation: Explanation, study: Study, key: int) -> dict[str, Float[Tensor, " k"]]:
    """Weights of the baselines in every method that is compared."""
    weightings: dict[str, FitnessWeighting] = {
        EG: EqualFitness(),
        WG: InverseFitness(),
        FILTERED: InverseFitness(study.attribution.filter_below),
    }
    baselines = explanation.d_alpha.shape[1]
    weightings |= {f"removed_{m}": WithoutLeastFit(m) for m in study.evaluation.removed if m < baselines}
    weights = {name: weighting.of_fitness(explanation.d_alpha)[0] for name, weighting in weightings.items()}
    order = torch.randperm(baselines, generator=generator_for(study.seed, PERMUTATION, key))
    weights[PERMUTED] = weights[WG][order.to(weights[WG].device)]
    return weights


def measure(
    study: Study,
    explanation: Explanation,
    methods: list[str],
    weights: Float[Tensor, "methods k"],
    maps: Float[Tensor, "methods c h w"],
    mask: Bool[Tensor, "h w"] | None,
) -> tuple[list[Row], dict[str, dict[str, list[float]]]]:
    """Every metric of every method, and the curves behind them; equal weights are measured once."""
    evaluation = study.evaluation
    first, inverse = distinct_weights(weights)
    place = dict(zip(methods, inverse.tolist(), strict=True))
    released = evaluation.overlap == "released_code"
    judge = MapJudge(evaluation.mask, evaluation.grid, evaluation.ranking, released, study.classifier.max_batch)
    inserted = [place[method] for method in evaluation.insertion]
    found = judge.judge(explanation.score, explanation.pixels, maps[first], mask, inserted)
    values = {metric: of_maps[inverse] for metric, of_maps in found.of_all.items()}
    values["completeness_gap"] = explanation.completeness_gap(maps, weights)
    values["weight_sum_gap"] = (weights.sum(dim=1) - 1).abs()
    rows = [
        {"method": method, "metric": metric, "value": value}
        for metric, of_methods in values.items()
        for method, value in zip(methods, of_methods.tolist(), strict=True)
    ]
    curves = {"deletion": {method: found.deletion[place[method]].tolist() for method in CURVES}}
    if evaluation.insertion:
        for method, auc in zip(evaluation.insertion, found.insertion_auc.tolist(), strict=True):
            rows.append({"method": method, "metric": "insertion_auc", "value": auc})
        curves["insertion"] = dict(zip(evaluation.insertion, found.insertion.tolist(), strict=True))
    return rows, curves


def distinct_weights(weights: Float[Tensor, "methods k"]) -> tuple[list[int], Int[Tensor, " methods"]]:
    """The first method of each set of weights, and for each method the place of its set among them.

    Equal up to rounding: the filter drops the least fit baselines, and so gives the weights of WG or of WG without as
    many, but normalises them once more.
    """
    _, inverse = torch.unique(weights.round(decimals=12), dim=0, return_inverse=True)
    return [int((inverse == value).nonzero()[0]) for value in range(int(inverse.max()) + 1)], inverse


def _baseline_rows(explanation: Explanation, weights: Mapping[str, Tensor]) -> list[Row]:
    """What each baseline is worth for this photograph."""
    pixels = explanation.pixels[0, 0].numel()
    result = explanation.attribution
    change = (result.f_inputs[:, None] - result.f_baselines).abs()
    of_baselines = {
        "d_alpha": explanation.d_alpha[0],
        "d_alpha_share": explanation.d_alpha[0] / pixels,
        "reached": explanation.reached[0].double(),
        "weight": weights[WG],
        "filtered_weight": weights[FILTERED],
        "f_baseline": result.f_baselines[0],
        "completeness_gap": (result.completeness_gap.abs() / change)[0],
    }
    return [
        {"method": "ig", "metric": metric, "value": value, "baseline": name}
        for metric, values in of_baselines.items()
        for name, value in zip(explanation.names, values.tolist(), strict=True)
    ]


def _variance_rows(study: Study, explanation: Explanation, key: int) -> list[Row]:
    maps = pixel_importance(explanation.per_baseline, "signed")
    inverse = 1 / explanation.d_alpha[0].double().clamp_min(1)
    fitness = {EG: torch.ones_like(inverse), WG: inverse}
    rows = []
    for method, values in fitness.items():
        generator = generator_for(study.seed, DRAWS, key)
        variance = map_variance(maps, values, study.evaluation.draws, generator)
        rows.append({"method": method, "metric": "map_variance", "value": variance})
    return rows


def _shares(grid: PerturbationGrid) -> list[float]:
    """The share of the pixels that is masked, or revealed, at each point of a curve."""
    pixels = 10**6
    distinct = torch.arange(float(pixels), dtype=torch.float64).view(1, 1000, 1000)
    return (grid.counts(distinct)[0] / pixels).tolist()


def _add_mean_curves(run: Run, curves: list[Mapping[str, Mapping[str, list[float]]]], shares: list[float]) -> None:
    """Mean and spread over the photographs of each curve, point by point."""
    for kind, of_methods in curves[0].items():
        for method in of_methods:
            values = np.array([of_image[kind][method] for of_image in curves])
            spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)
            for k, (share, mean, deviation) in enumerate(zip(shares, values.mean(axis=0), spread, strict=True)):
                run.rows.add(method, f"{kind}_curve", "mean", mean, k=k, share=share)
                run.rows.add(method, f"{kind}_curve_sd", "mean", deviation, k=k, share=share)
