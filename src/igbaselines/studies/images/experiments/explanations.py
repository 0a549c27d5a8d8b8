"""What is kept of a photograph for figures: the maps of several methods, and what is known of its baselines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution import Attribution
from igbaselines.attribution.baselines import Given
from igbaselines.attribution.methods import Method
from igbaselines.common.arrays import write_arrays
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.tasks import Task


def save_maps(
    path: Path,
    task: Task,
    chosen: Chosen,
    maps: Mapping[str, Attribution],
    keep_channels: bool = False,
    **more: Any,  # noqa: ANN401 (arrays, and a number)
) -> None:
    """Write a photograph with the maps of several methods, of every channel too where `keep_channels` says so.

    `more` are fields of `ExplainedPhotograph`; without them, nothing is told of baselines and patches.
    """
    height, width = task.inputs.shape[2:]
    attributions = torch.cat([found.attributions for found in maps.values()])
    no_baselines = {
        "baseline_names": np.array([], dtype=str),
        "baselines": np.zeros((0, height, width, 3), dtype=np.uint8),
        "baseline_maps": np.zeros((0, height, width), dtype=np.float32),
        "d_alpha": np.zeros(0, dtype=np.int64),
        "weights": np.zeros(0),
    }
    photograph = ExplainedPhotograph(
        image=_bytes(task.inputs[0]),
        methods=np.array(list(maps)),
        maps=_numbers(attributions.sum(dim=1)),
        label=chosen.label,
        probability=chosen.probability,
        mask=None if task.masks is None else task.masks[0].cpu().numpy(),
        attributions=_numbers(attributions) if keep_channels else None,
        **(no_baselines | more),
    )
    write_arrays(path, photograph)


def of_baselines(
    baselines: Mapping[str, Given], found: Attribution, d_alpha: Int[Tensor, " k"]
) -> dict[str, np.ndarray]:
    """What `save_maps` keeps of the baselines drawn for a photograph: with the gradients of each, and their weights."""
    assert found.per_baseline is not None
    assert found.weights is not None
    return {
        "baseline_names": np.array(list(baselines)),
        "baselines": _bytes(torch.cat([given.baselines for given in baselines.values()])),
        "baseline_maps": _numbers(found.per_baseline[0].sum(dim=1)),
        "d_alpha": d_alpha.cpu().numpy(),
        "weights": found.weights[0].double().cpu().numpy(),
    }


def of_patches(
    methods: Mapping[str, Method], found: Mapping[str, Attribution], task: Task, patch: int
) -> dict[str, Any]:
    """What `save_maps` keeps of methods that attribute to square patches with this side [px]; nothing of none."""
    few = {name for name, method in methods.items() if getattr(method, "few_players", False)}
    if not few:
        return {}
    down, across = (-(-side // patch) for side in task.inputs.shape[-2:])
    nothing = np.full((down, across), np.nan, dtype=np.float32)
    values = [
        _numbers(one.players.view(down, across)) if name in few and one.players is not None else nothing
        for name, one in found.items()
    ]
    return {"patches": np.stack(values), "patch": float(patch)}


def _bytes(pixels: Float[Tensor, "*batch c h w"]) -> np.ndarray:
    """Pixels as pictures are kept: 0..255, channels last."""
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1).cpu().numpy()


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
