"""What the experiments on photographs leave for figures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from igbaselines.common.arrays import Text


@dataclass(frozen=True)
class ExplainedPhotograph:
    """A photograph with its attributions by several methods, and what there is to be seen of k baselines.

    Args:
        image: the photograph.
        methods: names.
        maps: attributions of each method, summed over channels.
        baseline_names: names.
        baselines: as pictures.
        baseline_maps: attributions with each baseline alone.
        d_alpha: of each baseline, in pixels.
        weights: of the baselines in the method that the figure is about.
        label: the explained class.
        probability: of the explained class.
        mask: of the object; None where nobody drew one.
        attributions: of each method and channel, where they are kept.
        patches: what each of Shapley Integrated Gradients' players gets, where they are kept.
    """

    image: UInt8[np.ndarray, "h w 3"]
    methods: Text[np.ndarray, " methods"]
    maps: Float[np.ndarray, "methods h w"]
    baseline_names: Text[np.ndarray, " k"]
    baselines: UInt8[np.ndarray, "k h w 3"]
    baseline_maps: Float[np.ndarray, "k h w"]
    d_alpha: Int[np.ndarray, " k"]
    weights: Float[np.ndarray, " k"]
    label: str
    probability: float
    mask: Bool[np.ndarray, "h w"] | None = None
    attributions: Float[np.ndarray, "methods c h w"] | None = None
    patches: Float[np.ndarray, "down across"] | None = None
