"""Attributions drawn: bars of features, and heat maps over pictures; red speaks for the class, blue against it.

It needs matplotlib, which the base install has not: `pip install "igbaselines[runs]"`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from igbaselines.attribution.engine.result import Attribution
from igbaselines.common.extras import what_to_install
from igbaselines.library.given import Array, as_tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS, MOST_BARS = 12, 20
FOR, AGAINST = "#b2182b", "#2166ac"
CLIP = 99.0  # percentile of magnitudes from which on a heat map's colour is full


def plot(
    attributions: Attribution | Array,
    inputs: Array | None = None,
    names: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
) -> "Figure":
    """Draw attributions, a panel an input: pictures as heat maps, anything else as bars.

    Args:
        attributions: of `explain`, or (n, features), (n, steps, ...) of sequences, which are summed over what follows
            the first dimension, or (n, channels, h, w) of pictures, which are summed over channels.
        inputs: the pictures, in grey below the heat maps; the values of features, beside their names.
        names: of features or steps; None numbers them.
        titles: of panels.

    Returns:
        A figure of matplotlib's: `.savefig("file.png")`.

    Raises:
        ValueError: for more than 12 inputs, and for names or inputs that do not fit.
        ImportError: without matplotlib; it says what to install.

    Examples:
        >>> figure = plot(torch.tensor([[0.5, -0.2]]), names=["mass", "charge"])
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]  # from below
        ['charge', 'mass']
    """
    maps = as_tensor(attributions.attributions if isinstance(attributions, Attribution) else attributions)
    maps = maps.detach().cpu().double()
    shown = None if inputs is None else as_tensor(inputs).detach().cpu().double()
    _check(maps, shown, names, titles)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(what_to_install(error) or str(error), name=error.name) from error
    is_picture = maps.dim() == 4
    columns = min(len(maps), 4 if is_picture else 3)
    rows = -(-len(maps) // columns)
    bars = min(maps.shape[1], MOST_BARS)
    figure = Figure(figsize=(4.2 * columns, rows * (3.6 if is_picture else 1 + 0.24 * bars)), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for place, panel in enumerate(panels):
        if place >= len(maps):
            panel.axis("off")
            continue
        own = None if shown is None else shown[place]
        if is_picture:
            _heat(panel, maps[place].sum(0), own)
        else:
            _bars(panel, maps[place], own, names)
        panel.set_title(titles[place] if titles else "" if len(maps) == 1 else f"input {place}", fontsize=10)
    return figure


def _check(maps: Tensor, shown: Tensor | None, names: Sequence[str] | None, titles: Sequence[str] | None) -> None:
    if maps.dim() < 2 or not 0 < len(maps) <= MOST_PANELS:
        raise ValueError(
            f"attributions {tuple(maps.shape)} cannot be drawn: a panel an input, (n, features) or (n, c, h, w), "
            f"n from 1 to {MOST_PANELS}: take some of them, as attributions[:4]"
        )
    if shown is not None and shown.shape != maps.shape:
        raise ValueError(f"inputs {tuple(shown.shape)} do not fit attributions {tuple(maps.shape)}")
    for what, given, count in (("names", names, maps.shape[1]), ("titles", titles, len(maps))):
        if given is not None and len(given) != count:
            raise ValueError(f"{len(given)} {what} do not fit attributions {tuple(maps.shape)}: {count} are needed")


def _bars(panel: "Axes", values: Tensor, own: Tensor | None, names: Sequence[str] | None) -> None:
    """The largest attributions, the largest on top; what is left out is said."""
    summed = values.reshape(len(values), -1).sum(1)
    order = summed.abs().argsort(descending=True, stable=True)[:MOST_BARS].flip(0)
    labels = [str(names[at]) if names is not None else str(at) for at in order.tolist()]
    if own is not None and own.dim() == 1:
        labels = [f"{label} = {own[at]:.3g}" for label, at in zip(labels, order.tolist(), strict=True)]
    heights = summed[order].numpy()
    panel.barh(range(len(heights)), heights, color=np.where(heights > 0, FOR, AGAINST).tolist())
    panel.set_yticks(range(len(heights)), labels, fontsize=9)
    panel.axvline(0, color="black", linewidth=0.8)
    left = len(summed) - len(heights)
    panel.set_xlabel(f"attribution{f' (the {len(heights)} largest of {len(summed)})' if left else ''}")


def _heat(panel: "Axes", values: Tensor, own: Tensor | None) -> None:
    """A map over its picture, as grey as it is bright."""
    full = float(np.percentile(values.abs().numpy(), CLIP)) or 1.0
    strength = (values / full).clamp(-1, 1)
    if own is not None:
        grey = own.mean(0)
        span = float(grey.max() - grey.min()) or 1.0
        panel.imshow((grey - grey.min()) / span, cmap="gray", vmin=-0.5, vmax=1.2)
    alpha = torch.ones_like(strength) if own is None else strength.abs()
    panel.imshow(strength, cmap="RdBu_r", vmin=-1, vmax=1, alpha=alpha.numpy())
    panel.axis("off")
