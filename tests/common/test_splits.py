"""Splits that rotate from network to network."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igbaselines.common.splits import rotated_split


def strata(*counts: int) -> np.ndarray:
    """Events of several processes in a mixed order."""
    return np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 60), min_size=1, max_size=4).filter(any),
    turn=st.floats(0, 1, exclude_max=True),
    train=st.floats(0.1, 0.8),
    validation=st.floats(0, 0.2),
    seed=st.integers(0, 2**31),
)
def test_every_event_is_in_one_part(counts: list[int], turn: float, train: float, validation: float, seed: int) -> None:
    split = rotated_split(strata(*counts), seed, turn, train, validation)
    assert np.array_equal(np.sort(np.concatenate(split)), np.arange(sum(counts)))
    for part in split:
        assert np.all(np.diff(part) > 0)


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 200), min_size=1, max_size=4),
    turn=st.floats(0, 1, exclude_max=True),
)
def test_every_part_holds_its_share_of_every_process(counts: list[int], turn: float) -> None:
    stratum = strata(*counts)
    split = rotated_split(stratum, 0, turn, 0.6, 0.15)
    for part, fraction in zip(split, (0.6, 0.15, 0.25), strict=True):
        in_part = np.bincount(stratum[part], minlength=len(counts))
        # Up to two events at the ends of a part, of which each process may hold one more or less.
        assert np.all(np.abs(in_part - fraction * np.array(counts)) <= 1 + 1e-6)


@settings(deadline=None, max_examples=300)
@given(count=st.integers(1, 300), networks=st.integers(2, 12), train=st.sampled_from([0.3, 0.5, 0.6, 0.7]))
def test_every_event_is_tested_once_the_test_parts_are_long_enough(count: int, networks: int, train: float) -> None:
    """Also where the parts meet the events exactly, which rounding would otherwise decide."""
    validation = 1 - train - 1 / networks
    if validation < 0:
        train, validation = 1 - 1 / networks, 0.0
    tested = [
        rotated_split(np.zeros(count, dtype=int), 3, turn / networks, train, validation).test
        for turn in range(networks)
    ]
    assert len(np.unique(np.concatenate(tested))) == count


def test_the_same_seed_and_turn_give_the_same_split() -> None:
    stratum = strata(50, 70)
    one, again = (rotated_split(stratum, 5, 0.0, 0.6, 0.2) for _ in range(2))
    for mine, theirs in zip(one, again, strict=True):
        assert np.array_equal(mine, theirs)
    for changed in (rotated_split(stratum, 6, 0.0, 0.6, 0.2), rotated_split(stratum, 5, 0.5, 0.6, 0.2)):
        assert not np.array_equal(one.train, changed.train)


def test_half_a_turn_swaps_halves() -> None:
    stratum = strata(40, 60)
    here, there = (rotated_split(stratum, 0, turn, 0.5, 0.0) for turn in (0.0, 0.5))
    assert np.array_equal(here.train, there.test)
    assert np.array_equal(here.test, there.train)


def test_the_order_of_events_is_not_that_of_the_file() -> None:
    split = rotated_split(np.zeros(1000, dtype=int), 0, 0.0, 0.5, 0.25)
    assert split.test.mean() == pytest.approx(500, abs=60)
    assert split.train.mean() == pytest.approx(500, abs=60)
