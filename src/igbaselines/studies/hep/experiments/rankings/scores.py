"""Does it matter what is explained and averaged? Logit against probability, signed mean against mean magnitude.

2412.13864 says neither. All four rankings of each baseline are compared, and networks are retrained on the first
features of each.
"""

import itertools

from igbaselines.running.settings import OUTPUTS, RANKINGS
from igbaselines.studies.hep.experiments.explained import RankingNetwork, ranking_networks
from igbaselines.studies.hep.experiments.ranked import RANKED, add_agreement, add_retrained, ranked
from igbaselines.studies.hep.experiments.rankings_settings import RetrainedEvaluation
from igbaselines.studies.hep.experiments.study import HepStudy, experiment
from igbaselines.studies.hep.measures.rankings import Ranking
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

MEASURED = RANKED


@experiment
def run(study: HepStudy, model: ClassifierRecipe, evaluation: RetrainedEvaluation) -> None:
    """Carry out the study, whatever `attribution.output` and `attribution.ranking` say: it takes all of them."""
    for network in ranking_networks(study, model):
        variants = _rankings(study, network)
        for (a, one), (b, two) in itertools.combinations(variants.items(), 2):
            for method in one:
                add_agreement(study, network.name, method, [(one[method], two[method])], variant=a, other=b)
        add_retrained(network, variants, evaluation.top_k)


def _rankings(study: HepStudy, network: RankingNetwork) -> dict[str, dict[str, Ranking]]:
    """The rankings of every output and score, from the same baselines: `logit_signed`, `probability_magnitude`, ..."""
    found = {}
    for output in OUTPUTS:
        attribution = network.explain(output=output, label=f"-{output}")
        for ranking in RANKINGS:
            variant = f"{output}_{ranking}"
            found[variant] = ranked(study, network.name, attribution, ranking, variant=variant)
    return found
