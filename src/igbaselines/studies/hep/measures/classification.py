"""How well logits separate two classes."""

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score


def classification_metrics(logits: Float[np.ndarray, " n"], is_signal: Bool[np.ndarray, " n"]) -> dict[str, float]:
    """Accuracy and balanced accuracy at logit 0, and the area under the ROC curve; higher is better."""
    decision = logits > 0
    return {
        "accuracy": float(accuracy_score(is_signal, decision)),
        "balanced_accuracy": float(balanced_accuracy_score(is_signal, decision)),
        "roc_auc": float(roc_auc_score(is_signal, logits)),
    }
