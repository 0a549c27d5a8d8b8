"""Do other architectures rank features alike under the same baselines? 2412.13864 leaves them to future work.

On each split of the events every architecture is trained from two seeds. How well two architectures agree is held
against how well one of them agrees with itself; both compare networks of different seeds.
"""

import itertools

from igbaselines.common.randomness import stream
from igbaselines.studies.hep.experiments.explained import RankingNetwork
from igbaselines.studies.hep.experiments.ranked import RANKED, add_agreement, ranked
from igbaselines.studies.hep.experiments.rankings_settings import ArchitecturesEvaluation
from igbaselines.studies.hep.experiments.study import HepStudy, experiment
from igbaselines.studies.hep.measures.classification import classification_metrics
from igbaselines.studies.hep.measures.rankings import Ranking
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

SEEDS = (0, 1)
MEASURED = RANKED


@experiment
def run(study: HepStudy, model: None, evaluation: ArchitecturesEvaluation) -> None:
    """Compare the networks of `evaluation.architectures`; there is no other model."""
    for split in study.run.units(range(evaluation.networks)):
        rankings = {
            (architecture, seed): _ranked(study, architecture, recipe, split, seed)
            for architecture, recipe in evaluation.architectures.items()
            for seed in SEEDS
        }
        _add_agreements(study, f"split_{split}", list(evaluation.architectures), rankings)


def _ranked(study: HepStudy, architecture: str, recipe: ClassifierRecipe, split: int, seed: int) -> dict[str, Ranking]:
    """Train and explain one network, from the same baselines as all others of the split."""
    key = (study.run.seed, split)
    name = f"{architecture}_split_{split}_seed_{seed}"
    network = RankingNetwork.train(study, recipe, name, study.split(split), (*key, seed, stream("hep: training")), key)
    unit = f"network_{split * len(SEEDS) + seed}"
    logits, is_signal = network.events.test_logits(network.trained.networks), study.events.is_signal
    for metric, value in classification_metrics(logits[0], is_signal[network.events.split.test]).items():
        study.run.rows.add("all_features", metric, unit, value, variant=architecture)
    return ranked(study, unit, network.explain(), variant=architecture)


def _add_agreements(
    study: HepStudy, unit: str, architectures: list[str], rankings: dict[tuple[str, int], dict[str, Ranking]]
) -> None:
    """Compare every architecture with itself and with every other one, always between the two seeds."""
    for method in study.methods:
        for a, b in itertools.combinations_with_replacement(architectures, 2):
            pairs = [(rankings[a, one][method], rankings[b, two][method]) for one, two in (SEEDS, SEEDS[::-1])]
            add_agreement(study, unit, method, pairs if a != b else pairs[:1], variant=a, other=b)
