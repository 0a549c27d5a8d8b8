"""From a final state of partons to what a detector sees and a search selects (arXiv:2412.13864, appendix)."""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int8

from igbaselines.studies.hep.data.kinematics import (
    Scalar,
    azimuth,
    distance,
    length,
    pseudorapidity,
    transverse_mass,
    transverse_momentum,
)
from igbaselines.studies.hep.data.reconstruction import Detector, EventSelection, any_tag, draw_tags
from igbaselines.studies.hep.data.synthetic.collision import FinalState, Generator, split
from igbaselines.studies.hep.data.synthetic.jets import ConeJets, cluster, tag_probability

_HT_MARGIN = 0.85  # smearing lifts the sum of the jets by no more: its resolution is about 3 %


@dataclass(frozen=True)
class Observed:
    """What was seen of `n` events; every array's event axis is the first, or the second after components."""

    lepton: Float[np.ndarray, "4 n"]  # the one lepton that was found
    partons: Float[np.ndarray, "4 n p"]  # smeared partons, zero where absent or out of coverage
    flavours: Int8[np.ndarray, "n p"]
    jets: ConeJets
    tagged: Bool[np.ndarray, "n j"]  # which jets are b-tagged
    fat_jets: ConeJets
    met: Float[np.ndarray, " n"]  # missing transverse momentum [GeV]

    @property
    def ht(self) -> Float[np.ndarray, " n"]:
        """Scalar sum of the jets' transverse momenta [GeV]."""
        return self.jets.pt.sum(axis=1)

    def take(self, chosen: Bool[np.ndarray, " n"]) -> "Observed":
        """The chosen events."""
        return Observed(
            self.lepton[:, chosen],
            self.partons[:, chosen],
            self.flavours[chosen],
            self.jets.take(chosen),
            self.tagged[chosen],
            self.fat_jets.take(chosen),
            self.met[chosen],
        )

    def passes(self, selection: EventSelection) -> Bool[np.ndarray, " n"]:
        """Which events the selection takes."""
        return (
            selection.takes_jets(self.jets.pt)
            & (transverse_momentum(self.lepton) > selection.lepton_pt)
            & (self.fat_jets.pt[:, 0] > selection.fat_jet_pt)
            & (self.met > selection.met)
            & (self.tagged.sum(axis=1) >= selection.b_tags)
        )


def least_parton_ht(selection: EventSelection) -> float:
    """Scalar sum of the partons' transverse masses [GeV] below which no event passes the selection."""
    return _HT_MARGIN * selection.ht


def observe(
    rng: Generator, state: FinalState, detector: Detector, selection: EventSelection, most_tag: float
) -> Observed:
    """Events as the detector sees them, cheapest vetoes first; most that fail the selection are left out already.

    An event is kept with its probability of a b-tag over `most_tag`, a bound on it, and then gets at least one tag:
    mistagged processes would otherwise lose nearly every event. The acceptance is that of ordinary tagging up to this
    constant, which drops out of the ratio of selections.
    """
    found = found_leptons(rng, state, detector)
    pt = transverse_momentum(state.leptons)
    single = (found & (pt > selection.lepton_pt)).any(axis=1)
    single &= (found & (pt > detector.lepton_veto_pt)).sum(axis=1) == 1
    single &= transverse_mass(state.quarks).sum(axis=1) > least_parton_ht(selection)
    state, found = state.take(single), found[single] & (pt[single] > selection.lepton_pt)
    lepton = np.einsum("cnl,nl->cn", state.leptons, found)

    partons, flavours = split(rng, state.quarks, state.flavours)
    partons = smear(rng, partons, detector)
    seen = partons.sum(axis=2) + state.leptons.sum(axis=2)
    met = detector.missing_momentum(rng, seen[1:3])
    kept = met > selection.met
    lepton, partons, flavours, met = lepton[:, kept], partons[:, kept], flavours[kept], met[kept]

    jets = cluster(partons, detector.jet_radius, detector.jet_pt, detector.jet_eta)
    probability = tag_probability(jets, flavours, detector.tag_probability())
    kept = selection.takes_jets(jets.pt)
    kept &= rng.random(len(met)) * most_tag < any_tag(probability)
    lepton, partons, flavours, met = lepton[:, kept], partons[:, kept], flavours[kept], met[kept]

    tagged = draw_tags(rng, probability[kept])
    fat_jets = cluster(partons, detector.fat_jet_radius, detector.jet_pt, detector.jet_eta)
    observed = Observed(lepton, partons, flavours, jets.take(kept), tagged, fat_jets, met)
    return observed.take(observed.passes(selection))


def found_leptons(rng: Generator, state: FinalState, detector: Detector) -> Bool[np.ndarray, "n l"]:
    """Leptons within acceptance, found and isolated from the quarks."""
    pt, eta, phi = (f(state.leptons) for f in (transverse_momentum, pseudorapidity, azimuth))
    found = (np.abs(eta) < detector.lepton_eta) & (rng.random(pt.shape) < detector.lepton_efficiency)
    quark_pt = transverse_momentum(state.quarks)
    present = quark_pt > 0
    quark_eta = np.where(present, np.arcsinh(state.quarks[3] / np.where(present, quark_pt, 1)), np.inf)
    quark_phi = azimuth(state.quarks)
    for index in range(pt.shape[1]):
        apart = distance(quark_eta, eta[:, index, None], quark_phi, phi[:, index, None])
        hard = quark_pt > detector.isolation_fraction * pt[:, index, None]
        found[:, index] &= ~((apart < detector.isolation_radius) & hard).any(axis=1)
    return found


def smear(rng: Generator, partons: Float[np.ndarray, "4 n p"], detector: Detector) -> Float[np.ndarray, "4 n p"]:
    """Partons scaled by the energy resolution; those out of coverage vanish."""
    energy = np.maximum(partons[0], 1.0)
    resolution = length(detector.stochastic / np.sqrt(energy), detector.constant)
    scale: Scalar = np.maximum(1 + resolution * rng.standard_normal(energy.shape), 0.1)
    return partons * (scale * detector.covers(partons))
