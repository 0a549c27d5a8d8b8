"""States of grid worlds with their attributions, kept for the figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from igbaselines.common.files import replacing
from igbaselines.studies.gridworld.data.drawing import draw_world
from igbaselines.studies.gridworld.data.dynamics import ACTIONS
from igbaselines.studies.gridworld.experiments.methods import SAMPLING, SIG
from igbaselines.studies.gridworld.experiments.networks import Shared

DRAWN = ("exact", "ig_zero", "ig_mean", SIG, SAMPLING)


def save_examples(folder: Path, shared: Shared, attributions: Mapping[str, Float[Tensor, "n d"]]) -> None:
    """Keep the first states with what a few methods say of them."""
    states, names = shared.states, tuple(shared.dataset.features)
    seen = states.with_features(names).features
    drawn = [name for name in DRAWN if name in attributions]
    drawn += sorted(attributions.keys() - drawn)[: len(DRAWN) - len(drawn)]
    for place in _shown(shared):
        row = shared.explained[place]
        file = folder / f"{place:02d}-{shared.units[place]}.npz"
        _save_example(
            file,
            draw_world(states.worlds[int(states.world[row])], int(states.state[row])),
            dict(zip(names, seen[row].tolist(), strict=True)),
            {name: attributions[name][place].cpu().numpy() for name in drawn},
            "mean",
            _title(shared, row),
        )


def _shown(shared: Shared) -> list[int]:
    """Places of the states that are drawn: the first ones, with and without the key in turn."""
    with_key = shared.states.state[shared.explained] >= shared.dataset.size**2
    turn = np.where(with_key, with_key.cumsum(), (~with_key).cumsum())
    return [int(place) for place in np.argsort(turn, kind="stable")[: shared.evaluation.examples]]


def _title(shared: Shared, row: int) -> str:
    """What is explained of a state."""
    if shared.attribution.explained == "value":
        return f"value {shared.states.value[row]:.2f}"
    return f"why go {ACTIONS[int(shared.states.action_value[row].argmax())]}"


def _save_example(
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
