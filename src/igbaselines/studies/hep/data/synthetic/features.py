"""The features of toy events: from the partons inside their jets, and what these radiate.

Only here, and only for events that pass the selection, do partons radiate softly: shapes and N-subjettiness need it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from igbaselines.studies.hep.data.features import HADRONIC, columns
from igbaselines.studies.hep.data.kinematics import azimuth, length, mass, pseudorapidity, transverse_momentum
from igbaselines.studies.hep.data.reconstruction import GLUON, places_of_jets
from igbaselines.studies.hep.data.synthetic.detector import Observed
from igbaselines.studies.hep.data.synthetic.substructure import radial_shapes, radiate, subjettiness

_FAT = HADRONIC.index("J")
_PARTONS = 6  # of a fat jet, the hardest, that N-subjettiness looks at


def features(rng: np.random.Generator, observed: Observed) -> Float[np.ndarray, "n 87"]:
    """Features, in the order of `FEATURE_NAMES`, of events that have three jets, a b-tag and a fat jet."""
    objects, inside = reconstructed(observed)
    contents, hadronic = with_contents(rng, observed, objects[:, :, 1:], inside)
    objects = np.concatenate([objects[:, :, :1], hadronic], axis=2)
    shapes = radial_shapes(contents.jet, hadronic[0].size, contents.pt, length(*contents.position))
    ratios = fat_jet_subjettiness(contents, len(inside))
    return columns(observed.ht, observed.met, objects, ratios, shapes.reshape(-1, len(HADRONIC), 4))


def reconstructed(observed: Observed) -> tuple[Float[np.ndarray, "4 n 6"], Bool[np.ndarray, "n 5 p"]]:
    """The objects in the order of `OBJECTS`, and which partons are inside each of the hadronic ones."""
    place = places_of_jets(observed.tagged)
    jets = np.take_along_axis(observed.jets.momenta, place[None], axis=2)
    objects = np.concatenate([observed.lepton[:, :, None], jets, observed.fat_jets.momenta[:, :, :1]], axis=2)
    in_jets = observed.jets.member[:, None, :] == place[:, :, None]
    in_fat_jet = observed.fat_jets.member[:, None, :] == 0
    return objects, np.concatenate([in_jets, in_fat_jet], axis=1)


@dataclass(frozen=True)
class Contents:
    """The pieces inside the hadronic objects; a row is a parton in an object."""

    jet: Int[np.ndarray, " r"]  # the row's object, counted through all events
    pt: Float32[np.ndarray, "r c"]  # of the pieces [GeV], zero for what flies out of the object
    position: Float32[np.ndarray, "2 r c"]  # of the pieces in pseudorapidity and azimuth, from the object's axis


def with_contents(
    rng: np.random.Generator,
    observed: Observed,
    hadronic: Float[np.ndarray, "4 n 5"],
    inside: Bool[np.ndarray, "n 5 p"],
) -> tuple[Contents, Float[np.ndarray, "4 n 5"]]:
    """Let the partons radiate: what is inside the hadronic objects [GeV], made of partons, and what becomes of these.

    An object keeps its transverse momentum. Its direction becomes that of what is inside, and its squared mass grows
    by the spread of the pieces around their partons.
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
