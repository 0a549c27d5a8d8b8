"""Weights of simulated events: what they stand for in physics, and what they count in training.

A generator beyond leading order gives events of negative weight. They are kept where sums are taken: yields, cuts, Z.
A loss that they enter as they are has no lower bound, so training has a policy of its own (`TRAINING`).
"""

import logging

import numpy as np
from jaxtyping import Float, Float32, Int

from igbaselines.common.errors import UserError

log = logging.getLogger(__name__)

# What negative weights are in training: their magnitudes; none of these events; or cancelled against the nearest events
# of positive weight of the same process (as Andersen and Maier 2021, arXiv:2109.07851, resample cells).
TRAINING = ("absolute", "drop", "pairwise")
NEIGHBOURS = 50  # events of positive weight that one of negative weight can be cancelled against


def cross_section_weights(
    generated: Float[np.ndarray, " n"], cross_section: float | None, sum_of_weights: float, luminosity: float | None
) -> Float[np.ndarray, " n"]:
    """The cross-section [fb] that each event of a process stands for.

    Args:
        generated: weights as the files have them.
        cross_section: of all that was generated [fb]; None: the weights are cross-sections [fb], or expected events.
        sum_of_weights: of all that was generated.
        luminosity: at which the weights are numbers of expected events [1/fb]; None: they are none.
    """
    if cross_section is not None:
        return cross_section * generated / sum_of_weights
    return generated / luminosity if luminosity is not None else generated


def training_weights(
    weight: Float[np.ndarray, " n"],
    process: Int[np.ndarray, " n"],
    processes: tuple[str, ...],
    features: Float32[np.ndarray, "n d"],
    policy: str,
) -> Float[np.ndarray, " n"]:
    """Weights of training, none negative, whose mean is one in every process: the mixture is that of the events.

    Raises:
        UserError: for a process whose weights do not add up to more than zero.
    """
    found = weight.astype(np.float64)
    for index, name in enumerate(processes):
        members = np.flatnonzero(process == index)
        of_process = found[members]
        if not len(members):
            continue
        if not of_process.sum() > 0:
            raise UserError(f"process {name!r}: its weights add up to {of_process.sum():.3g}, more than 0 is needed")
        if (of_process < 0).any():
            of_process = _without_negative(name, of_process, features[members], policy)
        found[members] = of_process / of_process.mean()
    return found


def _without_negative(
    name: str, weight: Float[np.ndarray, " m"], features: Float32[np.ndarray, "m d"], policy: str
) -> Float[np.ndarray, " m"]:
    negative = weight < 0
    share, by_weight = negative.mean(), -weight[negative].sum() / np.abs(weight).sum()
    said = {
        "absolute": "count by magnitude",
        "drop": "are left out",
        "pairwise": "are cancelled against their neighbours",
    }
    log.info(
        "process %r: %.1f %% of the events (%.1f %% of |weight|) have negative weights: kept in yields and Z, in "
        "training they %s (dataset.negative_weights=%s)",
        *(name, 100 * share, 100 * by_weight, said[policy], policy),
    )
    if policy == "pairwise":
        return _cancelled(name, weight, features)
    return np.asarray(np.abs(weight) if policy == "absolute" else np.maximum(weight, 0))


def _cancelled(
    name: str, weight: Float[np.ndarray, " m"], features: Float32[np.ndarray, "m d"]
) -> Float[np.ndarray, " m"]:
    """Take every negative weight from the nearest positive ones, by distance in standard deviations of the features."""
    from sklearn.neighbors import NearestNeighbors

    scale = features.std(axis=0, dtype=np.float64)
    points = features / np.where(scale > 0, scale, 1)
    negative, positive = np.flatnonzero(weight < 0), np.flatnonzero(weight > 0)
    left, owed = np.maximum(weight, 0), 0.0
    count = min(NEIGHBOURS, len(positive))
    neighbours = (
        NearestNeighbors(n_neighbors=count).fit(points[positive]).kneighbors(points[negative], return_distance=False)
    )
    for event, near in zip(negative, positive[neighbours], strict=True):
        # What is taken from each in turn: all it has, until nothing is owed.
        behind = np.cumsum(left[near])
        taken = np.clip(-weight[event] - (behind - left[near]), 0, left[near])
        left[near] -= taken
        owed += -weight[event] - taken.sum()
    if owed > 1e-9 * left.sum():
        log.warning("process %r: %.2g of its negative weight found no neighbour to be cancelled against", name, owed)
    return np.asarray(left)
