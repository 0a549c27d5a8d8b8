"""States of grid worlds with their attributions, kept for the figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from igbaselines.common.arrays import write_arrays
from igbaselines.studies.gridworld.artifacts import ExplainedState
from igbaselines.studies.gridworld.data.drawing import draw_world
from igbaselines.studies.gridworld.data.dynamics import ACTIONS
from igbaselines.studies.gridworld.experiments.methods import SAMPLING, SIG
from igbaselines.studies.gridworld.experiments.networks import Shared

DRAWN = ("exact", "ig_zero", "ig_mean", SIG, SAMPLING)


def save_examples(folder: Path, shared: Shared, attributions: Mapping[str, Float[Tensor, "n d"]]) -> None:
    """Keep the first states, each as .npz without pickles, with what a few methods say of them from the mean."""
    states, names = shared.states, tuple(shared.dataset.features)
    seen = states.with_features(names).features
    drawn = [name for name in DRAWN if name in attributions]
    drawn += sorted(attributions.keys() - drawn)[: len(DRAWN) - len(drawn)]
    folder.mkdir(parents=True, exist_ok=True)
    for place in _shown(shared):
        row = shared.explained[place]
        found = {name: attributions[name][place].cpu().numpy() for name in drawn}
        example = ExplainedState(
            world=draw_world(states.worlds[int(states.world[row])], int(states.state[row])),
            feature_names=np.array(names),
            feature_values=np.asarray(seen[row].tolist(), dtype=float),
            methods=np.array(list(found)),
            attributions=np.stack(list(found.values())),
            reference="mean",
            title=_title(shared, row),
        )
        write_arrays(folder / f"{place:02d}-{shared.units[place]}.npz", example)


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
