"""Kinematics against invariants and closed forms."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from igbaselines.studies.hep.data import kinematics

ANGLES = st.floats(-3.1, 3.1)
VELOCITIES = st.floats(-3, 3)


def particle(pt: float, y: float, phi: float, mass: float) -> np.ndarray:
    return kinematics.from_cylindrical(*(np.array([float(value)]) for value in (pt, y, phi, mass)))


def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    directions = (
        of(momentum) for of in (kinematics.pseudorapidity, kinematics.azimuth) for momentum in (first, second)
    )
    return kinematics.distance(*directions)


@given(st.floats(0.1, 3000), VELOCITIES, ANGLES, st.floats(0.1, 2000))
def test_cylindrical_coordinates_are_read_back(pt: float, y: float, phi: float, mass: float) -> None:
    momentum = particle(pt, y, phi, mass)
    assert kinematics.transverse_momentum(momentum) == pytest.approx(pt)
    assert kinematics.rapidity(momentum) == pytest.approx(y, abs=1e-9)
    assert kinematics.azimuth(momentum) == pytest.approx(phi, abs=1e-9)
    assert kinematics.mass(momentum) == pytest.approx(mass, rel=1e-4, abs=1e-4 * pt * np.cosh(y) / 100)
    assert kinematics.transverse_mass(momentum) == pytest.approx(np.hypot(pt, mass))


@given(st.floats(0, 2000), VELOCITIES, ANGLES, st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1), ANGLES)
@example(2.7e-160, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # its square is subnormal
@settings(max_examples=200)
def test_decay_conserves_four_momentum_and_masses(
    pt: float, y: float, phi: float, first: float, second: float, cos_theta: float, turn: float
) -> None:
    parent = particle(pt, y, phi, 300.0)
    masses = np.array([300 * first / 2.01]), np.array([300 * second / 2.01])
    one, two = kinematics.two_body_decay(parent, *masses, np.array([cos_theta]), np.array([turn]))
    energy = parent[0, 0]
    np.testing.assert_allclose(one + two, parent, atol=1e-12 * energy)
    for product, expected in zip((one, two), masses, strict=True):
        squared = product[0] ** 2 - (product[1:] ** 2).sum(axis=0)
        assert squared == pytest.approx(expected**2, abs=1e-11 * energy**2)
        assert product[0] >= 0


@given(st.floats(1, 1500), VELOCITIES, ANGLES, st.floats(-0.999, 0.999), ANGLES)
def test_decay_angle_is_that_of_the_rest_frame(pt: float, y: float, phi: float, cos_theta: float, turn: float) -> None:
    parent = particle(pt, y, phi, 300.0)
    mass = np.array([10.0])
    one, _ = kinematics.two_body_decay(parent, mass, mass, np.array([cos_theta]), np.array([turn]))
    rest = kinematics.to_rest_frame(one, parent)[1:, 0]
    flight = parent[1:, 0]
    axis = flight / np.linalg.norm(flight)
    assert rest @ axis / np.linalg.norm(rest) == pytest.approx(cos_theta, abs=1e-6)


@given(st.floats(0, 2000), VELOCITIES, ANGLES, st.floats(1, 2000), VELOCITIES, ANGLES)
def test_boost_keeps_scalar_products_and_is_undone(
    pt: float, y: float, phi: float, other_pt: float, other_y: float, other_phi: float
) -> None:
    frame, one, two = (
        particle(pt, y, phi, 200.0),
        particle(other_pt, other_y, other_phi, 5.0),
        particle(50, 1, 0, 1),
    )
    metric = np.array([1, -1, -1, -1])[:, None]
    moved = kinematics.boost(one, frame), kinematics.boost(two, frame)
    scale = moved[0][0] * moved[1][0] + one[0] * two[0]
    product, expected = (metric * moved[0] * moved[1]).sum(), (metric * one * two).sum()
    assert product == pytest.approx(expected, abs=1e-10 * float(scale[0]))
    back = kinematics.to_rest_frame(moved[0], frame)
    np.testing.assert_allclose(back, one, atol=1e-10 * float((moved[0][0] * frame[0])[0]))


def test_boosting_a_particle_at_rest_gives_the_frame() -> None:
    frame = particle(70, -1.2, 2, 90)
    rest = np.array([90.0, 0, 0, 0])[:, None]
    np.testing.assert_allclose(kinematics.boost(rest, frame), frame, rtol=1e-12)


@given(ANGLES, ANGLES)
def test_delta_phi_is_the_angle_between_unit_vectors(first: float, second: float) -> None:
    cosine = np.cos(first) * np.cos(second) + np.sin(first) * np.sin(second)
    found = kinematics.delta_phi(np.array([first]), np.array([second]))
    assert found[0] == pytest.approx(np.arccos(np.clip(cosine, -1, 1)), abs=1e-6)


@given(VELOCITIES, VELOCITIES, VELOCITIES)
def test_distance_of_massless_particles_does_not_change_with_a_boost_along_the_beam(
    y: float, other: float, shift: float
) -> None:
    before = distance(particle(10, y, 0, 0), particle(20, other, 1, 0))
    after = distance(particle(10, y + shift, 0, 0), particle(20, other + shift, 1, 0))
    assert after == pytest.approx(before, abs=1e-9)


def test_breit_wigner_is_a_truncated_cauchy_distribution(rng: np.random.Generator) -> None:
    masses = kinematics.breit_wigner(rng.random(20_000), 1500.0, 7.5, 1300.0, 1700.0)
    assert masses.min() >= 1300
    assert masses.max() <= 1700
    peak = stats.cauchy(1500, 7.5 / 2)
    below, above = peak.cdf(1300), peak.cdf(1700)
    assert stats.kstest(masses, lambda m: (peak.cdf(m) - below) / (above - below)).pvalue > 1e-4


@pytest.mark.parametrize("power", [2.0, 4.5])
def test_falling_has_the_density_of_a_power_law(power: float, rng: np.random.Generator) -> None:
    values = kinematics.falling(rng.random(20_000), 20.0, 300.0, power)
    # the cumulative distribution of x is uniform
    start, end = 20 ** (1 - power), 300 ** (1 - power)
    assert stats.kstest((values ** (1 - power) - start) / (end - start), "uniform").pvalue > 1e-4
