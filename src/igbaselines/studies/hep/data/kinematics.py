"""Relativistic kinematics of arrays of particles.

A four-momentum array carries its components first, (E, px, py, pz) in GeV, and any batch shape after them: numpy then
works on contiguous memory. Formulae: Particle Data Group, Review of Particle Physics, "Kinematics".
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

import numpy as np
from jaxtyping import Float

FourMomentum = Float[np.ndarray, "4 ..."]
Scalar = Float[np.ndarray, "..."]  # shapes broadcast


def length(first: Scalar | float, second: Scalar | float) -> Scalar:
    """Length of a vector in the plane; numpy's hypot, safe from overflow, takes several times as long."""
    return np.sqrt(first * first + second * second)


def transverse_momentum(momentum: FourMomentum) -> Scalar:
    """Momentum across the beam [GeV]."""
    return length(momentum[1], momentum[2])


def mass(momentum: FourMomentum) -> Scalar:
    """Invariant mass [GeV]; rounding below zero is taken as zero."""
    energy, px, py, pz = momentum
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0))


def transverse_mass(momentum: FourMomentum) -> Scalar:
    """Energy where the particle has no momentum along the beam [GeV]: never below its pT."""
    return np.sqrt(np.maximum((momentum[0] - momentum[3]) * (momentum[0] + momentum[3]), 0))


def azimuth(momentum: FourMomentum) -> Scalar:
    """Angle around the beam, in (-pi, pi]."""
    return np.arctan2(momentum[2], momentum[1])


def pseudorapidity(momentum: FourMomentum) -> Scalar:
    """Pseudorapidity; the particle must not fly along the beam."""
    return np.arcsinh(momentum[3] / transverse_momentum(momentum))


def rapidity(momentum: FourMomentum) -> Scalar:
    """Rapidity, the angle that boosts along the beam only shift."""
    return np.arctanh(momentum[3] / momentum[0])


def delta_phi(first: Scalar, second: Scalar) -> Scalar:
    """Unsigned angle between two azimuths, in [0, pi]."""
    difference = np.abs(first - second)
    return np.minimum(difference, 2 * np.pi - difference)


def distance(eta: Scalar, other_eta: Scalar, phi: Scalar, other_phi: Scalar) -> Scalar:
    """Distance in the plane of pseudorapidity (or rapidity) and azimuth (arXiv:2412.13864, appendix)."""
    return length(eta - other_eta, delta_phi(phi, other_phi))


def from_cylindrical(pt: Scalar, rapidity: Scalar, phi: Scalar, mass: Scalar) -> FourMomentum:
    """Four-momentum of transverse momentum [GeV], rapidity, azimuth and mass [GeV]."""
    transverse, growth = length(pt, mass), np.exp(rapidity)
    energy, along = transverse * (growth + 1 / growth) / 2, transverse * (growth - 1 / growth) / 2
    return np.stack([energy, pt * np.cos(phi), pt * np.sin(phi), along])


def boost(momentum: FourMomentum, frame: FourMomentum) -> FourMomentum:
    """Momenta given in the rest frame of the massive `frame`, as seen where `frame` has its momentum."""
    frame_mass = mass(frame)
    energy = (frame * momentum).sum(axis=0) / frame_mass
    spatial = momentum[1:] + frame[1:] * ((momentum[0] + energy) / (frame[0] + frame_mass))
    return np.concatenate([energy[None], spatial])


def to_rest_frame(momentum: FourMomentum, frame: FourMomentum) -> FourMomentum:
    """Inverse of `boost`."""
    return boost(momentum, np.concatenate([frame[:1], -frame[1:]]))


def two_body_momentum(parent: Scalar, first: Scalar, second: Scalar) -> Scalar:
    """Momentum of either product of a decay in the parent's rest frame [GeV]; the arguments are masses."""
    product = (parent**2 - (first + second) ** 2) * (parent**2 - (first - second) ** 2)
    return np.sqrt(np.maximum(product, 0)) / (2 * parent)


def two_body_decay(
    parent: FourMomentum, first_mass: Scalar, second_mass: Scalar, cos_theta: Scalar, phi: Scalar
) -> tuple[FourMomentum, FourMomentum]:
    """Decay products of masses [GeV] that fit into the parent's; the two add up to the parent.

    The first product's angles in the parent's rest frame: `cos_theta` to the parent's flight in the lab, `phi` around
    it.
    """
    parent_mass = mass(parent)
    momentum = two_body_momentum(parent_mass, first_mass, second_mass)
    energy = np.sqrt(momentum**2 + first_mass**2)
    speed = np.sqrt(parent[1] ** 2 + parent[2] ** 2 + parent[3] ** 2)  # |p|; beta gamma = |p| / m
    along = (parent[0] * momentum * cos_theta + speed * energy) / parent_mass
    lab_energy = (parent[0] * energy + speed * momentum * cos_theta) / parent_mass
    across = momentum * np.sqrt(np.maximum(1 - cos_theta**2, 0))
    axis, side, up = _frame_along(parent[1:], speed)
    spatial = along * axis + (across * np.cos(phi)) * side + (across * np.sin(phi)) * up
    first = np.concatenate([lab_energy[None], spatial])
    return first, parent - first


def _frame_along(spatial: Scalar, magnitude: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Orthonormal axes (3, *batch), the first along `spatial`, or along the beam for a particle at rest."""
    at_rest = magnitude < 1e-100  # [GeV]; squares of less lose digits, and then vanish
    x, y, z = spatial / np.where(at_rest, 1, magnitude)
    z = np.where(at_rest, 1, z)
    across = length(x, y)
    on_beam = across < 1e-12  # any pair of axes across the beam does
    safe = np.where(on_beam, 1, across)
    cosine, sine = np.where(on_beam, 1, x / safe), np.where(on_beam, 0, y / safe)
    side = np.stack([-sine, cosine, np.zeros_like(z)])
    up = np.stack([-cosine * z, -sine * z, across])
    return np.stack([x, y, z]), side, up


def breit_wigner(uniform: Scalar, mass: float, width: float, low: float, high: float) -> Scalar:
    """Masses [GeV] of a resonance, non-relativistic and cut to a window, from uniform numbers in [0, 1)."""
    first, last = np.arctan(2 * (low - mass) / width), np.arctan(2 * (high - mass) / width)
    return mass + width / 2 * np.tan(first + (last - first) * uniform)


def falling(uniform: Scalar, low: Scalar | float, high: Scalar | float, power: float) -> Scalar:
    """Values in [low, high) of density x^-power, from uniform numbers in [0, 1); the power is not 1."""
    exponent = 1 - power
    start, end = low**exponent, high**exponent
    return (start + (end - start) * uniform) ** (1 / exponent)
