"""States of grid worlds with their attributions, kept for the figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from igbaselines.files import replacing


def save_example(
    path: Path,
    picture: UInt8[np.ndarray, "h w 3"],
    features: Mapping[str, float],
    attributions: Mapping[str, Float[np.ndarray, " d"]],
    reference: str,
    title: str,
) -> None:
    """Write what a figure of a state needs, as .npz without pickles.

    Args:
        path: the file.
        picture: of the world with the agent in it.
        features: name -> value, in cells.
        attributions: method -> attribution of every feature; the exact values first.
        reference: what stands for absent features.
        title: what is explained.
    """
    arrays = {
        "world": picture,
        "feature_names": np.array(list(features)),
        "feature_values": np.array(list(features.values())),
        "methods": np.array(list(attributions)),
        "attributions": np.stack(list(attributions.values())),
        "reference": np.array(reference),
        "title": np.array(title),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
