"""How many background events does an averaged baseline need? 2412.13864 takes "roughly 20 samples from each class".

For each number of events a ranking is made from several draws that have no event in common, with the same network and
the same explained events: what differs between two of them is the draw alone.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import torch

from igbaselines.common.randomness import generator_for
from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.rankings.settings import SampleCountsEvaluation
from igbaselines.studies.hep.experiments.rankings.shared import (
    Ranking,
    RankingNetwork,
    RankingStudy,
    add_agreement,
    add_rankings,
    networks,
    rankings_of,
)
from igbaselines.studies.hep.experiments.settings import HepAttribution
from igbaselines.studies.hep.experiments.shared import sampled
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.tasks import Background

POOLS = 1_000_005  # what a stream of random numbers is for, as the last part of its key


def run(
    run: Run,
    dataset: EventDataset,
    model: ClassifierRecipe,
    attribution: HepAttribution,
    evaluation: SampleCountsEvaluation,
) -> None:
    """Carry out the study; the measured values go into `run.rows`.

    Raises:
        UserError: where the events do not suffice for draws without common events.
    """
    needed = evaluation.draws * (max(evaluation.counts) + 1)  # one more: parts are equal up to one event
    study = RankingStudy.begin(run, dataset, attribution, evaluation, needed)
    for network in networks(study, model):
        pools = list(_pools(network.reference, evaluation.draws, network.key))
        drawn = {
            count: [_ranked(study, network, count, draw, pool) for draw, pool in enumerate(pools)]
            for count in sorted(evaluation.counts)
        }
        _add_agreements(study, network.name, drawn)


def _pools(reference: Background, draws: int, key: tuple[int, ...]) -> Iterator[Background]:
    """Divide the background events into parts, each with the same share of every process."""
    assert reference.stratum is not None
    shuffled = torch.randperm(len(reference.stratum), generator=generator_for(*key, POOLS)).to(reference.stratum.device)
    by_stratum = shuffled[reference.stratum[shuffled].argsort(stable=True)]
    for draw in range(draws):
        part = by_stratum[draw::draws]
        weight = None if reference.example_weight is None else reference.example_weight[part]
        yield replace(
            reference, examples=reference.examples[part], stratum=reference.stratum[part], example_weight=weight
        )


def _ranked(
    study: RankingStudy, network: RankingNetwork, count: int, draw: int, pool: Background
) -> dict[str, Ranking]:
    """Rank with one draw of so many events of each background, and write what that cost."""
    sources = {name: replace(source, count=count) for name, source in sampled(study.attribution.baselines).items()}
    settings = replace(study.attribution, baselines=sources)
    attribution = network.explain(settings, f"-{count}-{draw}", pool)
    rankings = rankings_of(settings, attribution)
    add_rankings(study, network.name, rankings, variant=str(count), draw=str(draw))
    for metric in ("seconds", "gradient_points"):
        value = getattr(attribution, metric).item()
        study.run.rows.add("cost", metric, network.name, value, variant=str(count), draw=str(draw))
    return rankings


def _add_agreements(study: RankingStudy, unit: str, drawn: dict[int, list[dict[str, Ranking]]]) -> None:
    """Compare every draw with the others of its own number of events, and with the others of the largest number."""
    largest = max(drawn)
    for count, method in itertools.product(drawn, drawn[largest][0]):
        own, most = ([draw[method] for draw in drawn[number]] for number in (count, largest))
        among = list(itertools.combinations(own, 2))
        to_largest = [(a, b) for i, a in enumerate(own) for j, b in enumerate(most) if i != j]
        add_agreement(study, unit, method, among, variant=str(count), other=str(count))
        if count != largest:
            add_agreement(study, unit, method, to_largest, variant=str(count), other=str(largest))
