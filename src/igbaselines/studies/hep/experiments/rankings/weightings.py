"""How should backgrounds be weighted (2412.13864, eq. 2) where cross-sections span orders of magnitude?

Every weighting takes the same baselines and so the same Integrated Gradients; the rankings are compared, and networks
are retrained on the first features of each.
"""

import itertools

from igbaselines.common.errors import UserError
from igbaselines.metrics import Quantity
from igbaselines.studies.hep.experiments.explained import ranking_networks
from igbaselines.studies.hep.experiments.ranked import RANKED, add_agreement, add_retrained, ranked
from igbaselines.studies.hep.experiments.rankings_settings import RetrainedEvaluation
from igbaselines.studies.hep.experiments.study import HepStudy, experiment
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

EFFECTIVE = Quantity("effective_baselines", "effective number of baselines", "baselines")
MEASURED = (*RANKED, EFFECTIVE)


@experiment
def run(study: HepStudy, model: ClassifierRecipe, evaluation: RetrainedEvaluation) -> None:
    """Compare the rankings of all weightings; a UserError where the events have no cross-sections."""
    if study.events.weight is None:
        raise UserError("experiment=hep_weightings needs events with a column weight: the cross-section of each [fb]")
    for network in ranking_networks(study, model):
        explained = network.explain()
        rankings = ranked(study, network.name, explained)
        for (method, one), (other, two) in itertools.combinations(rankings.items(), 2):
            add_agreement(study, network.name, method, [(one, two)], other=other)
        add_retrained(network, {"": rankings}, evaluation.top_k)
        for method, mean in explained.of.items():
            if not mean.effective_baselines.isnan():
                study.run.rows.add(method, EFFECTIVE.name, network.name, mean.effective_baselines.item())
