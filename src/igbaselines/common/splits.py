"""Splits of rows, by process or class, into training, validation and test parts that rotate from network to network."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

DECIMALS = 9


class Split(NamedTuple):
    """Indices of the three parts, ascending."""

    train: Int[np.ndarray, " t"]
    validation: Int[np.ndarray, " v"]
    test: Int[np.ndarray, " e"]


def rotated_split(
    stratum: Int[np.ndarray, " n"], seed: int, turn: float, train_fraction: float, validation_fraction: float
) -> Split:
    """Split rows by stratum, such as their process or class, at a position on the circle of a fixed shuffled order.

    Turned by 0, 1/R, 2/R, ... the test parts of R networks cover every row as soon as they are long enough: then
    every row is scored by a network that was not trained on it, while each network sees the same fractions (those of
    2412.13864, on events). What is left of the fractions is the test part.
    """
    shuffled = np.random.default_rng(seed).permutation(len(stratum))
    by_stratum = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    counts = np.bincount(stratum)
    counts = counts[counts > 0]
    within = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    position = np.empty(len(stratum))
    # Rounded, or an event that meets a boundary exactly may be left out of every test part by the last bit.
    position[by_stratum] = np.round(within + turn, DECIMALS) % 1.0
    is_train = position < round(train_fraction, DECIMALS)
    is_test = position >= round(train_fraction + validation_fraction, DECIMALS)
    return Split(*(np.flatnonzero(part) for part in (is_train, ~is_train & ~is_test, is_test)))
