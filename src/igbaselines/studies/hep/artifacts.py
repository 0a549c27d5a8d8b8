"""What the comparison of two samples of events leaves for figures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from igbaselines.common.arrays import Text


@dataclass(frozen=True)
class TwoSamples:
    """Correlations and distributions of the features of a sample and, second, of its reference."""

    processes: Text[np.ndarray, " processes"]
    feature_names: Text[np.ndarray, " d"]
    family_of: Text[np.ndarray, " d"]  # of each feature; empty where it is in none
    correlations: Float[np.ndarray, "2 processes d d"]  # of all features
    drawn: Text[np.ndarray, " drawn"]  # features whose distributions are there
    density: Float[np.ndarray, "2 processes drawn bins"]
    edges: Float[np.ndarray, "drawn bins+1"]
