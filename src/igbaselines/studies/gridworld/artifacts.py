"""What the experiment on grid worlds leaves for figures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from igbaselines.common.arrays import Text


@dataclass(frozen=True)
class ExplainedState:
    """A state of a grid world with the attributions of its features by several methods.

    Args:
        world: a picture of it.
        feature_names: names.
        feature_values: of the features in this state, in cells.
        methods: names; the exact values first.
        attributions: of each feature by each method.
        reference: what stands for absent features.
        title: what is explained.
    """

    world: UInt8[np.ndarray, "h w 3"]
    feature_names: Text[np.ndarray, " d"]
    feature_values: Float[np.ndarray, " d"]
    methods: Text[np.ndarray, " methods"]
    attributions: Float[np.ndarray, "methods d"]
    reference: str
    title: str
