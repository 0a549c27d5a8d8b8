"""The detector on events made by hand, and jets of Pythia's events against a slow anti-kt."""
# ruff: noqa: E402 (without the extra these modules cannot be imported)

from dataclasses import replace

import numpy as np
import pytest

from tests.studies.hep.data.pythia.pythia_settings import BEAM, DETECTOR, LOOSE, NEEDED, PERFECT, SURE

for module in ("pythia8mc", "fastjet", "awkward"):
    pytest.importorskip(module, reason=NEEDED)

import awkward as ak

from igbaselines.studies.hep.data.kinematics import from_cylindrical, rapidity
from igbaselines.studies.hep.data.pythia.collisions import Batch, PythiaCollisions
from igbaselines.studies.hep.data.pythia.detector import AntiKtJets, Seen, Tracks, cluster, find_leptons, see, smear
from igbaselines.studies.hep.data.pythia.features import pythia_features

BOTTOM_QUARK, ELECTRON, MUON, NEUTRINO, PHOTON, PION, BOTTOM_MESON, CHARM_MESON = 5, 11, 13, 14, 22, 211, 511, 421
UNSTABLE = (BOTTOM_QUARK, BOTTOM_MESON, CHARM_MESON, 5122, 443, 2203)
Particle = tuple[int, float, float, float]  # code, pT, eta, phi; massless


def momenta(particles: list[Particle]) -> np.ndarray:
    _, pt, eta, phi = np.array(particles, dtype=float).reshape(-1, 4).T
    return from_cylindrical(pt, eta, phi, np.zeros(len(pt)))


def by_hand(*events: list[Particle]) -> Batch:
    together = [particle for event in events for particle in event]
    pdg = np.array([particle[0] for particle in together], dtype=int)
    offsets = np.cumsum([0, *(len(event) for event in events)])
    return Batch(offsets, pdg, ~np.isin(pdg, UNSTABLE), pdg == BOTTOM_QUARK, momenta(together))


def tracks(*events: list[Particle]) -> tuple[Tracks, np.ndarray]:
    batch = by_hand(*events)
    return Tracks.of(np.repeat(np.arange(len(batch)), np.diff(batch.offsets)), batch.momentum), batch.pdg


# A lepton and three jets of one particle each, of pT 300, 250 and 200.
LEPTON: Particle = (MUON, 100.0, 0.0, 3.0)
THREE_JETS: list[Particle] = [(PION, 300.0, 0.0, 0.0), (PION, 250.0, 1.0, 1.5), (PION, 200.0, -1.0, -1.5)]


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Events of Pythia, of which some fail at each step of the selection."""
    rng = np.random.default_rng(0)
    stream = PythiaCollisions("tt1l", (200.0, np.inf), BEAM, DETECTOR, LOOSE, (4,))
    found, flow = see(rng, stream.batch(80), replace(DETECTOR, tag_bottom=0.3), replace(LOOSE, fat_jet_pt=300.0), 1.0)
    steps = list(flow.values())
    assert steps == sorted(set(steps), reverse=True)
    assert len(found.met) == flow["selected"] > 5
    return found


@pytest.mark.parametrize("kind", ["jets", "fat_jets"])
def test_selected_jets_are_the_sums_of_their_constituents(kind: str, seen: Seen) -> None:
    jets: AntiKtJets = getattr(seen, kind)
    numbers = []
    for event, inside in enumerate(jets.constituents.to_list()):
        for place, members in enumerate(inside):
            sum_of = seen.particles.momentum[:, members].sum(axis=1)
            np.testing.assert_allclose(jets.momentum[:, event, place], sum_of, rtol=1e-9, atol=1e-6)
        in_jets = [member for members in inside for member in members]
        assert len(in_jets) == len(set(in_jets))  # no particle is in two jets
        (number,) = set(seen.particles.event[in_jets])
        numbers.append(int(number))
        assert (jets.pt[event, len(inside) :] == 0).all()
    assert numbers == sorted(set(numbers))


def test_fat_jets_hold_the_particles_of_the_jets_event(seen: Seen) -> None:
    for thin, fat in zip(seen.jets.constituents, seen.fat_jets.constituents, strict=True):
        assert set(seen.particles.event[ak.flatten(thin)]) == set(seen.particles.event[ak.flatten(fat)])


def test_the_selection_holds(seen: Seen) -> None:
    assert (seen.jets.pt.sum(axis=1) > LOOSE.ht).all()
    assert ((seen.jets.pt > DETECTOR.jet_pt).sum(axis=1) >= 3).all()
    assert (np.hypot(*seen.lepton[1:3]) > LOOSE.lepton_pt).all()
    assert (seen.met > LOOSE.met).all()
    assert (seen.fat_jets.pt[:, 0] > 300).all()
    assert seen.tagged.any(axis=1).all()
    assert not seen.tagged[seen.jets.pt == 0].any()
    assert (np.diff(seen.jets.pt, axis=1) <= 0).all()


def slow_anti_kt(momentum: np.ndarray, radius: float) -> list[tuple[float, set[int]]]:
    """Transverse momentum and members of every jet; E scheme, distances in rapidity and azimuth."""
    jets: dict[frozenset[int], np.ndarray] = {frozenset([i]): momentum[:, i] for i in range(momentum.shape[1])}
    done = []
    while jets:
        names, p = list(jets), np.stack(list(jets.values()), axis=1)
        pt = np.hypot(p[1], p[2])
        phi = np.arctan2(p[2], p[1])
        turn = abs(phi[:, None] - phi)
        separation = (rapidity(p)[:, None] - rapidity(p)) ** 2 + np.minimum(turn, 2 * np.pi - turn) ** 2
        distance = np.minimum(pt[:, None] ** -2, pt**-2) * separation / radius**2
        np.fill_diagonal(distance, pt**-2)
        first, second = np.unravel_index(distance.argmin(), distance.shape)
        if first == second:
            done.append((float(pt[first]), set(names[first])))
            del jets[names[first]]
        else:
            jets[names[first] | names[second]] = jets.pop(names[first]) + jets.pop(names[second])
    return sorted(done, key=lambda jet: -jet[0])


@pytest.mark.parametrize("radius", [0.4, 1.2])
def test_jets_equal_a_slow_anti_kt(radius: float, rng: np.random.Generator) -> None:
    counts = (30, 1, 45)
    events = [
        [
            (PION, *values)
            for values in zip(rng.exponential(20, n), rng.normal(0, 1.5, n), rng.uniform(-3, 3, n), strict=True)
        ]
        for n in counts
    ]
    visible, _ = tracks(*events)
    jets = cluster(visible, len(events), radius, 15.0, 2.0)
    for event, start in enumerate(np.cumsum([0, *counts])[:-1]):
        momentum = visible.momentum[:, visible.event == event]
        expected = []
        for pt, members in slow_anti_kt(momentum, radius):
            total = momentum[:, list(members)].sum(axis=1)
            if pt > 15 and abs(np.arcsinh(total[3] / pt)) < 2.0:
                expected.append((pt, {start + member for member in members}))
        assert [set(inside) for inside in jets.constituents[event].to_list()] == [inside for _, inside in expected]
        np.testing.assert_allclose(jets.pt[event, : len(expected)], [pt for pt, _ in expected])


@pytest.mark.parametrize(
    ("beside", "is_found", "pt"),
    [
        ([], True, 100),
        ([(PION, 20.0, 0.0, 0.1)], False, 0),  # as hard as a fifth of it, within the radius
        ([(PION, 20.0, 0.0, 0.3)], True, 100),  # outside
        ([(PION, 10.0, 0.0, 0.1)], True, 100),  # soft
        ([(PION, 8.0, 0.0, 0.1), (PION, 8.0, 0.1, 0.0)], False, 0),  # soft, but two
        ([(PHOTON, 20.0, 0.0, 0.05)], True, 120),  # its own
        ([(PHOTON, 20.0, 0.0, 0.15)], False, 0),  # isolation, not dressing
        ([(PHOTON, 20.0, 0.0, 0.05), (PION, 17.0, 0.0, 0.15)], True, 120),  # a seventh of the dressed lepton
        ([(MUON, 14.0, 1.0, 2.0)], True, 100),  # a second one, too soft to count
        ([(MUON, 16.0, 1.0, 2.0)], False, 0),  # a second one
        ([(MUON, 16.0, 2.6, 2.0)], True, 100),  # a second one, too far forward
    ],
)
def test_isolated_leptons(beside: list[Particle], is_found: bool, pt: float, rng: np.random.Generator) -> None:
    alone: list[Particle] = [(ELECTRON, 50.0, 0.5, 0.0)]
    visible, code = tracks(alone, [*beside, (ELECTRON, 100.0, 0.0, 0.0)], [])
    lepton, found, own = find_leptons(rng, visible, code, PERFECT, 3)
    assert found.tolist() == [True, is_found, False]
    assert own[0]
    assert np.hypot(*lepton[1:3, 0]) == pytest.approx(50)
    if is_found:
        assert np.hypot(*lepton[1:3, 1]) == pytest.approx(pt, rel=1e-3)
        dressing = [code == PHOTON and phi < 0.1 for code, _, _, phi in beside]
        assert own[1:-1].tolist() == dressing
        assert own[-1]


def test_leptons_are_found_as_often_as_they_should(rng: np.random.Generator) -> None:
    visible, code = tracks(*[[LEPTON]] * 4000)
    _, found, own = find_leptons(rng, visible, code, DETECTOR, 4000)
    np.testing.assert_array_equal(found, own)
    assert found.mean() == pytest.approx(DETECTOR.lepton_efficiency, abs=4 * np.sqrt(0.92 * 0.08 / 4000))


@pytest.mark.parametrize("energy", [0.3, 10.0, 1000.0])
def test_the_resolution_is_unbiased_and_as_wide_as_it_should_be(energy: float, rng: np.random.Generator) -> None:
    visible, _ = tracks([(PION, energy, 0.0, 0.0)] * 20_000)
    smeared = smear(rng, visible, DETECTOR)
    scale = smeared.momentum[0] / energy
    width = np.hypot(DETECTOR.stochastic / np.sqrt(max(energy, 1.0)), DETECTOR.constant)
    assert scale.mean() == pytest.approx(1, abs=5 * width / np.sqrt(20_000))
    assert scale.std() == pytest.approx(width, rel=0.1)
    np.testing.assert_allclose(smeared.momentum, visible.momentum * scale)
    assert scale.min() > 0


@pytest.mark.parametrize(
    ("hadrons", "tagged"),
    [
        ([(BOTTOM_MESON, 100.0, 1.0, 1.4)], [False, True, False]),
        ([(5122, 100.0, 1.0, 1.4)], [False, True, False]),  # a baryon
        ([(BOTTOM_MESON, 100.0, 0.1, 0.0), (BOTTOM_MESON, 9.0, -1.0, -1.3)], [True, False, True]),
        ([(BOTTOM_MESON, 100.0, 0.0, 0.1), (CHARM_MESON, 50.0, 0.0, 0.1)], [True, False, False]),  # b over c
        ([(BOTTOM_MESON, 4.0, 1.0, 1.4)], None),  # too soft
        ([(BOTTOM_MESON, 100.0, 1.0, 0.8)], None),  # in no jet
        ([(2203, 100.0, 1.0, 1.4), (130, 100.0, 1.0, 1.4)], None),  # a diquark and a kaon
        ([(CHARM_MESON, 100.0, 1.0, 1.4)], None),
        ([(443, 100.0, 1.0, 1.4)], None),  # charm in pairs
    ],
)
def test_flavour_comes_from_the_hadrons(
    hadrons: list[Particle], tagged: list[bool] | None, rng: np.random.Generator
) -> None:
    other = [(BOTTOM_MESON, 100.0, 0.0, 0.0)]  # the first jet of the event beside it
    batch = by_hand([*hadrons, LEPTON, *THREE_JETS], [LEPTON, *THREE_JETS, *other])
    found, flow = see(rng, batch, PERFECT, LOOSE, 1.0)
    assert flow["jets"] == 2
    expected = [] if tagged is None else [tagged]
    assert found.tagged.tolist() == [*expected, [True, False, False]]


def test_charm_is_tagged_as_charm(rng: np.random.Generator) -> None:
    charm = replace(PERFECT, tag_bottom=1e-12, tag_charm=SURE)
    for hadron, expected in ((CHARM_MESON, 1), (443, 1), (BOTTOM_MESON, 0), (PION, 0)):
        batch = by_hand([(hadron, 100.0, 1.0, 1.4), LEPTON, *THREE_JETS])
        assert see(rng, batch, charm, LOOSE, 1.0)[1]["selected"] == expected


def test_missing_momentum_is_what_is_not_seen(rng: np.random.Generator) -> None:
    unseen: list[Particle] = [(NEUTRINO, 500.0, 0.3, 2.0), (PION, 40.0, 5.1, 1.0)]
    seen_ones = [LEPTON, *THREE_JETS, (PION, 25.0, 4.0, 0.5), (PHOTON, 1.0, 0.0, 3.05)]
    batch = by_hand([*unseen, *seen_ones, (BOTTOM_MESON, 100.0, 0.0, 0.0)])
    found, _ = see(rng, batch, PERFECT, LOOSE, 1.0)
    assert found.met == pytest.approx(np.hypot(*momenta(seen_ones).sum(axis=1)[1:3]))
    np.testing.assert_allclose(found.lepton[:, 0], momenta([LEPTON, (PHOTON, 1.0, 0.0, 3.05)]).sum(axis=1))
    noisy, _ = see(rng, batch, replace(PERFECT, soft_met=15.0), LOOSE, 1.0)
    assert 0 < abs(noisy.met - found.met)[0] < 80


@pytest.mark.parametrize(
    ("event", "last"),
    [
        ([], "vetoes"),
        ([LEPTON], "lepton"),
        (THREE_JETS, "vetoes"),
        ([(MUON, 29.0, 0.0, 3.0), *THREE_JETS], "vetoes"),
        ([LEPTON, *THREE_JETS[:2]], "lepton"),
        ([LEPTON, *THREE_JETS[:2], (PION, 200.0, 2.6, 0.0)], "lepton"),
        ([LEPTON, *THREE_JETS], "jets"),
        ([LEPTON, *THREE_JETS, (BOTTOM_MESON, 100.0, 0.0, 0.0)], "selected"),
    ],
)
def test_where_an_event_fails(event: list[Particle], last: str, rng: np.random.Generator) -> None:
    found, flow = see(rng, by_hand(event), PERFECT, LOOSE, 1.0)
    steps = list(flow)
    assert list(flow.values()) == [int(step <= steps.index(last)) for step in range(len(steps))]
    assert pythia_features(found, DETECTOR.fat_jet_radius).shape == (flow["selected"], 87)


def test_weights_add_up_to_the_events_that_were_not_prescaled(rng: np.random.Generator) -> None:
    """Of an event with n jets 1 - (1 - p)^n are tagged; without a heavy quark it stands for 1 / prescale events."""
    prescale, efficiency, copies = 0.2, 0.1, 3000
    four_jets: list[Particle] = [LEPTON, *THREE_JETS, (PION, 100.0, 1.5, -2.5)]
    kinds = [[LEPTON, *THREE_JETS], four_jets, [*four_jets, (BOTTOM_QUARK, 100.0, 0.0, 0.0)]]
    detector = replace(PERFECT, tag_bottom=efficiency, tag_charm=efficiency, tag_light=efficiency)
    tagged = np.array([1 - 0.9**3, 1 - 0.9**4, 1 - 0.9**4])
    stands_for = tagged / [prescale, prescale, 1.0]
    for kind, expected in zip(kinds, stands_for, strict=True):
        weight = see(rng, by_hand(*[kind] * copies), detector, LOOSE, prescale)[0].weight
        np.testing.assert_allclose(weight, max(expected, 1.0))  # rejected where it can be, weighted where it must
        error = np.sqrt(max(1 - min(expected, 1.0), 0) * expected / copies)
        assert weight.sum() / copies == pytest.approx(expected, abs=4 * error + 1e-9)


@pytest.mark.parametrize("b_tags", [1, 2])
def test_tags_are_drawn_as_often_as_they_should(b_tags: int, rng: np.random.Generator) -> None:
    copies, p = 4000, DETECTOR.tag_bottom
    bottoms = [(BOTTOM_MESON, 100.0, 0.0, 0.0), (BOTTOM_MESON, 100.0, 1.0, 1.5)]
    detector = replace(PERFECT, tag_bottom=p)
    _, flow = see(
        rng, by_hand(*[[LEPTON, *THREE_JETS, *bottoms]] * copies), detector, replace(LOOSE, b_tags=b_tags), 1.0
    )
    expected = {1: 1 - (1 - p) ** 2, 2: p**2}[b_tags]
    assert flow["selected"] / copies == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / copies))
