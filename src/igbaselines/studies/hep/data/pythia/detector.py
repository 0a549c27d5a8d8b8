"""From Pythia's particles to what a detector sees and a search selects (arXiv:2412.13864, appendix).

Every visible particle is smeared by the energy resolution; jets (anti-kt, Cacciari, Salam, Soyez, arXiv:0802.1189, by
FastJet, arXiv:1111.6097), fat jets, the missing momentum and the jets' shapes all follow from the same smeared
particles. A jet is a b jet if it lies nearest to a bottom hadron, else a c jet if to a charm hadron.
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

from dataclasses import dataclass

import awkward as ak
import fastjet
import numpy as np
from jaxtyping import Bool, Float, Integer

from igbaselines.studies.hep.data.kinematics import azimuth, distance, pseudorapidity, transverse_momentum
from igbaselines.studies.hep.data.pythia.collisions import BOTTOM_QUARK, CHARM_QUARK, ELECTRON, MUON, Batch
from igbaselines.studies.hep.data.reconstruction import (
    BOTTOM,
    CHARM,
    LIGHT,
    Detector,
    EventSelection,
    any_tag,
    draw_tags,
)

_NEUTRINOS = (12, 14, 16)
_HADRON_PT = 5.0  # GeV: softer bottom and charm hadrons give no jet its flavour
_DRESSING = 0.1  # radius around a lepton within which photons are taken for its own
_PHOTON = 22


@dataclass(frozen=True)
class Tracks:
    """Particles of several events, sorted by event."""

    event: Integer[np.ndarray, " p"]  # each particle's event
    momentum: Float[np.ndarray, "4 p"]  # four-momenta [GeV]
    eta: Float[np.ndarray, " p"]  # pseudorapidities
    phi: Float[np.ndarray, " p"]  # azimuths

    @classmethod
    def of(cls, event: Integer[np.ndarray, " p"], momentum: Float[np.ndarray, "4 p"]) -> "Tracks":
        """Work out the directions."""
        return cls(event, momentum, pseudorapidity(momentum), azimuth(momentum))

    def take(self, chosen: Bool[np.ndarray, " p"]) -> "Tracks":
        """The chosen particles."""
        return Tracks(self.event[chosen], self.momentum[:, chosen], self.eta[chosen], self.phi[chosen])

    def of_events(self, kept: Bool[np.ndarray, " n"]) -> "Tracks":
        """The particles of the events that are kept, which are numbered anew."""
        taken = self.take(kept[self.event])
        return Tracks((np.cumsum(kept) - 1)[taken.event], taken.momentum, taken.eta, taken.phi)


@dataclass(frozen=True)
class AntiKtJets:
    """Jets of `n` events, hardest first; the places after an event's last jet are zero."""

    momentum: Float[np.ndarray, "4 n j"]  # four-momenta [GeV]
    pt: Float[np.ndarray, "n j"]  # transverse momenta [GeV], zero where there is no jet
    constituents: ak.Array  # indices of the particles in each jet, events x jets x particles

    def take(self, chosen: Bool[np.ndarray, " n"]) -> "AntiKtJets":
        """The chosen events; indices of particles stay what they are."""
        return AntiKtJets(self.momentum[:, chosen], self.pt[chosen], self.constituents[chosen])


@dataclass(frozen=True)
class Seen:
    """What was seen of the events that pass the selection."""

    lepton: Float[np.ndarray, "4 n"]
    met: Float[np.ndarray, " n"]  # missing transverse momentum [GeV]
    jets: AntiKtJets
    tagged: Bool[np.ndarray, "n j"]  # which jets are b-tagged
    fat_jets: AntiKtJets
    particles: Tracks  # what the constituents' indices count
    weight: Float[np.ndarray, " n"]  # by how much more an event counts than it was made


def see(
    rng: np.random.Generator, batch: Batch, detector: Detector, selection: EventSelection, prescale: float
) -> tuple[Seen, dict[str, int]]:
    """Smear, cluster, tag and select: the selected events, and how many were left after each step.

    With probability `prescale` an event without a hard bottom or charm quark was made. It is kept with its probability
    of a b-tag over this, and others with that probability; then at least one tag is drawn. Where the ratio is above one
    the event is weighted.
    """
    event = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
    visible, lepton_code, hadrons = _visible(batch, event, detector)
    lepton, found, own = find_leptons(rng, visible, lepton_code, detector, len(batch))
    alive = found & (transverse_momentum(lepton) > selection.lepton_pt)
    flow = {"vetoes": len(batch), "lepton": int(alive.sum())}

    visible = visible.take(~own).of_events(alive)
    hadrons = [of_flavour.of_events(alive) for of_flavour in hadrons]
    lepton, heavy = lepton[:, alive], _has_heavy_quark(batch, event)[alive]
    visible = smear(rng, visible, detector)
    missing = np.stack([sums(visible.event, p, len(heavy)) for p in visible.momentum[1:3]]) + lepton[1:3]
    met = detector.missing_momentum(rng, missing)

    jets = cluster(visible, len(heavy), detector.jet_radius, detector.jet_pt, detector.jet_eta)
    kinematic = selection.takes_jets(jets.pt) & (met > selection.met)
    flow["jets"] = int(kinematic.sum())

    probability = tag_probability(jets, hadrons, detector)
    ratio = any_tag(probability) / np.where(heavy, 1.0, prescale)
    weight = np.maximum(ratio, 1.0)
    kept = kinematic & (rng.random(len(ratio)) * weight < ratio) & (probability.max(axis=1, initial=0) > 0)
    flow["tag"] = int(kept.sum())
    tagged = draw_tags(rng, probability[kept])
    enough = tagged.sum(axis=1) >= selection.b_tags

    particles, count = visible.of_events(kept), int(kept.sum())
    fat_jets = cluster(particles, count, detector.fat_jet_radius, detector.jet_pt, detector.jet_eta)
    enough &= fat_jets.pt[:, 0] > selection.fat_jet_pt
    flow["selected"] = int(enough.sum())
    first = np.searchsorted(visible.event, np.flatnonzero(kept))  # particles keep their order within an event
    shift = np.searchsorted(particles.event, np.arange(count)) - first
    jets = AntiKtJets(jets.momentum[:, kept], jets.pt[kept], jets.constituents[kept] + shift)
    seen = Seen(
        lepton[:, kept][:, enough],
        met[kept][enough],
        jets.take(enough),
        tagged[enough],
        fat_jets.take(enough),
        particles,
        weight[kept][enough],
    )
    return seen, flow


def _visible(
    batch: Batch, event: Integer[np.ndarray, " p"], detector: Detector
) -> tuple[Tracks, Integer[np.ndarray, " v"], list[Tracks]]:
    """What the detector can see, the codes of these particles, and the bottom and the charm hadrons."""
    pt = transverse_momentum(batch.momentum)
    seen = batch.final & ~np.isin(batch.pdg, _NEUTRINOS)
    seen &= detector.covers(batch.momentum)
    hard = (pt > _HADRON_PT) & (batch.pdg > 100)  # codes of hadrons
    heavy = [hard & _contains(batch.pdg, quark) for quark in (BOTTOM_QUARK, CHARM_QUARK)]
    hadrons = [Tracks.of(event[chosen], batch.momentum[:, chosen]) for chosen in heavy]
    return Tracks.of(event[seen], batch.momentum[:, seen]), batch.pdg[seen], hadrons


def _contains(pdg: Integer[np.ndarray, " p"], quark: int) -> Bool[np.ndarray, " p"]:
    """Which hadrons contain a quark: one of the digits of hundreds and thousands of their codes; diquarks do not."""
    of_meson, of_baryon = (pdg // 100) % 10, (pdg // 1000) % 10
    is_diquark = (pdg > 1000) & ((pdg // 10) % 10 == 0)
    return ((of_meson == quark) | (of_baryon == quark)) & ~is_diquark


def _has_heavy_quark(batch: Batch, event: Integer[np.ndarray, " p"]) -> Bool[np.ndarray, " n"]:
    """Which hard processes have a bottom or charm quark: these are not prescaled."""
    quark = batch.hard & ((batch.pdg == BOTTOM_QUARK) | (batch.pdg == CHARM_QUARK))
    return np.bincount(event[quark], minlength=len(batch)) > 0


def find_leptons(
    rng: np.random.Generator, visible: Tracks, code: Integer[np.ndarray, " v"], detector: Detector, events: int
) -> tuple[Float[np.ndarray, "4 n"], Bool[np.ndarray, " n"], Bool[np.ndarray, " v"]]:
    """Isolated electrons and muons among visible particles, by their absolute codes, dressed with photons beside them.

    Returns:
        For each event the lepton; whether exactly one was found; and which particles are the found leptons' own.
    """
    pt = transverse_momentum(visible.momentum)
    candidate = np.flatnonzero(
        np.isin(code, (ELECTRON, MUON)) & (pt > detector.lepton_veto_pt) & (np.abs(visible.eta) < detector.lepton_eta)
    )
    candidate = candidate[rng.random(len(candidate)) < detector.lepton_efficiency]
    start, stop = (np.searchsorted(visible.event, visible.event[candidate], side=side) for side in ("left", "right"))
    which = np.repeat(np.arange(len(candidate)), stop - start)  # every candidate with every particle of its event
    other = np.arange(len(which)) - np.repeat(np.cumsum(stop - start) - (stop - start), stop - start) + start[which]
    itself = candidate[which]
    apart = distance(visible.eta[other], visible.eta[itself], visible.phi[other], visible.phi[itself])
    own = (other == itself) | ((code[other] == _PHOTON) & (apart < _DRESSING))
    around = (apart < detector.isolation_radius) & ~own
    nearby = sums(which[around], pt[other[around]], len(candidate))
    dressed = np.stack([sums(which[own], p[other[own]], len(candidate)) for p in visible.momentum])
    isolated = nearby < detector.isolation_fraction * transverse_momentum(dressed)

    event = visible.event[candidate[isolated]]
    lepton = np.stack([sums(event, p, events) for p in dressed[:, isolated]])
    of_lepton = np.zeros(len(pt), dtype=bool)
    of_lepton[other[own & isolated[which]]] = True
    return lepton, np.bincount(event, minlength=events) == 1, of_lepton


def sums(group: Integer[np.ndarray, " m"], values: Float[np.ndarray, " m"], groups: int) -> Float[np.ndarray, " g"]:
    """Sum of the values of each group."""
    return np.bincount(group, values, groups).astype(np.float64)  # of no values numpy makes integers


def smear(rng: np.random.Generator, visible: Tracks, detector: Detector) -> Tracks:
    """Particles scaled by the energy resolution: lognormal, for it is wide where they are soft, and of mean one."""
    energy = np.maximum(visible.momentum[0], 1.0)
    spread = np.sqrt(np.log1p(detector.stochastic**2 / energy + detector.constant**2))
    scale = np.exp(spread * (rng.standard_normal(spread.shape) - spread / 2))
    return Tracks(visible.event, visible.momentum * scale, visible.eta, visible.phi)


def cluster(visible: Tracks, events: int, radius: float, min_pt: float, max_eta: float) -> AntiKtJets:
    """Anti-kt jets above `min_pt` [GeV] and within `max_eta` (pseudorapidity), hardest first."""
    counts = np.bincount(visible.event, minlength=events)
    components = dict(zip(("E", "px", "py", "pz"), visible.momentum, strict=True))
    particles = ak.unflatten(ak.zip(components, with_name="Momentum4D"), counts)
    clustering = fastjet.ClusterSequence(particles, fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
    found, inside = clustering.inclusive_jets(min_pt), clustering.constituent_index(min_pt)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if events else np.zeros(0, dtype=np.int64)
    pt = np.hypot(found.px, found.py)
    central = np.abs(np.arcsinh(found.pz / pt)) < max_eta
    order = ak.argsort(pt[central], axis=1, ascending=False, stable=True)
    found, inside = found[central][order], inside[central][order] + starts
    most = int(ak.max(ak.num(found), initial=1, mask_identity=False))
    padded = [ak.fill_none(ak.pad_none(found[component], most), 0.0) for component in components]
    momentum = np.stack([ak.to_numpy(component).reshape(events, most) for component in padded])
    return AntiKtJets(momentum, transverse_momentum(momentum), inside)


def tag_probability(jets: AntiKtJets, hadrons: list[Tracks], detector: Detector) -> Float[np.ndarray, "n j"]:
    """Probability for each jet of a b-tag, by the heaviest hadron whose nearest jet it is; zero without a jet."""
    flavour = np.full(jets.pt.shape, LIGHT)
    for code, of_flavour in ((CHARM, hadrons[1]), (BOTTOM, hadrons[0])):
        place, inside = _nearest(jets, of_flavour, detector.jet_radius)
        flavour[of_flavour.event[inside], place[inside]] = code
    return np.where(jets.pt > 0, detector.tag_probability()[flavour], 0.0)


def _nearest(
    jets: AntiKtJets, hadrons: Tracks, radius: float
) -> tuple[Integer[np.ndarray, " h"], Bool[np.ndarray, " h"]]:
    """Place of the jet nearest to each hadron, and whether it is within the radius."""
    momentum = jets.momentum[:, hadrons.event]
    exists = jets.pt[hadrons.event] > 0
    momentum = np.where(exists, momentum, 1.0)  # any direction: its distance is not used
    apart = distance(pseudorapidity(momentum), hadrons.eta[:, None], azimuth(momentum), hadrons.phi[:, None])
    apart = np.where(exists, apart, np.inf)
    return apart.argmin(axis=1), apart.min(axis=1) < radius
