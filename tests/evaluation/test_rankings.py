"""Rankings of features, and the sets of features that they share."""

import numpy as np
import pytest

from igbaselines.evaluation.rankings import by_score, by_single_feature_auc, top_masks


def test_highest_first_and_ties_in_order() -> None:
    assert by_score(np.array([1.0, 3.0, 1.0, -2.0, 3.0])).tolist() == [1, 4, 0, 2, 3]


def test_a_feature_counts_by_how_well_it_separates_in_either_direction(rng: np.random.Generator) -> None:
    is_signal = np.arange(2000) % 2 == 0
    shifts = np.array([0.0, 0.5, -3.0, 1.0])
    features = rng.normal(size=(2000, 4)) + shifts * is_signal[:, None]
    assert by_single_feature_auc(features, is_signal).tolist() == [2, 3, 1, 0]


def test_a_constant_feature_comes_last(rng: np.random.Generator) -> None:
    is_signal = np.arange(200) % 2 == 0
    features = np.stack([np.ones(200), rng.normal(size=200) + 5 * is_signal], axis=1)
    assert by_single_feature_auc(features, is_signal).tolist() == [1, 0]


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
