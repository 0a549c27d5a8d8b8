"""Jets of partons: a vectorised greedy cone, b-tags, and which parton is in which jet.

The hardest parton that is left takes every other within the radius, and again until none is left. With the few, hard
partons of this toy that is close to anti-kt, which it stands for (Cacciari, Salam, Soyez, arXiv:0802.1189).
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int8

from igbaselines.studies.hep.data.kinematics import azimuth, distance, pseudorapidity, rapidity, transverse_momentum
from igbaselines.studies.hep.data.reconstruction import GLUON
from igbaselines.studies.hep.data.synthetic.collision import EXTRA_JETS

UNASSIGNED = -1


@dataclass(frozen=True)
class ConeJets:
    """Jets of `n` events, hardest first, at most `j`; the places after an event's last jet are zero."""

    momenta: Float[np.ndarray, "4 n j"]  # four-momenta [GeV]
    pt: Float[np.ndarray, "n j"]  # transverse momenta [GeV], zero where there is no jet
    member: Int8[np.ndarray, "n p"]  # for each parton the place of its jet, or `UNASSIGNED`
    radius: float  # that they were made with

    def take(self, chosen: Bool[np.ndarray, " n"]) -> "ConeJets":
        """The chosen events."""
        return ConeJets(self.momenta[:, chosen], self.pt[chosen], self.member[chosen], self.radius)


def cluster(partons: Float[np.ndarray, "4 n p"], radius: float, min_pt: float, max_eta: float) -> ConeJets:
    """Merge partons, padded with zeros, into jets above `min_pt` [GeV] and within `max_eta` (pseudorapidity)."""
    pt = transverse_momentum(partons)
    present = pt > 0
    y, phi = np.zeros_like(pt), azimuth(partons)
    y[present] = rapidity(partons[:, present])
    member = np.full(pt.shape, UNASSIGNED, dtype=np.int8)
    left = np.where(present, pt, 0)
    sums: list[Float[np.ndarray, "4 n"]] = []
    while left.any():
        seed = left.argmax(axis=1)[:, None]
        of_seed, phi_of_seed = (np.take_along_axis(values, seed, axis=1) for values in (y, phi))
        taken = (distance(y, of_seed, phi, phi_of_seed) < radius) & (left > 0)
        member[taken] = len(sums)
        sums.append(np.einsum("cnp,np->cn", partons, taken))
        left[taken] = 0
    return _sorted(np.stack(sums or [np.zeros(partons.shape[:2])], axis=2), member, radius, min_pt, max_eta)


def _sorted(
    momenta: Float[np.ndarray, "4 n j"], member: Int8[np.ndarray, "n p"], radius: float, min_pt: float, max_eta: float
) -> ConeJets:
    """Drop soft and forward jets and order the others."""
    pt = transverse_momentum(momenta)
    exists = pt > 0
    kept = exists & (pt > min_pt)
    kept[kept] = np.abs(pseudorapidity(momenta[:, kept])) < max_eta
    pt = np.where(kept, pt, 0)
    order = np.argsort(-pt, axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(order.shape[1])[None], axis=1)
    place = np.where(kept, place, UNASSIGNED)
    inside = np.take_along_axis(place, np.maximum(member, 0), axis=1)
    count = max(int(kept.sum(axis=1).max(initial=0)), 1)
    order = order[:, :count]
    momenta = np.take_along_axis(np.where(kept, momenta, 0), order[None], axis=2)
    return ConeJets(
        momenta,
        np.take_along_axis(pt, order, axis=1),
        np.where(member == UNASSIGNED, UNASSIGNED, inside).astype(np.int8),
        radius,
    )


def tag_probability(
    jets: ConeJets, flavours: Int8[np.ndarray, "n p"], of_flavour: Float[np.ndarray, " flavours"]
) -> Float[np.ndarray, "n j"]:
    """Probability of a b-tag for each jet: that of the heaviest flavour inside (`Detector.tag_probability`)."""
    parton = of_flavour[flavours]
    places = range(jets.pt.shape[1])
    return np.stack([np.where(jets.member == place, parton, 0).max(axis=1) for place in places], axis=1)


def largest_tag_probability(flavours: tuple[int, ...], of_flavour: Float[np.ndarray, " flavours"]) -> float:
    """Bound on the probability of a tag in an event of these quarks, were every parton a jet of its own.

    Every quark and every extra jet also brings the gluon that it branches into.
    """
    gluons = len(flavours) + 2 * EXTRA_JETS
    return 1 - float(np.prod(1 - of_flavour[list(flavours)]) * (1 - of_flavour[GLUON]) ** gluons)
