"""What the experiment on grid worlds leaves for figures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from igbaselines.common.arrays import Text


@dataclass(frozen=True)
class ExplainedState:
    """A state of a grid world with the attributions of its features by several methods."""

    world: UInt8[np.ndarray, "h w 3"]  # a picture of it
    feature_names: Text[np.ndarray, " d"]  # names
    feature_values: Float[np.ndarray, " d"]  # of the features in this state, in cells
    methods: Text[np.ndarray, " methods"]  # names; the exact values first
    attributions: Float[np.ndarray, "methods d"]  # of each feature by each method
    reference: str  # what stands for absent features
    title: str  # what is explained
