"""The 87 features of events that Pythia made: jet shapes and N-subjettiness from the particles inside."""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

import awkward as ak
import fastjet
import numpy as np
from jaxtyping import Float

from igbaselines.studies.hep.data.features import columns
from igbaselines.studies.hep.data.kinematics import azimuth, distance, pseudorapidity, transverse_momentum
from igbaselines.studies.hep.data.pythia.detector import Seen, Tracks, sums
from igbaselines.studies.hep.data.reconstruction import places_of_jets


def pythia_features(seen: Seen, fat_jet_radius: float) -> Float[np.ndarray, "n 87"]:
    """Features, in the order of `FEATURE_NAMES`, of events that have three jets, a b-tag and a fat jet."""
    events, places = np.arange(len(seen.tagged)), places_of_jets(seen.tagged).T
    hadronic = [seen.jets.momentum[:, events, place] for place in places] + [seen.fat_jets.momentum[:, :, 0]]
    inside = [seen.jets.constituents[events, place] for place in places] + [seen.fat_jets.constituents[:, 0]]
    shapes = [radial_shapes(seen.particles, members, axis) for members, axis in zip(inside, hadronic, strict=True)]
    return columns(
        seen.jets.pt.sum(axis=1),
        seen.met,
        np.stack([seen.lepton, *hadronic], axis=2),
        subjettiness_ratios(seen.particles, inside[-1], fat_jet_radius),
        np.stack(shapes, axis=1),
    )


def radial_shapes(particles: Tracks, inside: ak.Array, axis: Float[np.ndarray, "4 n"]) -> Float[np.ndarray, "n 4"]:
    """Girth, variance, skewness and kurtosis of the constituents' distance from each jet's axis, weighted with pT."""
    member = ak.to_numpy(ak.flatten(inside))
    jet = np.repeat(np.arange(len(inside)), ak.to_numpy(ak.num(inside)))
    pt = transverse_momentum(particles.momentum[:, member])
    eta, phi = pseudorapidity(axis)[jet], azimuth(axis)[jet]
    apart = distance(particles.eta[member], eta, particles.phi[member], phi)
    total = sums(jet, pt, len(inside))
    girth = sums(jet, pt * apart, len(inside)) / total
    offset = apart - girth[jet]
    second, third, fourth = (sums(jet, pt * offset**power, len(inside)) / total for power in (2, 3, 4))
    spread = np.where(second > 0, second, 1.0)  # of one particle: no width, and no shape beyond it
    kurtosis = np.where(second > 0, fourth / spread**2, 1.0)
    return np.stack([girth, second, third / spread**1.5, kurtosis], axis=1)


def subjettiness_ratios(particles: Tracks, inside: ak.Array, radius: float) -> Float[np.ndarray, "n 4"]:
    """N-subjettiness ratios tau21, tau32 for beta 1, then for beta 2 (arXiv:1011.2268), of what is inside each fat jet.

    The axes are those of exclusive kt jets with winner-take-all recombination: tau of beta 2 depends on the choice.
    """
    if not len(inside):
        return np.zeros((0, 4))
    member, counts = ak.to_numpy(ak.flatten(inside)), ak.num(inside)
    components = dict(zip(("E", "px", "py", "pz"), particles.momentum[:, member], strict=True))
    constituents = ak.unflatten(ak.zip(components, with_name="Momentum4D"), counts)
    # The clustering only carries the constituents: N-subjettiness finds its own axes.
    clustering = fastjet.ClusterSequence(constituents, fastjet.JetDefinition(fastjet.cambridge_algorithm, 10 * radius))
    ratios = []
    for beta in (1.0, 2.0):
        tau = ak.to_numpy(
            clustering.njettiness("NormalizedMeasure", "WTA_KT_Axes", njets=[1, 2, 3], beta=beta, R0=radius)
        ).reshape(-1, 3)
        ratios.append(np.divide(tau[:, 1:], tau[:, :-1], out=np.ones_like(tau[:, 1:]), where=tau[:, :-1] > 0))
    return np.concatenate(ratios, axis=1)
