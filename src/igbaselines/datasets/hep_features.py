"""The 87 kinematic features of an event (arXiv:2412.13864, appendix) and their column names.

An event has six objects: the lepton l, the three hardest jets j1, j2, j3, the hardest b-tagged jet b and the
hardest fat jet J. b is usually one of j1, j2, j3: then their distance is 0 and their pair mass twice the
jet's.
"""

from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from igbaselines.datasets.hep_collision import GLUON
from igbaselines.datasets.hep_detector import Observed
from igbaselines.datasets.hep_kinematics import (
    Scalar,
    azimuth,
    delta_phi,
    length,
    mass,
    pseudorapidity,
    transverse_momentum,
)
from igbaselines.datasets.hep_substructure import (
    FAR,
    Prongs,
    mixture_moments,
    subjettiness,
    widths,
    with_counting_noise,
)

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


def features(rng: np.random.Generator, observed: Observed) -> Float[np.ndarray, "n 87"]:
    """Features, in the order of `FEATURE_NAMES`, of events that have three jets, a b-tag and a fat jet.

    Args:
        rng: source of the randomness in the jets' substructure.
        observed: the events.
    """
    objects, inside = reconstructed(observed)
    shapes, subjettiness = substructure(rng, observed, objects[:, :, 1:], inside)
    return columns(observed.ht, observed.met, objects, subjettiness, shapes)


def columns(
    ht: Float[np.ndarray, " n"],
    met: Float[np.ndarray, " n"],
    objects: Float[np.ndarray, "4 n 6"],
    subjettiness: Float[np.ndarray, "n 4"],
    shapes: Float[np.ndarray, "n 5 4"],
) -> Float[np.ndarray, "n 87"]:
    """Features, in the order of `FEATURE_NAMES`.

    Args:
        ht: scalar sum of the jets' transverse momenta [GeV].
        met: missing transverse momentum [GeV].
        objects: four-momenta [GeV] of the objects, in the order of `OBJECTS`.
        subjettiness: tau21, tau32 of the fat jet for beta 1, then for beta 2.
        shapes: girth, variance, skewness and kurtosis of each hadronic object.
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


def reconstructed(observed: Observed) -> tuple[Float[np.ndarray, "4 n 6"], Bool[np.ndarray, "n 5 p"]]:
    """The objects in the order of `OBJECTS`, and which partons are inside each of the hadronic ones."""
    bottom = observed.tagged.argmax(axis=1)  # jets are ordered: the first that is tagged is the hardest
    place = np.stack([np.full_like(bottom, 0), np.full_like(bottom, 1), np.full_like(bottom, 2), bottom], axis=1)
    jets = np.take_along_axis(observed.jets.momenta, place[None], axis=2)
    objects = np.concatenate([observed.lepton[:, :, None], jets, observed.fat_jets.momenta[:, :, :1]], axis=2)
    in_jets = observed.jets.member[:, None, :] == place[:, :, None]
    in_fat_jet = observed.fat_jets.member[:, None, :] == 0
    return objects, np.concatenate([in_jets, in_fat_jet], axis=1)


def substructure(
    rng: np.random.Generator,
    observed: Observed,
    hadronic: Float[np.ndarray, "4 n 5"],
    inside: Bool[np.ndarray, "n 5 p"],
) -> tuple[Float[np.ndarray, "n 5 4"], Float[np.ndarray, "n 4"]]:
    """Girth, variance, skewness and kurtosis of the hadronic objects, and the N-subjettiness ratios of J."""
    pt = transverse_momentum(observed.partons)
    present = pt > 0
    eta, phi = np.zeros_like(pt), azimuth(observed.partons)
    eta[present] = pseudorapidity(observed.partons[:, present])
    width = widths(rng, pt, observed.flavours == GLUON)

    axis_eta, axis_phi = pseudorapidity(hadronic), azimuth(hadronic)
    distance = _distance(eta[:, None], axis_eta[..., None], phi[:, None], axis_phi[..., None])
    share = pt[:, None] * inside
    share /= share.sum(axis=2, keepdims=True)
    moments = mixture_moments(Prongs(share, distance * inside, np.broadcast_to(width[:, None], share.shape)))
    shapes = with_counting_noise(rng, moments, transverse_momentum(hadronic))

    hardest = np.argsort(-share[:, -1], axis=1)[:, :3]
    axis_eta, axis_phi = np.take_along_axis(eta, hardest, axis=1), np.take_along_axis(phi, hardest, axis=1)
    separation = _distance(eta[:, None], axis_eta[..., None], phi[:, None], axis_phi[..., None])
    is_prong = np.take_along_axis(inside[:, -1], hardest, axis=1)
    separation = np.where(is_prong[..., None], separation, FAR)
    return shapes, subjettiness(rng, share[:, -1], separation, width)


def _distance(eta: Scalar, other_eta: Scalar, phi: Scalar, other_phi: Scalar) -> Scalar:
    return length(eta - other_eta, delta_phi(phi, other_phi))


def _distances(objects: Float[np.ndarray, "4 n 6"]) -> Float[np.ndarray, "n 15"]:
    first, second = np.array(_PAIRS).T
    eta, phi = pseudorapidity(objects), azimuth(objects)
    return _distance(eta[:, first], eta[:, second], phi[:, first], phi[:, second])


def _masses_of_sums(
    objects: Float[np.ndarray, "4 n 6"], groups: tuple[tuple[int, ...], ...]
) -> Float[np.ndarray, "n g"]:
    return np.stack([mass(objects[:, :, list(group)].sum(axis=2)) for group in groups], axis=1)
