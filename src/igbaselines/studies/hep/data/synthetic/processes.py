"""The eleven processes of arXiv:2412.13864 as relativistic decay chains, down to quarks and leptons.

Every decay is an exact two-body decay, isotropic in its rest frame. Masses and widths: Particle Data Group,
Review of Particle Physics; the new quark B (1.5 TeV) and scalar Phi (0.4 TeV): arXiv:2412.13864.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int8

from igbaselines.studies.hep.data.kinematics import Scalar, falling, mass, transverse_mass, two_body_decay
from igbaselines.studies.hep.data.reconstruction import ABSENT, BOTTOM, CHARM, GLUON, LIGHT
from igbaselines.studies.hep.data.synthetic.collision import (
    Body,
    FinalState,
    Generator,
    Jet,
    Pair,
    Particles,
    Resonance,
    Spectrum,
    collide,
    propose,
    virtuality,
)

_Flavours = Sequence[Int8[np.ndarray, " n"] | int]  # of each quark: one an event, or the same in all

HEAVY_B = Resonance(1500.0, 7.5, 1300.0, 1700.0)
PHI = Resonance(400.0, 4.0, 360.0, 440.0)
TOP = Resonance(172.5, 1.4, 165.0, 180.0)
W = Resonance(80.38, 2.09, 65.0, 95.0)
Z = Resonance(91.19, 2.50, 75.0, 107.0)
HIGGS = Resonance(125.1, 0.004, 125.0, 125.2)

_THROUGH_TAU = 0.15  # of the e and mu from W decays (PDG: a third of W -> l nu, of which 35 % give e or mu)
_Z_TO_BOTTOM = 0.15  # of hadronic Z decays (PDG)
_W_TO_CHARM = 0.5  # of hadronic W decays: c s, against u d
_JET_CHARM = 0.1  # of the jets beside a W or Z; half of the others are gluons
_TAU_GRID = np.linspace(0, 1, 201)
# share of the tau's energy that its lepton carries at most: integral of 5/3 - 3 x^2 + 4/3 x^3 (unpolarised tau)
_TAU_CUMULATIVE = 5 / 3 * _TAU_GRID - _TAU_GRID**3 + _TAU_GRID**4 / 3


@dataclass(frozen=True)
class TopPair:
    """Two tops that recoil together: a mass spectrum that falls from the threshold."""

    low: float = 2.05 * TOP.high

    def masses(self, rng: Generator, pt: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Masses of the pair [GeV]."""
        return falling(rng.random(len(pt)), self.low, 2500.0, 4.0)


@dataclass(frozen=True)
class Chain:
    """A process: two bodies from the collision and how they decay."""

    bodies: tuple[Body, Body]
    decay: Callable[[Generator, Particles, Particles], FinalState]  # their decay chain
    spectrum: Spectrum
    # the richest flavours that the chain's quarks can have, which bounds the probability of a b-tag
    flavours: tuple[int, ...]
    batch: int  # raw collisions in a chunk: enough for some thousand selected events, few enough for the memory
    visible: tuple[float, float] = (1.0, 1.0)  # the largest part of each body's energy that can end up in jets


def generate(rng: Generator, chain: Chain, pt_hat_min: float, least_ht: float) -> FinalState:
    """One chunk of collisions of a process, less those whose jets cannot sum to `least_ht` [GeV].

    The two bodies have at least `pt_hat_min` [GeV] of transverse momentum in their frame. The last `EXTRA_JETS` quarks
    of the final states are the jets off the incoming partons.
    """
    proposed = propose(rng, chain.bodies, chain.spectrum, chain.batch, pt_hat_min)
    proposed = proposed.take(proposed.reach(chain.visible) > least_ht)
    first, second, extra = collide(rng, proposed, sum(body.low for body in chain.bodies))
    reach = transverse_mass(extra).sum(axis=0)
    reach += chain.visible[0] * transverse_mass(first) + chain.visible[1] * transverse_mass(second)
    kept = reach > least_ht
    extra = np.moveaxis(extra[:, :, kept], 1, 2)
    state = chain.decay(rng, first[:, kept], second[:, kept])
    flavours = np.where(extra[0] > 0, GLUON, ABSENT).astype(np.int8)
    return FinalState(
        np.concatenate([state.quarks, extra], axis=2),
        np.concatenate([state.flavours, flavours], axis=1),
        state.leptons,
        state.neutrinos,
    )


def isotropic(rng: Generator, parent: Particles, first_mass: Scalar, second_mass: Scalar) -> Pair:
    """A two-body decay without a preferred direction."""
    count = parent.shape[1]
    cos_theta, phi = rng.uniform(-1, 1, (count,)), rng.uniform(-np.pi, np.pi, (count,))
    return two_body_decay(parent, first_mass, second_mass, cos_theta, phi)


def to_quarks(rng: Generator, parent: Particles) -> Pair:
    """Decay into two quarks that are yet to radiate."""
    energy = mass(parent) / 2
    first, second = (virtuality(rng, energy, 0.7 * energy) for _ in range(2))
    return isotropic(rng, parent, first, second)


def to_quark_and(rng: Generator, parent: Particles, other: Resonance) -> Pair:
    """Decay into a quark that is yet to radiate and a resonance."""
    parent_mass, other_mass = mass(parent), other.draw(rng, parent.shape[1])
    energy = (parent_mass**2 - other_mass**2) / (2 * parent_mass)
    quark_mass = virtuality(rng, energy, 0.7 * (parent_mass - other_mass))
    return isotropic(rng, parent, quark_mass, other_mass)


def to_lepton(rng: Generator, w: Particles) -> Pair:
    """Decay of a W into a charged lepton and neutrinos; through a tau, the lepton loses momentum to them."""
    none = np.zeros(w.shape[1])
    lepton, neutrino = isotropic(rng, w, none, none)
    through_tau = rng.random(none.shape) < _THROUGH_TAU
    share = np.interp(rng.random(int(through_tau.sum())), _TAU_CUMULATIVE, _TAU_GRID)
    # collinear: the tau's mass is nothing beside its momentum; a lepton of no momentum has no direction
    seen = lepton.copy()
    seen[:, through_tau] *= np.maximum(share, 1e-3)
    return seen, neutrino + (lepton - seen)


def _state(quarks: list[Particles], flavours: _Flavours, leptons: list[Particles], neutrinos: Particles) -> FinalState:
    count = neutrinos.shape[1]
    return FinalState(
        np.stack(quarks, axis=2),
        np.stack([np.broadcast_to(np.asarray(f, dtype=np.int8), (count,)) for f in flavours], axis=1),
        np.stack(leptons, axis=2),
        neutrinos,
    )


def _charm_or_light(rng: Generator, count: int) -> Int8[np.ndarray, " n"]:
    return np.where(rng.random(count) < _W_TO_CHARM, CHARM, LIGHT).astype(np.int8)


def _recoiling_flavour(rng: Generator, count: int) -> Int8[np.ndarray, " n"]:
    """Flavour of the jet beside a W or Z."""
    others = np.where(rng.random(count) < 0.5, GLUON, LIGHT)
    return np.where(rng.random(count) < _JET_CHARM, CHARM, others).astype(np.int8)


def _signal(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """B -> t W, B -> b Phi; t -> b W; Phi -> b b; one of the Ws is leptonic, either as often."""
    count = first.shape[1]
    top, prompt = isotropic(rng, first, TOP.draw(rng, count), W.draw(rng, count))
    top_bottom, from_top = to_quark_and(rng, top, W)
    swap = rng.random(count) < 0.5
    leptonic, hadronic = np.where(swap, prompt, from_top), np.where(swap, from_top, prompt)
    lepton, neutrino = to_lepton(rng, leptonic)
    bottom, phi = to_quark_and(rng, second, PHI)
    quarks = [top_bottom, bottom, *to_quarks(rng, phi), *to_quarks(rng, hadronic)]
    flavours: _Flavours = [BOTTOM, BOTTOM, BOTTOM, BOTTOM, _charm_or_light(rng, count), LIGHT]
    return _state(quarks, flavours, [lepton], neutrino)


def _tops_one_lepton(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """Tops to b W(l nu) and b W(q q)."""
    bottom, leptonic = to_quark_and(rng, first, W)
    other, hadronic = to_quark_and(rng, second, W)
    lepton, neutrino = to_lepton(rng, leptonic)
    flavours: _Flavours = [BOTTOM, BOTTOM, _charm_or_light(rng, first.shape[1]), LIGHT]
    return _state([bottom, other, *to_quarks(rng, hadronic)], flavours, [lepton], neutrino)


def _tops_two_leptons(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """Tops to b W(l nu), both."""
    (bottom, one), (other, two) = to_quark_and(rng, first, W), to_quark_and(rng, second, W)
    (lepton, neutrino), (second_lepton, second_neutrino) = to_lepton(rng, one), to_lepton(rng, two)
    return _state([bottom, other], [BOTTOM, BOTTOM], [lepton, second_lepton], neutrino + second_neutrino)


def _single_top(other: int, rng: Generator, first: Particles, second: Particles) -> FinalState:
    """Single top: t -> b W(l nu), and a light quark (t channel) or a b (s channel)."""
    bottom, leptonic = to_quark_and(rng, first, W)
    lepton, neutrino = to_lepton(rng, leptonic)
    return _state([bottom, second], [BOTTOM, other], [lepton], neutrino)


def _w_and_jet(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """W(l nu) and a jet."""
    lepton, neutrino = to_lepton(rng, first)
    return _state([second], [_recoiling_flavour(rng, first.shape[1])], [lepton], neutrino)


def _z_and_jet(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """Z(l l) and a jet."""
    none = np.zeros(first.shape[1])
    leptons = isotropic(rng, first, none, none)
    return _state([second], [_recoiling_flavour(rng, first.shape[1])], list(leptons), np.zeros_like(first))


def _w_and_w(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """W(l nu) W(q q)."""
    lepton, neutrino = to_lepton(rng, first)
    flavours: _Flavours = [_charm_or_light(rng, first.shape[1]), LIGHT]
    return _state([*to_quarks(rng, second)], flavours, [lepton], neutrino)


def _w_and_z(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """W(l nu) Z(q q)."""
    lepton, neutrino = to_lepton(rng, first)
    flavour = np.where(rng.random(first.shape[1]) < _Z_TO_BOTTOM, BOTTOM, LIGHT).astype(np.int8)
    return _state([*to_quarks(rng, second)], [flavour, flavour], [lepton], neutrino)


def _tops_and_higgs(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """Tops with one lepton, and H(b b)."""
    count = first.shape[1]
    tops = _tops_one_lepton(rng, *isotropic(rng, first, TOP.draw(rng, count), TOP.draw(rng, count)))
    return FinalState(
        np.concatenate([tops.quarks, np.stack(to_quarks(rng, second), axis=2)], axis=2),
        np.concatenate([tops.flavours, np.full((count, 2), BOTTOM, dtype=np.int8)], axis=1),
        tops.leptons,
        tops.neutrinos,
    )


def _w_and_higgs(rng: Generator, first: Particles, second: Particles) -> FinalState:
    """W(l nu) H(b b)."""
    lepton, neutrino = to_lepton(rng, first)
    return _state([*to_quarks(rng, second)], [BOTTOM, BOTTOM], [lepton], neutrino)


_TOPS = Spectrum(3.6, 172.5)
_JET = Jet()
# 1 - (W / t)^2 of the lightest W and heaviest t: where the b flies along with its top
_BOTTOM_PART = 1 - (W.low / TOP.high) ** 2
_ONE_TOP, _SECOND = (_BOTTOM_PART, 1.0), (0.0, 1.0)

CHAINS: dict[str, Chain] = {
    "signal": Chain((HEAVY_B, HEAVY_B), _signal, Spectrum(7.0, 1500.0), (BOTTOM,) * 4 + (CHARM, LIGHT), 40_000),
    "tt1l": Chain((TOP, TOP), _tops_one_lepton, _TOPS, (BOTTOM, BOTTOM, CHARM, LIGHT), 100_000, _ONE_TOP),
    "wj": Chain((W, _JET), _w_and_jet, Spectrum(3.1, 80.4), (CHARM,), 300_000, _SECOND),
    "tt2l": Chain((TOP, TOP), _tops_two_leptons, _TOPS, (BOTTOM, BOTTOM), 300_000, (_BOTTOM_PART,) * 2),
    "st_t": Chain((TOP, _JET), partial(_single_top, LIGHT), Spectrum(3.4, 172.5), (BOTTOM, LIGHT), 300_000, _ONE_TOP),
    "st_s": Chain((TOP, _JET), partial(_single_top, BOTTOM), Spectrum(3.4, 172.5), (BOTTOM, BOTTOM), 300_000, _ONE_TOP),
    "zj": Chain((Z, _JET), _z_and_jet, Spectrum(3.1, 91.2), (CHARM,), 300_000, _SECOND),
    "ww": Chain((W, W), _w_and_w, Spectrum(3.1, 80.4), (CHARM, LIGHT), 300_000, _SECOND),
    "wz": Chain((W, Z), _w_and_z, Spectrum(3.1, 91.2), (BOTTOM, BOTTOM), 300_000, _SECOND),
    "tth": Chain(
        (TopPair(), HIGGS),
        _tops_and_higgs,
        Spectrum(3.6, 300.0),
        (BOTTOM, BOTTOM, CHARM, LIGHT, BOTTOM, BOTTOM),
        100_000,
    ),
    "wh": Chain((W, HIGGS), _w_and_higgs, Spectrum(3.1, 125.1), (BOTTOM, BOTTOM), 300_000, _SECOND),
}
