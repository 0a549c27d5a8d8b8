"""What a detector and a search ask of events, whoever made the particles (arXiv:2412.13864, appendix).

Acceptances, efficiencies, b-tags and cuts are the same for the toy collisions and for Pythia's. What the particles are
is not: a toy event is a few smeared partons in cones, Pythia's are hundreds of smeared hadrons in anti-kt jets.
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from igbaselines.common.checks import fields_must
from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.kinematics import FourMomentum, Scalar, transverse_momentum

LIGHT, CHARM, BOTTOM, GLUON, ABSENT = range(5)  # flavours; ABSENT fills up arrays
_GLUON_TO_BOTTOM, _GLUON_TO_CHARM = 0.015, 0.03  # gluon jets with a heavy pair inside, set by hand


@dataclass
class EventSelection:
    """What an event needs, beside one lepton; strict lower bounds, in GeV, and least numbers of jets."""

    ht: float  # scalar sum of the jets' transverse momenta
    lepton_pt: float  # transverse momentum of the lepton
    fat_jet_pt: float  # transverse momentum of the hardest fat jet
    met: float  # missing transverse momentum
    jets: int  # jets, at least 3: the features name three
    b_tags: int  # b-tagged jets, at least 1: the features name one

    def __post_init__(self) -> None:
        momenta = ("ht", "lepton_pt", "fat_jet_pt", "met")
        fields_must("selection", self, momenta, lambda value: value >= 0, "not be negative")
        if self.jets < 3:
            raise UserError(f"selection.jets must be at least 3 (the features name three), got {self.jets}")
        if self.b_tags < 1:
            raise UserError(f"selection.b_tags must be at least 1 (the features name one), got {self.b_tags}")

    def takes_jets(self, pt: Float[np.ndarray, "n j"]) -> Bool[np.ndarray, " n"]:
        """Which events have jets enough, and hard enough, by their transverse momenta [GeV]."""
        return (pt.sum(axis=1) > self.ht) & ((pt > 0).sum(axis=1) >= self.jets)


@dataclass
class Detector:
    """What a detector makes of particles."""

    tag_bottom: float  # probability that a jet with a b is b-tagged
    tag_charm: float  # the same for a jet with a c
    tag_light: float  # the same for any other jet
    lepton_efficiency: float  # probability that a lepton is found
    lepton_eta: float  # leptons are found within this absolute pseudorapidity
    lepton_veto_pt: float  # a second lepton found above this [GeV] rejects the event
    isolation_radius: float  # no other particle may fly this close to a lepton,
    isolation_fraction: float  # if it has more than this part of the lepton's transverse momentum
    stochastic: float  # energy resolution of a particle falls as this over the root of its energy [root GeV]
    constant: float  # and does not fall below this
    coverage: float  # absolute pseudorapidity beyond which nothing is seen
    soft_met: float  # spread of each component of the missing momentum from soft particles [GeV]
    jet_radius: float
    jet_pt: float  # least transverse momentum of jets [GeV]
    jet_eta: float  # largest absolute pseudorapidity of jets
    fat_jet_radius: float

    def __post_init__(self) -> None:
        probabilities = ("tag_bottom", "tag_charm", "tag_light", "lepton_efficiency")
        fields_must("detector", self, probabilities, lambda value: 0 < value < 1, "lie between 0 and 1")
        positive = ("lepton_eta", "coverage", "jet_radius", "jet_pt", "jet_eta", "fat_jet_radius")
        fields_must("detector", self, positive, lambda value: value > 0, "be positive")
        rest = ("lepton_veto_pt", "isolation_radius", "isolation_fraction", "stochastic", "constant", "soft_met")
        fields_must("detector", self, rest, lambda value: value >= 0, "not be negative")

    def covers(self, momentum: FourMomentum) -> Bool[np.ndarray, "..."]:
        """Which particles fly where something is seen."""
        return np.abs(momentum[3]) < transverse_momentum(momentum) * np.sinh(self.coverage)

    def missing_momentum(self, rng: np.random.Generator, seen: Float[np.ndarray, "2 n"]) -> Scalar:
        """Missing transverse momentum [GeV], from the sum across the beam of all that is seen, and soft noise."""
        return np.hypot(*(seen + self.soft_met * rng.standard_normal(seen.shape)))

    def tag_probability(self) -> Float[np.ndarray, " flavours"]:
        """Probability of a b-tag for a jet of each flavour, zero for `ABSENT`."""
        probability = np.zeros(5)
        probability[[LIGHT, CHARM, BOTTOM]] = self.tag_light, self.tag_charm, self.tag_bottom
        rest = 1 - _GLUON_TO_BOTTOM - _GLUON_TO_CHARM
        heavy = _GLUON_TO_BOTTOM * self.tag_bottom + _GLUON_TO_CHARM * self.tag_charm
        probability[GLUON] = heavy + rest * self.tag_light
        return probability


def any_tag(probability: Float[np.ndarray, "n j"]) -> Scalar:
    """Probability that at least one jet of an event is tagged, from those of its jets."""
    return 1 - np.prod(1 - probability, axis=1)


def draw_tags(rng: np.random.Generator, probability: Float[np.ndarray, "n j"]) -> Bool[np.ndarray, "n j"]:
    """Tags given that there is at least one, in events where there can be one.

    The first tagged jet is drawn from its exact distribution; the jets after it are independent.
    """
    cumulative = 1 - np.cumprod(1 - probability, axis=1)  # probability of a tag up to here
    threshold = rng.random(len(probability)) * cumulative[:, -1]
    first: Int[np.ndarray, "n 1"] = (cumulative > threshold[:, None]).argmax(axis=1)[:, None]
    place = np.arange(probability.shape[1])
    later = (place > first) & (rng.random(probability.shape) < probability)
    return (place == first) | later


def places_of_jets(tagged: Bool[np.ndarray, "n j"]) -> Int[np.ndarray, "n 4"]:
    """Where j1, j2, j3 and b stand among the jets of each event, which are ordered: the first tagged is the hardest."""
    bottom = tagged.argmax(axis=1)
    return np.stack([np.full_like(bottom, 0), np.full_like(bottom, 1), np.full_like(bottom, 2), bottom], axis=1)
