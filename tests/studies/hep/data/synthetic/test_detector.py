"""What the detector finds, loses and smears."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from igbaselines.studies.hep.data.kinematics import from_cylindrical, transverse_momentum
from igbaselines.studies.hep.data.reconstruction import BOTTOM, LIGHT, EventSelection
from igbaselines.studies.hep.data.synthetic.collision import FinalState
from igbaselines.studies.hep.data.synthetic.dataset import HepSynthetic
from igbaselines.studies.hep.data.synthetic.detector import (
    Observed,
    found_leptons,
    least_parton_ht,
    observe,
    smear,
)
from igbaselines.studies.hep.data.synthetic.jets import largest_tag_probability
from igbaselines.studies.hep.data.synthetic.processes import CHAINS, generate


@pytest.fixture
def dataset(make_dataset: Callable[..., HepSynthetic]) -> HepSynthetic:
    return make_dataset()


def one_lepton(pt: float, eta: float, quark_eta: float, quark_pt: float = 200.0, count: int = 2000) -> FinalState:
    """Massless lepton and quark at the same azimuth, many times."""
    ones = np.ones((count, 1))
    none = np.zeros((count, 1))
    return FinalState(
        from_cylindrical(quark_pt * ones, quark_eta * ones, none, none),
        np.full((count, 1), LIGHT, dtype=np.int8),
        from_cylindrical(pt * ones, eta * ones, none, none),
        np.zeros((4, count)),
    )


def test_leptons_are_found_with_the_efficiency(dataset: HepSynthetic, rng: np.random.Generator) -> None:
    found = found_leptons(rng, one_lepton(50, 0, 1.0), dataset.detector)
    assert found.mean() == pytest.approx(0.92, abs=0.03)


@pytest.mark.parametrize(
    ("eta", "quark_eta", "quark_pt", "seen"),
    [(2.6, 0.0, 200.0, False), (0.0, 0.19, 200.0, False), (0.0, 0.21, 200.0, True), (0.0, 0.1, 5.0, True)],
)
def test_leptons_need_acceptance_and_isolation(
    eta: float, quark_eta: float, quark_pt: float, seen: bool, dataset: HepSynthetic, rng: np.random.Generator
) -> None:
    found = found_leptons(rng, one_lepton(50, eta, quark_eta, quark_pt), dataset.detector)
    assert found.any() == seen


def test_smearing_has_the_resolution_and_keeps_directions(dataset: HepSynthetic, rng: np.random.Generator) -> None:
    energy = 100.0
    partons = np.tile(np.array([energy, energy, 0, 0])[:, None, None], (1, 50_000, 1))
    scale = smear(rng, partons, dataset.detector)[0, :, 0] / energy
    assert scale.mean() == pytest.approx(1, abs=0.003)
    assert scale.std() == pytest.approx(np.hypot(0.8 / np.sqrt(energy), 0.05), rel=0.03)
    assert (smear(rng, partons, dataset.detector)[2:] == 0).all()


def test_nothing_is_seen_beyond_the_coverage(dataset: HepSynthetic, rng: np.random.Generator) -> None:
    eta = np.array([[4.9, 5.1]])
    partons = from_cylindrical(np.full((1, 2), 50.0), eta, np.zeros((1, 2)), np.zeros((1, 2)))
    seen = transverse_momentum(smear(rng, partons, dataset.detector))
    assert seen[0, 0] > 0
    assert seen[0, 1] == 0


def test_missing_momentum_without_noise_is_that_of_the_neutrinos(
    dataset: HepSynthetic, rng: np.random.Generator
) -> None:
    perfect = replace(dataset.detector, stochastic=0.0, constant=0.0, soft_met=0.0, coverage=50.0)
    chain = replace(CHAINS["signal"], batch=3000)
    state = generate(rng, chain, 0.0, 0.0)
    loose = EventSelection(ht=0.0, lepton_pt=0.0, fat_jet_pt=0.0, met=0.0, jets=3, b_tags=1)
    seen = observe(rng, state, perfect, loose, 1.0)
    neutrinos = transverse_momentum(state.neutrinos)
    for event in range(0, len(seen.met), 20):  # each must be some event's neutrinos
        same = np.isclose(state.leptons[0, :, 0], seen.lepton[0, event], rtol=1e-12)
        assert same.sum() == 1
        assert seen.met[event] == pytest.approx(neutrinos[same][0], abs=1e-6)


def test_observed_events_pass_and_tighter_cuts_reject(observed: Observed, dataset: HepSynthetic) -> None:
    assert len(observed.met) > 100
    assert observed.passes(dataset.selection).all()
    for name, value in asdict(dataset.selection).items():
        changes: dict[str, Any] = {name: value + 2 if name in ("jets", "b_tags") else 1.5 * value}
        tighter = replace(dataset.selection, **changes)
        kept = observed.passes(tighter)
        assert 0 < kept.sum() < len(kept), name


def test_vetoes_before_the_jets_do_not_change_the_acceptance(dataset: HepSynthetic, rng: np.random.Generator) -> None:
    chain = replace(CHAINS["tt1l"], batch=60_000)
    most = largest_tag_probability(chain.flavours, dataset.detector.tag_probability())
    least = dataset.reference_selection
    counts = []
    for early in (least_parton_ht(least), 0.5 * least.ht):
        state = generate(rng, chain, 250.0, early)
        counts.append(len(observe(rng, state, dataset.detector, least, most).met))
    # two independent Poisson counts
    assert abs(counts[0] - counts[1]) < 4.5 * np.sqrt(sum(counts))
    assert min(counts) > 300


def test_second_leptons_reject_events(dataset: HepSynthetic, rng: np.random.Generator) -> None:
    """Two found leptons or none at all leave nothing."""
    state = generate(rng, replace(CHAINS["tt2l"], batch=20_000), 250.0, least_parton_ht(dataset.reference_selection))
    certain = replace(
        dataset.detector,
        lepton_efficiency=1 - 1e-12,
        lepton_eta=20.0,
        lepton_veto_pt=0.0,
        isolation_radius=0.0,
    )
    assert len(state.flavours) > 50
    assert len(observe(rng, state, certain, dataset.reference_selection, 0.99).met) == 0
    assert (state.flavours[:, :2] == BOTTOM).all()
