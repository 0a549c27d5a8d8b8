"""What is chosen by all other images: copies have no say, and intervals hold although the choice is shared."""

import numpy as np
import pytest

from igbaselines.reporting.statistics.estimates import mean_estimate
from igbaselines.reporting.statistics.verdicts import NotTestable, Undecided
from igbaselines.studies.images.reporting.chosen import chosen_by_others, over_choices


def test_copies_of_an_image_are_none_of_its_others() -> None:
    values = np.array([[9.0, 0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 1.0, 2.5]])
    assert chosen_by_others(values).tolist() == [[2, 0, 0]]
    # The first stands there three times, the second once, the third never.
    assert chosen_by_others(values, np.array([[3.0, 1.0, 0.0]])).tolist() == [[1, 0, 0]]


def test_the_interval_holds_where_the_choice_is_shared() -> None:
    """18 images, 20 baselines nearly as good as one another: the mean over runs is what a run estimates."""
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        values = rng.normal(0, 1, (18, 20)) + rng.normal(0, 1, (18, 1))

        def worth(chosen: np.ndarray, own: np.ndarray = values) -> np.ndarray:
            return np.asarray(own[np.arange(18), chosen])

        anew = over_choices(values, worth, None)
        alone = mean_estimate(worth(chosen_by_others(values)[0]))
        assert anew.value == pytest.approx(alone.value)
        found.append((anew.value, anew.low, anew.high, alone.low, alone.high))
    values, low, high, low_alone, high_alone = np.array(found).T
    covered, alone_covered = (
        np.mean((a <= values.mean()) & (values.mean() <= b)) for a, b in ((low, high), (low_alone, high_alone))
    )
    assert alone_covered < 0.93 <= covered, (alone_covered, covered)


def test_few_images_and_missing_values_decide_nothing() -> None:
    with pytest.raises(Undecided, match="5 units are too few"):
        over_choices(np.eye(5), lambda chosen: chosen.astype(float), None)
    with pytest.raises(NotTestable, match="missing"):
        over_choices(np.full((8, 2), np.nan), lambda chosen: chosen.astype(float), None)
    alike = over_choices(np.tile([0.0, 1.0], (8, 1)), lambda chosen: chosen.astype(float), 0.5)
    assert (alike.value, alike.all_agree, alike.p_value) == (1.0, True, 0.0)
