"""Does it matter what is explained and averaged? Logit against probability, signed mean against mean magnitude.

2412.13864 says neither. All four rankings of each baseline are compared, and networks are retrained on the first
features of each.
"""

import itertools
from dataclasses import replace

from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.rankings.settings import RetrainedEvaluation
from igbaselines.studies.hep.experiments.rankings.shared import (
    Ranking,
    RankingNetwork,
    RankingStudy,
    add_agreement,
    add_rankings,
    add_retrained,
    networks,
    rankings_of,
)
from igbaselines.studies.hep.experiments.settings import OUTPUTS, RANKINGS, HepAttribution
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe


def run(
    run: Run,
    dataset: EventDataset,
    model: ClassifierRecipe,
    attribution: HepAttribution,
    evaluation: RetrainedEvaluation,
) -> None:
    """Carry out the study, whatever `attribution.output` and `attribution.ranking` say: it takes all of them.

    Raises:
        UserError: where the events do not suffice for what is asked.
    """
    study = RankingStudy.begin(run, dataset, attribution, evaluation)
    for network in networks(study, model):
        variants = _rankings(study, network)
        for variant, rankings in variants.items():
            add_rankings(study, network.name, rankings, variant=variant)
        for (a, one), (b, two) in itertools.combinations(variants.items(), 2):
            for method in one:
                add_agreement(study, network.name, method, [(one[method], two[method])], variant=a, other=b)
        labelled: dict[tuple[str, str | None], Ranking] = {
            (method, variant): ranking for variant, rankings in variants.items() for method, ranking in rankings.items()
        }
        add_retrained(study, network, labelled, evaluation.top_k)


def _rankings(study: RankingStudy, network: RankingNetwork) -> dict[str, dict[str, Ranking]]:
    """The rankings of every output and score, from the same baselines: `logit_signed`, `probability_magnitude`, ..."""
    found = {}
    for output in OUTPUTS:
        attribution = network.explain(replace(study.attribution, output=output), f"-{output}")
        for ranking in RANKINGS:
            found[f"{output}_{ranking}"] = rankings_of(replace(study.attribution, ranking=ranking), attribution)
    return found
