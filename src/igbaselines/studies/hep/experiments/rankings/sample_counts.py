"""How many background events does an averaged baseline need? 2412.13864 takes "roughly 20 samples from each class".

For each number of events a ranking is made from several draws that have no event in common, with the same network and
the same explained events: what differs between two of them is the draw alone.
"""

import itertools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from igbaselines.attribution.baselines import PerStratum
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import Quantity
from igbaselines.studies.hep.experiments.explained import RankingNetwork, ranking_networks
from igbaselines.studies.hep.experiments.ranked import RANKED, add_agreement, ranked
from igbaselines.studies.hep.experiments.rankings_settings import SampleCountsEvaluation
from igbaselines.studies.hep.experiments.study import HepStudy, experiment, sampled
from igbaselines.studies.hep.measures.rankings import Ranking
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.tasks import Background

COST = (
    Quantity("seconds", "seconds for a network", "s", better="lower"),
    Quantity("gradient_points", "gradient points", better="lower"),
)
MEASURED = (*RANKED, *COST)

log = logging.getLogger(__name__)


@experiment
def run(study: HepStudy, model: ClassifierRecipe, evaluation: SampleCountsEvaluation) -> None:
    """Vary the number of events of those methods that draw background events; a UserError where none does."""
    sources = sampled(study.methods)
    if not sources:
        raise UserError(
            "experiment=hep_sample_counts varies how many events a method draws of each background (PerStratum), but "
            f"none of {', '.join(study.methods)} does: attribution=averaged_baselines has two that do"
        )
    if unchanged := ", ".join(name for name in study.methods if name not in sources):
        log.info("left out, since they draw no background events: %s", unchanged)
    for network in ranking_networks(study, model):
        pools = list(_pools(network.background, evaluation.draws, network.key))
        drawn = {
            count: [_ranked(network, sources, count, draw, pool) for draw, pool in enumerate(pools)]
            for count in sorted(evaluation.counts)
        }
        _add_agreements(study, network.name, drawn)


def _pools(reference: Background, draws: int, key: tuple[int, ...]) -> Iterator[Background]:
    """Divide the background events into parts, each with the same share of every process."""
    assert reference.stratum is not None
    shuffled = torch.randperm(
        len(reference.stratum), generator=generator_for(*key, "hep: baselines", "hep: pools of baselines")
    ).to(reference.stratum.device)
    by_stratum = shuffled[reference.stratum[shuffled].argsort(stable=True)]
    for draw in range(draws):
        part = by_stratum[draw::draws]
        weight = None if reference.example_weight is None else reference.example_weight[part]
        yield replace(
            reference, examples=reference.examples[part], stratum=reference.stratum[part], example_weight=weight
        )


def _ranked(
    network: RankingNetwork, sources: Mapping[str, PerStratum], count: int, draw: int, pool: Background
) -> dict[str, Ranking]:
    """Rank with one draw of so many events of each background, and write what that cost."""
    methods = {
        name: replace(method, baselines=replace(sources[name], count=count))
        for name, method in network.study.methods.items()
        if name in sources and isinstance(method, AveragedGradients)
    }
    attribution = network.explain(methods, pool, label=f"-{count}-{draw}")
    columns = {"variant": str(count), "draw": str(draw)}
    for quantity in COST:
        value = getattr(attribution, quantity.name).item()
        network.study.run.rows.add("cost", quantity.name, network.name, value, **columns)
    return ranked(network.study, network.name, attribution, **columns)


def _add_agreements(study: HepStudy, unit: str, drawn: dict[int, list[dict[str, Ranking]]]) -> None:
    """Compare every draw with the others of its own number of events, and with the others of the largest number."""
    largest = max(drawn)
    for count, method in itertools.product(drawn, drawn[largest][0]):
        own, most = ([draw[method] for draw in drawn[number]] for number in (count, largest))
        among = list(itertools.combinations(own, 2))
        to_largest = [(a, b) for i, a in enumerate(own) for j, b in enumerate(most) if i != j]
        add_agreement(study, unit, method, among, variant=str(count), other=str(count))
        if count != largest:
            add_agreement(study, unit, method, to_largest, variant=str(count), other=str(largest))
