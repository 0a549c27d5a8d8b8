"""What `hep_generators` leaves to be drawn: correlation matrices and binned distributions."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from igbaselines.common.arrays import write_arrays
from igbaselines.studies.hep.artifacts import TwoSamples
from igbaselines.studies.hep.experiments.generators.settings import HepGeneratorsEvaluation
from igbaselines.studies.hep.measures.two_samples import WeightedSample, correlation_matrix

Both = tuple[list[WeightedSample], list[WeightedSample]]  # sample and reference, by process
DRAWN_RANGE = (0.005, 0.995)  # quantiles of a feature between which its distribution is drawn


def save_drawn(path: Path, feature_names: tuple[str, ...], evaluation: HepGeneratorsEvaluation, both: Both) -> None:
    """Write what is drawn of both samples."""
    families = evaluation.members(feature_names)
    # a family that holds every feature says nothing of any
    smallest = sorted(families, key=lambda family: len(families[family]))
    family_of = [next((f for f in smallest if place in families[f]), "") for place in range(len(feature_names))]
    places = [feature_names.index(name) for name in evaluation.figure_features]
    edges = np.stack([_edges([*both[0], *both[1]], place, evaluation.bins) for place in places])
    correlations = np.stack([[correlation_matrix(of) for of in some] for some in both])
    density = np.stack(
        [
            [[_density(of, place, line) for place, line in zip(places, edges, strict=True)] for of in some]
            for some in both
        ]
    )
    drawn = TwoSamples(
        processes=np.array(evaluation.processes),
        feature_names=np.array(feature_names),
        family_of=np.array(family_of),
        correlations=correlations,
        drawn=np.array(evaluation.figure_features),
        density=density,
        edges=edges,
    )
    write_arrays(path, drawn)


def _edges(samples: list[WeightedSample], feature: int, bins: int) -> Float[np.ndarray, " edges"]:
    """Edges that all samples share: tails that hold next to nothing are left out."""
    ends = np.array(
        [
            np.quantile(of.features[:, feature].astype(float), DRAWN_RANGE, weights=of.weight, method="inverted_cdf")
            for of in samples
        ]
    )
    low, high = ends.min(), ends.max()
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def _density(sample: WeightedSample, feature: int, edges: Float[np.ndarray, " edges"]) -> Float[np.ndarray, " bins"]:
    share, _ = np.histogram(sample.features[:, feature], edges, weights=sample.weight)
    return np.asarray(share / np.diff(edges))
