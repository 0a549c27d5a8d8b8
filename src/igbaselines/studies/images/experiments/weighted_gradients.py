"""2505.03201, "Weighted Average Gradients for Feature Attribution": Tables 1 and 2, Figures 1 and 2, for one network.

Every photograph's Integrated Gradients are computed once from every baseline; the methods compared are averages of them
with other weights, and methods that give a photograph the same weights share its curves. The paper's tables are a sweep
over networks; the report puts them together.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from igbaselines.attribution import Attribution, GaussLegendre
from igbaselines.attribution.fitness import DeletionSearch, FirstCrossing
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.attribution.weighting import FitnessWeighting, InverseFitness, WithoutLeastFit
from igbaselines.common.devices import sent
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import Quantity, undirected
from igbaselines.metrics.stability import DRAW_VARIANCE
from igbaselines.running.context import Run
from igbaselines.studies.images.data.photographs import PhotographDataset
from igbaselines.studies.images.experiments import judging
from igbaselines.studies.images.experiments.crossed_masks import BY_MASK, mask_rows
from igbaselines.studies.images.experiments.explanations import of_baselines, save_maps
from igbaselines.studies.images.experiments.records import Record, Row, Unit, rows_of
from igbaselines.studies.images.experiments.selection import SELECTION
from igbaselines.studies.images.experiments.settings import (
    EG,
    FILTERED,
    FIRST_CROSSING,
    WG,
    ImageAttribution,
    WeightedGradientsEvaluation,
)
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.experiments.tasks import attribute_photograph, image_key
from igbaselines.studies.images.experiments.weighted_measures import (
    CURVES,
    HALF_BACK,
    RISE,
    Batch,
    add_mean_curves,
    measure,
    shares,
    weights_of,
)
from igbaselines.studies.images.networks.recipe import ImageModel

PERMUTED = "permuted_weights"
GAP_AT = Quantity("gap_at_nodes", "relative completeness gap at k nodes", better="lower")
SHIFT_AT = Quantity("weight_shift_at_nodes", "L1 distance of weights at k nodes from the finest", better="lower")
MEASURED = (
    *(*judging.JUDGED, DRAW_VARIANCE, GAP_AT, SHIFT_AT, RISE, HALF_BACK, *SELECTION, *BY_MASK),
    *undirected("d_alpha", "d_alpha_share", "reached", "f_baseline", "weight", "filtered_weight", "weight_sum_gap"),
    *undirected("first_d_alpha", "first_weight", "first_step", "d_alpha_by_mask"),
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
    own = compared(attribution, evaluation.removed, evaluation.first_crossing)
    study = PhotographStudy.begin(run, dataset, {"": model}, attribution, own | {PERMUTED: own[WG]})
    work = partial(photographs, study, evaluation)
    records = study.for_batches("examples", work, _at_once(study, attribution, evaluation))
    add_mean_curves(run, [record["curves"] for record in records], shares(evaluation.grid))


def _at_once(study: PhotographStudy, attribution: ImageAttribution, evaluation: WeightedGradientsEvaluation) -> int:
    """How many photographs are worked on side by side.

    One by one go those whose nodes or masks are random, as each has random numbers of its own, and those that methods
    of the command line explain, too.
    """
    if study.others:
        return 1
    generator = torch.Generator()
    state, examples = generator.get_state(), study.background.examples[:1]
    attribution.rule.nodes_and_weights((1, 1), generator)
    for mask in (attribution.fitness_mask, evaluation.mask, *evaluation.masks.values()):
        mask.draw(examples, study.background, generator)
    return study.at_once if torch.equal(state, generator.get_state()) else 1


def compared(
    attribution: ImageAttribution, removed: Sequence[int], first_crossing: int = 0
) -> dict[str, AveragedGradients]:
    """The methods that are compared; all average the same gradients.

    Args:
        attribution: the settings.
        removed: numbers of least fit baselines that some of them go without.
        first_crossing: from count to count of a search for the first crossing, for one more; 0: for none.
    """
    average = attribution.averaged()
    weightings: dict[str, FitnessWeighting] = {
        WG: InverseFitness(),
        FILTERED: InverseFitness(attribution.filter_below),
        **{f"removed_{m}": WithoutLeastFit(m) for m in removed},
    }
    found = {EG: average} | {name: replace(average, weighting=one) for name, one in weightings.items()}
    if first_crossing:
        search = _in_order(attribution.search, first_crossing)
        found[FIRST_CROSSING] = replace(found[WG], fitness=replace(average.fitness, search=search))
    return found


def _in_order(search: DeletionSearch, step: int) -> FirstCrossing:
    """The search for the first crossing of what another search looks for."""
    if not (hasattr(search, "alpha") and hasattr(search, "tolerance")):
        raise UserError(
            f"evaluation.first_crossing={step}: attribution.search is {type(search).__name__}, which has no alpha and "
            "tolerance to be crossed; attribution/search=binary has"
        )
    return FirstCrossing(search.alpha, search.tolerance, step=step)


def photographs(study: PhotographStudy, evaluation: WeightedGradientsEvaluation, units: Sequence[Unit]) -> list[Record]:
    """Explain photographs side by side and judge the explanations; a record for each."""
    batch = Batch.of(study, [chosen for _, chosen, _ in units])
    found = attribute(batch, evaluation.removed, evaluation.first_crossing)
    measured = measure(batch, evaluation, found)
    # Those that are explained again are the first of all, and so the first of these.
    again = sum(index < evaluation.ladder_photographs for index, _, _ in units)
    by_mask = mask_rows(batch, evaluation, found)
    ladder = _ladder_rows(batch.first(again), evaluation.ladder, found[WG].take(slice(again))) if again else []
    records = []
    for place, (index, chosen, file) in enumerate(units):
        rows, of_curves = measured[place]
        rows += by_mask[place] + (ladder[place] if place < again else [])
        rows += rows_of("network", {"probability": chosen.probability})
        if index < evaluation.examples:
            shown = {method: found[method].take(slice(place, place + 1)) for method in CURVES}
            fitness = shown[WG].fitness
            assert fitness is not None
            more = of_baselines(batch.drawn[place].baselines, shown[WG], fitness.d_alpha)
            save_maps(file, batch.tasks[place], chosen, shown, keep_channels=False, **more)
        records.append({"rows": rows, "curves": of_curves})
    return records


def attribute(batch: Batch, removed: Sequence[int], first_crossing: int = 0) -> dict[str, Attribution]:
    """Attribute by every method that is compared, by permuted weights, and by the methods of the command line."""
    study, attribution = batch.study, batch.attribution
    methods = compared(attribution, [m for m in removed if m < len(attribution.baselines)], first_crossing)
    generator = study.generator("images: nodes", batch.task)
    found = attribute_photograph(methods | study.others, batch.task, study.patch, generator)
    weights, keys = weights_of(found[WG]).cpu(), [image_key(unit) for unit in batch.task.units]
    generators = [generator_for(study.run.seed, "images: permuted weights", key) for key in keys]
    order = torch.stack([torch.randperm(weights.shape[1], generator=one) for one in generators])
    permuted = found[WG].reweighted(sent(weights.gather(1, order), batch.task.inputs.device), batch.task.player_map)
    return {name: found[name] for name in methods} | {PERMUTED: permuted} | {name: found[name] for name in study.others}


def _ladder_rows(batch: Batch, ladder: Sequence[int], own: Attribution) -> list[list[Row]]:
    """Weighted Gradients at several numbers of nodes: the completeness gap, and how far weights are from the finest's.

    The baselines are the same, D_alpha and weights are found anew; at the run's own number of nodes both are there.
    """
    found, attribution = {}, batch.attribution
    for nodes in sorted(ladder):
        rule = GaussLegendre(nodes)
        anew = replace(attribution, rule=rule).averaged(InverseFitness())
        generator = batch.study.generator("images: nodes", batch.task)
        found[nodes] = own if rule == attribution.rule else anew.attribute(batch.task, generator)
    if not found:
        return [[] for _ in batch.tasks]
    finest = weights_of(found[max(found)])
    shifts = torch.stack([(weights_of(one) - finest).abs().sum(dim=1) for one in found.values()], dim=1).tolist()
    missed = judging.gaps({str(nodes): one for nodes, one in found.items()})
    return [
        [
            row
            for nodes, shift in zip(found, shifts[place], strict=True)
            for row in rows_of(WG, {GAP_AT.name: missed[place][str(nodes)], SHIFT_AT.name: shift}, k=nodes)
        ]
        for place in range(len(batch.tasks))
    ]
