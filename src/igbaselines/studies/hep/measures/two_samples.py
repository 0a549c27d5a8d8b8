"""How far two samples of events are from being drawn from one distribution.

Feature by feature by the Kolmogorov-Smirnov distance and the shift of the mean; pairwise by the correlation matrices;
and many features together by a classifier that is to tell the samples apart (Lopez-Paz and Oquab 2017,
arXiv:1610.06545).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

LARGEST_SEED = 2**31
TREE_BINS = 64  # values of a feature that trees tell apart


@dataclass(frozen=True)
class WeightedSample:
    """Events that stand for a distribution."""

    features: Float32[np.ndarray, "n d"]  # of the events
    weight: Float[np.ndarray, " n"]  # share of the distribution that each stands for; they add up to 1

    @classmethod
    def of(cls, features: Float32[np.ndarray, "n d"], weight: Float[np.ndarray, " n"] | None) -> "WeightedSample":
        """Scale the weights to add up to 1; None weighs all events equally; a ValueError if none has a weight."""
        found = np.ones(len(features)) if weight is None else weight.astype(float)
        if not found.sum() > 0:
            raise ValueError(f"none of {len(features)} events has a positive weight")
        return cls(features, found / found.sum())

    def __len__(self) -> int:
        return len(self.features)

    def part(self, events: Int[np.ndarray, " m"]) -> "WeightedSample":
        """Take some events."""
        return WeightedSample.of(self.features[events], self.weight[events])

    def of_features(self, chosen: Int[np.ndarray, " c"]) -> "WeightedSample":
        """Take some features of all events."""
        return WeightedSample(self.features[:, chosen], self.weight)

    def halves(self, generator: np.random.Generator) -> tuple["WeightedSample", "WeightedSample"]:
        """Part the events at random: two samples that are drawn from one distribution."""
        order = generator.permutation(len(self))
        return self.part(order[: len(self) // 2]), self.part(order[len(self) // 2 :])

    def at_most(self, events: int, generator: np.random.Generator) -> "WeightedSample":
        """Take a random part of at most so many events."""
        return self if len(self) <= events else self.part(generator.permutation(len(self))[:events])

    def is_constant(self) -> Bool[np.ndarray, " d"]:
        """Whether a feature has the same value in all events."""
        return np.asarray(np.ptp(self.features, axis=0) == 0)


def kolmogorov_smirnov(first: WeightedSample, second: WeightedSample) -> Float[np.ndarray, " d"]:
    """The largest difference between the cumulative distributions of each feature, in [0, 1]."""
    mass = np.concatenate([first.weight, -second.weight])
    distance = np.empty(first.features.shape[1])
    for feature in range(len(distance)):
        values = np.concatenate([first.features[:, feature], second.features[:, feature]])
        order = np.argsort(values)
        is_last = np.append(np.diff(values[order]) > 0, True)  # equal values enter both distributions at once
        distance[feature] = np.abs(np.cumsum(mass[order])[is_last]).max()
    return distance


def mean_shift(sample: WeightedSample, reference: WeightedSample) -> Float[np.ndarray, " d"]:
    """Mean of the sample minus that of the reference, in standard deviations of the reference.

    NaN where a feature is constant in the reference.
    """
    mean, reference_mean = (of.weight @ of.features.astype(float) for of in (sample, reference))
    deviation = np.sqrt(reference.weight @ (reference.features - reference_mean) ** 2)
    known = ~reference.is_constant()
    return np.asarray(np.divide(mean - reference_mean, deviation, out=np.full(len(mean), np.nan), where=known))


def correlation_matrix(sample: WeightedSample) -> Float[np.ndarray, "d d"]:
    """Pearson correlations of all pairs of features; NaN in the lines of a feature that is constant."""
    covariance = np.atleast_2d(np.cov(sample.features.astype(float), rowvar=False, aweights=sample.weight))
    deviation = np.sqrt(np.diag(covariance))
    deviation[sample.is_constant()] = np.nan
    return np.asarray(covariance / np.outer(deviation, deviation))


def correlation_agreement(first: Float[np.ndarray, "d d"], second: Float[np.ndarray, "d d"]) -> float:
    """Pearson correlation between the entries above the diagonals of two correlation matrices.

    Entries that are NaN in either are left out; NaN where fewer than three are left.
    """
    above = np.triu_indices(len(first), k=1)
    entries = np.stack([first[above], second[above]])
    entries = entries[:, np.isfinite(entries).all(axis=0)]
    return float(np.corrcoef(entries)[0, 1]) if entries.shape[1] > 2 else float("nan")


def two_sample_auc(
    first: WeightedSample, second: WeightedSample, folds: int, trees: int, seed: int
) -> Float[np.ndarray, " folds"]:
    """ROC AUC in each fold of boosted trees that are to tell two samples apart, on events they were not trained on.

    Both samples have the same weight altogether, however many events they have; 0.5 where the features tell nothing.
    The seed lies below 2^31.
    """
    features = _binned(np.concatenate([first.features, second.features]))
    is_first = np.arange(len(features)) < len(first)
    # 1 on average: the trees' limits on a leaf are meant for weights of this size
    weight = np.concatenate([first.weight, second.weight]) * len(features) / 2
    auc = []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(features, is_first):
        classifier = HistGradientBoostingClassifier(max_iter=trees, early_stopping=False, random_state=seed)
        classifier.fit(features[train], is_first[train], weight[train])
        score = classifier.decision_function(features[test])
        auc.append(roc_auc_score(is_first[test], score, sample_weight=weight[test]))
    return np.array(auc)


def _binned(features: Float32[np.ndarray, "n d"]) -> Int[np.ndarray, "n d"]:
    """Each feature as the number of its bin of about equally many events: trees look at nothing but the order.

    Left to itself scikit-learn bins anew in every fold, and with weights that takes far longer than the trees.
    """
    edges = np.quantile(features, np.arange(1, TREE_BINS) / TREE_BINS, axis=0)
    columns = [np.searchsorted(np.unique(of), column) for of, column in zip(edges.T, features.T, strict=True)]
    return np.stack(columns, axis=1)
