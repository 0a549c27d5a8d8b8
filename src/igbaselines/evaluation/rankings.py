"""Rankings of features: from attributions, from each feature alone, and at random."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.metrics import roc_auc_score


def by_score(scores: Float[np.ndarray, " d"]) -> Int[np.ndarray, " d"]:
    """Indices of the features from the highest score to the lowest; ties keep the order of the features."""
    return np.argsort(-scores, kind="stable")


def by_single_feature_auc(
    features: Float[np.ndarray, "n d"], is_signal: Bool[np.ndarray, " n"]
) -> Int[np.ndarray, " d"]:
    """Rank features by how well each alone separates the classes: |ROC AUC - 1/2|, highest first."""
    auc = np.array([roc_auc_score(is_signal, column) for column in features.T])
    return by_score(np.abs(auc - 0.5))


def top_masks(
    rankings: Sequence[Int[np.ndarray, " d"]], sizes: Sequence[int]
) -> tuple[Bool[np.ndarray, "sets d"], Int[np.ndarray, "rankings sizes"]]:
    """The distinct sets of top-k features of several rankings.

    Args:
        rankings: indices of the features, best first.
        sizes: the values of k.

    Returns:
        The distinct sets as masks, and for each ranking and size the index of its set: rankings that agree on
        their first k features share a set, and so a network.
    """
    masks = np.zeros((len(rankings), len(sizes), len(rankings[0])), dtype=bool)
    for r, ranking in enumerate(rankings):
        for s, size in enumerate(sizes):
            masks[r, s, ranking[:size]] = True
    distinct, inverse = np.unique(masks.reshape(-1, masks.shape[-1]), axis=0, return_inverse=True)
    return distinct, inverse.reshape(len(rankings), len(sizes))
