"""The 87 kinematic features of an event (arXiv:2412.13864, appendix) and their column names.

An event has six objects: the lepton l, the three hardest jets j1, j2, j3, the hardest b-tagged jet b and the
hardest fat jet J. b is usually one of j1, j2, j3: then their distance is 0 and their pair mass twice the
jet's.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from igbaselines.studies.hep.data.kinematics import (
    Scalar,
    azimuth,
    delta_phi,
    length,
    mass,
    pseudorapidity,
    transverse_momentum,
)
from igbaselines.studies.hep.data.substructure import (
    radial_shapes,
    radiate,
    subjettiness,
)
from igbaselines.studies.hep.data.synthetic.collision import GLUON
from igbaselines.studies.hep.data.synthetic.detector import Observed

OBJECTS = ("l", "j1", "j2", "j3", "b", "J")
HADRONIC = OBJECTS[1:]
_PAIRS = tuple(combinations(range(len(OBJECTS)), 2))
_FAT = HADRONIC.index("J")
_PARTONS = 6  # of a fat jet, the hardest, that N-subjettiness looks at
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
    contents, hadronic = with_contents(rng, observed, objects[:, :, 1:], inside)
    objects = np.concatenate([objects[:, :, :1], hadronic], axis=2)
    shapes = radial_shapes(contents.jet, hadronic[0].size, contents.pt, length(*contents.position))
    ratios = fat_jet_subjettiness(contents, len(inside))
    return columns(observed.ht, observed.met, objects, ratios, shapes.reshape(-1, len(HADRONIC), 4))


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


@dataclass(frozen=True)
class Contents:
    """The pieces inside the hadronic objects; a row is a parton in an object.

    Args:
        jet: the row's object, counted through all events.
        pt: of the pieces [GeV], zero for what flies out of the object.
        position: of the pieces in pseudorapidity and azimuth, from the object's axis.
    """

    jet: Int[np.ndarray, " r"]
    pt: Float32[np.ndarray, "r c"]
    position: Float32[np.ndarray, "2 r c"]


def with_contents(
    rng: np.random.Generator,
    observed: Observed,
    hadronic: Float[np.ndarray, "4 n 5"],
    inside: Bool[np.ndarray, "n 5 p"],
) -> tuple[Contents, Float[np.ndarray, "4 n 5"]]:
    """Let the partons radiate: what is inside the hadronic objects, and what becomes of these.

    An object keeps its transverse momentum. Its direction becomes that of what is inside, and its squared mass grows
    by the spread of the pieces around their partons.

    Args:
        rng: source of randomness.
        observed: the events.
        hadronic: the objects [GeV], made of partons.
        inside: which partons are in each.
    """
    event, parton = np.nonzero(inside.any(axis=1))
    number = np.zeros((len(inside), inside.shape[2]), dtype=np.int64)
    number[event, parton] = np.arange(len(event))
    partons = observed.partons[:, event, parton]
    parton_pt = transverse_momentum(partons)
    pieces = radiate(rng, parton_pt, observed.flavours[event, parton] == GLUON)

    event, place, parton = np.nonzero(inside)
    source, jet = number[event, parton], event * len(HADRONIC) + place
    direction, axis = (np.stack([pseudorapidity(p), azimuth(p)]) for p in (partons, hadronic.reshape(4, -1)))
    centre = direction[:, source] - axis[:, jet]
    centre[1] -= 2 * np.pi * np.rint(centre[1] / (2 * np.pi))
    offset = pieces.offset[:, source]
    position = centre.astype(np.float32)[:, :, None] + offset
    radius = np.where(place == _FAT, observed.fat_jets.radius, observed.jets.radius).astype(np.float32)
    pt = pieces.share[source] * parton_pt[source].astype(np.float32)[:, None]
    within = length(*position) < radius[:, None]
    within[:, 0] = True  # the core is what the parton is in the object for
    pt *= within

    def summed(values: Float32[np.ndarray, "r c"]) -> Float[np.ndarray, " j"]:
        return np.bincount(jet, values.sum(axis=1), axis.shape[1])

    shift = np.stack([summed(pt * along) for along in position]) / summed(pt)
    position -= shift.astype(np.float32)[:, jet, None]
    added = summed(pt * (offset[0] * offset[0] + offset[1] * offset[1])).reshape(inside.shape[:2])
    return Contents(jet, pt, position), _moved(hadronic, (axis + shift).reshape(2, *inside.shape[:2]), added)


def _moved(
    momentum: Float[np.ndarray, "4 n 5"], direction: Float[np.ndarray, "2 n 5"], added: Float[np.ndarray, "n 5"]
) -> Float[np.ndarray, "4 n 5"]:
    """Other directions and, by the sum of pT times squared distance [GeV], larger masses, at the same pT."""
    pt, (eta, phi) = transverse_momentum(momentum), direction
    spatial = pt * np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)])
    energy = np.sqrt(mass(momentum) ** 2 + pt * added + (spatial * spatial).sum(axis=0))
    return np.concatenate([energy[None], spatial])


def fat_jet_subjettiness(contents: Contents, events: int) -> Float[np.ndarray, "n 4"]:
    """N-subjettiness ratios of J, from its hardest partons."""
    row = np.flatnonzero(contents.jet % len(HADRONIC) == _FAT)
    event = contents.jet[row] // len(HADRONIC)
    order = np.lexsort((-contents.pt[row].sum(axis=1), event))
    row, event = row[order], event[order]
    rank = np.arange(len(row)) - np.searchsorted(event, np.arange(events))[event]
    row, event, rank = (of[rank < _PARTONS] for of in (row, event, rank))
    pt = np.zeros((events, _PARTONS, contents.pt.shape[1]), dtype=np.float32)
    position = np.zeros((2, *pt.shape), dtype=np.float32)
    pt[event, rank], position[:, event, rank] = contents.pt[row], contents.position[:, row]
    return subjettiness(pt.reshape(events, -1), position.reshape(2, events, -1)).astype(np.float64)


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
