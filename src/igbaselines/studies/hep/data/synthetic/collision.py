"""A toy proton-proton collision: two bodies with a falling spectrum, and the jets that are radiated.

No event generator: the hard 2 -> 2 collision follows a power law and a toy parton luminosity, and radiation
is one branching of each quark (`split`) and a few jets off the incoming partons (`extra_jets`). Four-momenta
are conserved. Constants without a source were set by hand so that the distributions come near Pythia's.
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int8

from igbaselines.studies.hep.data.kinematics import (
    Scalar,
    boost,
    breit_wigner,
    falling,
    from_cylindrical,
    length,
    mass,
    to_rest_frame,
    two_body_decay,
)
from igbaselines.studies.hep.data.reconstruction import ABSENT, GLUON

BEAM_ENERGY = 14_000.0  # GeV, both protons together
EXTRA_JETS = 4  # at most so many jets off the incoming partons; Poisson of mean 2
_EXTRA_JETS_CUMULATIVE = np.exp(-2.0) * np.array([1, 3, 5, 19 / 3])
_LUMINOSITY_POWER = 4  # partons of momentum fraction x are found with (1 - x)^4
_EXTRA_JETS_PT, _EXTRA_JETS_POWER = 25.0, 1.8  # GeV, the softest; their density falls as pT^-1.8
_EXTRA_JETS_SPREAD = 1.2  # of their rapidity
_MASS_TO_ENERGY, _MASS_SPREAD = 0.08, 0.8  # virtuality of a quark: lognormal; typical of QCD jets
_LARGEST_VIRTUALITY = 0.5  # of a jet from the collision, relative to its pT
_SPLIT_RANGE = 0.05, 0.95  # momentum fractions of the gluon in a branching
_GLUON_FACTOR = 1.5  # sqrt(C_A / C_F): a gluon radiates more

Generator = np.random.Generator
Particles = Float[np.ndarray, "4 n"]
Pair = tuple[Particles, Particles]


@runtime_checkable
class Body(Protocol):
    """What leaves the hard collision."""

    @property
    def low(self) -> float:
        """Least mass [GeV]."""
        ...

    def masses(self, rng: Generator, pt: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Masses [GeV] of bodies of that transverse momentum [GeV]."""
        ...


@dataclass(frozen=True)
class Resonance:
    """A Breit-Wigner peak cut to a window; all in GeV."""

    mass: float
    width: float
    low: float
    high: float

    def draw(self, rng: Generator, count: int) -> Float[np.ndarray, " n"]:
        """Masses [GeV] of `count` particles."""
        return breit_wigner(rng.random(count), self.mass, self.width, self.low, self.high)

    def masses(self, rng: Generator, pt: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Masses [GeV], whatever the transverse momentum."""
        return self.draw(rng, len(pt))


@dataclass(frozen=True)
class Jet:
    """A quark or gluon straight from the collision."""

    low: float = 0.0

    def masses(self, rng: Generator, pt: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Virtualities [GeV] in proportion to the transverse momentum."""
        return virtuality(rng, pt, _LARGEST_VIRTUALITY * pt)


@dataclass(frozen=True)
class FinalState:
    """What the decays leave of `n` events: `q` quarks or gluons, `l` charged leptons, the neutrinos' sum."""

    quarks: Float[np.ndarray, "4 n q"]
    flavours: Int8[np.ndarray, "n q"]
    leptons: Float[np.ndarray, "4 n l"]
    neutrinos: Float[np.ndarray, "4 n"]

    def take(self, chosen: Bool[np.ndarray, " n"]) -> "FinalState":
        """The chosen events."""
        return FinalState(
            self.quarks[:, chosen], self.flavours[chosen], self.leptons[:, chosen], self.neutrinos[:, chosen]
        )


@dataclass(frozen=True)
class Spectrum:
    """A fall of the cross-section as (pT^2 + scale^2)^-power per pT^2."""

    power: float
    scale: float  # the mass [GeV] at which the fall begins, about that of the heavier body


@dataclass(frozen=True)
class ProposedCollisions:
    """Sizes across the beam of `n` proposed collisions; angles are drawn for those that can be selected."""

    pt: Float[np.ndarray, " n"]  # transverse momentum of either body [GeV]
    masses: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]  # of the two bodies [GeV]
    extra_pt: Float[np.ndarray, "x n"]  # transverse momenta of jets off the incoming partons [GeV], zero where absent

    def take(self, chosen: Bool[np.ndarray, " n"]) -> "ProposedCollisions":
        """The chosen collisions."""
        places = np.flatnonzero(chosen)  # a few of many: faster than the mask
        first, second = self.masses
        return ProposedCollisions(self.pt[places], (first[places], second[places]), self.extra_pt[:, places])

    def transverse_masses(self) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Of the two bodies [GeV]."""
        first, second = self.masses
        return length(self.pt, first), length(self.pt, second)

    def reach(self, visible: tuple[float, float]) -> Float[np.ndarray, " n"]:
        """Bound on the scalar sum of all decay products' transverse momenta [GeV].

        A body's products never have more together than its transverse mass, of which `visible` is the largest
        part that can end up in jets; the boost that balances extra jets of sum k multiplies that by at most
        sqrt(1 + k^2 / M^2) and adds at most k to both bodies together.
        """
        bodies = self.transverse_masses()
        total, extra = bodies[0] + bodies[1], self.extra_pt.sum(axis=0)
        seen = visible[0] * bodies[0] + visible[1] * bodies[1]
        return seen * length(1.0, extra / total) + (1 + np.sqrt(1 + _LARGEST_VIRTUALITY**2)) * extra


def propose(
    rng: Generator, bodies: tuple[Body, Body], spectrum: Spectrum, collisions: int, pt_hat_min: float
) -> ProposedCollisions:
    """Draw the sizes of collisions; the extra jets are softer than the bodies."""
    low, high = pt_hat_min**2 + spectrum.scale**2, BEAM_ENERGY**2 / 4
    squared = falling(rng.random(collisions), low, high, spectrum.power)
    pt = np.sqrt(squared - spectrum.scale**2)
    first, second = (body.masses(rng, pt) for body in bodies)
    present = rng.random(collisions) > _EXTRA_JETS_CUMULATIVE[:, None]
    hardest = np.maximum(np.sqrt(squared), 2 * _EXTRA_JETS_PT)
    extra = falling(rng.random(present.shape), _EXTRA_JETS_PT, hardest, _EXTRA_JETS_POWER) * present
    return ProposedCollisions(pt, (first, second), extra)


def collide(
    rng: Generator, collisions: ProposedCollisions, least_mass: float
) -> tuple[Float[np.ndarray, "4 m"], Float[np.ndarray, "4 m"], Float[np.ndarray, "4 x m"]]:
    """Angles of collisions that the toy parton luminosity accepts; two bodies have at least `least_mass` [GeV].

    Returns:
        The two bodies, recoiling against the extra jets, and these; absent ones are zero.
    """
    transverse = collisions.transverse_masses()
    count = len(collisions.pt)
    separation = np.arctanh(rng.uniform(-1, 1, count))  # density 1 / cosh^2
    root = (transverse[0] + transverse[1]) * np.cosh(separation) / BEAM_ENERGY  # about sqrt(x1 x2)
    common = rng.uniform(-1, 1, count) * -np.log(np.minimum(root, 1))
    forward = transverse[0] * np.exp(separation) + transverse[1] * np.exp(-separation)
    backward = transverse[0] * np.exp(-separation) + transverse[1] * np.exp(separation)
    x_forward, x_backward = (forward * np.exp(common), backward * np.exp(-common))
    rest = np.maximum(1 - x_forward / BEAM_ENERGY, 0) * np.maximum(1 - x_backward / BEAM_ENERGY, 0)
    # (1 - x1) (1 - x2) <= (1 - sqrt(x1 x2))^2, which is largest for the lightest collision
    accepted = rng.random(count) < (rest / (1 - least_mass / BEAM_ENERGY) ** 2) ** _LUMINOSITY_POWER
    collisions, common, separation = collisions.take(accepted), common[accepted], separation[accepted]
    phi = rng.uniform(-np.pi, np.pi, len(common))
    first = from_cylindrical(collisions.pt, common + separation, phi, collisions.masses[0])
    second = from_cylindrical(collisions.pt, common - separation, phi + np.pi, collisions.masses[1])
    extra = _extra_jets(rng, collisions.extra_pt)
    first, second = recoil(first, second, extra.sum(axis=1))
    total = first + second + extra.sum(axis=1)
    possible = total[0] + np.abs(total[3]) < BEAM_ENERGY  # neither proton gives more than it has
    return first[:, possible], second[:, possible], extra[:, :, possible]


def _extra_jets(rng: Generator, sizes: Float[np.ndarray, "x n"]) -> Float[np.ndarray, "4 x n"]:
    present = sizes > 0
    jets = np.zeros((4, *sizes.shape))
    pt = sizes[present]
    y, phi = _EXTRA_JETS_SPREAD * rng.standard_normal(pt.shape), rng.uniform(-np.pi, np.pi, pt.shape)
    masses = virtuality(rng, _GLUON_FACTOR * pt, _LARGEST_VIRTUALITY * pt)
    jets[:, present] = from_cylindrical(pt, y, phi, masses)
    return jets


def recoil(first: Particles, second: Particles, extra: Particles) -> Pair:
    """The two bodies boosted across the beam, so that they balance the extra jets' sum."""
    system = first + second
    energy = np.sqrt(system[0] ** 2 + extra[1] ** 2 + extra[2] ** 2)
    moved = np.stack([energy, -extra[1], -extra[2], system[3]])
    return boost(to_rest_frame(first, system), moved), boost(to_rest_frame(second, system), moved)


def virtuality(rng: Generator, energy: Scalar, largest: Scalar) -> Scalar:
    """Masses [GeV] of quarks yet to radiate, in proportion to their energy [GeV], never above `largest`."""
    spread = np.exp(_MASS_SPREAD * rng.standard_normal(energy.shape))
    return np.minimum(_MASS_TO_ENERGY * energy * spread, largest)


def split(
    rng: Generator, quarks: Float[np.ndarray, "4 n q"], flavours: Int8[np.ndarray, "n q"]
) -> tuple[Float[np.ndarray, "4 n p"], Int8[np.ndarray, "n p"]]:
    """Branch every quark (or gluon) into itself and a gluon of momentum fraction z, drawn from 1 / z.

    Returns:
        The partons, first all that branched, then their gluons in the same order; absent ones stay zero.
    """
    present = flavours != ABSENT
    parent = quarks[:, present]
    own = 0.1 * mass(parent)  # stands for the branchings that follow
    low, high = _SPLIT_RANGE
    fraction = low * (high / low) ** rng.random(parent.shape[1])
    phi = rng.uniform(-np.pi, np.pi, (parent.shape[1],))
    partons = np.zeros((2, *quarks.shape))
    partons[:, :, present] = two_body_decay(parent, own, own, 1 - 2 * fraction, phi)
    gluons = np.where(present, GLUON, ABSENT).astype(np.int8)
    return np.concatenate([partons[0], partons[1]], axis=2), np.concatenate([flavours, gluons], axis=1)
