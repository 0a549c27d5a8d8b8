"""Rankings of features, and the sets of features that they share."""

import numpy as np
import pytest
from scipy import stats

from igbaselines.studies.hep.measures.rankings import (
    by_borda_count,
    by_mean_rank,
    by_score,
    permutation_importance,
    rank_correlation,
    single_feature_auc,
    top_masks,
    top_overlap,
)


def test_highest_first_and_ties_in_order() -> None:
    assert by_score(np.array([1.0, 3.0, 1.0, -2.0, 3.0])).tolist() == [1, 4, 0, 2, 3]


def test_a_feature_counts_by_how_well_it_separates_in_either_direction(rng: np.random.Generator) -> None:
    is_signal = np.arange(2000) % 2 == 0
    shifts = np.array([0.0, 0.5, -3.0, 1.0])
    features = rng.normal(size=(2000, 4)) + shifts * is_signal[:, None]
    assert by_score(single_feature_auc(features, is_signal, np.arange(4))).tolist() == [2, 3, 1, 0]


def test_a_constant_feature_comes_last(rng: np.random.Generator) -> None:
    is_signal = np.arange(200) % 2 == 0
    features = np.stack([np.ones(200), rng.normal(size=200) + 5 * is_signal], axis=1)
    assert by_score(single_feature_auc(features, is_signal, np.arange(2))).tolist() == [1, 0]


def test_a_network_misses_what_it_uses(rng: np.random.Generator) -> None:
    """Shuffling what a linear network does not look at costs nothing, and the rest in the order of its weights."""
    weights = np.array([0.5, 0.0, 2.0, -1.0])
    features = rng.normal(size=(4000, 4))
    is_signal = features @ weights > 0
    lost = permutation_importance(lambda x: np.asarray(x @ weights), features, is_signal, np.arange(4), rng)
    assert lost[1] == 0
    assert by_score(lost).tolist() == [2, 3, 0, 1]


def test_columns_of_a_category_count_and_are_shuffled_together(rng: np.random.Generator) -> None:
    """A network that asks whether the columns of a category fit each other finds nothing wrong with shuffled events."""
    kind = rng.integers(0, 3, 4000)
    features = np.column_stack([np.eye(3)[kind], rng.normal(size=4000)])
    is_signal = (kind == 2) ^ (rng.random(4000) < 0.2)
    player_of = np.array([0, 0, 0, 1])
    auc = single_feature_auc(features, is_signal, player_of)
    assert auc[0] == max(single_feature_auc(features, is_signal, np.arange(4))[:3])
    assert len(auc) == 2
    seen: list[np.ndarray] = []

    def logits(x: np.ndarray) -> np.ndarray:
        seen.append(x[:, :3].sum(axis=1))
        return x[:, 2]

    lost = permutation_importance(logits, features, is_signal, player_of, rng)
    assert all((of == 1).all() for of in seen)
    assert lost[0] > 0.2
    assert lost[1] == 0


def test_of_one_class_nothing_is_lost_and_nothing_said(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="both classes"):
        permutation_importance(lambda x: x[:, 0], rng.normal(size=(10, 2)), np.zeros(10, bool), np.arange(2), rng)


def test_masks_hold_the_first_features() -> None:
    rankings = [np.array([2, 0, 3, 1]), np.array([0, 2, 1, 3]), np.array([3, 1, 0, 2])]
    sizes = [1, 2, 4]
    masks, index = top_masks(rankings, sizes)
    assert index.shape == (3, 3)
    for r, ranking in enumerate(rankings):
        for s, size in enumerate(sizes):
            assert set(np.flatnonzero(masks[index[r, s]])) == set(ranking[:size])


def test_rankings_that_agree_share_a_set() -> None:
    masks, index = top_masks([np.array([2, 0, 1]), np.array([0, 2, 1]), np.array([0, 1, 2])], [1, 2, 3])
    assert len(masks) == len(np.unique(masks, axis=0)) == 5
    assert index[0, 0] != index[1, 0] == index[2, 0]
    assert index[0, 1] == index[1, 1] != index[2, 1]
    assert index[0, 2] == index[1, 2] == index[2, 2]


@pytest.mark.parametrize("size", [3, 10])
def test_a_size_beyond_the_features_takes_all(size: int) -> None:
    masks, _ = top_masks([np.array([1, 0, 2])], [size])
    assert masks.tolist() == [[True, True, True]]


def test_mean_rank_counts_places() -> None:
    # mean places: 0: (0 + 2) / 2, 1: (1 + 0) / 2, 2: (2 + 1) / 2, 3: 3
    assert by_mean_rank([np.array([0, 1, 2, 3]), np.array([1, 2, 0, 3])]).tolist() == [1, 0, 2, 3]


def test_a_borda_count_of_all_places_is_the_mean_rank(rng: np.random.Generator) -> None:
    for _ in range(20):
        rankings = [rng.permutation(9) for _ in range(4)]
        assert by_borda_count(rankings, 9).tolist() == by_mean_rank(rankings).tolist()


def test_a_borda_count_of_first_places_forgives_a_last_place() -> None:
    rankings = [np.array([4, 0, 1, 2, 3]), np.array([4, 1, 0, 2, 3]), np.array([0, 1, 2, 3, 4])]
    assert by_mean_rank(rankings).tolist() == [0, 1, 4, 2, 3]
    # points of 2: feature 4 has 2 + 2, feature 0 has 1 + 0 + 2, feature 1 has 0 + 1 + 1; the others by their mean rank
    assert by_borda_count(rankings, 2).tolist() == [4, 0, 1, 2, 3]


def test_spearman_is_the_formula_without_ties(rng: np.random.Generator) -> None:
    a, b = rng.permutation(12), rng.permutation(12)
    squares = sum((a.tolist().index(i) - b.tolist().index(i)) ** 2 for i in range(12))
    assert rank_correlation(a, b) == pytest.approx(1 - 6 * squares / (12 * 143))
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a.argsort(), b.argsort()).statistic, abs=1e-12)
    assert rank_correlation(a, a) == pytest.approx(1)
    assert rank_correlation(a, a[::-1]) == pytest.approx(-1)


def test_the_first_features_are_compared_as_sets() -> None:
    a, b = np.array([3, 1, 0, 2]), np.array([1, 3, 2, 0])
    assert [top_overlap(a, b, top) for top in (1, 2, 3, 4, 9)] == pytest.approx([0, 1, 2 / 3, 1, 1])
