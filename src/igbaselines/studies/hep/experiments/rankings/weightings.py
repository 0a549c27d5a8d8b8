"""How should backgrounds be weighted (2412.13864, eq. 2) where cross-sections span orders of magnitude?

Every weighting takes the same baselines and so the same Integrated Gradients; the rankings are compared, and networks
are retrained on the first features of each.
"""

import itertools

from igbaselines.common.errors import UserError
from igbaselines.metrics import Quantity
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.ranked import AGREEMENT, PERFORMANCE, add_agreement, add_retrained, ranked
from igbaselines.studies.hep.experiments.rankings_settings import RetrainedEvaluation
from igbaselines.studies.hep.experiments.study import HepStudy
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

EFFECTIVE = Quantity("effective_baselines", "effective number of baselines", "baselines")
MEASURED = (*AGREEMENT, *PERFORMANCE, EFFECTIVE)


def run(
    run: Run,
    dataset: EventDataset,
    model: ClassifierRecipe,
    attribution: AttributionSettings,
    evaluation: RetrainedEvaluation,
) -> None:
    """Carry out the study; the measured values go into `run.rows`.

    Raises:
        UserError: where the events do not suffice, or have no cross-sections.
    """
    study = HepStudy.begin(run, dataset, attribution, evaluation)
    if study.events.weight is None:
        raise UserError("experiment=hep_weightings needs events with a column weight: the cross-section of each [fb]")
    for network in study.networks(model):
        explained = network.explain()
        rankings = ranked(study, network.name, explained)
        for (method, one), (other, two) in itertools.combinations(rankings.items(), 2):
            add_agreement(study, network.name, method, [(one, two)], other=other)
        add_retrained(network, {"": rankings}, evaluation.top_k)
        for method, mean in explained.of.items():
            if not mean.effective_baselines.isnan():
                run.rows.add(method, EFFECTIVE.name, network.name, mean.effective_baselines.item())
