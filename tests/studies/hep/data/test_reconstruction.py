"""What both generators share: bounds of selections and detectors, cuts on jets, and b-tags by exact probabilities."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.kinematics import from_cylindrical
from igbaselines.studies.hep.data.reconstruction import (
    ABSENT,
    CHARM,
    GLUON,
    LIGHT,
    Detector,
    EventSelection,
    any_tag,
    draw_tags,
    places_of_jets,
)


@pytest.fixture
def selection(settings: dict[str, Any]) -> EventSelection:
    return EventSelection(**settings["selection"])


def test_cuts_on_jets_are_strict_and_count_what_is_there(selection: EventSelection) -> None:
    pt = np.array([[500.0, 300, 101, 0], [500, 300, 100, 0], [901, 100, 0, 0]])
    assert selection.takes_jets(pt).tolist() == [True, False, False]


def test_the_missing_momentum_is_that_of_what_is_seen_and_its_noise(
    detector: Detector, rng: np.random.Generator
) -> None:
    seen = np.array([[30.0], [40.0]])
    assert replace(detector, soft_met=0.0).missing_momentum(rng, seen) == pytest.approx(50)
    noise = detector.missing_momentum(rng, np.zeros((2, 50_000)))
    assert np.sqrt((noise**2).mean()) == pytest.approx(detector.soft_met * np.sqrt(2), rel=0.02)


def test_coverage_is_in_pseudorapidity(detector: Detector) -> None:
    eta = np.array([-5.1, -4.9, 0, 4.9, 5.1])
    particles = from_cylindrical(np.full(5, 50.0), eta, np.zeros(5), np.zeros(5))
    assert detector.covers(particles).tolist() == [False, True, True, True, False]


def test_b_is_the_hardest_tagged_jet() -> None:
    tagged = np.array([[False, True, True], [False, False, True], [True, False, False]])
    assert places_of_jets(tagged).tolist() == [[0, 1, 2, 1], [0, 1, 2, 2], [0, 1, 2, 0]]


def test_gluons_are_tagged_more_often_than_light_quarks(detector: Detector) -> None:
    efficiency = detector.tag_probability()
    assert efficiency[LIGHT] < efficiency[GLUON] < efficiency[CHARM]
    assert efficiency[ABSENT] == 0


def test_tags_follow_the_distribution_conditional_on_one(rng: np.random.Generator) -> None:
    efficiency = np.array([0.3, 0.05, 0.6])
    count = 60_000
    tags = draw_tags(rng, np.tile(efficiency, (count, 1)))
    assert tags.any(axis=1).all()
    possible = 1 - np.prod(1 - efficiency)
    assert any_tag(efficiency[None])[0] == pytest.approx(possible)
    for pattern in product([False, True], repeat=3):
        exact = np.prod(np.where(pattern, efficiency, 1 - efficiency)) / possible if any(pattern) else 0
        found = (tags == pattern).all(axis=1).mean()
        assert found == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / count) + 1e-12)


def test_tags_skip_places_without_a_jet(rng: np.random.Generator) -> None:
    tags = draw_tags(rng, np.tile([0.01, 0.01, 0.0], (500, 1)))
    assert not tags[:, 2].any()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ht", -1.0, "selection.ht must not be negative, got -1"),
        ("met", float("nan"), "selection.met must not be negative, got nan"),
        ("jets", 2, "selection.jets must be at least 3"),
        ("b_tags", 0, "selection.b_tags must be at least 1"),
    ],
)
def test_impossible_selections(name: str, value: Any, message: str, selection: EventSelection) -> None:
    changes: dict[str, Any] = {name: value}
    with pytest.raises(UserError, match=message):
        replace(selection, **changes)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tag_light", 0.0, "detector.tag_light must lie between 0 and 1"),
        ("lepton_efficiency", 1.5, "detector.lepton_efficiency must lie between 0 and 1"),
        ("jet_radius", 0.0, "detector.jet_radius must be positive"),
        ("stochastic", -0.1, "detector.stochastic must not be negative"),
    ],
)
def test_impossible_detectors(name: str, value: float, message: str, detector: Detector) -> None:
    with pytest.raises(UserError, match=message):
        replace(detector, **{name: value})
