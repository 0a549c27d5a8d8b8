"""What is inside a jet: every parton radiates softly, and the jet's shapes follow from the pieces.

A parton is a hard core and a few soft emissions, each of which stands for a handful of particles. Emissions spread
evenly over the logarithm of their angle, and their momentum across the parton falls as kT^-2 (the primary Lund plane:
Dreyer, Salam, Soyez, arXiv:1807.04758). The core recoils, so that the parton's direction and transverse momentum stay
what they are. Girth and N-subjettiness: arXiv:2412.13864, appendix; Thaler, Van Tilburg, arXiv:1011.2268.
Constants were set by hand against Pythia's sample.
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from igbaselines.studies.hep.data.kinematics import length

EMISSIONS = 8  # of a parton, at most
_ANGLES = 0.003, 1.2  # of emissions from their parton
_LEAST_KT = 0.42  # GeV, of an emission across its parton
_GLUON_FACTOR = 1.8  # of its momentum for a gluon, which radiates more
_LARGEST_SHARE = 0.4  # of an emission beside the core: a harder one would be a parton of its own

_NO_VARIANCE = 1e-12  # of distances: what rounding leaves


@dataclass(frozen=True)
class Pieces:
    """What partons are made of, the core first. Single precision: there are a hundred in an event."""

    share: Float32[np.ndarray, "m c"]  # part of the parton's transverse momentum; adds up to one
    # from the parton, in pseudorapidity and azimuth; its mean, weighted with the share, is zero
    offset: Float32[np.ndarray, "2 m c"]


def radiate(rng: np.random.Generator, pt: Float[np.ndarray, " m"], is_gluon: Bool[np.ndarray, " m"]) -> Pieces:
    """Soft emissions of partons of that transverse momentum [GeV]."""
    first, second, third = rng.random((3, len(pt), EMISSIONS), dtype=np.float32)
    low, high = np.log(_ANGLES).astype(np.float32)
    angle = np.exp(low + (high - low) * first)
    least = (_LEAST_KT * np.where(is_gluon, _GLUON_FACTOR, 1.0) / pt).astype(np.float32)
    emitted = least[:, None] / ((1 - second) * angle)
    share = np.ones((len(pt), EMISSIONS + 1), dtype=np.float32)
    share[:, 1:] = np.where(emitted < _LARGEST_SHARE, emitted, 0)
    share /= share.sum(axis=1, keepdims=True)
    offset = np.zeros((2, *share.shape), dtype=np.float32)
    around = np.float32(2 * np.pi) * third
    offset[0, :, 1:], offset[1, :, 1:] = angle * np.cos(around), angle * np.sin(around)
    offset -= (share * offset).sum(axis=2, keepdims=True)
    return Pieces(share, offset)


def radial_shapes(
    jet: Int[np.ndarray, " e"], jets: int, pt: Float32[np.ndarray, "e c"], distance: Float32[np.ndarray, "e c"]
) -> Float[np.ndarray, "j 4"]:
    """Girth, variance, skewness and kurtosis of the pieces' distance from the jet's axis, weighted with pT.

    A row has pieces of the jet that `jet` names.
    """
    total = np.bincount(jet, pt.sum(axis=1), jets)
    weight = pt / total[jet].astype(np.float32)[:, None]
    weighted = weight * distance
    girth = np.bincount(jet, weighted.sum(axis=1), jets)
    offset = distance - girth[jet].astype(np.float32)[:, None]
    square = offset * offset
    weighted = weight * square
    second, third, fourth = (
        np.bincount(jet, values.sum(axis=1), jets) for values in (weighted, weighted * offset, weighted * square)
    )
    wide = second > _NO_VARIANCE  # of one piece: no width, and no shape beyond it
    spread = np.where(wide, second, 1.0)
    skewness, kurtosis = np.where(wide, third / spread**1.5, 0.0), np.where(wide, fourth / spread**2, 1.0)
    return np.stack([girth, second, skewness, kurtosis], axis=1)


def subjettiness(pt: Float32[np.ndarray, "n c"], place: Float32[np.ndarray, "2 n c"]) -> Float32[np.ndarray, "n 4"]:
    """N-subjettiness ratios tau21, tau32 for beta 1, then for beta 2, of pieces at (pseudorapidity, azimuth).

    The first axis is the hardest piece; each one after it the piece with the most momentum times distance from the
    axes so far. That is close to exclusive kt with winner-take-all recombination, which it stands for.
    """
    axis = pt.argmax(axis=1)[:, None]
    nearest = np.full_like(pt, np.inf)
    taus = []
    for _ in range(3):
        offset = place - np.take_along_axis(place, axis[None], axis=2)
        nearest = np.minimum(nearest, length(offset[0], offset[1]))
        weighted = pt * nearest
        taus.append([weighted.sum(axis=1), (weighted * nearest).sum(axis=1)])
        axis = weighted.argmax(axis=1)[:, None]
    tau = np.array(taus).transpose(2, 1, 0)  # events, beta, axes
    ratio = np.divide(tau[..., 1:], tau[..., :-1], out=np.ones_like(tau[..., 1:]), where=tau[..., :-1] > 0)
    return ratio.reshape(len(pt), 4)
