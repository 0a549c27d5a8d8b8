"""Classification metrics against their definitions."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from igbaselines.studies.hep.measures.classification import classification_metrics, roc_auc


def test_against_the_definitions(rng: np.random.Generator) -> None:
    is_signal = rng.random(400) < 0.2
    logits = np.round(rng.normal(size=400) + 1.2 * is_signal, 1)  # with ties
    metrics = classification_metrics(logits, is_signal)
    right = (logits > 0) == is_signal
    assert metrics["accuracy"] == pytest.approx(right.mean())
    assert metrics["balanced_accuracy"] == pytest.approx((right[is_signal].mean() + right[~is_signal].mean()) / 2)
    pairs = logits[is_signal][:, None] - logits[~is_signal]
    assert metrics["roc_auc"] == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)


def test_the_area_of_every_column_is_that_of_sklearn(rng: np.random.Generator) -> None:
    is_signal = rng.random(500) < 0.3
    scores = rng.normal(size=(500, 7)) + is_signal[:, None] * np.linspace(-1, 1, 7)
    scores[:, :3] = scores[:, :3].round(1)  # with ties
    np.testing.assert_allclose(roc_auc(is_signal, scores), [roc_auc_score(is_signal, column) for column in scores.T])
    with pytest.raises(ValueError, match="both classes"):
        roc_auc(np.ones(500, bool), scores)


def test_separated_reversed_and_undecided() -> None:
    is_signal = np.array([True, True, False, False])
    assert classification_metrics(np.array([2.0, 1.0, -1.0, -2.0]), is_signal)["roc_auc"] == 1
    assert classification_metrics(np.array([-2.0, -1.0, 1.0, 2.0]), is_signal)["roc_auc"] == 0
    undecided = classification_metrics(np.zeros(4), is_signal)
    assert undecided == {"accuracy": 0.5, "balanced_accuracy": 0.5, "roc_auc": 0.5}
