"""Jet shapes from prongs: what the constituents of a jet would look like, without making them.

Each parton in a jet is a prong: its share z of the transverse momentum, its distance D from the axis, and an
intrinsic width w. The constituents' momentum around a prong falls as exp(-r / w) in the plane, so that r has
mean 2 w and mean square 6 w^2. Seen from an axis at distance D the mean square is D^2 + 6 w^2 exactly; the
distribution is taken to be a gamma distribution of that mean square whose variance goes from 2 w^2 (D = 0) to
3 w^2 (D >> w). Moments of the jet are then those of a mixture, in closed form. Girth and N-subjettiness:
arXiv:2412.13864, appendix; Thaler, Van Tilburg, arXiv:1011.2268.
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from igbaselines.datasets.hep_kinematics import Scalar

_WIDTH = 0.025  # of a quark prong of 100 GeV, falling with the root of pT; set by hand
_WIDTH_SPREAD = 0.25  # lognormal
_GLUON_WIDTH = 1.5  # a gluon's, relative to a quark's
_LARGEST_WIDTH = 0.1
_CONSTITUENTS = 15.0  # of a jet of 100 GeV; set by hand, grows as pT^0.4
_TURN = 12.0  # (D / w)^2 where the variance is half-way; within 3 % of sampled constituents
FAR = 10.0  # farther than any two prongs of a jet
_EXTRA_AXIS = (
    0.72,
    0.1,
)  # every axis also takes up some of the soft radiation: factor on tau_N / tau_(N-1), spread


@dataclass(frozen=True)
class Prongs:
    """Prongs of jets: any batch shape, then `p` places; empty places have no share.

    Args:
        share: part of the jet's transverse momentum; adds up to one.
        distance: from the jet's axis.
        width: intrinsic width w.
    """

    share: Float[np.ndarray, "*batch p"]
    distance: Float[np.ndarray, "*batch p"]
    width: Float[np.ndarray, "*batch p"]


def widths(rng: np.random.Generator, pt: Scalar, is_gluon: Bool[np.ndarray, "*batch"]) -> Scalar:
    """Intrinsic widths of partons of that transverse momentum [GeV]."""
    spread = np.exp(_WIDTH_SPREAD * rng.standard_normal(pt.shape))
    width = _WIDTH * np.sqrt(100 / np.maximum(pt, 1)) * np.where(is_gluon, _GLUON_WIDTH, 1) * spread
    return np.minimum(width, _LARGEST_WIDTH)


def radial_moments(distance: Scalar, width: Scalar) -> tuple[Scalar, Scalar]:
    """Mean and variance of the constituents' distance from an axis at `distance` from their prong."""
    square, width_square = distance**2, width**2
    variance = width_square * (2 + square / (square + _TURN * width_square))
    return np.sqrt(square + 6 * width_square - variance), variance


def mixture_moments(prongs: Prongs) -> Float[np.ndarray, "*batch 4"]:
    """Mean, variance, skewness and kurtosis of the constituents' distance from the axis, weighted with pT."""
    mean, variance = radial_moments(prongs.distance, prongs.width)
    scale = variance / mean  # of the gamma distribution; its shape is mean / scale
    first = (prongs.share * mean).sum(axis=-1)
    offset = mean - first[..., None]
    square = offset * offset  # products: numpy's powers above two are slow
    # central moments of a gamma distribution, then moved to the mixture's mean
    third, fourth = 2 * variance * scale, 3 * variance * (variance + 2 * scale * scale)
    second = (prongs.share * (variance + square)).sum(axis=-1)
    cubic = (prongs.share * (third + (3 * variance + square) * offset)).sum(axis=-1)
    quartic = (prongs.share * (fourth + 4 * third * offset + (6 * variance + square) * square)).sum(axis=-1)
    return np.stack([first, second, cubic / (second * np.sqrt(second)), quartic / (second * second)], axis=-1)


def with_counting_noise(
    rng: np.random.Generator, moments: Float[np.ndarray, "*batch 4"], pt: Scalar
) -> Float[np.ndarray, "*batch 4"]:
    """Moments as a finite number of constituents would show them; kurtosis stays above skewness^2 + 1.

    Args:
        rng: source of randomness.
        moments: of `mixture_moments`.
        pt: the jets' transverse momentum [GeV].
    """
    noise = rng.standard_normal(moments.shape) / np.sqrt(_CONSTITUENTS * (pt / 100) ** 0.4)[..., None]
    girth, variance, skewness, kurtosis = np.moveaxis(moments, -1, 0)
    noisy = skewness + 1.5 * noise[..., 2]
    excess = (kurtosis - 1 - skewness**2) * np.exp(2 * noise[..., 3])
    return np.stack(
        [
            girth * np.exp(0.5 * noise[..., 0]),
            variance * np.exp(noise[..., 1]),
            noisy,
            1 + noisy**2 + excess,
        ],
        axis=-1,
    )


def subjettiness(
    rng: np.random.Generator,
    share: Float[np.ndarray, "n p"],
    separation: Float[np.ndarray, "n 3 p"],
    width: Float[np.ndarray, "n p"],
) -> Float[np.ndarray, "n 4"]:
    """N-subjettiness ratios tau21, tau32 for beta 1, then for beta 2; the axes are the N hardest prongs.

    Args:
        rng: source of randomness.
        share: the prongs' parts of the transverse momentum.
        separation: distances of the prongs from the three hardest, the hardest first; `FAR` from one that is
            not.
        width: the prongs' intrinsic widths.
    """
    nearest = np.minimum.accumulate(separation, axis=1)
    mean, variance = radial_moments(nearest, width[:, None, :])
    taus = [(share[:, None] * moment).sum(axis=2) for moment in (mean, mean**2 + variance)]
    factor, spread = _EXTRA_AXIS
    ratios = [tau[:, 1:] / tau[:, :-1] for tau in taus]
    soft = factor * np.exp(spread * rng.standard_normal(ratios[0].shape))
    return np.concatenate([np.minimum(ratio * soft**beta, 1) for beta, ratio in enumerate(ratios, 1)], axis=1)
