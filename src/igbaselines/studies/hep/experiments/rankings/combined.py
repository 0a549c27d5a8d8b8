"""Do the rankings of several baselines make a better one together? Mean rank and Borda count.

With a point for every place the Borda count gives the order of the mean rank; here it counts first places alone, so
that a feature that one baseline ranks last is not dragged down by it.
"""

import pandas as pd

from igbaselines.studies.hep.experiments.explained import ranking_networks
from igbaselines.studies.hep.experiments.ranked import RANKED, VALIDATION_LOSS, add_rankings, add_retrained, ranked
from igbaselines.studies.hep.experiments.rankings_settings import CombinedEvaluation
from igbaselines.studies.hep.experiments.study import HepStudy, experiment
from igbaselines.studies.hep.measures.rankings import by_borda_count, by_mean_rank
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

BEST_SINGLE = "best_single"
MEASURED = RANKED


@experiment
def run(study: HepStudy, model: ClassifierRecipe, evaluation: CombinedEvaluation) -> None:
    """Retrain on the rankings of every baseline and on those that combine them."""
    for network in ranking_networks(study, model):
        single = ranked(study, network.name, network.explain())
        together = list(single.values())
        combined = {"mean_rank": by_mean_rank(together), "borda_count": by_borda_count(together, evaluation.points)}
        add_rankings(study, network.name, combined)
        retrained = add_retrained(network, {"": single | combined}, evaluation.top_k)
        study.run.rows.add_table(best_by_validation(retrained[retrained["method"].isin(single)]))


def best_by_validation(retrained: pd.DataFrame) -> pd.DataFrame:
    """What one gets who retrains with every baseline and keeps the one with the least validation loss, for each k.

    The best on the test part would be chosen with the numbers that it is judged by.
    """
    loss = retrained[retrained["metric"] == VALIDATION_LOSS.name]
    best = loss.loc[loss.groupby("k")["value"].idxmin(), ["method", "k"]]
    return retrained.merge(best, on=["method", "k"]).assign(method=BEST_SINGLE)
