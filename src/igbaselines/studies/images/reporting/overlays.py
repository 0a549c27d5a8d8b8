"""Attributions drawn over the photograph that they explain."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import new_figure, page_style
from igbaselines.studies.images.artifacts import ExplainedPhotograph

CLIP = 99  # percentile at which a map's colour is full: a few pixels would leave the rest of it blank
COLOUR = np.array([0.78, 0.08, 0.05])
PAPER = 0.62  # how far the greyed photograph is faded towards white
OUTLINE = "#0072B2"
LARGE, SMALL = 2.5, 1.45  # inches of a panel
MOST_COLUMNS = 6


def faded(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Grey a photograph, and fade it towards white."""
    grey = image.astype(float) @ np.array([0.299, 0.587, 0.114]) / 255
    return np.asarray(PAPER + (1 - PAPER) * grey)


def overlay(image: UInt8[np.ndarray, "h w 3"], attribution: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Lay the positive part of a map in colour over the greyed, faded photograph.

    The colour is full from the CLIP percentile of the positive values on. A map without positive values leaves the
    photograph as it is.
    """
    positive = np.clip(np.nan_to_num(attribution.astype(float)), 0, None)
    full = np.percentile(positive[positive > 0], CLIP) if (positive > 0).any() else 1.0
    strength = np.clip(positive / full, 0, 1)[..., None]
    return np.asarray(faded(image)[..., None] * (1 - strength) + COLOUR * strength)


def example_figure(example: ExplainedPhotograph) -> Figure:
    """Draw the photograph and the methods' maps, and below them every baseline with its own map, the fittest first."""
    columns = min(len(example.baseline_names), MOST_COLUMNS)
    lines = -(-len(example.baseline_names) // columns) if columns else 0
    ratio = example.image.shape[0] / example.image.shape[1]
    heights = [LARGE * ratio + 0.4, *([2 * SMALL * ratio + 0.75] * lines)]
    with page_style():
        figure = new_figure(max(LARGE * (1 + len(example.maps)), (SMALL + 0.1) * columns), sum(heights))
        blocks = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        draw_maps(list(blocks[0].subplots(1, 1 + len(example.maps), squeeze=False)[0]), example, 12)
        order = [int(index) for index in np.argsort(-example.weights, kind="stable")]
        for line, block in enumerate(blocks[1:]):
            _draw_baselines(block, example, order[line * columns : (line + 1) * columns], columns)
    return figure


def overlay_caption(example: ExplainedPhotograph, name: str) -> str:
    """Say what a figure of the explanation of a photograph of this name shows."""
    outline = "; the outline is the object's mask" if example.mask is not None else ""
    below = " Below: every baseline, the attributions with it alone, D_alpha in pixels (fewer: fitter) and its weight."
    return (
        f"{name}, explained as {example.label} (probability {example.probability:.2f}): the positive part of "
        f"the attributions, summed over channels and cut off at its {CLIP} % quantile, in colour over the greyed "
        f"photograph{outline}.{below if example.baseline_names.size else ''}"
    )


def draw_maps(panels: Sequence[Axes], example: ExplainedPhotograph, size: int) -> None:
    """Draw the photograph into the first panel, and the maps of the methods over it into the others."""
    panels[0].imshow(example.image)
    panels[0].set_title(plot_label(f"{short(example.label, 20)} ({example.probability:.2f})"), fontsize=size)
    for panel, method, attribution in zip(panels[1:], example.methods, example.maps, strict=True):
        panel.imshow(overlay(example.image, attribution))
        panel.set_title(plot_label(str(method)), fontsize=size)
    for panel in panels:
        panel.axis("off")
        if example.mask is not None and example.mask.any():
            panel.contour(example.mask, levels=[0.5], colors=OUTLINE, linewidths=size / 10)


def _draw_baselines(block: SubFigure, example: ExplainedPhotograph, shown: Sequence[int], columns: int) -> None:
    """Draw a line of baselines: the pictures, and below each what is attributed with it."""
    panels = block.subplots(2, columns, squeeze=False)
    height, width = example.image.shape[:2]
    for panel in panels.flat:
        panel.axis("off")
    for picture, attributed, index in zip(*panels, shown, strict=False):
        picture.imshow(example.baselines[index])
        picture.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor="#999999", linewidth=0.8))
        picture.set_title(plot_label(short(str(example.baseline_names[index]), 18)), fontsize=10, pad=3)
        attributed.imshow(overlay(example.image, example.baseline_maps[index]))
        words = rf"$D_\alpha$ = {example.d_alpha[index]:,}" + f"\nweight {example.weights[index]:.3f}"
        attributed.set_title(words, fontsize=10, y=-0.03, va="top", pad=0)


def short(text: str, length: int) -> str:
    """Cut what is too long for a title."""
    return text if len(text) <= length else text[: length - 1] + "…"
