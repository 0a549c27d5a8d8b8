"""Closed forms of jet shapes against sampled constituents."""

import numpy as np
import pytest
from scipy import stats

from igbaselines.datasets.hep_substructure import (
    FAR,
    Prongs,
    mixture_moments,
    radial_moments,
    subjettiness,
    widths,
    with_counting_noise,
)


def test_radial_moments_at_the_axis_are_those_of_an_exponential_profile(rng: np.random.Generator) -> None:
    # in the plane a density exp(-r / w) means r exp(-r / w) in r: a gamma distribution of shape 2
    mean, variance = radial_moments(np.array([0.0]), np.array([0.03]))
    expected = stats.gamma(2, scale=0.03)
    assert mean[0] == pytest.approx(expected.mean())
    assert variance[0] == pytest.approx(expected.var())


@pytest.mark.parametrize("distance", [0.01, 0.05, 0.3])
def test_radial_moments_are_near_those_of_sampled_constituents(distance: float, rng: np.random.Generator) -> None:
    r, phi = rng.gamma(2, 0.03, 400_000), rng.uniform(0, 2 * np.pi, 400_000)
    seen = np.hypot(distance + r * np.cos(phi), r * np.sin(phi))
    mean, variance = radial_moments(np.array([distance]), np.array([0.03]))
    assert mean[0] ** 2 + variance[0] == pytest.approx((seen**2).mean(), rel=0.01)  # exact by construction
    assert mean[0] == pytest.approx(seen.mean(), rel=0.02)
    assert variance[0] == pytest.approx(seen.var(), rel=0.05)


def test_mixture_moments_equal_those_of_a_sample(rng: np.random.Generator) -> None:
    share, distance, width = (
        np.array([0.5, 0.3, 0.2]),
        np.array([0.05, 0.2, 0.3]),
        np.array([0.02, 0.03, 0.01]),
    )
    mean, variance = radial_moments(distance, width)
    which = rng.choice(3, 2_000_000, p=share)
    sample = rng.gamma((mean**2 / variance)[which], (variance / mean)[which])
    expected = [sample.mean(), sample.var(), stats.skew(sample), stats.kurtosis(sample, fisher=False)]
    np.testing.assert_allclose(mixture_moments(Prongs(share, distance, width)), expected, rtol=0.02)


def test_empty_places_do_not_count() -> None:
    full = Prongs(np.array([0.6, 0.4]), np.array([0.1, 0.2]), np.array([0.02, 0.02]))
    padded = Prongs(np.array([0.6, 0.4, 0]), np.array([0.1, 0.2, 0.0]), np.array([0.02, 0.02, 0.1]))
    np.testing.assert_allclose(mixture_moments(full), mixture_moments(padded))


def test_counting_noise_fades_with_pt_and_keeps_kurtosis_possible(rng: np.random.Generator) -> None:
    moments = np.tile([0.1, 0.003, 0.8, 3.0], (20_000, 1))
    spread = []
    for pt in (100.0, 1600.0):
        noisy = with_counting_noise(rng, moments, np.full(20_000, pt))
        assert (noisy[:, 3] > 1 + noisy[:, 2] ** 2).all()
        spread.append(noisy[:, 2].std())
    assert spread[1] / spread[0] == pytest.approx(16**-0.2, rel=0.05)


def test_gluons_are_wider_and_hard_partons_narrower(rng: np.random.Generator) -> None:
    pt = np.full(5000, 200.0)
    quark, gluon = widths(rng, pt, np.zeros(5000, bool)), widths(rng, pt, np.ones(5000, bool))
    hard = widths(rng, 4 * pt, np.zeros(5000, bool))
    assert np.median(gluon) / np.median(quark) == pytest.approx(1.5, rel=0.03)
    assert np.median(hard) / np.median(quark) == pytest.approx(0.5, rel=0.03)


def ratios(positions: list[tuple[float, float]], share: list[float], seed: int = 0) -> np.ndarray:
    """Mean N-subjettiness ratios of many copies of one jet."""
    copies, points = 2000, np.array(positions)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    order = np.argsort(-np.array(share))[:3]
    rows = np.full((3, len(points)), FAR)
    rows[: len(order)] = distance[order]
    width = np.full((copies, len(points)), 0.02)
    tile = (copies, 1, 1)
    rng = np.random.default_rng(seed)
    return np.asarray(subjettiness(rng, np.tile(share, (copies, 1)), np.tile(rows, tile), width).mean(axis=0))


def test_subjettiness_tells_the_number_of_prongs() -> None:
    one = ratios([(0, 0)], [1.0])
    two = ratios([(0, 0), (0.8, 0)], [0.6, 0.4])
    three = ratios([(0, 0), (0.8, 0), (0, 0.8)], [0.4, 0.35, 0.25])
    assert two[0] < 0.3 * one[0]
    assert two[2] < 0.1 * one[2]
    assert three[1] < 0.3 * two[1]
    assert three[3] < 0.1 * two[3]
    assert three[0] > 2 * two[0]


def test_two_prongs_in_closed_form() -> None:
    # tau_1 = 0.4 D + soft, tau_2 = soft for D much larger than the width: beta 1 with means 2 w and about D
    mean, variance = radial_moments(np.array([0.8]), np.array([0.02]))
    soft = 0.04
    expected = soft / (0.6 * soft + 0.4 * mean[0])
    expected_squared = 6 * 0.02**2 / (0.6 * 6 * 0.02**2 + 0.4 * (mean[0] ** 2 + variance[0]))
    found = ratios([(0, 0), (0.8, 0)], [0.6, 0.4])
    axis = ratios([(0, 0)], [1.0])  # what one more axis takes up by itself
    assert found[0] == pytest.approx(expected * axis[0], rel=1e-2)
    assert found[2] == pytest.approx(expected_squared * axis[2], rel=1e-2)
