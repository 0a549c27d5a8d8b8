"""Jets of partons: a vectorised greedy cone, b-tags, and which parton is in which jet.

The hardest parton that is left takes every other within the radius, and again until none is left. With the
few, hard partons of this toy that is close to anti-kt, which it stands for (Cacciari, Salam, Soyez,
arXiv:0802.1189).
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from igbaselines.studies.hep.data.kinematics import (
    Scalar,
    azimuth,
    delta_phi,
    length,
    pseudorapidity,
    rapidity,
    transverse_momentum,
)
from igbaselines.studies.hep.data.synthetic.collision import BOTTOM, CHARM, EXTRA_JETS, GLUON, LIGHT

UNASSIGNED = -1
_GLUON_TO_BOTTOM, _GLUON_TO_CHARM = 0.015, 0.03  # gluon jets with a heavy pair inside, set by hand


@dataclass(frozen=True)
class Jets:
    """Jets of `n` events, hardest first, at most `j`; the places after an event's last jet are zero.

    Args:
        momenta: four-momenta [GeV].
        pt: transverse momenta [GeV], zero where there is no jet.
        member: for each parton the place of its jet, or `UNASSIGNED`.
        radius: that they were made with.
    """

    momenta: Float[np.ndarray, "4 n j"]
    pt: Float[np.ndarray, "n j"]
    member: Int8[np.ndarray, "n p"]
    radius: float

    def take(self, chosen: Bool[np.ndarray, " n"]) -> "Jets":
        """The chosen events."""
        return Jets(self.momenta[:, chosen], self.pt[chosen], self.member[chosen], self.radius)


def cluster(partons: Float[np.ndarray, "4 n p"], radius: float, min_pt: float, max_eta: float) -> Jets:
    """Merge partons into jets and keep those that are hard and central.

    Args:
        partons: padded with zeros.
        radius: in the plane of rapidity and azimuth.
        min_pt: jets need more transverse momentum than this [GeV].
        max_eta: jets need less absolute pseudorapidity than this.
    """
    pt = transverse_momentum(partons)
    present = pt > 0
    y, phi = np.zeros_like(pt), azimuth(partons)
    y[present] = rapidity(partons[:, present])
    member = np.full(pt.shape, UNASSIGNED, dtype=np.int8)
    left = np.where(present, pt, 0)
    sums: list[Float[np.ndarray, "4 n"]] = []
    while left.any():
        seed = left.argmax(axis=1)[:, None]
        distance = length(
            y - np.take_along_axis(y, seed, axis=1), delta_phi(phi, np.take_along_axis(phi, seed, axis=1))
        )
        taken = (distance < radius) & (left > 0)
        member[taken] = len(sums)
        sums.append(np.einsum("cnp,np->cn", partons, taken))
        left[taken] = 0
    return _sorted(np.stack(sums or [np.zeros(partons.shape[:2])], axis=2), member, radius, min_pt, max_eta)


def _sorted(
    momenta: Float[np.ndarray, "4 n j"],
    member: Int8[np.ndarray, "n p"],
    radius: float,
    min_pt: float,
    max_eta: float,
) -> Jets:
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
    return Jets(
        momenta,
        np.take_along_axis(pt, order, axis=1),
        np.where(member == UNASSIGNED, UNASSIGNED, inside).astype(np.int8),
        radius,
    )


@dataclass(frozen=True)
class TagEfficiency:
    """Probability that a jet is b-tagged, by the flavour inside."""

    bottom: float
    charm: float
    light: float

    def by_flavour(self) -> Float[np.ndarray, " f"]:
        """Probability for each flavour code, zero for absent partons."""
        efficiency = np.zeros(5)
        efficiency[[LIGHT, CHARM, BOTTOM]] = self.light, self.charm, self.bottom
        rest = 1 - _GLUON_TO_BOTTOM - _GLUON_TO_CHARM
        efficiency[GLUON] = _GLUON_TO_BOTTOM * self.bottom + _GLUON_TO_CHARM * self.charm + rest * self.light
        return efficiency

    def of_jets(self, jets: Jets, flavours: Int8[np.ndarray, "n p"]) -> Float[np.ndarray, "n j"]:
        """Probability for each jet: that of the heaviest flavour inside."""
        parton = self.by_flavour()[flavours]
        places = range(jets.pt.shape[1])
        return np.stack([np.where(jets.member == place, parton, 0).max(axis=1) for place in places], axis=1)

    def most(self, flavours: tuple[int, ...]) -> float:
        """Bound on the probability of a tag in an event of these quarks, were every parton a jet of its own.

        Every quark and every extra jet also brings the gluon that it branches into.
        """
        efficiency = self.by_flavour()
        gluons = len(flavours) + 2 * EXTRA_JETS
        return 1 - float(np.prod(1 - efficiency[list(flavours)]) * (1 - efficiency[GLUON]) ** gluons)


def any_tag(efficiency: Float[np.ndarray, "n j"]) -> Scalar:
    """Probability that at least one jet of an event is tagged."""
    return 1 - np.prod(1 - efficiency, axis=1)


def draw_tags(rng: np.random.Generator, efficiency: Float[np.ndarray, "n j"]) -> Bool[np.ndarray, "n j"]:
    """Tags given that there is at least one, in events where there can be one.

    The first tagged jet is drawn from its exact distribution; the jets after it are independent.
    """
    cumulative = 1 - np.cumprod(1 - efficiency, axis=1)  # probability of a tag up to here
    threshold = rng.random(len(efficiency)) * cumulative[:, -1]
    first: Int[np.ndarray, "n 1"] = (cumulative > threshold[:, None]).argmax(axis=1)[:, None]
    place = np.arange(efficiency.shape[1])
    later = (place > first) & (rng.random(efficiency.shape) < efficiency)
    return (place == first) | later
