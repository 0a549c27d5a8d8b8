"""The 87 kinematic features of an event (arXiv:2412.13864, appendix) and their column names.

An event has six objects: the lepton l, the three hardest jets j1, j2, j3, the hardest b-tagged jet b and the hardest
fat jet J. b is usually one of j1, j2, j3: then their distance is 0 and their pair mass twice the jet's.
"""

from itertools import combinations

import numpy as np
from jaxtyping import Float

from igbaselines.studies.hep.data.kinematics import azimuth, distance, mass, pseudorapidity, transverse_momentum

OBJECTS = ("l", "j1", "j2", "j3", "b", "J")
HADRONIC = OBJECTS[1:]
_PAIRS = tuple(combinations(range(len(OBJECTS)), 2))
_TRIPLES = tuple(combinations(range(len(OBJECTS)), 3))


def _joined(prefix: str, groups: tuple[tuple[int, ...], ...]) -> tuple[str, ...]:
    return tuple("_".join([prefix, *(OBJECTS[index] for index in group)]) for group in groups)


FEATURE_NAMES: tuple[str, ...] = (
    "HT",
    "MET",
    *(f"pT_{name}" for name in OBJECTS),
    *("tau21_b1", "tau32_b1", "tau21_b2", "tau32_b2"),
    *_joined("dR", _PAIRS),
    *(f"m_{name}" for name in HADRONIC),
    *_joined("m", _PAIRS),
    *_joined("m", _TRIPLES),
    *(f"{moment}_{name}" for name in HADRONIC for moment in ("g", "Var", "Skew", "Kurt")),
)


def columns(
    ht: Float[np.ndarray, " n"],
    met: Float[np.ndarray, " n"],
    objects: Float[np.ndarray, "4 n 6"],
    subjettiness: Float[np.ndarray, "n 4"],
    shapes: Float[np.ndarray, "n 5 4"],
) -> Float[np.ndarray, "n 87"]:
    """Features, in the order of `FEATURE_NAMES`.

    `ht`, `met` and the four-momenta of the `objects`, in the order of `OBJECTS`, are in GeV; `subjettiness` has tau21
    and tau32 of the fat jet for beta 1, then for beta 2; `shapes` girth, variance, skewness and kurtosis of hadronic
    objects.
    """
    parts = [
        np.stack([ht, met], axis=1),
        transverse_momentum(objects),
        subjettiness,
        _distances(objects),
        mass(objects[:, :, 1:]),
        _masses_of_sums(objects, _PAIRS),
        _masses_of_sums(objects, _TRIPLES),
        shapes.reshape(len(shapes), 4 * len(HADRONIC)),
    ]
    return np.concatenate(parts, axis=1)


def _distances(objects: Float[np.ndarray, "4 n 6"]) -> Float[np.ndarray, "n 15"]:
    first, second = np.array(_PAIRS).T
    eta, phi = pseudorapidity(objects), azimuth(objects)
    return distance(eta[:, first], eta[:, second], phi[:, first], phi[:, second])


def _masses_of_sums(
    objects: Float[np.ndarray, "4 n 6"], groups: tuple[tuple[int, ...], ...]
) -> Float[np.ndarray, "n g"]:
    return np.stack([mass(objects[:, :, list(group)].sum(axis=2)) for group in groups], axis=1)
