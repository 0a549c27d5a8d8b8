"""What is kept of a photograph for figures: the maps of several methods, and what is known of its baselines."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution import Attribution
from igbaselines.attribution.baselines import Given
from igbaselines.common.arrays import write_arrays
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.tasks import Task


@dataclass(frozen=True)
class Explanation:
    """A photograph's Integrated Gradients from each of its named baselines.

    Args:
        pixels: the photograph.
        names: of the baselines.
        baselines: in pixel space.
        per_baseline: Integrated Gradients of each baseline.
        d_alpha: of each baseline.
    """

    pixels: Float[Tensor, "1 c h w"]
    names: list[str]
    baselines: Float[Tensor, "1 k c h w"]
    per_baseline: Float[Tensor, "k c h w"]
    d_alpha: Int[Tensor, "1 k"]

    @classmethod
    def of(
        cls, task: Task, baselines: Mapping[str, Given], found: Attribution, d_alpha: Int[Tensor, " k"]
    ) -> "Explanation":
        """Take from an attribution what is kept."""
        assert found.per_baseline is not None
        drawn = torch.stack([given.baselines for given in baselines.values()], dim=1)
        return cls(task.inputs, list(baselines), drawn, found.per_baseline[0], d_alpha[None])


def save_explanation(
    path: Path,
    explanation: Explanation,
    maps: dict[str, Float[Tensor, "c h w"]],
    weights: Float[Tensor, " k"],
    mask: Bool[Tensor, "h w"] | None,
    label: str,
    probability: float,
    keep_channels: bool = False,
) -> None:
    """Write what a figure of an explanation needs.

    Args:
        path: the file.
        explanation: of the photograph.
        maps: attributions by method.
        weights: of the baselines in the method that the figure is about.
        mask: of the object.
        label: name of the explained class.
        probability: of the explained class.
        keep_channels: keep the attributions of every channel too.
    """
    save_maps(
        path,
        explanation.pixels[0],
        maps,
        mask,
        label,
        probability,
        keep_channels,
        baseline_names=np.array(explanation.names),
        baselines=_bytes(explanation.baselines[0]),
        baseline_maps=_numbers(explanation.per_baseline.sum(dim=1)),
        d_alpha=explanation.d_alpha[0].cpu().numpy(),
        weights=weights.double().cpu().numpy(),
    )


def save_maps(
    path: Path,
    pixels: Float[Tensor, "c h w"],
    maps: dict[str, Float[Tensor, "c h w"]],
    mask: Bool[Tensor, "h w"] | None,
    label: str,
    probability: float,
    keep_channels: bool = False,
    **more: np.ndarray,
) -> None:
    """Write a photograph with the maps of several methods.

    Args:
        path: the file.
        pixels: the photograph.
        maps: attributions by method.
        mask: of the object.
        label: name of the explained class.
        probability: of the explained class.
        keep_channels: keep the attributions of every channel too.
        more: fields of `ExplainedPhotograph`; without them, nothing is told of baselines and patches.
    """
    height, width = pixels.shape[1:]
    attributions = torch.stack(list(maps.values()))
    no_baselines = {
        "baseline_names": np.array([], dtype=str),
        "baselines": np.zeros((0, height, width, 3), dtype=np.uint8),
        "baseline_maps": np.zeros((0, height, width), dtype=np.float32),
        "d_alpha": np.zeros(0, dtype=np.int64),
        "weights": np.zeros(0),
    }
    photograph = ExplainedPhotograph(
        image=_bytes(pixels),
        methods=np.array(list(maps)),
        maps=_numbers(attributions.sum(dim=1)),
        label=label,
        probability=probability,
        mask=None if mask is None else mask.cpu().numpy(),
        attributions=_numbers(attributions) if keep_channels else None,
        **(no_baselines | more),
    )
    write_arrays(path, photograph)


def _bytes(pixels: Float[Tensor, "*batch c h w"]) -> np.ndarray:
    """Pixels as pictures are kept: 0..255, channels last."""
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1).cpu().numpy()


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
