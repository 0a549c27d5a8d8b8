"""Figures of `shapley_errors`: the parts of the error by architecture, and how many coalitions are enough."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from igbaselines.reporting import style
from igbaselines.reporting.plots import curve, dots, legend_above, number_axis
from igbaselines.reporting.rows import in_order
from igbaselines.reporting.style import Drawing, Style, looks, new_figure, page_style
from igbaselines.studies.gridworld.reporting.rows import REFERENCES

LOOKS: dict[str, Style] = {
    "imputer": {"color": style.ORANGE, "marker": "s", "linestyle": "-"},
    "paths": {"color": style.BLUE, "marker": "^", "linestyle": "-"},
    "sampling": {"color": style.GREEN, "marker": "D", "linestyle": "-"},
    "quadrature": {"color": style.PINK, "marker": "v", "linestyle": "-"},
    "ig_paths": {"color": style.RED, "marker": "o", "linestyle": "-"},
    "bound": {"color": style.GREY, "marker": "|", "linestyle": ":"},
}
AIM = 0.95  # cosine with SIG's own limit that coalitions shall reach
FLOOR = 1e-4  # rounding has no place on the axis
METRICS = {"relative_l2": "distance, relative to the exact values", "cosine": "1 \N{MINUS SIGN} cosine similarity"}
INTERVAL = "lines and bands are 95 % t-intervals over states and networks"


def parts_figure(parts: pd.DataFrame) -> Drawing:
    """Draw each part of the error of every architecture: references across, metrics down."""
    if parts.empty:
        return None, ""
    shown = parts[parts["method"].isin(LOOKS)]
    references, lines = in_order(shown["reference"], REFERENCES), in_order(shown["architecture"])
    with page_style():
        figure = new_figure(2.6 + 4.2 * len(references), 1.6 + 0.62 * len(lines) * len(METRICS))
        panels = figure.subplots(len(METRICS), len(references), squeeze=False, sharey="row", sharex="row")
        for row, metric in zip(panels, METRICS, strict=True):
            for axes, reference in zip(row, references, strict=True):
                of_panel = shown[(shown["metric"] == metric) & (shown["reference"] == reference)]
                dots(axes, _distances(of_panel, metric), "architecture", "method", lines=lines, styles=LOOKS)
                axes.set_xscale("log")
                axes.set_xlabel(METRICS[metric])
                axes.set_title(f"reference: {reference}" if metric == "relative_l2" else "")
        legend_above(figure, {name: LOOKS[name] for name in in_order(shown["method"], tuple(LOOKS))}, columns=6)
    return figure, (
        "What separates Shapley IG from exact Shapley values of the game over background states, part by part and by "
        "the network's architecture. Imputer: a single reference in the background states' place; paths: IG's sharing "
        "of a move, all coalitions taken; sampling: some coalitions in place of all; quadrature: nodes in place of "
        "twice as many; grey: what the paths' part is at most, by proof. Red: the paths' part of plain IG from the "
        f"same reference. Means over {_most(shown, 'states')} states and {_most(shown, 'networks')} networks; "
        f"{INTERVAL}. Values below {FLOOR:g} are drawn there."
    )


def guideline_figure(players: pd.DataFrame, guideline: pd.DataFrame) -> Drawing:
    """Draw the part of sampling against the number of coalitions, and agreement with the exact values."""
    if players.empty:
        return None, ""
    counts = sorted(int(count) for count in players["players"].unique())
    styles = looks(map(str, counts))
    with page_style():
        figure = new_figure(12.5, 4.8)
        left, middle, right = figure.subplots(1, 3)
        for count in counts:
            found = players[players["players"] == count]
            _curve(left, found, "sampling", "relative_l2", styles[str(count)])
            level = found[(found["method"] == "paths") & (found["metric"] == "relative_l2")]["mean"].mean()
            left.axhline(level, color=styles[str(count)]["color"], linestyle=":", linewidth=1.2)
            _curve(middle, found, "sampling", "cosine", styles[str(count)])
            _curve(right, found, "paths_sampling", "cosine", styles[str(count)])
        left.set_yscale("log")
        left.set_ylabel(f"sampling: {METRICS['relative_l2']}")
        middle.set_ylabel("cosine with SIG's own limit")
        right.set_ylabel("cosine with exact Shapley values")
        for axes in (left, middle, right):
            number_axis(axes, players["coalitions"])
            axes.set_xlabel("coalitions sampled of each state")
        legend_above(figure, styles, label=lambda name: f"{name} players")
    return figure, (
        "How many coalitions are enough, the mean for absent features. Dotted: the part of the paths, which no number "
        f"of coalitions removes. {guideline_words(guideline)} Means over {_most(players, 'states')} states and "
        f"{_most(players, 'networks')} networks; {INTERVAL}."
    )


def guideline_words(guideline: pd.DataFrame) -> str:
    """Say the guideline in words, from its table."""
    parts = [
        f"with {line['players']} players {_count(line, 'below_paths')} and {_count(line, 'near_limit')} of "
        f"{line['all_coalitions']}"
        for line in guideline.to_dict("records")
    ]
    return (
        "Guideline: coalitions that bring the part of sampling below that of the paths, and SIG to a cosine of "
        f"{AIM:g} with its own limit: {'; '.join(parts)}."
    )


def _count(line: Mapping[Any, Any], name: str) -> str:
    mean, low, high = (
        f"{np.ceil(count):.0f}" if np.isfinite(count) else "more than were sampled"
        for count in (line[name], line[f"{name}_low"], line[f"{name}_high"])
    )
    return f"{mean} ({low} to {high})"


def _curve(axes: Axes, table: pd.DataFrame, method: str, metric: str, look: Style) -> None:
    found = table[(table["method"] == method) & (table["metric"] == metric)].sort_values("coalitions")
    curve(axes, found["coalitions"].to_numpy(float), found, look)


def _distances(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What a logarithmic axis can show: distances, and similarities as distances."""
    edges = {edge: table[edge] for edge in ("mean", "low", "high")}
    if metric == "cosine":
        edges = {"mean": 1 - table["mean"], "low": 1 - table["high"], "high": 1 - table["low"]}
    return table.assign(**{edge: values.clip(lower=FLOOR) for edge, values in edges.items()})


def _most(table: pd.DataFrame, column: str) -> int:
    return int(table[column].max())
