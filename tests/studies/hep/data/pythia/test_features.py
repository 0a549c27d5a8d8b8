"""Features of Pythia's events against slow loops, and N-subjettiness against jets made by hand."""
# ruff: noqa: E402 (without the extra these modules cannot be imported)

import numpy as np
import pytest

from tests.studies.hep.data.pythia.pythia_settings import BEAM, DETECTOR, LOOSE, NEEDED

for module in ("pythia8mc", "fastjet", "awkward"):
    pytest.importorskip(module, reason=NEEDED)

import awkward as ak

from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.data.kinematics import from_cylindrical
from igbaselines.studies.hep.data.pythia.collisions import PythiaCollisions
from igbaselines.studies.hep.data.pythia.detector import Seen, Tracks, see
from igbaselines.studies.hep.data.pythia.features import pythia_features, radial_shapes, subjettiness_ratios

RADIUS = DETECTOR.fat_jet_radius
Jet = list[tuple[float, float, float]]  # pT, eta, phi of massless particles


@pytest.fixture(scope="module")
def seen() -> Seen:
    stream = PythiaCollisions("signal", (0.0, np.inf), BEAM, DETECTOR, LOOSE, (0,))
    return see(np.random.default_rng(0), stream.batch(60), DETECTOR, LOOSE, 1.0)[0]


@pytest.fixture(scope="module")
def table(seen: Seen) -> dict[str, np.ndarray]:
    return dict(zip(FEATURE_NAMES, pythia_features(seen, RADIUS).T, strict=True))


def particles_of(*jets: Jet) -> tuple[Tracks, ak.Array]:
    pt, eta, phi = np.array([particle for jet in jets for particle in jet]).T
    event = np.repeat(np.arange(len(jets)), [len(jet) for jet in jets])
    inside = ak.unflatten(np.arange(len(pt)), [len(jet) for jet in jets])
    return Tracks.of(event, from_cylindrical(pt, eta, phi, np.zeros(len(pt)))), inside


def slow_objects(seen: Seen, event: int) -> dict[str, tuple[np.ndarray, list[int]]]:
    """Momentum and constituents of every hadronic object."""
    inside = seen.jets.constituents[event].to_list()
    bottom = next(place for place in range(len(inside)) if seen.tagged[event, place])
    places = {"j1": 0, "j2": 1, "j3": 2, "b": bottom}
    jets = {name: (seen.jets.momentum[:, event, place], inside[place]) for name, place in places.items()}
    return jets | {"J": (seen.fat_jets.momentum[:, event, 0], seen.fat_jets.constituents[event].to_list()[0])}


def direction(p: np.ndarray) -> tuple[float, float]:
    return float(np.arctanh(p[3] / np.linalg.norm(p[1:]))), float(np.arctan2(p[2], p[1]))


def distance(first: np.ndarray, second: np.ndarray) -> float:
    (eta, phi), (other_eta, other_phi) = direction(first), direction(second)
    turn = (phi - other_phi + np.pi) % (2 * np.pi) - np.pi
    return float(np.hypot(eta - other_eta, turn))


def mass(p: np.ndarray) -> float:
    return float(np.sqrt(max(p[0] ** 2 - p[1:] @ p[1:], 0)))


def test_features_equal_a_slow_computation(seen: Seen, table: dict[str, np.ndarray]) -> None:
    for event in range(len(seen.met)):
        objects = slow_objects(seen, event)
        momentum = {"l": seen.lepton[:, event]} | {name: p for name, (p, _) in objects.items()}
        jets = seen.jets.momentum[:, event]
        expected = {"HT": sum(np.hypot(*p[1:3]) for p in jets.T), "MET": seen.met[event]}
        expected |= {f"pT_{name}": np.hypot(*p[1:3]) for name, p in momentum.items()}
        expected |= {f"m_{name}": mass(p) for name, (p, _) in objects.items()}
        for first, second in (("l", "j1"), ("j2", "b"), ("b", "J"), ("l", "J")):
            expected[f"dR_{first}_{second}"] = distance(momentum[first], momentum[second])
            expected[f"m_{first}_{second}"] = mass(momentum[first] + momentum[second])
        expected["m_j1_j3_J"] = mass(momentum["j1"] + momentum["j3"] + momentum["J"])
        for name, (axis, inside) in objects.items():
            members = [seen.particles.momentum[:, member] for member in inside]
            np.testing.assert_allclose(sum(members), axis, rtol=1e-9, atol=1e-6)
            weight = np.array([np.hypot(*p[1:3]) for p in members])
            radius = np.array([distance(p, axis) for p in members])
            mean = np.average(radius, weights=weight)
            second, third, fourth = (np.average((radius - mean) ** n, weights=weight) for n in (2, 3, 4))
            expected |= {f"g_{name}": mean, f"Var_{name}": second}
            expected |= {f"Skew_{name}": third / second**1.5, f"Kurt_{name}": fourth / second**2}
        for name, value in expected.items():
            assert table[name][event] == pytest.approx(value, rel=1e-6, abs=1e-4), (event, name)


def test_features_are_finite_and_in_their_bounds(seen: Seen, table: dict[str, np.ndarray]) -> None:
    assert len(table) == 87
    assert all(column.shape == (len(seen.met),) and np.isfinite(column).all() for column in table.values())
    for name in ("tau21_b1", "tau32_b1", "tau21_b2", "tau32_b2"):
        assert ((table[name] > 0) & (table[name] <= 1)).all()
    assert np.mean(np.min([table[f"dR_{jet}_b"] for jet in ("j1", "j2", "j3")], axis=0) == 0) > 0.7


def test_features_of_no_events() -> None:
    stream = PythiaCollisions("tt1l", (300.0, np.inf), BEAM, DETECTOR, LOOSE, (0,))
    seen, _ = see(np.random.default_rng(0), stream.batch(1), DETECTOR, LOOSE, 1.0)
    none = np.zeros(len(seen.met), dtype=bool)
    nothing = Seen(
        seen.lepton[:, none],
        seen.met[none],
        seen.jets.take(none),
        seen.tagged[none],
        seen.fat_jets.take(none),
        seen.particles,
        seen.weight[none],
    )
    assert pythia_features(nothing, RADIUS).shape == (0, 87)


def test_shapes_of_one_and_of_two_particles() -> None:
    """Two equal particles lie as far from the axis: no width, hence the kurtosis of a symmetric two-point spread."""
    particles, inside = particles_of([(50.0, 0.3, 1.0)], [(50.0, 0.0, 0.1), (50.0, 0.0, -0.1)])
    axis = np.stack([particles.momentum[:, 0], particles.momentum[:, 1:].sum(axis=1)], axis=1)
    girth, variance, *_ = radial_shapes(particles, inside, axis).T
    np.testing.assert_allclose(girth, [0, 0.1], atol=1e-9)
    np.testing.assert_allclose(variance, [0, 0], atol=1e-12)
    assert np.isfinite(radial_shapes(particles, inside, axis)).all()


def test_subjettiness_of_two_and_of_three_particles() -> None:
    """Winner-take-all axes lie on particles, so tau is the softer ones' pT times their distance to the nearest."""
    two: Jet = [(100.0, 0.0, 0.0), (50.0, 0.0, 0.4)]
    # kt merges the nearest pair first, 60 and 20: the winner 60, of 80 together, loses to 100.
    three: Jet = [(100.0, 0.0, 0.0), (60.0, 0.5, 0.0), (20.0, 0.5, 0.3)]
    pair, triple = subjettiness_ratios(*particles_of(two, three), RADIUS)
    np.testing.assert_allclose(pair[[0, 2]], 0, atol=1e-9)
    for beta, ratio, last in ((1, triple[0], triple[1]), (2, triple[2], triple[3])):
        one_axis = 60 * 0.5**beta + 20 * (0.5**2 + 0.3**2) ** (beta / 2)
        assert ratio == pytest.approx(20 * 0.3**beta / one_axis, rel=1e-6)
        assert last == pytest.approx(0, abs=1e-9)


def test_prongs_show_in_the_ratios(rng: np.random.Generator) -> None:
    def prongs(*centres: tuple[float, float]) -> Jet:
        return [
            (float(rng.exponential(5)) + 0.1, eta + rng.normal(0, 0.02), phi + rng.normal(0, 0.02))
            for eta, phi in centres
            for _ in range(20)
        ]

    centres = (0.0, 0.0), (0.6, 0.0), (0.0, 0.6)
    one, two, three = subjettiness_ratios(*particles_of(*(prongs(*centres[:n]) for n in (1, 2, 3))), RADIUS)
    for beta in (0, 2):  # tau21, then tau32
        assert two[beta] < 0.3 < one[beta]
        assert three[beta + 1] < 0.3 < two[beta + 1]


def test_ratios_do_not_depend_on_the_neighbours() -> None:
    jets: list[Jet] = [[(100.0, 0.0, 3.1), (60.0, 0.5, -3.1), (20.0, 0.4, -2.9), (9.0, 0.1, 3.0)], [(5.0, 0.0, 0.0)]]
    together = subjettiness_ratios(*particles_of(jets[0], jets[1], jets[0]), RADIUS)
    alone = subjettiness_ratios(*particles_of(jets[0]), RADIUS)
    np.testing.assert_allclose(together[[0, 2]], np.repeat(alone, 2, axis=0))
    turned: Jet = [(pt, eta, phi - 3.1) for pt, eta, phi in jets[0]]
    turned = [(pt, eta, phi + 2 * np.pi if phi < -np.pi else phi) for pt, eta, phi in turned]
    np.testing.assert_allclose(subjettiness_ratios(*particles_of(turned), RADIUS), alone, rtol=1e-6)
