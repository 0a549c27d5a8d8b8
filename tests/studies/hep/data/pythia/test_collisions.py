"""Pythia's events: conserved momentum, the right particles and masses, and vetoes that cost no selected event."""
# ruff: noqa: E402 (without the extra these modules cannot be imported)

from dataclasses import replace
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.studies.hep.data.pythia.pythia_settings import BEAM, DETECTOR, LOOSE, NEEDED, SELECTION, SURE

for module in ("pythia8mc", "fastjet", "awkward"):
    pytest.importorskip(module, reason=NEEDED)

from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.data.kinematics import mass
from igbaselines.studies.hep.data.pythia import collisions as pythia_collisions
from igbaselines.studies.hep.data.pythia.collisions import Batch, HopelessSelectionError, PythiaCollisions
from igbaselines.studies.hep.data.pythia.detector import see
from igbaselines.studies.hep.data.pythia.features import pythia_features
from igbaselines.studies.hep.data.pythia.processes import PYTHIA_PROCESSES, Beam
from igbaselines.studies.hep.data.reconstruction import EventSelection

BOTTOM_QUARK, CHARM_QUARK, TOP, HEAVY_BOTTOM, W, HIGGS, PHI = 5, 4, 6, 7, 24, 25, 35
LEPTONS, NEUTRINOS = (11, 13, 15), (12, 14, 16)
EVERY_JET_IS_TAGGED = replace(DETECTOR, tag_bottom=SURE, tag_charm=SURE, tag_light=SURE)


def collisions(
    name: str, pt_hat: float = 0.0, *, beam: Beam = BEAM, selection: EventSelection = LOOSE, seed: int = 0
) -> PythiaCollisions:
    return PythiaCollisions(name, (pt_hat, np.inf), beam, DETECTOR, selection, (seed,))


def events_of(batch: Batch) -> list[slice]:
    return [slice(*batch.offsets[event : event + 2]) for event in range(len(batch))]


def part(batch: Batch, chosen: np.ndarray) -> Batch:
    counts = np.diff(batch.offsets)
    particles = np.repeat(chosen, counts)
    return Batch(
        np.concatenate([[0], np.cumsum(counts[chosen])]),
        batch.pdg[particles],
        batch.final[particles],
        batch.hard[particles],
        batch.momentum[:, particles],
    )


@pytest.fixture(scope="module")
def signal() -> Batch:
    return collisions("signal").batch(40)


@pytest.mark.parametrize("name", PYTHIA_PROCESSES)
def test_momentum_and_leptons_of_every_process(name: str) -> None:
    stream = collisions(name, 200.0)
    batch = stream.batch(4)
    assert len(batch) == stream.accepted == 4
    for event in events_of(batch):
        final = batch.momentum[:, event][:, batch.final[event]]
        np.testing.assert_allclose(final.sum(axis=1), [BEAM.energy, 0, 0, 0], atol=0.05)
        of_hard = batch.pdg[event][batch.hard[event]]
        assert np.isin(of_hard, LEPTONS).sum() == PYTHIA_PROCESSES[name].leptons
        assert (PHI in batch.pdg[event]) == (name == "signal")
        assert (HIGGS in batch.pdg[event]) == (name in ("tth", "wh"))
    assert 0 < stream.cross_section_error < stream.cross_section


@pytest.mark.parametrize(
    ("particle", "expected", "tolerance", "window"),
    [(HEAVY_BOTTOM, 1500, 10, 200), (PHI, 400, 3, 40), (TOP, 172.5, 2, 15), (W, 80.4, 2, 20)],
)
def test_resonances_have_their_masses(
    particle: int, expected: float, tolerance: float, window: float, signal: Batch
) -> None:
    found = mass(signal.momentum[:, signal.pdg == particle])
    assert np.median(found) == pytest.approx(expected, abs=tolerance)
    assert np.mean(abs(found - expected) < window) > (0.9 if particle in (TOP, W) else 0.999)  # tails of the widths


def has_the_masses(of_top: Any, beside: Any, first: Any, second: Any, w: Any, other_w: Any) -> bool:
    top, phi = of_top + w, first + second
    masses = mass(np.stack([top, phi, top + other_w, phi + beside], axis=1))
    return bool((abs(masses - [172.5, 400, 1500, 1500]) < [15, 40, 200, 200]).all())


def test_decay_chains_add_up_to_the_resonances(signal: Batch) -> None:
    """B B -> (t W) (b Phi): some assignment of the four b, the lepton pair and the quark pair gives every mass."""
    reconstructed = 0
    for event in events_of(signal):
        hard = signal.hard[event]
        pdg, momentum = signal.pdg[event][hard], signal.momentum[:, event][:, hard]
        bottom = np.flatnonzero(pdg == BOTTOM_QUARK)
        leptonic = np.isin(pdg, (*LEPTONS, *NEUTRINOS))
        hadronic = np.isin(pdg, (1, 2, 3, CHARM_QUARK))
        assert (len(bottom), leptonic.sum(), hadronic.sum(), len(pdg)) == (4, 2, 2, 8)
        w_bosons = [momentum[:, of_w].sum(axis=1) for of_w in (leptonic, hadronic)]
        bottoms = [momentum[:, place] for place in bottom]
        assignments = product(permutations(bottoms), permutations(w_bosons))
        reconstructed += any(has_the_masses(*of_b, *of_w) for of_b, of_w in assignments)
    assert reconstructed > 0.7 * len(signal)  # a top radiates, or is far off its mass, now and then


def test_the_same_seed_gives_the_same_events_and_another_seed_others() -> None:
    first, again, other = (collisions("tt1l", 300.0, seed=seed).batch(3) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.momentum, again.momentum)
    np.testing.assert_array_equal(first.pdg, again.pdg)
    assert first.momentum.shape != other.momentum.shape or (first.momentum != other.momentum).any()


def test_batches_go_on_with_the_stream() -> None:
    whole, halves = collisions("tt1l", 300.0), collisions("tt1l", 300.0)
    expected, parts = whole.batch(4), [halves.batch(2), halves.batch(2)]
    np.testing.assert_array_equal(np.concatenate([half.momentum for half in parts], axis=1), expected.momentum)
    assert whole.cross_section == halves.cross_section


def test_ranges_of_transverse_momentum_are_kept() -> None:
    stream = PythiaCollisions("tt1l", (300.0, 320.0), replace(BEAM, vetoes=False), DETECTOR, LOOSE, (0,))
    batch = stream.batch(10)
    for event in events_of(batch):
        top = np.flatnonzero(batch.pdg[event] == TOP)[:2]  # the first copies come out of the hard process
        pt = np.hypot(*batch.momentum[1:3, event][:, top])
        np.testing.assert_array_less(299.9, pt)
        np.testing.assert_array_less(pt, 320.1)


@pytest.mark.parametrize(("prescale", "least", "most"), [(1.0, 0.0, 0.3), (0.01, 0.7, 1.0)])
def test_only_events_without_heavy_quarks_are_prescaled(
    prescale: float, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy: list[bool] = []
    vetoes = pythia_collisions._Vetoes

    class Listening(vetoes):  # type: ignore[misc, valid-type]
        def doVetoProcessLevel(self, process: Any) -> bool:  # noqa: N802
            vetoed: bool = super().doVetoProcessLevel(process)
            outgoing = [process[i].idAbs() for i in range(process.size()) if process[i].status() == 23]
            if not vetoed:
                heavy.append(not {CHARM_QUARK, BOTTOM_QUARK}.isdisjoint(outgoing))
            return vetoed

    monkeypatch.setattr(pythia_collisions, "_Vetoes", Listening)
    stream = collisions("wj", 200.0, beam=replace(BEAM, prescale=prescale, vetoes=False))
    batch = stream.batch(60)
    found = batch.hard & np.isin(batch.pdg, (CHARM_QUARK, BOTTOM_QUARK))
    assert [bool(found[event].any()) for event in events_of(batch)] == heavy
    assert least <= np.mean(heavy) <= most
    assert stream.prescale == prescale


def test_other_processes_are_not_prescaled() -> None:
    assert collisions("tt1l", 300.0, beam=replace(BEAM, prescale=0.01)).prescale == 1


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the veto on partons said of each event: the events go on all the same."""
    said: list[bool] = []
    vetoes = pythia_collisions._Vetoes

    class Overruled(vetoes):  # type: ignore[misc, valid-type]
        def doVetoPartonLevel(self, event: Any) -> bool:  # noqa: N802
            said.append(super().doVetoPartonLevel(event))
            return False

    monkeypatch.setattr(pythia_collisions, "_Vetoes", Overruled)
    return said


@pytest.mark.parametrize(
    ("name", "pt_hat", "events"),
    [
        ("tt1l", 400.0, 200),
        ("zj", 500.0, 350),  # of the two leptons one is lost, and may be a jet
        pytest.param("tt2l", 400.0, 1500, marks=pytest.mark.slow),
        pytest.param("wj", 450.0, 1500, marks=pytest.mark.slow),
        pytest.param("zj", 500.0, 1500, marks=pytest.mark.slow),
        pytest.param("signal", 0.0, 500, marks=pytest.mark.slow),
    ],
)
def test_vetoed_events_would_not_be_selected(name: str, pt_hat: float, events: int, verdicts: list[bool]) -> None:
    stream = collisions(name, pt_hat, selection=SELECTION, beam=replace(BEAM, prescale=1.0))
    selected = {True: 0, False: 0}
    for start in range(0, events, 250):
        batch = stream.batch(min(250, events - start))
        vetoed = np.array(verdicts[start : start + len(batch)])
        for verdict in selected:
            chosen = part(batch, vetoed == verdict)
            flow = see(np.random.default_rng(start), chosen, EVERY_JET_IS_TAGGED, SELECTION, 1.0)[1]
            selected[verdict] += flow["selected"]
    assert 0 < np.mean(verdicts) < 1
    assert selected[False] > 5
    assert selected[True] <= 1 + 0.01 * selected[False]


def selected_events(
    name: str, pt_hat: float, beam: Beam, selection: EventSelection, events: int, seed: int
) -> tuple[np.ndarray, float, float]:
    """Features, selected cross-section [fb] and its error, from `events` events that are not vetoed."""
    stream, rng = collisions(name, pt_hat, beam=beam, selection=selection, seed=seed), np.random.default_rng(seed)
    features, weight = [], []
    for start in range(0, events, 250):
        size = min(250, events - start)
        seen = see(rng, stream.batch(size), DETECTOR, selection, stream.prescale)[0]
        features.append(pythia_features(seen, DETECTOR.fat_jet_radius))
        weight.append(seen.weight)
    weights = np.concatenate(weight)
    share, of_each = weights.sum() / events, stream.cross_section / events
    counting = of_each * np.sqrt((weights**2).sum() - weights.sum() ** 2 / events)
    error = np.hypot(counting, share * stream.cross_section_error)
    return np.concatenate(features), share * stream.cross_section, float(error)


def assert_agree(first: tuple[np.ndarray, float, float], second: tuple[np.ndarray, float, float]) -> None:
    assert abs(first[1] - second[1]) < 3 * np.hypot(first[2], second[2])
    for name in ("HT", "m_J", "pT_l", "tau21_b1"):
        column = FEATURE_NAMES.index(name)
        assert stats.ks_2samp(first[0][:, column], second[0][:, column]).pvalue > 1e-3, name


@pytest.mark.parametrize(
    ("name", "pt_hat", "ht", "with_vetoes", "without"),
    [
        ("tt1l", 300.0, 500.0, 150, 200),
        pytest.param("tt1l", 250.0, 600.0, 1500, 2500, marks=pytest.mark.slow),
        pytest.param("tt2l", 250.0, 600.0, 1500, 2500, marks=pytest.mark.slow),
    ],
)
def test_with_and_without_vetoes_the_selected_events_agree(
    name: str, pt_hat: float, ht: float, with_vetoes: int, without: int
) -> None:
    selection = replace(LOOSE, ht=ht, lepton_pt=40.0, fat_jet_pt=300.0)
    vetoed = selected_events(name, pt_hat, BEAM, selection, with_vetoes, seed=1)
    free = selected_events(name, pt_hat, replace(BEAM, vetoes=False), selection, without, seed=2)
    assert vetoed[1] / free[1] == pytest.approx(1, abs=0.5)  # the errors are small enough for the test to mean much
    assert_agree(vetoed, free)


@pytest.mark.slow
def test_a_prescale_does_not_change_the_selected_events() -> None:
    whole, scaled = (
        selected_events("wj", 300.0, replace(BEAM, prescale=prescale), LOOSE, 2500, seed=3) for prescale in (1.0, 0.2)
    )
    assert max(whole[2] / whole[1], scaled[2] / scaled[1]) < 0.2
    assert abs(whole[1] - scaled[1]) < 3 * np.hypot(whole[2], scaled[2])


def test_a_selection_that_nothing_can_pass_does_not_run_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pythia_collisions, "_HOPELESS", 100)
    with pytest.raises(HopelessSelectionError):
        collisions("tt1l", selection=replace(LOOSE, ht=9000.0)).batch(1)
