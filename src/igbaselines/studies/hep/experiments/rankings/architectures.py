"""Do other architectures rank features alike under the same baselines? 2412.13864 leaves them to future work.

On each split of the events every architecture is trained from two seeds. How well two architectures agree is held
against how well one of them agrees with itself; both compare networks of different seeds.
"""

import itertools

import numpy as np
from jaxtyping import Float

from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset
from igbaselines.studies.hep.experiments.rankings.settings import ArchitecturesEvaluation
from igbaselines.studies.hep.experiments.rankings.shared import (
    TRAINING,
    Ranking,
    RankingNetwork,
    RankingStudy,
    add_agreement,
    add_rankings,
    rankings_of,
)
from igbaselines.studies.hep.experiments.settings import HepAttribution
from igbaselines.studies.hep.measures.classification import classification_metrics
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

SEEDS = (0, 1)


def run(
    run: Run, dataset: EventDataset, model: None, attribution: HepAttribution, evaluation: ArchitecturesEvaluation
) -> None:
    """Carry out the study; the measured values go into `run.rows`.

    The networks are those of `evaluation.architectures`; there is no other model.

    Raises:
        UserError: where the events do not suffice for what is asked.
    """
    study = RankingStudy.begin(run, dataset, attribution, evaluation)
    for split in run.units(range(evaluation.networks)):
        rankings = {
            (architecture, seed): _ranked(study, architecture, recipe, split, seed)
            for architecture, recipe in evaluation.architectures.items()
            for seed in SEEDS
        }
        _add_agreements(study, f"split_{split}", list(evaluation.architectures), rankings)


def _ranked(
    study: RankingStudy, architecture: str, recipe: ClassifierRecipe, split: int, seed: int
) -> dict[str, Ranking]:
    """Train and explain one network, from the same baselines as all others of the split."""
    key = (study.run.seed, split)
    name = f"{architecture}_split_{split}_seed_{seed}"
    network = RankingNetwork.train(study, recipe, name, study.split(split), (*key, seed, TRAINING), key)
    rankings = rankings_of(study.attribution, network.explain(study.attribution))
    unit = f"network_{split * len(SEEDS) + seed}"
    add_rankings(study, unit, rankings, variant=architecture)
    for metric, value in _performance(study, network).items():
        study.run.rows.add("all_features", metric, unit, value, variant=architecture)
    return rankings


def _performance(study: RankingStudy, network: RankingNetwork) -> dict[str, float]:
    logits: Float[np.ndarray, "1 n"] = network.events.test_logits(network.trained.networks)
    return classification_metrics(logits[0], study.events.is_signal[network.events.split.test])


def _add_agreements(
    study: RankingStudy, unit: str, architectures: list[str], rankings: dict[tuple[str, int], dict[str, Ranking]]
) -> None:
    """Compare every architecture with itself and with every other one, always between the two seeds."""
    for method in study.attribution.baselines:
        for a, b in itertools.combinations_with_replacement(architectures, 2):
            pairs = [(rankings[a, one][method], rankings[b, two][method]) for one, two in (SEEDS, SEEDS[::-1])]
            add_agreement(study, unit, method, pairs if a != b else pairs[:1], variant=a, other=b)
