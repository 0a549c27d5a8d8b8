"""Soft radiation against its densities, shapes and N-subjettiness against slow loops and closed forms."""

import numpy as np
import pytest
from scipy import stats

from igbaselines.studies.hep.data.synthetic import substructure
from igbaselines.studies.hep.data.synthetic.substructure import EMISSIONS, Pieces, radial_shapes, radiate, subjettiness


def hard_parton(rng: np.random.Generator, count: int = 4000, pt: float = 1e6) -> Pieces:
    """So hard that hardly any emission is too hard for its parton."""
    return radiate(rng, np.full(count, pt), np.zeros(count, bool))


def test_radiation_keeps_momentum_and_direction(rng: np.random.Generator) -> None:
    pieces = radiate(rng, rng.uniform(1, 900, 500), rng.random(500) < 0.5)
    assert pieces.share.shape == (500, EMISSIONS + 1)
    assert (pieces.share >= 0).all()
    np.testing.assert_allclose(pieces.share.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose((pieces.share * pieces.offset).sum(axis=2), 0, atol=1e-6)


def test_emissions_follow_their_densities(rng: np.random.Generator) -> None:
    pieces = hard_parton(rng)
    emitted = pieces.share[:, 1:] > 0
    assert emitted.mean() > 0.99
    angle = np.hypot(*(pieces.offset[:, :, 1:] - pieces.offset[:, :, :1])).astype(float)
    kt = (1e6 * pieces.share[:, 1:] / pieces.share[:, :1] * angle).astype(float)
    low, high = substructure._ANGLES
    assert stats.kstest(angle[emitted], stats.loguniform(low, high).cdf).statistic < 0.01
    assert stats.kstest(kt[emitted], stats.pareto(1, scale=substructure._LEAST_KT).cdf).statistic < 0.01


def test_gluons_are_wider_and_hard_partons_narrower(rng: np.random.Generator) -> None:
    light, gluon = np.zeros(4000, bool), np.ones(4000, bool)
    spreads = []
    for pt, kind in ((800.0, light), (100.0, light), (100.0, gluon)):
        pieces = radiate(rng, np.full(4000, pt), kind)
        spreads.append(np.median((pieces.share * (pieces.offset**2).sum(axis=0)).sum(axis=1)))
    assert spreads == sorted(spreads)
    assert spreads[0] < 0.5 * spreads[2]


def test_shapes_equal_those_of_a_slow_loop(rng: np.random.Generator) -> None:
    jet = np.array([0, 2, 0, 1, 2, 2])
    pt = rng.exponential(10, (6, 5)).astype(np.float32)
    pt[:, 4] = 0  # an empty place does not count
    distance = rng.uniform(0.01, 0.4, (6, 5)).astype(np.float32)
    found = radial_shapes(jet, 3, pt, distance)
    for number in range(3):
        weight, values = pt[jet == number].ravel().astype(float), distance[jet == number].ravel().astype(float)
        girth = np.average(values, weights=weight)
        variance, third, fourth = (np.average((values - girth) ** power, weights=weight) for power in (2, 3, 4))
        expected = [girth, variance, third / variance**1.5, fourth / variance**2]
        np.testing.assert_allclose(found[number], expected, rtol=1e-3)


def test_a_single_piece_has_no_shape() -> None:
    found = radial_shapes(np.array([0]), 1, np.array([[5, 0]], np.float32), np.array([[0, 0.3]], np.float32))
    np.testing.assert_array_equal(found, [[0, 0, 0, 1]])


def ratios(places: list[tuple[float, float]], pt: list[float]) -> np.ndarray:
    found: np.ndarray = subjettiness(np.array([pt], np.float32), np.array(places, np.float32).T[:, None])[0]
    return found


def test_subjettiness_in_closed_form() -> None:
    # axes at 0, then at 0.8 (the most pT times distance), then at 0.5 on the other side
    found = ratios([(0, 0), (0.8, 0), (0, -0.5), (0, 0.1)], [50, 30, 20, 5])
    tau = np.array([[24 + 10 + 0.5, 19.2 + 5 + 0.05], [10.5, 5.05], [0.5, 0.05]])
    np.testing.assert_allclose(found, [tau[1, 0] / tau[0, 0], tau[2, 0] / tau[1, 0], *(tau[1:, 1] / tau[:2, 1])])


def test_subjettiness_of_fewer_prongs_than_axes() -> None:
    np.testing.assert_array_equal(ratios([(0, 0), (0, 0)], [50, 0]), 1)
    np.testing.assert_array_equal(ratios([(0, 0), (0.5, 0)], [50, 10]), [0, 1, 0, 1])


@pytest.mark.parametrize("prongs", [1, 2, 3])
def test_subjettiness_tells_the_number_of_prongs(prongs: int, rng: np.random.Generator) -> None:
    pieces = radiate(rng, np.full(prongs * 500, 300.0), np.zeros(prongs * 500, bool))
    centres = np.array([[0, 0], [0.8, 0], [0, 0.8]], np.float32)[:prongs]
    position = pieces.offset + np.tile(centres.T, (1, 500))[:, :, None]
    found = np.median(subjettiness(pieces.share.reshape(500, -1), position.reshape(2, 500, -1)), axis=0)
    assert (found[0] < 0.3) == (prongs == 2)
    assert (found[1] < 0.4) == (prongs == 3)
