"""Attributions drawn over the photograph that they explain."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import new_figure, page_style

CLIP = 99  # percentile at which a map's colour is full: a few pixels would leave the rest of it blank
COLOUR = np.array([0.78, 0.08, 0.05])
PAPER = 0.62  # how far the greyed photograph is faded towards white
OUTLINE = "#0072B2"
LARGE, SMALL = 2.5, 1.45  # inches of a panel
MOST_COLUMNS = 6


@dataclass(frozen=True)
class Explained:
    """A photograph with its attributions, as an experiment left them.

    Args:
        name: of the photograph.
        image: (h, w, 3).
        mask: (h, w), of the object; None where nobody drew one.
        maps: method -> (h, w), attributions summed over channels.
        baseline_names: (k,).
        baselines: (k, h, w, 3).
        baseline_maps: (k, h, w), attributions with each baseline.
        d_alpha: (k,), pixels.
        weights: (k,).
        label: the explained class.
        probability: of the explained class.
    """

    name: str
    image: UInt8[np.ndarray, "h w 3"]
    mask: Bool[np.ndarray, "h w"] | None
    maps: dict[str, Float[np.ndarray, "h w"]]
    baseline_names: list[str]
    baselines: UInt8[np.ndarray, "k h w 3"]
    baseline_maps: Float[np.ndarray, "k h w"]
    d_alpha: Int[np.ndarray, " k"]
    weights: Float[np.ndarray, " k"]
    label: str
    probability: float


def load_explanation(path: Path) -> Explained:
    """Read an explanation; nothing in the file is run."""
    with np.load(path, allow_pickle=False) as file:
        maps = {str(method): values for method, values in zip(file["methods"], file["maps"], strict=True)}
        return Explained(
            name=path.stem,
            image=file["image"],
            mask=file.get("mask"),
            maps=maps,
            baseline_names=[str(name) for name in file["baseline_names"]],
            baselines=file["baselines"],
            baseline_maps=file["baseline_maps"],
            d_alpha=file["d_alpha"],
            weights=file["weights"],
            label=str(file["label"]),
            probability=float(file["probability"]),
        )


def overlay(image: UInt8[np.ndarray, "h w 3"], attribution: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Lay the positive part of a map in colour over the greyed, faded photograph.

    The colour is full from the CLIP percentile of the positive values on. A map without positive values leaves the
    photograph as it is.
    """
    grey = image.astype(float) @ np.array([0.299, 0.587, 0.114]) / 255
    faded = PAPER + (1 - PAPER) * grey
    positive = np.clip(np.nan_to_num(attribution.astype(float)), 0, None)
    full = np.percentile(positive[positive > 0], CLIP) if (positive > 0).any() else 1.0
    strength = np.clip(positive / full, 0, 1)[..., None]
    return np.asarray(faded[..., None] * (1 - strength) + COLOUR * strength)


def example_figure(example: Explained) -> Figure:
    """Draw the photograph and the methods' maps, and below them every baseline with its own map, the fittest first."""
    columns = min(len(example.baseline_names), MOST_COLUMNS)
    lines = -(-len(example.baseline_names) // columns) if columns else 0
    ratio = example.image.shape[0] / example.image.shape[1]
    heights = [LARGE * ratio + 0.4, *([2 * SMALL * ratio + 0.75] * lines)]
    with page_style():
        figure = new_figure(max(LARGE * (1 + len(example.maps)), (SMALL + 0.1) * columns), sum(heights))
        blocks = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        _draw_methods(blocks[0], example)
        order = [int(index) for index in np.argsort(-example.weights, kind="stable")]
        for line, block in enumerate(blocks[1:]):
            _draw_baselines(block, example, order[line * columns : (line + 1) * columns], columns)
    return figure


def overlay_caption(example: Explained) -> str:
    """Say what a figure of an explanation shows."""
    outline = "; the outline is the object's mask" if example.mask is not None else ""
    below = " Below: every baseline, the attributions with it alone, D_alpha in pixels (fewer: fitter) and its weight."
    return (
        f"{example.name}, explained as {example.label} (probability {example.probability:.2f}): the positive part of "
        f"the attributions, summed over channels and cut off at its {CLIP} % quantile, in colour over the greyed "
        f"photograph{outline}.{below if example.baseline_names else ''}"
    )


def _draw_methods(block: SubFigure, example: Explained) -> None:
    panels = block.subplots(1, 1 + len(example.maps), squeeze=False)[0]
    panels[0].imshow(example.image)
    panels[0].set_title(_short(f"{example.label} ({example.probability:.2f})", 26), fontsize=12)
    for panel, (method, attribution) in zip(panels[1:], example.maps.items(), strict=True):
        panel.imshow(overlay(example.image, attribution))
        panel.set_title(plot_label(method), fontsize=12)
    for panel in panels:
        panel.axis("off")
        if example.mask is not None and example.mask.any():
            panel.contour(example.mask, levels=[0.5], colors=OUTLINE, linewidths=1.2)


def _draw_baselines(block: SubFigure, example: Explained, shown: Sequence[int], columns: int) -> None:
    """Draw a line of baselines: the pictures, and below each what is attributed with it."""
    panels = block.subplots(2, columns, squeeze=False)
    height, width = example.image.shape[:2]
    for panel in panels.flat:
        panel.axis("off")
    for picture, attributed, index in zip(*panels, shown, strict=False):
        picture.imshow(example.baselines[index])
        picture.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor="#999999", linewidth=0.8))
        picture.set_title(plot_label(_short(example.baseline_names[index], 18)), fontsize=10, pad=3)
        attributed.imshow(overlay(example.image, example.baseline_maps[index]))
        words = rf"$D_\alpha$ = {example.d_alpha[index]:,}" + f"\nweight {example.weights[index]:.3f}"
        attributed.set_title(words, fontsize=10, y=-0.03, va="top", pad=0)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
