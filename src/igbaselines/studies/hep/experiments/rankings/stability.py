"""What do rankings hang on: the training seed, the split of the events, or both? And does combining them help?

A block is two splits, drawn at random, times two training seeds: four networks, of which two pairs differ in the seed
alone, two in the split alone, and two in both. No two blocks share a split or a seed.
"""

import itertools

from igbaselines.common.randomness import generator_for, stream
from igbaselines.studies.hep.experiments.explained import RankingNetwork
from igbaselines.studies.hep.experiments.networks import split_events
from igbaselines.studies.hep.experiments.ranked import RANKED, add_agreement, add_rankings, ranked
from igbaselines.studies.hep.experiments.rankings_settings import RankingsEvaluation
from igbaselines.studies.hep.experiments.study import HepStudy, experiment
from igbaselines.studies.hep.measures.rankings import Ranking, by_mean_rank
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

MEASURED = RANKED
PAIRS = {
    "seed": [((0, 0), (0, 1)), ((1, 0), (1, 1))],
    "split": [((0, 0), (1, 0)), ((0, 1), (1, 1))],
    "both": [((0, 0), (1, 1)), ((0, 1), (1, 0))],
}


@experiment
def run(study: HepStudy, model: ClassifierRecipe, evaluation: RankingsEvaluation) -> None:
    """Compare the four networks of each block; `evaluation.networks` counts blocks."""
    for block in study.run.units(range(evaluation.networks)):
        rankings = {
            (split, seed): _ranked(study, model, block, split, seed)
            for split, seed in itertools.product(range(2), range(2))
        }
        for source, pairs in PAIRS.items():
            for method in rankings[0, 0]:
                compared = [(rankings[a][method], rankings[b][method]) for a, b in pairs]
                add_agreement(study, f"block_{block}", method, compared, variant=source)


def _ranked(study: HepStudy, recipe: ClassifierRecipe, block: int, split: int, seed: int) -> dict[str, Ranking]:
    """Train and explain one network; what is drawn beside its training belongs to the split."""
    key = (study.run.seed, block, split)
    order = generator_for(*key, "hep: splits").initial_seed()
    events = split_events(study.events, study.evaluation, 0, order, study.run.device)
    training = (study.run.seed, block, seed, stream("hep: training"))
    name = f"block_{block}_split_{split}_seed_{seed}"
    network = RankingNetwork.train(study, recipe, name, events, training, key)
    unit = f"network_{4 * block + 2 * split + seed}"
    rankings = ranked(study, unit, network.explain())
    together = {"mean_rank": by_mean_rank(list(rankings.values()))}
    add_rankings(study, unit, together)
    return rankings | together
