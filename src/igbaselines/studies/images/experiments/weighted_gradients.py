"""2505.03201, "Weighted Average Gradients for Feature Attribution": Tables 1 and 2, Figures 1 and 2, for one network.

Every photograph's Integrated Gradients are computed once from every baseline; the methods compared are averages of them
with other weights, and methods that give a photograph the same weights share its curves. The paper's tables are a sweep
over networks; the report puts them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution import Attribution, GaussLegendre
from igbaselines.attribution.engine.result import MinimalDeletion
from igbaselines.attribution.methods import Method
from igbaselines.attribution.weighting import InverseFitness, WithoutLeastFit
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import Quantity, undirected
from igbaselines.metrics.completeness import COMPLETENESS_GAP
from igbaselines.metrics.perturbation_curves import PerturbationGrid
from igbaselines.metrics.stability import MAP_VARIANCE, map_variance
from igbaselines.running.context import Run
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments import judging
from igbaselines.studies.images.experiments.explanations import of_baselines, save_maps
from igbaselines.studies.images.experiments.records import Record, Row, baseline_rows, rows_of
from igbaselines.studies.images.experiments.selection import SELECTION, Chosen
from igbaselines.studies.images.experiments.settings import (
    EG,
    FILTERED,
    WG,
    ImageAttribution,
    WeightedGradientsEvaluation,
)
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.experiments.tasks import attribute_photograph, image_key
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.tasks import Task

PERMUTED = "permuted_weights"
GAP_AT = Quantity("gap_at_nodes", "relative completeness gap at k nodes", better="lower")
SHIFT_AT = Quantity("weight_shift_at_nodes", "L1 distance of weights at k nodes from the finest", better="lower")
RISE = Quantity("largest_rise", "largest rise of a deletion curve over its lowest so far, to f(x)", better="lower")
HALF_BACK = Quantity("insertion_half_share", "share of the pixels inserted when half of f(x) is back")
CURVES = (EG, WG, FILTERED)  # whose mean curves are kept
MEASURED = (
    *(*judging.JUDGED, MAP_VARIANCE, GAP_AT, SHIFT_AT, RISE, HALF_BACK, *SELECTION),
    *undirected("d_alpha", "d_alpha_share", "reached", "f_baseline", "weight", "filtered_weight", "weight_sum_gap"),
    *undirected("deletion_curve", "deletion_curve_sd", "insertion_curve", "insertion_curve_sd"),
)


def run(
    run: Run,
    dataset: PhotographDataset,
    model: ImageModel,
    attribution: ImageAttribution,
    evaluation: WeightedGradientsEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`."""
    method = getattr(attribution, "method", "another experiment's")
    if method != WG:
        raise UserError(f"this experiment compares methods itself: attribution={WG}, not {method}")
    own = compared(attribution, evaluation.removed)
    study = PhotographStudy.begin(run, dataset, {"": model}, attribution, own | {PERMUTED: own[WG]})
    records = study.for_each("examples", partial(one_photograph, study, evaluation))
    _add_mean_curves(run, [record["curves"] for record in records], _shares(evaluation.grid))


def compared(attribution: ImageAttribution, removed: Sequence[int]) -> dict[str, Method]:
    """The methods that are compared, some without that many least fit baselines; all average the same gradients."""
    return {
        EG: attribution.averaged(),
        WG: attribution.averaged(InverseFitness()),
        FILTERED: attribution.averaged(InverseFitness(attribution.filter_below)),
        **{f"removed_{m}": attribution.averaged(WithoutLeastFit(m)) for m in removed},
    }


def one_photograph(
    study: PhotographStudy, evaluation: WeightedGradientsEvaluation, index: int, chosen: Chosen, file: Path
) -> Record:
    """Explain a photograph and judge the explanations."""
    task = study.task(chosen)
    attribution = study.drawn(task)
    assert isinstance(attribution, ImageAttribution)
    found = attribute(study, attribution, evaluation.removed, task)
    rows, of_curves = measure(study, evaluation, task, found)
    fitness = found[WG].fitness
    assert fitness is not None
    rows += _baseline_rows(found[WG], found[FILTERED], fitness, list(attribution.baselines))
    rows += _variance_rows(found[WG], fitness, evaluation.draws, study.run.seed, image_key(chosen.photograph.name))
    rows += _single_rows(study, evaluation, task, found[WG], list(attribution.baselines))
    if index < evaluation.ladder_photographs:
        rows += _ladder_rows(study, attribution, evaluation.ladder, task, found[WG])
    rows += rows_of("network", {"probability": chosen.probability})
    if index < evaluation.examples:
        shown = {method: found[method] for method in CURVES}
        more = of_baselines(attribution.baselines, found[WG], fitness.d_alpha)
        save_maps(file, task, chosen, shown, keep_channels=False, **more)
    return {"rows": rows, "curves": of_curves}


def attribute(
    study: PhotographStudy, attribution: ImageAttribution, removed: Sequence[int], task: Task
) -> dict[str, Attribution]:
    """Attribute by every method that is compared, by permuted weights, and by the methods of the command line."""
    methods = compared(attribution, [m for m in removed if m < len(attribution.baselines)])
    generator = study.generator("images: nodes", task)
    found = attribute_photograph(methods | study.others, task, study.patch, generator)
    weights, key = _weights(found[WG]), image_key(task.units[0])
    order = torch.randperm(weights.shape[1], generator=generator_for(study.run.seed, "images: permuted weights", key))
    permuted = found[WG].reweighted(weights[:, order.to(weights.device)], task.player_map)
    return {name: found[name] for name in methods} | {PERMUTED: permuted} | {name: found[name] for name in study.others}


def measure(
    study: PhotographStudy, evaluation: WeightedGradientsEvaluation, task: Task, found: Mapping[str, Attribution]
) -> tuple[list[Row], dict[str, dict[str, list[float]]]]:
    """Every metric of every method, and the curves behind them; equal weights are measured once."""
    seed, own = study.run.seed, [method for method in found if method not in study.others]
    weights = torch.cat([_weights(found[method]) for method in own])
    first, inverse = distinct_weights(weights)
    judged = [own[place] for place in first] + list(study.others)
    place = dict(zip(own, inverse.tolist(), strict=True)) | {name: judged.index(name) for name in study.others}
    maps = torch.cat([found[method].attributions for method in judged])
    deletion, areas = judging.curves(evaluation, task, maps, seed)
    of_maps = {
        judging.DELETION.name: areas,
        **judging.on_object(evaluation, task, maps),
        **judging.by_others(study.metrics, task, maps, seed),
    }
    values = {metric: {method: of_map[place[method]] for method in found} for metric, of_map in of_maps.items()}
    gaps = {method: judging.gap(one) for method, one in found.items()}
    values[COMPLETENESS_GAP.name] = {method: value for method, value in gaps.items() if value is not None}
    values["weight_sum_gap"] = dict(zip(own, (weights.sum(dim=1) - 1).abs().tolist(), strict=True))
    of_curves = {"deletion": {method: deletion[place[method]].tolist() for method in CURVES}}
    if evaluation.insertion:
        inserted = maps[[place[method] for method in evaluation.insertion]]
        insertion, areas = judging.curves(evaluation, task, inserted, seed, insertion=True)
        values[judging.INSERTION.name] = dict(zip(evaluation.insertion, areas, strict=True))
        halves = half_shares(insertion, torch.tensor(_shares(evaluation.grid))).tolist()
        values[HALF_BACK.name] = dict(zip(evaluation.insertion, halves, strict=True))
        of_curves["insertion"] = dict(zip(evaluation.insertion, insertion.tolist(), strict=True))
    measured = [(name, metric, one) for metric, of_methods in values.items() for name, one in of_methods.items()]
    return [row for name, metric, one in measured for row in rows_of(name, {metric: one})], of_curves


def distinct_weights(weights: Float[Tensor, "methods k"]) -> tuple[list[int], Int[Tensor, " methods"]]:
    """The first method of each set of weights, and for each method the place of its set among them.

    Equal up to rounding: the filter drops the least fit baselines, and so gives the weights of WG or of WG without as
    many, but normalises them once more.
    """
    _, inverse = torch.unique(weights.round(decimals=12), dim=0, return_inverse=True)
    return [int((inverse == value).nonzero()[0]) for value in range(int(inverse.max()) + 1)], inverse


def _baseline_rows(
    weighted: Attribution, filtered: Attribution, fitness: MinimalDeletion, names: Sequence[str]
) -> list[Row]:
    """What each baseline is worth for a photograph."""
    change = (weighted.f_inputs[:, None] - weighted.f_baselines).abs()
    values = {
        "d_alpha": fitness.d_alpha,
        "d_alpha_share": fitness.d_alpha / weighted.attributions[0, 0].numel(),
        "reached": fitness.reached.double(),
        "weight": _weights(weighted)[0],
        "filtered_weight": _weights(filtered)[0],
        "f_baseline": weighted.f_baselines[0],
        "completeness_gap": (weighted.completeness_gap.abs() / change)[0],
    }
    return baseline_rows(values, names)


def _variance_rows(weighted: Attribution, fitness: MinimalDeletion, draws: int, seed: int, key: int) -> list[Row]:
    assert weighted.per_baseline is not None
    maps = weighted.per_baseline[0].sum(dim=1)
    inverse = 1 / fitness.d_alpha.double().clamp_min(1)
    rows = []
    for method, fit in ((EG, torch.ones_like(inverse)), (WG, inverse)):
        variance = map_variance(maps, fit, draws, generator_for(seed, "images: draws of baselines", key))
        rows += rows_of(method, {MAP_VARIANCE.name: variance})
    return rows


def _single_rows(
    study: PhotographStudy,
    evaluation: WeightedGradientsEvaluation,
    task: Task,
    weighted: Attribution,
    names: Sequence[str],
) -> list[Row]:
    """How good the Integrated Gradients from each baseline are by themselves, and whether their curves only fall."""
    assert weighted.per_baseline is not None
    maps = weighted.per_baseline[0]
    deletion, areas = judging.curves(evaluation, task, maps, study.run.seed)
    found = {judging.DELETION.name: areas, **judging.on_object(evaluation, task, maps)}
    rows = baseline_rows({metric: torch.tensor(values) for metric, values in found.items()}, names)
    return rows + rows_of("ig", {RISE.name: largest_rises(deletion).mean().item()})


def largest_rises(curves: Float[Tensor, "maps points"]) -> Float[Tensor, " maps"]:
    """How far each curve rises over its lowest value so far at most, to its first value: 0 where it only falls."""
    return (curves - curves.cummin(dim=1).values).amax(dim=1) / curves[:, 0]


def half_shares(curves: Float[Tensor, "maps points"], shares: Float[Tensor, " points"]) -> Float[Tensor, " maps"]:
    """The share of the pixels at which each insertion curve first has half of its last value."""
    return shares[(curves.cpu() >= curves[:, -1:].cpu() / 2).int().argmax(dim=1)]


def _ladder_rows(
    study: PhotographStudy, attribution: ImageAttribution, ladder: Sequence[int], task: Task, own: Attribution
) -> list[Row]:
    """Weighted Gradients at several numbers of nodes: the completeness gap, and how far weights are from the finest's.

    The baselines are the same, D_alpha and weights are found anew; at the run's own number of nodes both are there.
    """
    found = {}
    for nodes in sorted(ladder):
        rule = GaussLegendre(nodes)
        anew = replace(attribution, rule=rule).averaged(InverseFitness())
        known = rule == attribution.rule
        found[nodes] = own if known else anew.attribute(task, study.generator("images: nodes", task))
    rows = []
    for nodes, one in found.items():
        shift = (_weights(one) - _weights(found[max(found)])).abs().sum().item()
        gap = judging.gap(one)
        assert gap is not None
        rows += rows_of(WG, {GAP_AT.name: gap, SHIFT_AT.name: shift}, k=nodes)
    return rows


def _weights(found: Attribution) -> Float[Tensor, "1 k"]:
    assert found.weights is not None
    return found.weights.double()


def _shares(grid: PerturbationGrid) -> list[float]:
    """The share of the pixels that is masked, or revealed, at each point of a curve."""
    pixels = 10**6
    distinct = torch.arange(float(pixels), dtype=torch.float64)[None]
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
