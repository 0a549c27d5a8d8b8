"""How well logits separate two classes."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata
from sklearn.metrics import accuracy_score, balanced_accuracy_score


def classification_metrics(logits: Float[np.ndarray, " n"], is_signal: Bool[np.ndarray, " n"]) -> dict[str, float]:
    """Accuracy and balanced accuracy at logit 0, and the area under the ROC curve; higher is better."""
    decision = logits > 0
    return {
        "accuracy": float(accuracy_score(is_signal, decision)),
        "balanced_accuracy": float(balanced_accuracy_score(is_signal, decision)),
        "roc_auc": float(roc_auc(is_signal, logits)),
    }


def roc_auc(
    is_signal: Bool[np.ndarray, " n"], scores: Float[np.ndarray, "n *columns"]
) -> Float[np.ndarray, "*columns"]:
    """The area under the ROC curve of each column of scores: Mann and Whitney's U over the number of pairs.

    From sums of ranks, which are exact: several times as fast as integrating the curve.

    Raises:
        ValueError: for events of one class, of which there is no area.
    """
    signal = int(is_signal.sum())
    pairs = signal * (len(is_signal) - signal)
    if not pairs:
        raise ValueError("a ROC curve needs events of both classes")
    ranks = rankdata(scores, axis=0)[is_signal].sum(axis=0)
    return np.asarray((ranks - signal * (signal + 1) / 2) / pairs)
