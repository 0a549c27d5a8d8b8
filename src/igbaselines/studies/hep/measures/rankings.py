"""Rankings of features: from scores, from other rankings; and how well two agree."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from igbaselines.metrics.agreement import spearman
from igbaselines.studies.hep.measures.classification import roc_auc

Ranking: TypeAlias = Int[np.ndarray, " p"]  # indices of the players, best first


def by_score(scores: Float[np.ndarray, " d"]) -> Ranking:
    """Indices of the features from the highest score to the lowest; ties keep the order of the features."""
    return np.argsort(-scores, kind="stable")


def single_feature_auc(
    features: Float[np.ndarray, "n d"], is_signal: Bool[np.ndarray, " n"], player_of: Int[np.ndarray, " d"]
) -> Float[np.ndarray, " p"]:
    """How well each player alone separates the classes, in either direction: ROC AUC, from 1/2 (not at all) to 1.

    Of several columns, the values of a category, it is that of the best one.
    """
    auc = roc_auc(is_signal, features)
    best = np.zeros(player_of.max() + 1)
    np.maximum.at(best, player_of, 0.5 + np.abs(auc - 0.5))
    return best


def permutation_importance(
    logits: Callable[[Float[np.ndarray, "m d"]], Float[np.ndarray, " m"]],
    features: Float[np.ndarray, "m d"],
    is_signal: Bool[np.ndarray, " m"],
    player_of: Int[np.ndarray, " d"],
    rng: np.random.Generator,
) -> Float[np.ndarray, " p"]:
    """What a network's ROC AUC loses by each player that is shuffled among the events (Breiman 2001, section 10).

    Raises:
        ValueError: for events of one class, of which there is no AUC.
    """
    whole = roc_auc(is_signal, logits(features))
    lost = []
    for player in range(player_of.max() + 1):
        shuffled, columns = features.copy(), player_of == player
        shuffled[:, columns] = rng.permutation(shuffled[:, columns])
        lost.append(whole - roc_auc(is_signal, logits(shuffled)))
    return np.array(lost)


def by_mean_rank(rankings: Sequence[Ranking]) -> Ranking:
    """Combine rankings by the mean place of each feature; ties keep the order of the features."""
    return by_score(-np.mean([places(ranking) for ranking in rankings], axis=0))


def by_borda_count(rankings: Sequence[Ranking], points: int) -> Ranking:
    """Combine rankings by the Borda count of their first features; equal counts keep the order of the mean rank.

    A first place gets so many points, the second one less, and places beyond as many get none. With as many points as
    features this is the order of the mean rank.
    """
    count = np.sum([np.maximum(points - places(ranking), 0) for ranking in rankings], axis=0)
    order = by_mean_rank(rankings)
    return np.asarray(order[np.argsort(-count[order], kind="stable")])


def places(ranking: Ranking) -> Int[np.ndarray, " d"]:
    """The place of each feature, counted from 0."""
    return np.argsort(ranking)


def rank_correlation(a: Ranking, b: Ranking) -> float:
    """Spearman's correlation of two rankings of the same two or more features."""
    return float(spearman(*(torch.from_numpy(places(ranking)).double()[None] for ranking in (a, b))))


def top_overlap(a: Ranking, b: Ranking, top: int) -> float:
    """Share of the first so many features of one ranking that are among the first so many of the other."""
    return len(np.intersect1d(a[:top], b[:top])) / len(a[:top])


def top_masks(
    rankings: Sequence[Ranking], sizes: Sequence[int]
) -> tuple[Bool[np.ndarray, "sets d"], Int[np.ndarray, "rankings sizes"]]:
    """The distinct sets of top-k features of several rankings, as masks, and for each ranking and size the set's index.

    Rankings that agree on their first k features share a set, and so a network.
    """
    masks = np.zeros((len(rankings), len(sizes), len(rankings[0])), dtype=bool)
    for r, ranking in enumerate(rankings):
        for s, size in enumerate(sizes):
            masks[r, s, ranking[:size]] = True
    distinct, inverse = np.unique(masks.reshape(-1, masks.shape[-1]), axis=0, return_inverse=True)
    return distinct, inverse.reshape(len(rankings), len(sizes))
