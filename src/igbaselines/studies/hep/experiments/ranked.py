"""Rankings of features by attributions, and the rows that say what they are worth: for all experiments on events."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from igbaselines.metrics import Quantity, undirected
from igbaselines.studies.hep.experiments.attributions import ClassAttribution
from igbaselines.studies.hep.experiments.explained import ExplainedNetwork, RankingNetwork, Retrained
from igbaselines.studies.hep.experiments.rankings_settings import RankingsEvaluation
from igbaselines.studies.hep.experiments.study import HepStudy
from igbaselines.studies.hep.measures.classification import classification_metrics
from igbaselines.studies.hep.measures.rankings import Ranking, by_score, places, rank_correlation, top_overlap

PERFORMANCE = (
    Quantity("accuracy", "accuracy", better="higher"),
    Quantity("balanced_accuracy", "balanced accuracy", better="higher"),
    Quantity("roc_auc", "ROC AUC", better="higher"),
)
VALIDATION_LOSS = Quantity("validation_loss", "validation loss", better="lower")
AGREEMENT = (
    Quantity("spearman", "Spearman's rank correlation", better="higher"),
    Quantity("top_overlap", "share of the first features in common", better="higher"),
)
RANKED = (*undirected("rank"), *PERFORMANCE, VALIDATION_LOSS, *AGREEMENT)  # what an experiment on rankings may measure


def ranked(
    study: HepStudy, unit: str, attribution: ClassAttribution, ranking: str | None = None, **columns: str
) -> dict[str, Ranking]:
    """Rank the features by every method; write their places, and what the run's own metrics say.

    Features are ranked by signed mean or magnitude: by `ranking`, or as the study's attribution says.
    """
    by = ranking or study.attribution.ranking
    found = {
        name: by_score((mean.signed if by == "signed" else mean.magnitude).cpu().numpy())
        for name, mean in attribution.of.items()
    }
    add_rankings(study, unit, found, **columns)
    for name, mean in attribution.of.items():
        for metric, score in mean.scores.items():
            study.run.rows.add(name, study.metrics[metric].quantity.name, unit, score.item(), **columns)
    return found


def add_rankings(study: HepStudy, unit: str, rankings: Mapping[str, Ranking], **columns: str) -> None:
    """Write the place of each feature, or category, counted from 1, in each method's ranking."""
    for method, ranking in rankings.items():
        table = pd.DataFrame({"feature": study.events.players, "value": places(ranking) + 1.0})
        study.run.rows.add_table(table.assign(method=method, metric="rank", unit=unit, **columns))


def add_agreement(
    study: HepStudy, unit: str, method: str, pairs: Sequence[tuple[Ranking, Ranking]], **columns: str
) -> None:
    """Write how well pairs of rankings agree: Spearman's correlation, and the overlap of their first features.

    The mean over the pairs is one value. The columns `variant` and `other` say what the two rankings of each are.
    """
    assert isinstance(study.evaluation, RankingsEvaluation)
    top = study.evaluation.top
    correlation = np.mean([rank_correlation(a, b) for a, b in pairs])
    overlap = np.mean([top_overlap(a, b, top) for a, b in pairs])
    study.run.rows.add(method, "spearman", unit, float(correlation), **columns)
    if top < len(study.events.players):  # all of them are the same ones
        study.run.rows.add(method, "top_overlap", unit, float(overlap), **columns)


def performance(
    network: ExplainedNetwork, names: Sequence[Mapping[str, str | None]], sizes: Sequence[int], retrained: Retrained
) -> pd.DataFrame:
    """How well networks retrained on the first features of rankings classify the test part.

    Returns:
        Columns k, metric (with `validation_loss`), unit, value, and each ranking's `names`: its method and others.
    """
    is_signal = network.study.events.is_signal[network.events.split.test]
    metrics = [
        classification_metrics(logits, is_signal) | {VALIDATION_LOSS.name: float(loss)}
        for logits, loss in zip(retrained.logits, retrained.loss, strict=True)
    ]
    return pd.DataFrame(
        {**name, "k": k, "metric": metric, "unit": network.name, "value": value}
        for name, of_sizes in zip(names, retrained.network, strict=True)
        for k, which in zip(sizes, of_sizes, strict=True)
        for metric, value in metrics[which].items()
    )


def add_retrained(
    network: RankingNetwork, rankings: Mapping[str, Mapping[str, Ranking]], sizes: Sequence[int]
) -> pd.DataFrame:
    """Retrain on the first features of rankings, by variant ("": there are none) and method; write and return it."""
    names = [{"method": method, "variant": variant or None} for variant, of in rankings.items() for method in of]
    every = [ranking for of in rankings.values() for ranking in of.values()]
    table = performance(network, names, sizes, network.retrain(every, sizes))
    network.study.run.rows.add_table(table)
    return table
