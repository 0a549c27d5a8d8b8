"""Figures of 2310.04821 on photographs: maps beside each other, methods by metric, and what was varied."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igbaselines.reporting.plots import dots, grid_of, points
from igbaselines.reporting.rows import in_order, look_up, methods_of
from igbaselines.reporting.style import BLUE, Drawing, Style, new_figure, page_style, style_of
from igbaselines.reporting.tables import means_table
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.reporting.overlays import draw_maps, overlay_caption
from igbaselines.studies.images.reporting.rows import METRICS
from igbaselines.studies.images.reporting.shapley.tables import (
    CONTROL,
    METHODS,
    SIG,
    SWEEPS,
    advantage_of,
    judged,
    of_study,
    setting_of,
    settings,
)

COLUMNS = 4
PANEL = 2.4  # inches
LOOKS: Mapping[str, Style] = {SIG: style_of(0), CONTROL: style_of(2)}
PLAIN: Style = {"color": "#555555", "marker": "o", "linestyle": "-"}  # every line is named: only two stand out
PATCHES: Style = {"color": "white", "linewidth": 0.5, "alpha": 0.7}
AXES = {"patch": "side of a patch [px]", "coalitions": "coalitions"}


def grid_figure(example: ExplainedPhotograph, name: str, patch: int | None) -> Drawing:
    """Draw the photograph of this name, with SIG's patches over it, and the map of every method."""
    panels, (height, width) = 1 + len(example.maps), example.image.shape[:2]
    with page_style():
        figure = new_figure(PANEL * COLUMNS, (PANEL * height / width + 0.3) * -(-panels // COLUMNS))
        axes = grid_of(figure, panels, COLUMNS)
        draw_maps(axes, example, 11)
        for panel, method in zip(axes[1:], example.methods, strict=True):
            panel.title.set_color(LOOKS.get(str(method), {}).get("color", "black"))
        if patch is not None:
            axes[0].hlines(np.arange(patch, height, patch) - 0.5, -0.5, width - 0.5, **PATCHES)
            axes[0].vlines(np.arange(patch, width, patch) - 0.5, -0.5, height - 0.5, **PATCHES)
    players = f" The lines over the photograph bound SIG's players, patches of {patch} px." if patch else ""
    return figure, f"{overlay_caption(example, name)}{players} All methods took the same number of gradients."


def methods_figure(rows: pd.DataFrame) -> Drawing:
    """Draw mean and interval of every metric by method."""
    found = of_study(rows, METHODS)
    if found.empty:
        return None, ""
    table = means_table(found, ("metric", "method"))
    shown = [*judged(found), *(name for name in ("seconds",) if (found["metric"] == name).any())]
    tables = {metric: table[table["metric"] == metric] for metric in shown}
    of_sig = table[table["method"] == SIG].set_index("metric")["mean"]  # empty where others are compared
    return _dots(tables, {str(metric): float(mean) for metric, mean in of_sig.items()}, "mean {}"), (
        "Mean over the images of every metric for every method at the same number of gradient points, with its 95 % "
        "t-interval; the line is the mean of SIG. The images differ far more than the methods: figure_advantages "
        "compares image by image."
    )


def advantages_figure(rows: pd.DataFrame) -> Drawing:
    """Draw SIG's advantage over every other method by metric."""
    found = of_study(rows, METHODS)
    tables: dict[str, pd.DataFrame] = {}
    for metric in judged(found):
        intervals = {method: advantage_of(found, metric, method) for method in methods_of(found, metric)}
        cells = {method: one for method, one in intervals.items() if one is not None and method != SIG}
        table = pd.DataFrame.from_dict(cells, orient="index", columns=["mean", "low", "high"])
        tables |= {metric: table.rename_axis("method").reset_index()} if cells else {}
    return _dots(tables, dict.fromkeys(tables, 0.0), "SIG's advantage,\n{}"), (
        "Advantage of SIG over every other method at the same number of gradient points: the mean paired difference "
        "over the images, turned so that values above zero are better for SIG, with its 95 % t-interval (not "
        "corrected for the number of comparisons; the table against_shapley_ig is). IG, absent value: plain IG from "
        "the value that SIG's absent patches take."
    )


def sweeps_figure(rows: pd.DataFrame) -> Drawing:
    """Draw SIG's advantage over plain IG against what was varied."""
    studies = [study for study in SWEEPS if settings(rows, study)]
    metrics = judged(pd.concat([of_study(rows, study) for study in studies])) if studies else []
    if not metrics:
        return None, ""
    with page_style():
        figure = new_figure(3.3 * len(metrics), 3.1 * len(studies))
        panels = figure.subplots(len(studies), len(metrics), squeeze=False, sharey="col")
        for study, line in zip(studies, panels, strict=True):
            for metric, panel in zip(metrics, line, strict=True):
                _sweep(panel, rows, study, metric)
            line[0].set_ylabel("advantage over plain IG")
        for metric, panel in zip(metrics, panels[0], strict=True):
            panel.set_title(look_up(metric, METRICS).label)
    return figure, (
        "Advantage of SIG over plain IG from the same absent value (zero line, at the main number of gradient "
        "points) against the side of a patch, at the same number of gradient points, and against the number of "
        "coalitions, each at the same number of nodes: mean paired difference over the images, turned so that more "
        "is better, with its 95 % t-interval. Where few coalitions meet many patches, some patch is in all of them "
        "and the last one gives way to the empty coalition, which is plain IG."
    )


def _dots(tables: Mapping[str, pd.DataFrame], at: Mapping[str, float], words: str) -> Figure | None:
    """Draw a panel a metric: methods from top to bottom, a dot and an interval each, and a line at a value."""
    if not tables:
        return None
    methods = in_order(method for table in tables.values() for method in table["method"])
    styles = {method: LOOKS.get(method, PLAIN) for method in methods}
    columns = min(3, len(tables))
    with page_style():
        figure = new_figure(3.2 * columns + 1.3, -(-len(tables) // columns) * (1.0 + 0.26 * len(methods)))
        panels = grid_of(figure, len(tables), columns, sharey=True)
        for panel, (metric, table) in zip(panels, tables.items(), strict=True):
            dots(panel, table, "method", lines=methods, styles=styles, markersize=5)
            if metric in at:
                panel.axvline(at[metric], color="black", linewidth=0.7, zorder=0)
            panel.set_xlabel(words.format(look_up(metric, METRICS).label), fontsize=11)
            panel.tick_params(axis="x", labelsize=9)
    return figure


def _sweep(axes: Axes, rows: pd.DataFrame, study: str, metric: str) -> None:
    values = settings(rows, study)
    found = [advantage_of(setting_of(rows, study, value), metric, CONTROL) for value in values]
    table = pd.DataFrame([one or (np.nan,) * 3 for one in found], columns=["mean", "low", "high"])
    points(axes, np.arange(len(values)), table, LOOKS[SIG], upright=True, markersize=5)
    axes.axhline(0, color=BLUE, linestyle="--", linewidth=1.0, zorder=0)
    axes.set_xticks(range(len(values)), [str(value) for value in values])
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.tick_params(axis="x", which="minor", length=0)
    axes.tick_params(axis="y", labelsize=9)
    axes.set_xlabel(AXES[study])
