"""From a final state to what a detector sees and a search selects (arXiv:2412.13864, appendix)."""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int8

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.jets import Jets, TagEfficiency, any_tag, cluster, draw_tags
from igbaselines.studies.hep.data.kinematics import (
    Scalar,
    azimuth,
    delta_phi,
    length,
    pseudorapidity,
    transverse_mass,
    transverse_momentum,
)
from igbaselines.studies.hep.data.synthetic.collision import FinalState, Generator, split

_HT_MARGIN = 0.85  # smearing lifts the sum of the jets by no more: its resolution is about 3 %


@dataclass
class Selection:
    """What an event needs, beside one lepton; strict lower bounds, in GeV, and least numbers of jets.

    Args:
        ht: scalar sum of the jets' transverse momenta.
        lepton_pt: transverse momentum of the lepton.
        fat_jet_pt: transverse momentum of the hardest fat jet.
        met: missing transverse momentum.
        jets: jets, at least 3: the features name three.
        b_tags: b-tagged jets, at least 1: the features name one.
    """

    ht: float
    lepton_pt: float
    fat_jet_pt: float
    met: float
    jets: int
    b_tags: int

    def __post_init__(self) -> None:
        for name in ("ht", "lepton_pt", "fat_jet_pt", "met"):
            if not getattr(self, name) >= 0:
                raise UserError(f"selection.{name} must not be negative, got {getattr(self, name)}")
        if self.jets < 3:
            raise UserError(f"selection.jets must be at least 3 (the features name three), got {self.jets}")
        if self.b_tags < 1:
            raise UserError(f"selection.b_tags must be at least 1 (the features name one), got {self.b_tags}")


@dataclass
class Detector:
    """What a detector makes of particles.

    Args:
        tag_bottom: probability that a jet with a b is b-tagged.
        tag_charm: the same for a jet with a c.
        tag_light: the same for any other jet.
        lepton_efficiency: probability that a lepton is found.
        lepton_eta: leptons are found within this absolute pseudorapidity.
        lepton_veto_pt: a second lepton found above this [GeV] rejects the event.
        isolation_radius: no other particle may fly this close to a lepton,
        isolation_fraction: if it has more than this part of the lepton's transverse momentum.
        stochastic: energy resolution of a parton falls as this over the root of its energy [root GeV].
        constant: and does not fall below this.
        coverage: absolute pseudorapidity beyond which nothing is seen.
        soft_met: spread of each component of the missing momentum from soft particles [GeV].
        jet_radius: radius of jets.
        jet_pt: least transverse momentum of jets [GeV].
        jet_eta: largest absolute pseudorapidity of jets.
        fat_jet_radius: radius of fat jets.
    """

    tag_bottom: float
    tag_charm: float
    tag_light: float
    lepton_efficiency: float
    lepton_eta: float
    lepton_veto_pt: float
    isolation_radius: float
    isolation_fraction: float
    stochastic: float
    constant: float
    coverage: float
    soft_met: float
    jet_radius: float
    jet_pt: float
    jet_eta: float
    fat_jet_radius: float

    def __post_init__(self) -> None:
        for name in ("tag_bottom", "tag_charm", "tag_light", "lepton_efficiency"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"detector.{name} must lie between 0 and 1, got {getattr(self, name)}")
        positive = ("lepton_eta", "coverage", "jet_radius", "jet_pt", "jet_eta", "fat_jet_radius")
        for name in positive:
            if not getattr(self, name) > 0:
                raise UserError(f"detector.{name} must be positive, got {getattr(self, name)}")
        rest = (
            "lepton_veto_pt",
            "isolation_radius",
            "isolation_fraction",
            "stochastic",
            "constant",
            "soft_met",
        )
        for name in rest:
            if not getattr(self, name) >= 0:
                raise UserError(f"detector.{name} must not be negative, got {getattr(self, name)}")

    def tagging(self) -> TagEfficiency:
        """The b-tagging probabilities."""
        return TagEfficiency(self.tag_bottom, self.tag_charm, self.tag_light)


@dataclass(frozen=True)
class Observed:
    """What was seen of `n` events; every array's event axis is the first, or the second after components.

    Args:
        lepton: the one lepton that was found.
        partons: smeared partons, zero where absent or out of coverage.
        flavours: their flavours.
        jets: jets.
        tagged: which jets are b-tagged.
        fat_jets: fat jets.
        met: missing transverse momentum [GeV].
    """

    lepton: Float[np.ndarray, "4 n"]
    partons: Float[np.ndarray, "4 n p"]
    flavours: Int8[np.ndarray, "n p"]
    jets: Jets
    tagged: Bool[np.ndarray, "n j"]
    fat_jets: Jets
    met: Float[np.ndarray, " n"]

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

    def passes(self, selection: Selection) -> Bool[np.ndarray, " n"]:
        """Which events the selection takes."""
        return (
            (self.ht > selection.ht)
            & (transverse_momentum(self.lepton) > selection.lepton_pt)
            & (self.fat_jets.pt[:, 0] > selection.fat_jet_pt)
            & (self.met > selection.met)
            & ((self.jets.pt > 0).sum(axis=1) >= selection.jets)
            & (self.tagged.sum(axis=1) >= selection.b_tags)
        )


def least_parton_ht(selection: Selection) -> float:
    """Scalar sum of the partons' transverse masses [GeV] below which no event passes the selection."""
    return _HT_MARGIN * selection.ht


def observe(rng: Generator, state: FinalState, detector: Detector, selection: Selection, most_tag: float) -> Observed:
    """Events as the detector sees them, cheapest vetoes first.

    Args:
        rng: source of randomness.
        state: final states.
        detector: the detector.
        selection: events that fail it are mostly left out already.
        most_tag: bound on the probability of a b-tag. An event is kept with its probability of a tag over
            this and
            then gets at least one tag: mistagged processes would otherwise lose nearly every event. The
            acceptance is that of ordinary tagging up to this constant, which drops out of the ratio of
            selections.
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
    missing = seen[1:3] + detector.soft_met * rng.standard_normal((2, seen.shape[1]))
    met = np.hypot(*missing)
    kept = met > selection.met
    lepton, partons, flavours, met = lepton[:, kept], partons[:, kept], flavours[kept], met[kept]

    jets = cluster(partons, detector.jet_radius, detector.jet_pt, detector.jet_eta)
    efficiency = detector.tagging().of_jets(jets, flavours)
    kept = (jets.pt.sum(axis=1) > selection.ht) & ((jets.pt > 0).sum(axis=1) >= selection.jets)
    kept &= rng.random(len(met)) * most_tag < any_tag(efficiency)
    lepton, partons, flavours, met = lepton[:, kept], partons[:, kept], flavours[kept], met[kept]

    tagged = draw_tags(rng, efficiency[kept])
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
        distance = length(quark_eta - eta[:, index, None], delta_phi(quark_phi, phi[:, index, None]))
        hard = quark_pt > detector.isolation_fraction * pt[:, index, None]
        found[:, index] &= ~((distance < detector.isolation_radius) & hard).any(axis=1)
    return found


def smear(rng: Generator, partons: Float[np.ndarray, "4 n p"], detector: Detector) -> Float[np.ndarray, "4 n p"]:
    """Partons scaled by the energy resolution; those out of coverage vanish."""
    energy = np.maximum(partons[0], 1.0)
    resolution = length(detector.stochastic / np.sqrt(energy), detector.constant)
    scale: Scalar = np.maximum(1 + resolution * rng.standard_normal(energy.shape), 0.1)
    covered = np.abs(partons[3]) < transverse_momentum(partons) * np.sinh(detector.coverage)
    return partons * (scale * covered)
