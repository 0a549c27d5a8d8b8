"""Several methods' explanations of a photograph on one sheet: both signs, the same colours, and what patches get."""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import Style, new_figure, page_style
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.overlays import CLIP, LARGE, faded, short

COLUMNS = 4
COLOURS = "RdBu_r"
SHARES = Normalize(-1, 1, clip=True)  # of the value at which a map's colour is full
DARK = 0.75  # of these shares: print is white there
TITLE, UNDER = 12, 9  # points
SIGNS = 5  # of the longest number in a patch
SMALLEST = 4.0  # points of a number that can be read


def comparison_sheet(example: ExplainedPhotograph) -> Figure:
    """Draw the methods' maps side by side with both signs over the greyed photograph, and patches with what they get.

    One method's noise is a hundred times another's signal, so each map has the same colours from a value on that is
    written over it.
    """
    maps = [gaussian_filter(one.astype(float), example.smoothing or 0.0) for one in example.maps]
    of_patches = list(_of_patches(example))
    count = 1 + len(maps) + len(of_patches)
    columns = min(count, COLUMNS)
    lines = -(-count // columns)
    ratio = example.image.shape[0] / example.image.shape[1]
    with page_style():
        figure = new_figure(LARGE * columns + 0.9, (LARGE * ratio + 0.6) * lines)
        panels: list[Axes] = list(figure.subplots(lines, columns, squeeze=False).flat)
        for panel in panels:
            panel.axis("off")
        panels[0].imshow(example.image)
        panels[0].set_title(plot_label(f"{short(example.label, 24)} ({example.probability:.2f})"), fontsize=TITLE)
        for panel, method, one in zip(panels[1:], example.methods, maps, strict=False):
            _draw(panel, example, one, plot_label(str(method)), float(np.percentile(np.abs(one), CLIP)))
        for panel, (method, patches) in zip(panels[1 + len(maps) :], of_patches, strict=False):
            largest = float(np.abs(patches).max())
            _draw(panel, example, _spread(example, patches), f"{plot_label(method)}: patches", largest)
            _write_values(panel, example, patches, largest)
        bar = figure.colorbar(ScalarMappable(SHARES, COLOURS), ax=panels, shrink=0.8, pad=0.01)
        bar.set_label("attribution, as a share of what stands over its map", fontsize=10)
        bar.ax.tick_params(labelsize=9)
    return figure


def sheet_caption(example: ExplainedPhotograph, name: str) -> str:
    """Say what a sheet shows."""
    smoothed = f", smoothed over {example.smoothing:g} px" if example.smoothing else ""
    patches = (
        ""
        if example.patches is None
        else f" Of methods that attribute to patches ({example.patch:g} px) also what each patch gets."
    )
    return (
        f"{name}, explained as {example.label} (probability {example.probability:.2f}) by {len(example.methods)} "
        f"methods: attributions summed over channels{smoothed}, red for, blue against, in the same colours, full at "
        f"the {CLIP} % quantile of the map's magnitudes, which stands over it.{patches}"
    )


def _of_patches(example: ExplainedPhotograph) -> Iterator[tuple[str, Float[np.ndarray, "down across"]]]:
    """What patches get by the methods that attribute to patches."""
    if example.patches is not None:
        for method, patches in zip(example.methods, example.patches, strict=True):
            if np.isfinite(patches).all():
                yield str(method), patches


def _spread(example: ExplainedPhotograph, patches: Float[np.ndarray, "down across"]) -> Float[np.ndarray, "h w"]:
    """Give each pixel what its patch gets."""
    height, width = example.image.shape[:2]
    side = _side(example)
    return np.asarray(patches.astype(float).repeat(side, axis=0)[:height].repeat(side, axis=1)[:, :width])


def _side(example: ExplainedPhotograph) -> int:
    assert example.patch is not None
    return int(example.patch)


def _draw(panel: Axes, example: ExplainedPhotograph, values: Float[np.ndarray, "h w"], title: str, full: float) -> None:
    """Lay values over the greyed photograph, the larger the less can be seen through them."""
    shares = values / (full or 1.0)
    panel.imshow(faded(example.image), cmap="gray", vmin=0, vmax=1)
    panel.imshow(shares, cmap=COLOURS, norm=SHARES, alpha=np.clip(np.abs(shares), 0, 1))
    panel.set_title(title, fontsize=TITLE, pad=16)
    panel.text(0.5, 1.02, f"full at {full:.2g}", fontsize=UNDER, ha="center", va="bottom", transform=panel.transAxes)
    if example.mask is not None and example.mask.any():
        panel.contour(example.mask, levels=[0.5], colors="black", linewidths=0.8)


def _write_values(
    panel: Axes, example: ExplainedPhotograph, patches: Float[np.ndarray, "down across"], largest: float
) -> None:
    """Bound the patches, and write into each what it gets where there is room: two digits of the largest."""
    (height, width), side = example.image.shape[:2], _side(example)
    lines: Style = {"colors": "#666666", "linewidths": 0.4}
    panel.hlines(np.arange(side, height, side) - 0.5, -0.5, width - 0.5, **lines)
    panel.vlines(np.arange(side, width, side) - 0.5, -0.5, height - 0.5, **lines)
    size = LARGE * 72 * side / width / (0.6 * SIGNS)
    if size < SMALLEST or not largest:
        return
    decimals = max(0, 1 - math.floor(math.log10(largest)))
    for (down, across), value in np.ndenumerate(patches):
        x, y = ((at * side + min((at + 1) * side, end)) / 2 - 0.5 for at, end in ((across, width), (down, height)))
        colour = "white" if abs(value) > DARK * largest else "black"
        panel.text(x, y, f"{value:z.{decimals}f}", ha="center", va="center", color=colour, fontsize=min(size, UNDER))
