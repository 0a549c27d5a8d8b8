"""How should backgrounds be weighted (2412.13864, eq. 2) where cross-sections span orders of magnitude?

Every weighting takes the same baselines and so the same Integrated Gradients; the rankings are compared, and networks
are retrained on the first features of each.
"""

import itertools

from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.rankings.settings import RetrainedEvaluation
from igbaselines.studies.hep.experiments.rankings.shared import (
    RankingNetwork,
    RankingStudy,
    add_agreement,
    add_rankings,
    add_retrained,
    networks,
    rankings_of,
    without_variants,
)
from igbaselines.studies.hep.experiments.settings import HepAttribution
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe


def run(
    run: Run,
    dataset: EventDataset,
    model: ClassifierRecipe,
    attribution: HepAttribution,
    evaluation: RetrainedEvaluation,
) -> None:
    """Carry out the study; the measured values go into `run.rows`.

    Raises:
        UserError: where the events do not suffice, or have no cross-sections.
    """
    study = RankingStudy.begin(run, dataset, attribution, evaluation)
    if study.events.weight is None:
        raise UserError("experiment=hep_weightings needs events with a column weight: the cross-section of each [fb]")
    for network in networks(study, model):
        rankings = rankings_of(attribution, network.explain(attribution))
        add_rankings(study, network.name, rankings)
        for (method, one), (other, two) in itertools.combinations(rankings.items(), 2):
            add_agreement(study, network.name, method, [(one, two)], other=other)
        add_retrained(study, network, without_variants(rankings), evaluation.top_k)
        _add_effective_baselines(study, network)


def _add_effective_baselines(study: RankingStudy, network: RankingNetwork) -> None:
    """Write how many baselines with equal weights would average as well: 1 / sum of the squared weights."""
    for name, source in study.attribution.baselines.items():
        _, weights = source.draw(network.signal, network.reference, generator_for(*network.key, 0))
        effective = float(1 / weights.square().sum())
        study.run.rows.add(name, "effective_baselines", network.name, effective)
