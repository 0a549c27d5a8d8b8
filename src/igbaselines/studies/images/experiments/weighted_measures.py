"""What is measured of photographs in `weighted_gradients`: every metric of every method, and the curves behind them.

The maps of several photographs are judged in one batch; what comes of it goes to the host at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from igbaselines.attribution import Attribution
from igbaselines.attribution.baselines import Given
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import Quantity
from igbaselines.metrics.completeness import COMPLETENESS_GAP
from igbaselines.metrics.perturbation_curves import PerturbationGrid
from igbaselines.metrics.stability import DRAW_VARIANCE, draw_variance, inner_products
from igbaselines.running.context import Run
from igbaselines.studies.images.experiments import judging
from igbaselines.studies.images.experiments.records import Row, baseline_rows, rows_of
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.studies.images.experiments.settings import (
    EG,
    FILTERED,
    FIRST_CROSSING,
    WG,
    ImageAttribution,
    WeightedGradientsEvaluation,
)
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.experiments.tasks import image_key, together
from igbaselines.tasks import Task

RISE = Quantity("largest_rise", "largest rise of a deletion curve over its lowest so far, to f(x)", better="lower")
HALF_BACK = Quantity("insertion_half_share", "share of the pixels inserted when half of f(x) is back")
CURVES = (EG, WG, FILTERED)  # whose mean curves are kept
OfCurves = dict[str, dict[str, list[float]]]  # kind of the curve, method -> its points


@dataclass(frozen=True)
class Batch:
    """Photographs that are worked on side by side.

    Args:
        study: whose photographs they are.
        tasks: of each photograph.
        drawn: for each the attribution with its own baselines.
    """

    study: PhotographStudy
    tasks: Sequence[Task]
    drawn: Sequence[ImageAttribution]

    @classmethod
    def of(cls, study: PhotographStudy, chosen: Sequence[Chosen]) -> "Batch":
        """Read the photographs and draw their baselines, each from random numbers of its own."""
        tasks, drawn = [study.task(one) for one in chosen], []
        for task in tasks:
            settings = study.drawn(task)
            assert isinstance(settings, ImageAttribution)
            drawn.append(settings)
        return cls(study, tasks, drawn)

    @cached_property
    def task(self) -> Task:
        """All of them as one task."""
        return together(self.tasks, self.study.classifiers[0])

    @cached_property
    def attribution(self) -> ImageAttribution:
        """The attribution of all, with the baselines of each."""
        own = {name: [one.baselines[name].baselines for one in self.drawn] for name in self.drawn[0].baselines}
        return replace(self.drawn[0], baselines={name: Given(torch.stack(of)) for name, of in own.items()})

    def first(self, count: int) -> "Batch":
        """So many of them."""
        return self if count == len(self.tasks) else Batch(self.study, self.tasks[:count], self.drawn[:count])


@dataclass(frozen=True)
class _Judged:
    """The maps of a photograph and what the metrics say of each: of methods that differ, then of single baselines.

    Args:
        place: of each method among the maps.
        maps: all of them.
        methods: how many are of methods.
    """

    place: Mapping[str, int]
    maps: Float[Tensor, "maps c h w"]
    methods: int

    @classmethod
    def of(
        cls, found: Mapping[str, Attribution], photograph: int, own: Sequence[str], weights: Float[Tensor, "own k"]
    ) -> "_Judged":
        """Gather the maps: methods of equal weights share one."""
        single = found[WG].per_baseline
        assert single is not None
        first, inverse = distinct_weights(weights)
        names = [own[place] for place in first] + [name for name in found if name not in own]
        place = dict(zip(own, inverse.tolist(), strict=True)) | {name: names.index(name) for name in names}
        maps = [found[name].attributions[photograph, None] for name in names]
        return cls(place, torch.cat([*maps, single[photograph]]), len(names))


def measure(
    batch: Batch, evaluation: WeightedGradientsEvaluation, found: Mapping[str, Attribution]
) -> list[tuple[list[Row], OfCurves]]:
    """For each photograph the rows of every method and baseline, and curves; equal weights are measured once."""
    study, task = batch.study, batch.task
    own = [method for method in found if method not in study.others]
    weights = torch.stack([weights_of(found[method]) for method in own], dim=1).cpu()
    judged = [_Judged.of(found, i, own, of_methods) for i, of_methods in enumerate(weights)]
    maps = [one.maps for one in judged]
    deletion = curves_of(evaluation, task, maps, study.run.seed)
    on_objects = on_object(batch, evaluation, maps)
    insertion = None
    if evaluation.insertion:
        inserted = [torch.stack([one.maps[one.place[method]] for method in evaluation.insertion]) for one in judged]
        insertion = curves_of(evaluation, task, inserted, study.run.seed, insertion=True)
    of_baselines, variances = (
        _of_baselines(found, list(batch.attribution.baselines), evaluation.first_crossing),
        _variances(batch, found, evaluation),
    )
    gaps, measured = judging.gaps(found), []
    for i, one in enumerate(judged):
        of_maps = {judging.DELETION.name: deletion[i][1], **on_objects[i]}
        others = judging.by_others(study.metrics, batch.tasks[i], one.maps[: one.methods], study.run.seed)
        values = {
            metric: {method: of[one.place[method]] for method in found} for metric, of in (of_maps | others).items()
        }
        values[COMPLETENESS_GAP.name] = gaps[i]
        values["weight_sum_gap"] = dict(zip(own, (weights[i].sum(dim=1) - 1).abs().tolist(), strict=True))
        curves = {"deletion": {method: deletion[i][0][one.place[method]].tolist() for method in CURVES}}
        if insertion is not None:
            points, areas = insertion[i]
            values[judging.INSERTION.name] = dict(zip(evaluation.insertion, areas, strict=True))
            halves = half_shares(points, torch.tensor(shares(evaluation.grid))).tolist()
            values[HALF_BACK.name] = dict(zip(evaluation.insertion, halves, strict=True))
            curves["insertion"] = dict(zip(evaluation.insertion, points.tolist(), strict=True))
        rows = [
            row for metric, of in values.items() for name, value in of.items() for row in rows_of(name, {metric: value})
        ]
        rows += of_baselines[i] + variances[i]
        alone = {metric: torch.tensor(of[one.methods :]) for metric, of in of_maps.items()}
        rows += baseline_rows(alone, list(batch.attribution.baselines))
        rows += rows_of("ig", {RISE.name: largest_rises(deletion[i][0][one.methods :]).mean().item()})
        measured.append((rows, curves))
    return measured


def curves_of(
    evaluation: WeightedGradientsEvaluation, task: Task, maps: Sequence[Tensor], seed: int, insertion: bool = False
) -> list[tuple[Float[Tensor, "maps points"], list[float]]]:
    """For each photograph the curves of its maps, and the areas under them."""
    of = [i for i, some in enumerate(maps) for _ in some]
    curves, areas = judging.curves(evaluation, task, torch.cat(list(maps)), seed, insertion, of)
    ends = list(accumulate(map(len, maps)))
    return [(curves[end - len(some) : end], areas[end - len(some) : end]) for some, end in zip(maps, ends, strict=True)]


def on_object(
    batch: Batch, evaluation: WeightedGradientsEvaluation, maps: Sequence[Tensor]
) -> list[dict[str, list[float]]]:
    """For each photograph metric -> a value for each map, where its object is outlined."""
    outlined = [i for i, task in enumerate(batch.tasks) if task.masks is not None]
    if not outlined:
        return [{} for _ in maps]
    of = [i for i in outlined for _ in maps[i]]
    values = judging.on_object(evaluation, batch.task, torch.cat([maps[i] for i in outlined]), of)
    return [
        {
            metric: [v for v, j in zip(all_, of, strict=True) if j == i]
            for metric, all_ in values.items()
            if i in outlined
        }
        for i in range(len(maps))
    ]


def distinct_weights(weights: Float[Tensor, "methods k"]) -> tuple[list[int], Int[Tensor, " methods"]]:
    """The first method of each set of weights, and for each method the place of its set among them.

    Equal up to rounding: the filter drops the least fit baselines, and so gives the weights of WG or of WG without as
    many, but normalises them once more.
    """
    _, inverse = torch.unique(weights.round(decimals=12), dim=0, return_inverse=True)
    return [int((inverse == value).nonzero()[0]) for value in range(int(inverse.max()) + 1)], inverse


def _of_baselines(found: Mapping[str, Attribution], names: Sequence[str], step: int) -> list[list[Row]]:
    """For each photograph what each baseline is worth."""
    weighted, fitness = found[WG], found[WG].fitness
    assert fitness is not None
    change = (weighted.f_inputs[:, None] - weighted.f_baselines).abs()
    gap = weighted.completeness_gap.abs() / change
    on_device = (weights_of(weighted), weights_of(found[FILTERED]), weighted.f_baselines.double(), gap.double())
    weight, filtered, f_baselines, gap = torch.stack(on_device).cpu()  # the host waits once
    shape, pixels = weight.shape, weighted.attributions[0, 0].numel()
    values = {
        "d_alpha": fitness.d_alpha.view(shape),
        "d_alpha_share": fitness.d_alpha.view(shape) / pixels,
        "reached": fitness.reached.view(shape).double(),
        "weight": weight,
        "filtered_weight": filtered,
        "f_baseline": f_baselines,
        "completeness_gap": gap,
    }
    if (by_definition := found.get(FIRST_CROSSING)) is not None:
        assert by_definition.fitness is not None
        values["first_d_alpha"] = by_definition.fitness.d_alpha.view(shape)
        values["first_weight"] = weights_of(by_definition).cpu()
        values["first_step"] = torch.full(shape, float(step))
    return [baseline_rows({name: of[i] for name, of in values.items()}, names) for i in range(len(weight))]


def _variances(
    batch: Batch, found: Mapping[str, Attribution], evaluation: WeightedGradientsEvaluation
) -> list[list[Row]]:
    """For each photograph how much its maps depend on which baselines were drawn."""
    weighted, fitness = found[WG], found[WG].fitness
    assert weighted.per_baseline is not None
    assert fitness is not None
    products = inner_products(weighted.per_baseline.sum(dim=2))
    inverse = 1 / fitness.d_alpha.double().clamp_min(1).view(weighted.f_baselines.shape)
    rows: list[list[Row]] = []
    for i, unit in enumerate(batch.task.units):
        key = (batch.study.run.seed, "images: draws of baselines", image_key(unit))
        of_methods = ((EG, torch.ones_like(inverse[i])), (WG, inverse[i]))
        variances = {
            method: draw_variance(products[i], fit, evaluation.draws, generator_for(*key)) for method, fit in of_methods
        }
        rows.append(
            [row for method, value in variances.items() for row in rows_of(method, {DRAW_VARIANCE.name: value})]
        )
    return rows


def largest_rises(curves: Float[Tensor, "maps points"]) -> Float[Tensor, " maps"]:
    """How far each curve rises over its lowest value so far at most, to its first value: 0 where it only falls."""
    return (curves - curves.cummin(dim=1).values).amax(dim=1) / curves[:, 0]


def half_shares(curves: Float[Tensor, "maps points"], shares: Float[Tensor, " points"]) -> Float[Tensor, " maps"]:
    """The share of the pixels at which each insertion curve first has half of its last value."""
    return shares[(curves >= curves[:, -1:] / 2).int().argmax(dim=1)]


def weights_of(found: Attribution) -> Float64[Tensor, "n k"]:
    """The weights of the baselines, for each photograph."""
    assert found.weights is not None
    return found.weights.double()


def shares(grid: PerturbationGrid) -> list[float]:
    """The share of the pixels that is masked, or revealed, at each point of a curve."""
    pixels = 10**6
    distinct = torch.arange(float(pixels), dtype=torch.float64)[None]
    return (grid.counts(distinct)[0] / pixels).tolist()


def add_mean_curves(run: Run, curves: list[Mapping[str, Mapping[str, list[float]]]], shares: list[float]) -> None:
    """Mean and spread over the photographs of each curve, point by point."""
    for kind, of_methods in curves[0].items():
        for method in of_methods:
            values = np.array([of_image[kind][method] for of_image in curves])
            spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)
            for k, (share, mean, deviation) in enumerate(zip(shares, values.mean(axis=0), spread, strict=True)):
                run.rows.add(method, f"{kind}_curve", "mean", mean, k=k, share=share)
                run.rows.add(method, f"{kind}_curve_sd", "mean", deviation, k=k, share=share)
