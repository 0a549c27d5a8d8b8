"""Figures of 2310.04821 on photographs: maps beside each other, methods by metric, and what was varied."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.style import new_figure, page_style
from igbaselines.studies.hep.reporting.figures import STYLES, Style
from igbaselines.studies.images.reporting.overlays import CLIP, OUTLINE, Explained, overlay
from igbaselines.studies.images.reporting.rows import methods_of
from igbaselines.studies.images.reporting.shapley.rows import (
    CONTROL,
    JUDGED,
    KNOWN,
    METHODS,
    SIG,
    SWEEPS,
    Advantage,
    of_study,
    setting_of,
    settings,
)
from igbaselines.studies.images.reporting.weighted.tables import mean_with_interval, measured

COLUMNS = 4
PANEL = 2.4  # inches
LOOKS: dict[str, Style] = {SIG: STYLES[0], CONTROL: STYLES[2]}
PLAIN: Style = {"color": "#555555", "marker": "o", "linestyle": "-"}
AXES = {"patch": "side of a patch [px]", "coalitions": "coalitions"}

METHODS_CAPTION = (
    "Mean over the images of every metric for every method at the same number of gradient points, with its 95 % "
    "t-interval; the line is the mean of SIG. The images differ far more than the methods: figure_advantages compares "
    "image by image."
)
ADVANTAGE_CAPTION = (
    "Advantage of SIG over every other method at the same number of gradient points: the mean paired difference over "
    "the images, turned so that values above zero are better for SIG, with its 95 % t-interval (not corrected for the "
    "number of comparisons; the table against_shapley_ig is). IG, absent value: plain IG from the value that SIG's "
    "absent patches take."
)
SWEEPS_CAPTION = (
    "Advantage of SIG over plain IG from the same absent value (zero line, at the main number of gradient points) "
    "against the side of a patch, at the same number of gradient points, and against the number of coalitions, each "
    "at the same number of nodes: mean paired difference over the images, turned so that more is better, with its "
    "95 % t-interval. Where few coalitions meet many patches, some patch is in all of them and the last one gives "
    "way to the empty coalition, which is plain IG."
)


def grid_figure(example: Explained, patch: int | None) -> Figure:
    """Draw the photograph, with SIG's patches over it, and the map of every method."""
    lines = -(-(1 + len(example.maps)) // COLUMNS)
    ratio = example.image.shape[0] / example.image.shape[1]
    with page_style():
        figure = new_figure(PANEL * COLUMNS, (PANEL * ratio + 0.3) * lines)
        panels = list(figure.subplots(lines, COLUMNS, squeeze=False).flat)
        panels[0].imshow(example.image)
        panels[0].set_title(f"{example.label[:20]} ({example.probability:.2f})", fontsize=11)
        if patch is not None:
            _draw_patches(panels[0], example.image.shape[:2], patch)
        for panel, (method, attribution) in zip(panels[1:], example.maps.items(), strict=False):
            panel.imshow(overlay(example.image, attribution))
            panel.set_title(plot_label(method), fontsize=11, color=LOOKS.get(method, {}).get("color", "black"))
        for panel in panels[: 1 + len(example.maps)]:
            if example.mask is not None and example.mask.any():
                panel.contour(example.mask, levels=[0.5], colors=OUTLINE, linewidths=0.9)
        for panel in panels:
            panel.axis("off")
    return figure


def grid_caption(example: Explained, patch: int | None) -> str:
    """Say what a figure of the maps shows."""
    outline = "; the outline is the object's mask" if example.mask is not None else ""
    players = f" The lines over the photograph bound SIG's players, patches of {patch} px." if patch else ""
    return (
        f"{example.name}, explained as {example.label} (probability {example.probability:.2f}): the positive part of "
        f"the attributions, summed over channels and cut off at its {CLIP} % quantile, in colour over the greyed "
        f"photograph{outline}.{players} All methods took the same number of gradients."
    )


def methods_figure(rows: pd.DataFrame) -> Figure | None:
    """Draw mean and interval of every metric by method; None without rows."""
    found = of_study(rows, METHODS)
    metrics = [metric for metric in (*JUDGED, "seconds") if methods_of(found, metric)]
    points = {
        metric: {
            method: tuple(mean_with_interval(_finite(found, metric, method)).values())
            for method in methods_of(found, metric)
        }
        for metric in metrics
    }
    return _dots(points, {metric: f"mean {KNOWN[metric].label}" for metric in metrics}, line_at=SIG)


def advantages_figure(rows: pd.DataFrame) -> Figure | None:
    """Draw SIG's advantage over every other method by metric; None without rows."""
    found = of_study(rows, METHODS)
    points: dict[str, dict[str, tuple[float, ...]]] = {}
    for metric in JUDGED:
        others = [method for method in methods_of(found, metric) if method != SIG]
        compared = {method: Advantage.of(found, metric, method) for method in others}
        intervals = {method: one.interval() for method, one in compared.items() if one is not None}
        if intervals:
            points[metric] = {**intervals}
    return _dots(points, {metric: f"SIG's advantage,\n{KNOWN[metric].label}" for metric in points}, line_at=None)


def sweeps_figure(rows: pd.DataFrame) -> Figure | None:
    """Draw SIG's advantage over plain IG against what was varied; None where nothing was."""
    studies = [study for study in SWEEPS if settings(rows, study)]
    metrics = [metric for metric in JUDGED if any(metric in set(of_study(rows, s)["metric"]) for s in studies)]
    if not metrics:
        return None
    with page_style():
        figure = new_figure(3.3 * len(metrics), 3.1 * len(studies))
        panels = figure.subplots(len(studies), len(metrics), squeeze=False, sharey="col")
        for study, line in zip(studies, panels, strict=True):
            for metric, panel in zip(metrics, line, strict=True):
                _sweep(panel, rows, study, metric)
        for metric, panel in zip(metrics, panels[0], strict=True):
            panel.set_title(KNOWN[metric].label)
        for line in panels:
            line[0].set_ylabel("advantage over plain IG")
    return figure


def _finite(rows: pd.DataFrame, metric: str, method: str) -> np.ndarray:
    values = measured(rows, metric, method)
    return np.asarray(values[np.isfinite(values)])


def _dots(
    points: dict[str, dict[str, tuple[float, ...]]], labels: dict[str, str], line_at: str | None
) -> Figure | None:
    """Draw a panel a metric: methods from top to bottom, a dot and an interval each."""
    if not points:
        return None
    methods = list(dict.fromkeys(method for of_methods in points.values() for method in of_methods))
    columns = min(3, len(points))
    lines = -(-len(points) // columns)
    with page_style():
        figure = new_figure(3.2 * columns + 1.3, lines * (1.0 + 0.26 * len(methods)))
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True)
        for panel in panels.flat[len(points) :]:
            panel.set_visible(False)
        for panel, (metric, of_methods) in zip(panels.flat, points.items(), strict=False):
            for method, (mean, low, high) in of_methods.items():
                _dot(panel, methods.index(method), mean, low, high, LOOKS.get(method, PLAIN))
            panel.axvline(of_methods[line_at][0] if line_at else 0, color="black", linewidth=0.7, zorder=0)
            panel.set_xlabel(labels[metric], fontsize=11)
            panel.tick_params(axis="x", labelsize=9)
        panels[0, 0].set_yticks(range(len(methods)), [plot_label(method) for method in methods])
        panels[0, 0].set_ylim(len(methods) - 0.4, -0.6)
        for panel in panels.flat:
            panel.tick_params(axis="y", which="both", length=0)
    return figure


def _dot(axes: Axes, place: int, mean: float, low: float, high: float, style: Style) -> None:
    axes.hlines(place, low, high, color=style["color"], linewidth=1.6)
    axes.plot(mean, place, marker=style["marker"], markersize=5, color=style["color"])


def _sweep(axes: Axes, rows: pd.DataFrame, study: str, metric: str) -> None:
    values = settings(rows, study)
    style = LOOKS[SIG]
    for place, value in enumerate(values):
        one = Advantage.of(setting_of(rows, study, value), metric, CONTROL)
        if one is not None:
            mean, low, high = one.interval()
            axes.vlines(place, low, high, color=style["color"], linewidth=1.6)
            axes.plot(place, mean, marker=style["marker"], markersize=5, color=style["color"])
    axes.axhline(0, color=LOOKS[CONTROL]["color"], linestyle="--", linewidth=1.0, zorder=0)
    axes.set_xticks(range(len(values)), [str(value) for value in values])
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.tick_params(axis="x", which="minor", length=0)
    axes.tick_params(axis="y", labelsize=9)
    axes.set_xlabel(AXES[study])


def _draw_patches(axes: Axes, shape: Sequence[int], patch: int) -> None:
    height, width = shape
    axes.hlines(np.arange(patch, height, patch) - 0.5, -0.5, width - 0.5, color="white", linewidth=0.5, alpha=0.7)
    axes.vlines(np.arange(patch, width, patch) - 0.5, -0.5, height - 0.5, color="white", linewidth=0.5, alpha=0.7)
