"""Cone jets against slow loops, and how likely they are to be tagged."""

import numpy as np
import pytest

from igbaselines.studies.hep.data.kinematics import from_cylindrical, pseudorapidity, transverse_momentum
from igbaselines.studies.hep.data.reconstruction import BOTTOM, CHARM, LIGHT, Detector, any_tag
from igbaselines.studies.hep.data.synthetic.detector import Observed
from igbaselines.studies.hep.data.synthetic.jets import (
    UNASSIGNED,
    cluster,
    largest_tag_probability,
    tag_probability,
)


def some_partons(rng: np.random.Generator, events: int = 60, places: int = 9) -> np.ndarray:
    shape = (events, places)
    partons = from_cylindrical(
        rng.exponential(60, shape) + 1,
        rng.normal(0, 1.2, shape),
        rng.uniform(-3.14, 3.14, shape),
        np.full(shape, 1.0),
    )
    return np.asarray(partons * (rng.random(shape) < 0.8))


def slow_jets(partons: np.ndarray, radius: float, min_pt: float, max_eta: float) -> list[np.ndarray]:
    """The same algorithm for one event, parton by parton."""
    left = [p for p in partons.T if np.hypot(p[1], p[2]) > 0]
    jets = []
    while left:
        seed = max(left, key=lambda p: float(np.hypot(p[1], p[2])))
        near: list[np.ndarray] = []
        far: list[np.ndarray] = []
        for parton in left:
            dy = np.arctanh(parton[3] / parton[0]) - np.arctanh(seed[3] / seed[0])
            dphi = np.angle(np.exp(1j * (np.arctan2(parton[2], parton[1]) - np.arctan2(seed[2], seed[1]))))
            (near if np.hypot(dy, dphi) < radius else far).append(parton)
        jets.append(np.sum(near, axis=0))
        left = far
    pt = [float(np.hypot(jet[1], jet[2])) for jet in jets]
    kept = [(p, j) for p, j in zip(pt, jets, strict=True) if p > min_pt and abs(np.arcsinh(j[3] / p)) < max_eta]
    return [jet for _, jet in sorted(kept, key=lambda pair: -pair[0])]


@pytest.mark.parametrize("radius", [0.4, 1.2])
def test_jets_equal_a_slow_loop(radius: float, rng: np.random.Generator) -> None:
    partons = some_partons(rng)
    jets = cluster(partons, radius, 30.0, 2.5)
    for event in range(partons.shape[1]):
        expected = slow_jets(partons[:, event], radius, 30.0, 2.5)
        count = int((jets.pt[event] > 0).sum())
        assert count == len(expected)
        for place, jet in enumerate(expected):
            np.testing.assert_allclose(jets.momenta[:, event, place], jet, rtol=1e-10, atol=1e-9)
            inside = jets.member[event] == place
            np.testing.assert_allclose(partons[:, event, inside].sum(axis=1), jet, rtol=1e-10, atol=1e-9)
        outside = jets.member[event] == UNASSIGNED
        assert outside.sum() + sum((jets.member[event] == k).sum() for k in range(count)) == partons.shape[2]


def test_jets_are_ordered_hard_and_central(rng: np.random.Generator) -> None:
    jets = cluster(some_partons(rng), 0.4, 30.0, 2.5)
    assert (np.diff(jets.pt, axis=1) <= 0).all()
    present = jets.pt > 0
    assert (jets.pt[present] > 30).all()
    assert (np.abs(pseudorapidity(jets.momenta[:, present])) < 2.5).all()
    np.testing.assert_allclose(transverse_momentum(jets.momenta), jets.pt)


def test_an_event_without_partons_has_no_jet() -> None:
    jets = cluster(np.zeros((4, 2, 3)), 0.4, 30.0, 2.5)
    assert (jets.pt == 0).all()
    assert (jets.member == UNASSIGNED).all()


def test_ht_is_the_sum_of_the_jets(observed: Observed) -> None:
    for event in range(20):
        expected = 0.0
        for place in np.unique(observed.jets.member[event]):
            if place != UNASSIGNED:
                inside = observed.jets.member[event] == place
                total = observed.partons[:, event, inside].sum(axis=1)
                expected += float(np.hypot(total[1], total[2]))
        assert observed.ht[event] == pytest.approx(expected)


def test_a_jet_is_tagged_by_its_heaviest_flavour(detector: Detector) -> None:
    partons = from_cylindrical(
        np.array([[100.0, 50, 60, 40]]), np.zeros((1, 4)), np.array([[0, 0.1, 2, -2]]), np.zeros((1, 4))
    )
    jets = cluster(partons, 0.4, 30.0, 2.5)
    flavours = np.array([[LIGHT, BOTTOM, CHARM, LIGHT]], dtype=np.int8)
    found = tag_probability(jets, flavours, detector.tag_probability())
    np.testing.assert_allclose(found, [[0.75, 0.15, 0.01]])


def test_the_bound_on_tags_holds(observed: Observed, detector: Detector) -> None:
    flavours = (BOTTOM,) * 4 + (CHARM, LIGHT)
    of_flavour = detector.tag_probability()
    probability = any_tag(tag_probability(observed.jets, observed.flavours, of_flavour))
    assert probability.max() <= largest_tag_probability(flavours, of_flavour) <= 1
