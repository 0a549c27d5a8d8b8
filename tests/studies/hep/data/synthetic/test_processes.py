"""Decay chains: conservation, resonances and what each process must contain."""

from dataclasses import replace

import numpy as np
import pytest

from igbaselines.studies.hep.data.kinematics import mass, transverse_mass, transverse_momentum
from igbaselines.studies.hep.data.reconstruction import ABSENT, BOTTOM, CHARM, GLUON, LIGHT
from igbaselines.studies.hep.data.synthetic import collision, processes
from igbaselines.studies.hep.data.synthetic.collision import EXTRA_JETS, FinalState, Spectrum
from igbaselines.studies.hep.data.synthetic.processes import CHAINS, HEAVY_B, HIGGS, PHI, TOP, W, Z

PT_HAT = {"signal": 0.0, "tth": 0.0}


def bodies(name: str, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng, chain = np.random.default_rng(seed), CHAINS[name]
    proposed = collision.propose(rng, chain.bodies, chain.spectrum, 4000, PT_HAT.get(name, 250.0))
    return collision.collide(rng, proposed, sum(body.low for body in chain.bodies))


def final(name: str) -> tuple[FinalState, np.ndarray, np.ndarray]:
    first, second, _ = bodies(name)
    return CHAINS[name].decay(np.random.default_rng(2), first, second), first, second


def resonance(state: FinalState, quarks: tuple[int, ...], *others: np.ndarray) -> np.ndarray:
    return np.asarray(mass(state.quarks[:, :, list(quarks)].sum(axis=2) + sum(others)))


@pytest.mark.parametrize("name", CHAINS)
def test_chains_conserve_four_momentum(name: str) -> None:
    state, first, second = final(name)
    total = state.quarks.sum(axis=2) + state.leptons.sum(axis=2) + state.neutrinos
    np.testing.assert_allclose(total, first + second, atol=1e-7)


@pytest.mark.parametrize("name", CHAINS)
def test_bodies_balance_the_extra_jets(name: str) -> None:
    first, second, extra = bodies(name)
    total = first + second + extra.sum(axis=1)
    np.testing.assert_allclose(transverse_momentum(total), 0, atol=1e-6)
    assert (total[0] + np.abs(total[3]) < collision.BEAM_ENERGY).all()


@pytest.mark.parametrize("name", CHAINS)
def test_generated_events_can_reach_the_sum_of_pt(name: str) -> None:
    chain = replace(CHAINS[name], batch=20_000)
    state = processes.generate(np.random.default_rng(3), chain, PT_HAT.get(name, 250.0), 500.0)
    assert len(state.flavours) > 10
    assert (transverse_momentum(state.leptons) > 0).all()
    empty = transverse_momentum(state.quarks) == 0
    np.testing.assert_array_equal(empty, state.flavours == ABSENT)
    assert not empty[:, :-EXTRA_JETS].any()


@pytest.mark.parametrize("name", CHAINS)
def test_reach_bounds_the_quarks_pt(name: str) -> None:
    rng, chain = np.random.default_rng(4), CHAINS[name]
    proposed = collision.propose(rng, chain.bodies, chain.spectrum, 4000, PT_HAT.get(name, 250.0))
    # collide drops some proposals: compare the largest of small groups
    for start in range(0, 4000, 400):
        some = proposed.take((np.arange(4000) >= start) & (np.arange(4000) < start + 400))
        first, second, extra = collision.collide(rng, some, sum(body.low for body in chain.bodies))
        state = chain.decay(rng, first, second)
        reached = transverse_mass(state.quarks).sum(axis=1) + transverse_mass(extra).sum(axis=0)
        exact = chain.visible[0] * transverse_mass(first) + chain.visible[1] * transverse_mass(second)
        exact = exact + transverse_mass(extra).sum(axis=0)
        assert (reached <= exact * (1 + 1e-6)).all()
        if len(reached):
            assert exact.max() <= some.reach(chain.visible).max() * (1 + 1e-6)


@pytest.mark.parametrize("name", CHAINS)
def test_flavours_stay_below_the_richest(name: str) -> None:
    state, _, _ = final(name)
    order = {LIGHT: 0, GLUON: 1, CHARM: 2, BOTTOM: 3}
    found = np.vectorize(order.__getitem__)(state.flavours)
    allowed = np.array([order[flavour] for flavour in CHAINS[name].flavours])
    assert found.shape[1] == len(allowed)
    assert (found <= allowed).all()


def in_window(masses: np.ndarray, peak: collision.Resonance) -> bool:
    near = abs(np.median(masses) - peak.mass) < 0.15 * peak.width + 0.01
    return bool(near and masses.min() > peak.low - 1e-3 and masses.max() < peak.high + 1e-3)


def test_signal_resonances() -> None:
    state, first, second = final("signal")
    lepton = state.leptons[:, :, 0]
    assert in_window(resonance(state, (2, 3)), PHI)
    assert in_window(resonance(state, (1, 2, 3)), HEAVY_B)
    assert in_window(resonance(state, (0, 4, 5), lepton, state.neutrinos), HEAVY_B)
    assert in_window(resonance(state, (4, 5)), W)
    assert in_window(np.asarray(mass(lepton + state.neutrinos)), W)
    assert in_window(np.asarray(mass(first)), HEAVY_B)
    assert in_window(np.asarray(mass(second)), HEAVY_B)


def test_either_w_of_the_signal_is_leptonic_as_often() -> None:
    state, _, _ = final("signal")
    hadronic_top = resonance(state, (0, 4, 5))
    leptonic_top = resonance(state, (0,), state.leptons[:, :, 0], state.neutrinos)
    hadronic = (hadronic_top > TOP.low - 0.01) & (hadronic_top < TOP.high + 0.01)
    leptonic = (leptonic_top > TOP.low - 0.01) & (leptonic_top < TOP.high + 0.01)
    assert (hadronic | leptonic).all()
    assert hadronic.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(hadronic)) + 0.01)


def test_background_resonances() -> None:
    state, _, _ = final("tt1l")
    assert in_window(resonance(state, (0,), state.leptons[:, :, 0], state.neutrinos), TOP)
    assert in_window(resonance(state, (1, 2, 3)), TOP)
    state, _, _ = final("zj")
    assert in_window(np.asarray(mass(state.leptons.sum(axis=2))), Z)
    state, _, _ = final("wh")
    assert in_window(resonance(state, (0, 1)), HIGGS)
    state, _, _ = final("tth")
    assert in_window(resonance(state, (4, 5)), HIGGS)
    state, _, _ = final("tt2l")
    assert state.leptons.shape[2] == 2


def test_leptons_through_a_tau_are_softer() -> None:
    rng = np.random.default_rng(5)
    at_rest = np.zeros((4, 40_000))
    at_rest[0] = W.mass
    lepton, neutrino = processes.to_lepton(rng, at_rest)
    share = lepton[0] / (W.mass / 2)
    softened = share < 1 - 1e-9
    assert softened.mean() == pytest.approx(0.15, abs=0.01)
    # unpolarised tau: the integral of x (5/3 - 3 x^2 + 4/3 x^3) is 7/20
    assert share[softened].mean() == pytest.approx(7 / 20, abs=0.015)
    np.testing.assert_allclose(lepton + neutrino, at_rest, atol=1e-9)


def test_luminosity_is_never_clipped() -> None:
    """The acceptance must stay a probability: the lightest pair bounds every other."""
    chain, rng = CHAINS["signal"], np.random.default_rng(6)
    proposed = collision.propose(rng, chain.bodies, Spectrum(8.0, 1500.0), 4000, 0.0)
    first, second = proposed.transverse_masses()
    assert (first + second >= sum(body.low for body in chain.bodies)).all()


def test_branching_conserves_momentum_and_widens_jets() -> None:
    state, _, _ = final("signal")
    partons, flavours = collision.split(np.random.default_rng(8), state.quarks, state.flavours)
    count = state.quarks.shape[2]
    np.testing.assert_allclose(partons[:, :, :count] + partons[:, :, count:], state.quarks, atol=1e-9)
    assert (flavours[:, count:] == GLUON).all()
    np.testing.assert_array_equal(flavours[:, :count], state.flavours)
    ratio = mass(partons[:, :, :count]) / mass(state.quarks)
    np.testing.assert_allclose(ratio, 0.1, atol=0.02)


def test_absent_partons_do_not_branch() -> None:
    quarks = np.zeros((4, 1, 2))
    quarks[:, 0, 0] = 100, 60, 0, 70
    flavours = np.array([[BOTTOM, ABSENT]], dtype=np.int8)
    partons, found = collision.split(np.random.default_rng(0), quarks, flavours)
    assert found.tolist() == [[BOTTOM, ABSENT, GLUON, ABSENT]]
    assert (partons[:, 0, [1, 3]] == 0).all()
