"""What the experiments on photographs leave for figures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from igbaselines.common.arrays import Text


@dataclass(frozen=True)
class ExplainedPhotograph:
    """A photograph with its attributions by several methods, and what there is to be seen of k baselines."""

    image: UInt8[np.ndarray, "h w 3"]  # the photograph
    methods: Text[np.ndarray, " methods"]  # names
    maps: Float[np.ndarray, "methods h w"]  # attributions of each method, summed over channels
    baseline_names: Text[np.ndarray, " k"]  # names
    baselines: UInt8[np.ndarray, "k h w 3"]  # as pictures
    baseline_maps: Float[np.ndarray, "k h w"]  # attributions with each baseline alone
    d_alpha: Int[np.ndarray, " k"]  # of each baseline, in pixels
    weights: Float[np.ndarray, " k"]  # of the baselines in the method that the figure is about
    label: str  # the explained class
    probability: float  # of the explained class
    mask: Bool[np.ndarray, "h w"] | None = None  # of the object; None where nobody drew one
    attributions: Float[np.ndarray, "methods c h w"] | None = None  # of each method and channel, where they are kept
    smoothing: float | None = None  # width of the Gaussian over which a sheet's maps are smoothed [px]
    # What each square patch gets, of methods that attribute to patches (NaN of others), and its side [px]
    patches: Float[np.ndarray, "methods down across"] | None = None
    patch: float | None = None
