"""Every kinematic feature against a slow computation, event by event."""

from itertools import combinations

import numpy as np
import pytest

from igbaselines.studies.hep.data.features import FEATURE_NAMES, HADRONIC, OBJECTS
from igbaselines.studies.hep.data.kinematics import from_cylindrical, mass, pseudorapidity, transverse_momentum
from igbaselines.studies.hep.data.synthetic.detector import Observed
from igbaselines.studies.hep.data.synthetic.features import features, reconstructed, with_contents


@pytest.fixture(scope="module")
def table(observed: Observed) -> dict[str, np.ndarray]:
    values = features(np.random.default_rng(0), observed)
    return dict(zip(FEATURE_NAMES, values.T, strict=True))


def slow_partons(observed: Observed, event: int) -> dict[str, np.ndarray]:
    """The hadronic objects of an event as they are before their partons radiate."""
    members = observed.jets.member[event]
    jets = [
        observed.partons[:, event, members == place].sum(axis=1)
        for place in range(observed.jets.pt.shape[1])
        if (members == place).any()
    ]
    tagged = [jet for jet, tag in zip(jets, observed.tagged[event], strict=False) if tag]
    fat = observed.partons[:, event, observed.fat_jets.member[event] == 0].sum(axis=1)
    return dict(zip(HADRONIC, [*jets[:3], tagged[0], fat], strict=True))


def radiated(observed: Observed) -> np.ndarray:
    """The hadronic objects of `table`."""
    objects, inside = reconstructed(observed)
    return with_contents(np.random.default_rng(0), observed, objects[:, :, 1:], inside)[1]


def slow_mass(momentum: np.ndarray) -> float:
    return float(np.sqrt(max(momentum[0] ** 2 - np.sum(momentum[1:] ** 2), 0)))


def slow_distance(first: np.ndarray, second: np.ndarray) -> float:
    def eta(p: np.ndarray) -> float:
        return float(-np.log(np.tan(np.arccos(p[3] / np.linalg.norm(p[1:])) / 2)))

    angle = np.arctan2(first[2], first[1]) - np.arctan2(second[2], second[1])
    return float(np.hypot(eta(first) - eta(second), np.angle(np.exp(1j * angle))))


def test_there_are_87_names_in_the_order_of_the_notes() -> None:
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 87
    assert FEATURE_NAMES[:8] == ("HT", "MET", "pT_l", "pT_j1", "pT_j2", "pT_j3", "pT_b", "pT_J")
    assert FEATURE_NAMES[8:13] == ("tau21_b1", "tau32_b1", "tau21_b2", "tau32_b2", "dR_l_j1")
    assert FEATURE_NAMES[27:33] == ("m_j1", "m_j2", "m_j3", "m_b", "m_J", "m_l_j1")
    assert FEATURE_NAMES[47] == "m_l_j1_j2"
    assert FEATURE_NAMES[67:71] == ("g_j1", "Var_j1", "Skew_j1", "Kurt_j1")
    assert FEATURE_NAMES[-1] == "Kurt_J"


def test_kinematic_features_equal_a_slow_computation(observed: Observed, table: dict[str, np.ndarray]) -> None:
    hadronic = radiated(observed)
    for event in range(0, len(observed.met), 25):
        objects = dict(zip(OBJECTS, [observed.lepton[:, event], *hadronic[:, event].T], strict=True))
        expected = {f"pT_{name}": float(np.hypot(p[1], p[2])) for name, p in objects.items()}
        expected |= {f"m_{name}": slow_mass(p) for name, p in objects.items() if name != "l"}
        for first, second in combinations(OBJECTS, 2):
            expected[f"dR_{first}_{second}"] = slow_distance(objects[first], objects[second])
            expected[f"m_{first}_{second}"] = slow_mass(objects[first] + objects[second])
        for names in combinations(OBJECTS, 3):
            expected["m_" + "_".join(names)] = slow_mass(sum((objects[n] for n in names), np.zeros(4)))
        assert len(expected) == 6 + 5 + 15 + 15 + 20
        for name, value in expected.items():
            assert table[name][event] == pytest.approx(value, rel=1e-6, abs=1e-5), name


def test_radiation_keeps_pt_and_adds_mass(observed: Observed) -> None:
    hadronic = radiated(observed)
    for event in range(0, len(observed.met), 25):
        for place, (name, before) in enumerate(slow_partons(observed, event).items()):
            after = hadronic[:, event, place]
            assert np.hypot(*after[1:3]) == pytest.approx(np.hypot(*before[1:3]), rel=1e-9), name
            assert slow_mass(after) > slow_mass(before), name
            assert slow_distance(after, before) < 0.25, name


def test_objects_are_the_sums_of_what_is_inside(observed: Observed) -> None:
    """Massless pieces, added up as four-momenta, up to what flies out of a jet, which keeps its pT."""
    objects, inside = reconstructed(observed)
    contents, hadronic = with_contents(np.random.default_rng(0), observed, objects[:, :, 1:], inside)
    flat = hadronic.reshape(4, -1)
    eta = contents.position[0] + pseudorapidity(flat)[contents.jet][:, None]
    phi = contents.position[1] + np.arctan2(flat[2], flat[1])[contents.jet][:, None]
    pieces = from_cylindrical(contents.pt, eta, phi, np.zeros_like(contents.pt))
    total = np.stack([np.bincount(contents.jet, of.sum(axis=1), flat.shape[1]) for of in pieces])
    kept = (transverse_momentum(total) / transverse_momentum(flat)).reshape(-1, len(HADRONIC))
    assert ((np.median(kept, axis=0) > 0.94) & (np.median(kept, axis=0) < 1)).all()
    relative = [mass(of) / transverse_momentum(of) for of in (total, flat)]
    ratio = (relative[0] / relative[1]).reshape(-1, len(HADRONIC))
    np.testing.assert_allclose(np.median(ratio, axis=0), 1, atol=0.05)


def test_ht_and_met_are_those_observed(observed: Observed, table: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(table["HT"], observed.ht)
    np.testing.assert_array_equal(table["MET"], observed.met)


def test_b_is_the_hardest_tagged_jet(observed: Observed) -> None:
    objects, inside = reconstructed(observed)
    for event in range(0, len(observed.met), 25):
        hardest = observed.jets.pt[event][observed.tagged[event]].max()
        assert np.hypot(*objects[1:3, event, 4]) == pytest.approx(hardest)
        total = observed.partons[:, event, inside[event, 3]].sum(axis=1)
        np.testing.assert_allclose(total, objects[:, event, 4], rtol=1e-9, atol=1e-7)


def test_where_b_is_a_leading_jet_both_have_the_same_kinematics(table: dict[str, np.ndarray]) -> None:
    same = table["dR_j1_b"] == 0
    assert 0.1 < same.mean() < 1
    np.testing.assert_allclose(table["m_j1_b"][same], 2 * table["m_j1"][same], rtol=1e-5, atol=1e-3)


def test_shapes_are_within_their_bounds(table: dict[str, np.ndarray]) -> None:
    for name in ("j1", "j2", "j3", "b", "J"):
        radius = 1.2 if name == "J" else 0.4
        assert table[f"g_{name}"].min() >= 0
        assert np.median(table[f"g_{name}"]) < radius
        assert (table[f"Var_{name}"] > 0).mean() > 0.99  # a jet may be a single piece
        assert (table[f"Kurt_{name}"] > (1 + table[f"Skew_{name}"] ** 2) * (1 - 1e-3)).all()
    for name in FEATURE_NAMES[8:12]:
        assert ((table[name] >= 0) & (table[name] <= 1)).all()
    assert table["g_J"].mean() > table["g_j1"].mean()
