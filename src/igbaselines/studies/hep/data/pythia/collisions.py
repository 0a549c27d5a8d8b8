"""Collisions from Pythia 8, with what cannot pass the selection vetoed before it costs time.

Two vetoes: after the hard process, events with the wrong number of leptons, so that no shower is spent on them; after
the shower, events whose partons give too few or too soft jets or no hard lepton, so that no hadronisation is. A
process whose jets are mostly light is prescaled: of the events without a bottom or charm quark in the hard process
only a known part goes on. Pythia counts all this in its cross-section.
"""

from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import pythia8mc
from jaxtyping import Bool, Float, Integer

from igbaselines.studies.hep.data.pythia.processes import PYTHIA_PROCESSES, Beam
from igbaselines.studies.hep.data.reconstruction import Detector, EventSelection

FEMTOBARN = 1e12  # in a millibarn, Pythia's unit
ELECTRON, MUON, TAU, CHARM_QUARK, BOTTOM_QUARK = 11, 13, 15, 4, 5
_OUTGOING = 23  # Pythia's status of particles that leave the hard process, or a decay of what does
_LARGEST_SEED = 900_000_000  # of Pythia's generator
# A veto on partons must not cost events of the selection: hadrons, the detector and jets smear what it looks at.
_HT_MARGIN, _JET_PT_MARGIN, _LEPTON_PT_MARGIN, _ETA_MARGIN = 0.85, 0.7, 0.9, 0.2
_HOPELESS = 20_000  # vetoes on partons in a row, a minute of them: each event would take as long


@dataclass(frozen=True)
class Batch:
    """Particles of several events."""

    offsets: Integer[np.ndarray, " edges"]  # event i has the particles offsets[i] to offsets[i + 1]
    pdg: Integer[np.ndarray, " p"]  # absolute particle codes (Particle Data Group's numbering)
    final: Bool[np.ndarray, " p"]  # whether a particle is stable
    hard: Bool[np.ndarray, " p"]  # whether it leaves the hard process, or a decay of what does
    momentum: Float[np.ndarray, "4 p"]  # four-momenta [GeV]

    def __len__(self) -> int:
        return len(self.offsets) - 1


class HopelessSelectionError(Exception):
    """The vetoes let no event through."""


class PythiaCollisions:
    """A stream of events of a process.

    Args:
        name: a key of `PYTHIA_PROCESSES`.
        pt_hat: least and largest transverse momentum of the hard process [GeV]; the largest may be infinite.
        beam: how Pythia collides.
        detector: its jets, for the veto on partons.
        selection: what the vetoes look out for.
        seed: of Pythia and of the prescale.
    """

    def __init__(
        self,
        name: str,
        pt_hat: tuple[float, float],
        beam: Beam,
        detector: Detector,
        selection: EventSelection,
        seed: tuple[int, ...],
    ) -> None:
        self.process = PYTHIA_PROCESSES[name]
        state = np.random.SeedSequence(seed).generate_state(2)
        self._pythia = pythia8mc.Pythia("", False)
        pythia_seed = int(state[0]) % _LARGEST_SEED + 1
        for line in (*self.process.settings, *_settings(pt_hat, beam, self.process.leptons, pythia_seed)):
            if not self._pythia.readString(line):
                raise AssertionError(f"Pythia does not know the setting {line!r}")
        self.prescale = beam.prescale if self.process.prescaled else 1.0
        rng = np.random.default_rng(state[1])
        # Kept, for Pythia keeps no reference of its own.
        self._hook = _Vetoes(self.process.leptons, self.prescale, beam.vetoes, detector, selection, rng)
        self._pythia.setUserHooksPtr(self._hook)
        if not self._pythia.init():
            raise RuntimeError(f"Pythia could not be set up for process {name!r}")

    def batch(self, events: int) -> Batch:
        """The next events that were not vetoed; a HopelessSelectionError where the vetoes let none through."""
        particles = self._pythia.nextBatch(events).prt
        flat = ak.flatten(particles)
        pdg, status = np.abs(ak.to_numpy(flat.id)), ak.to_numpy(flat.status)
        return Batch(
            offsets=np.concatenate([[0], np.cumsum(ak.to_numpy(ak.num(particles)))]),
            pdg=pdg,
            final=status > 0,
            hard=np.abs(status) == _OUTGOING,
            momentum=np.stack([ak.to_numpy(getattr(flat.p, axis)) for axis in ("e", "px", "py", "pz")]),
        )

    @property
    def accepted(self) -> int:
        """Events so far that were not vetoed."""
        return int(self._pythia.infoPython().nAccepted())

    @property
    def cross_section(self) -> float:
        """Of the events that are not vetoed [fb], as known by now."""
        return float(self._pythia.infoPython().sigmaGen()) * FEMTOBARN * self.process.conjugates

    @property
    def cross_section_error(self) -> float:
        """Statistical error of `cross_section` [fb]: Pythia's integration by Monte Carlo, and the vetoes."""
        return float(self._pythia.infoPython().sigmaErr()) * FEMTOBARN * self.process.conjugates


def _settings(pt_hat: tuple[float, float], beam: Beam, leptons: int, seed: int) -> list[str]:
    low, high = pt_hat
    switch = "on" if beam.mpi else "off"
    return [
        f"Beams:eCM = {beam.energy}",
        f"PartonLevel:MPI = {switch}",
        f"PhaseSpace:pTHatMin = {low}",
        f"PhaseSpace:pTHatMax = {high if np.isfinite(high) else -1}",  # -1: no bound
        "Random:setSeed = on",
        f"Random:seed = {seed}",
        "Print:quiet = on",
        # The veto on partons counts jets of what is visible. The one lepton is no jet; of two one is lost, and may be.
        *(f"{lepton}:isVisible = off" for lepton in (ELECTRON, MUON, TAU) if leptons == 1),
    ]


class _Vetoes(pythia8mc.UserHooks):  # type: ignore[misc]  # the wheel has no types
    """The vetoes of a process."""

    def __init__(
        self,
        leptons: int,
        prescale: float,
        on_partons: bool,
        detector: Detector,
        selection: EventSelection,
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        self._leptons, self._prescale, self._on_partons, self._rng = leptons, prescale, on_partons, rng
        self._selection, self._lepton_eta = selection, detector.lepton_eta + _ETA_MARGIN
        self._in_a_row = 0
        # anti-kt of visible particles that keep their masses; the bound on eta is for particles, not for jets
        self._jets = pythia8mc.SlowJet(
            -1, detector.jet_radius, _JET_PT_MARGIN * detector.jet_pt, detector.jet_eta + _ETA_MARGIN, 2, 2
        )

    def canVetoProcessLevel(self) -> bool:  # noqa: N802 (Pythia's name)
        return True

    def doVetoProcessLevel(self, process: Any) -> bool:  # noqa: N802, ANN401 (a pythia8mc.Event)
        codes = [process[i].idAbs() for i in range(5, process.size()) if process[i].isFinal()]
        if sum(code in (ELECTRON, MUON, TAU) for code in codes) != self._leptons:
            return True
        if self._prescale == 1 or any(code in (CHARM_QUARK, BOTTOM_QUARK) for code in codes):
            return False
        return bool(self._rng.random() >= self._prescale)

    def canVetoPartonLevel(self) -> bool:  # noqa: N802
        return self._on_partons

    def doVetoPartonLevel(self, event: Any) -> bool:  # noqa: N802, ANN401
        passes = self._has_jets(event) and self._has_lepton(event)
        self._in_a_row = 0 if passes else self._in_a_row + 1
        if self._in_a_row >= _HOPELESS:
            raise HopelessSelectionError  # out of `nextBatch`, which would go on for ever
        return not passes

    def _has_jets(self, event: Any) -> bool:  # noqa: ANN401
        self._jets.analyze(event)
        jets = self._jets.sizeJet()
        if jets < self._selection.jets:
            return False
        return bool(sum(self._jets.pT(i) for i in range(jets)) > _HT_MARGIN * self._selection.ht)

    def _has_lepton(self, event: Any) -> bool:  # noqa: ANN401
        least = _LEPTON_PT_MARGIN * self._selection.lepton_pt
        for index in range(event.size() - 1, 4, -1):  # the decays stand last
            particle = event[index]
            # One after another, for each question crosses from Python to C++.
            if particle.idAbs() not in (ELECTRON, MUON, TAU) or not particle.isFinal():
                continue
            if particle.pT() > least and abs(particle.eta()) < self._lepton_eta:
                return True
        return False
