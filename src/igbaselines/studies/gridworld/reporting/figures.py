"""Figures of 2310.04821 on GridWorld: agreement with exact Shapley values by method, by cost, by Q, and in the studies.

Every figure is drawn from a table of the run: what is seen can be read off there.
"""

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from igbaselines.reporting import style
from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import curve, dots, legend_above, name_lines, number_axis, points
from igbaselines.reporting.rows import in_order, look_up
from igbaselines.reporting.style import Drawing, Style, looks, new_figure, page_style
from igbaselines.studies.gridworld.reporting.rows import METHODS, METRICS, PLAIN_IG, REFERENCES

# A colour for each idea, and a marker for each method; a hollow marker on a dashed line is the paired estimator.
LOOKS: Mapping[str, Style] = {
    "exact": {"color": "black", "marker": "*", "linestyle": "-"},
    "ig_zero": {"color": style.ORANGE, "marker": "s", "linestyle": "-"},
    "ig_mean": {"color": style.RED, "marker": "o", "linestyle": "-"},
    "expected_gradients": {"color": style.SKY, "marker": "P", "linestyle": "-"},
    "ig_uniform": {"color": style.GREY, "marker": "x", "linestyle": ":"},
    "ig_gaussian": {"color": style.GREY, "marker": "<", "linestyle": ":"},
    "ig_max_distance": {"color": style.GREY, "marker": ">", "linestyle": ":", "markerfacecolor": "white"},
    "shapley_ig": {"color": style.BLUE, "marker": "^", "linestyle": "-"},
    "shapley_ig_paired": {"color": style.BLUE, "marker": "^", "linestyle": "--", "markerfacecolor": "white"},
    "shapley_ig_uniform": {"color": style.BLUE, "marker": "1", "linestyle": ":"},
    "shapley_sampling": {"color": style.GREEN, "marker": "D", "linestyle": "-"},
    "shapley_sampling_paired": {"color": style.GREEN, "marker": "D", "linestyle": "--", "markerfacecolor": "white"},
    "kernel_shap": {"color": style.PINK, "marker": "v", "linestyle": "-."},
}
RING: Style = {"marker": "o", "markersize": 13, "markerfacecolor": "none", "markeredgewidth": 0.9, "color": "#333333"}
INTERVAL = "95 % t-interval over the states"
FLOOR = 1e-3  # closer than that is drawn at the edge: an exact value has no place on the axis, and its rounding none
WIDTH = 5.2  # inches of a panel of the studies


def looks_of(table: pd.DataFrame) -> dict[str, Style]:
    """The colour, marker and line of every method of a table, those of the paper first."""
    return looks(in_order(table["method"], METHODS), LOOKS)


def counts_of(table: pd.DataFrame) -> str:
    """Say over what the means of a table are: `40 states, each averaged over 3 networks`."""
    words = [f"{_span(table['states'])} states"]
    if "networks" in table and table["networks"].notna().any():
        words.append(f"each averaged over {_span(table['networks'].dropna())} networks")
    return ", ".join(words)


def cost_figure(cost: pd.DataFrame) -> Drawing:
    """Draw the distance from the exact values against what was spent: metrics down, references across."""
    metrics, references = in_order(cost["metric"], tuple(METRICS)), in_order(cost["reference"], REFERENCES)
    spent = cost["evaluations"].value_counts()
    budgets = spent.index[2 * spent >= spent.max()]  # samplers spend a little less or more
    with page_style():
        figure = new_figure(max(7.0, 5.0 * len(references)), 1.1 + 3.9 * len(metrics))
        panels = figure.subplots(len(metrics), len(references), squeeze=False, sharex=True, sharey="row")
        for (line, metric), (column, reference) in itertools.product(enumerate(metrics), enumerate(references)):
            axes = panels[line, column]
            of_panel = _distances(cost[(cost["metric"] == metric) & (cost["reference"] == reference)], metric)
            _lines(axes, of_panel, looks_of(cost), "evaluations", until=cost["evaluations"].max())
            axes.set_title(f"reference: {reference}" if line == 0 else "")
            axes.set_xlabel("evaluations for one state" if line == len(metrics) - 1 else "")
            axes.set_ylabel(_distance_label(metric) if column == 0 else "")
            axes.set_yscale("log" if look_up(metric, METRICS).better else "linear")
            number_axis(axes, budgets)
        legend_above(figure, looks_of(cost))
    return figure, (
        "Distance from the exact Shapley values against the evaluations (gradient points, or network evaluations) "
        f"spent on a state; lower is nearer. Mean of {counts_of(cost)}; bands are its {INTERVAL}. Dotted lines go on "
        f"where a method has converged and spends no more. SIG with few coalitions is near plain IG, on which it "
        f"falls back for features that no coalition excludes. Values below {FLOOR:g} are drawn at {FLOOR:g}."
    )


def q_figure(table: pd.DataFrame) -> Drawing:
    """Draw agreement against Q, the share of all coalitions that is sampled."""
    table = table.assign(percent=100 * table["q"].astype(float))
    metrics = in_order(table["metric"], tuple(METRICS))
    with page_style():
        figure = new_figure(max(6.5, 5.0 * len(metrics)), 4.4)
        for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
            _lines(axes, table[table["metric"] == metric], looks_of(table), "percent")
            axes.set_ylabel(look_up(metric, METRICS).label)
            axes.set_xlabel("Q: coalitions sampled [% of all]")
            number_axis(axes, table["percent"])
        legend_above(figure, looks_of(table), columns=2)
    return figure, (
        "Agreement with the exact Shapley values (the mean for absent features) against Q, the share of all coalitions "
        "that is sampled; 100 % takes every coalition once with its exact weight; with few, the empty coalition stands "
        "in where a feature is in all of them. Similarity is better higher, distance lower. Mean of "
        f"{counts_of(table)}; bands are its {INTERVAL}."
    )


def agreement_figure(agreement: pd.DataFrame) -> Drawing:
    """Draw the cosine similarity of all methods with its interval: a panel a reference, the best method on top."""
    table = agreement[agreement["metric"] == "cosine"]
    if table.empty:
        return None, ""
    references, best = in_order(table["reference"], REFERENCES), _best_first(table)
    with page_style():
        figure = new_figure(2.6 + 3.3 * len(references), 1.3 + 0.36 * len(best))
        panels = figure.subplots(1, len(references), squeeze=False, sharey=True, sharex=True)[0]
        for axes, reference in zip(panels, references, strict=True):
            _ranked(axes, table[table["reference"] == reference], best, PLAIN_IG.get(reference, f"ig_{reference}"))
            axes.set_title(f"reference: {reference}")
            axes.set_xlabel(f"{METRICS['cosine'].label} to exact values")
    spent = ""
    if "evaluations" in table and table["evaluations"].notna().any():
        spent = f" Every method may spend the same; the most spent on a state is {table['evaluations'].max():.4g}."
    return figure, (
        f"Cosine similarity of attributions to the exact Shapley values with the same reference: mean of "
        f"{counts_of(table)}, with its {INTERVAL}; the best method on average on top. Ringed: plain Integrated "
        f"Gradients that takes this reference.{spent}"
    )


def studies_figure(tables: Mapping[str, pd.DataFrame]) -> Drawing:
    """Draw a panel for each of the studies of players, interactions and stability that a run has."""
    draw: dict[str, tuple[Callable[[Axes, pd.DataFrame], None], str]] = {
        "players": (
            _players,
            "Number of players: other networks with fewer or more features, each with its own exact values",
        ),
        "interactions": (
            _interactions,
            "Interactions: networks that can have them (filled), and additive ones (hollow), in which a feature "
            "contributes the same to every coalition",
        ),
        "stability": (
            _stability,
            "Stability: similarity of the attributions of a state between networks trained from different seeds (mean "
            "over pairs of networks); the exact values (ringed) say how much the networks themselves differ",
        ),
    }
    found = {name: tables[name] for name in draw if name in tables}
    shown = {name: table[table["metric"].isin(["cosine", "stability_cosine"])] for name, table in found.items()}
    shown = {name: table for name, table in shown.items() if len(table)}
    if not shown:
        return None, ""
    with page_style():
        figure = new_figure(max(6.5, WIDTH * len(shown)), 4.8)
        for axes, (name, table) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
            draw[name][0](axes, table)
    parts = [f"{draw[name][1]} ({counts_of(table)})." for name, table in shown.items()]
    return figure, f"{' '.join(parts)} Points are means over the states, lines their 95 % t-intervals."


def _players(axes: Axes, table: pd.DataFrame) -> None:
    styles = looks_of(table)
    for place, (method, look) in enumerate(styles.items()):
        found = table[table["method"] == method].sort_values("players")
        places = found["players"].to_numpy(float) + 0.18 * (place - (len(styles) - 1) / 2)  # keeps intervals apart
        points(axes, places, found, look, upright=True, joined=True, label=plot_label(method))
    axes.set_xticks(sorted({int(players) for players in table["players"]}))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("players (features of the network)")
    axes.set_ylabel(METRICS["cosine"].label)
    axes.set_title("number of players")
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.22 * (high - low), high + 0.02 * (high - low))  # room for the legend below the lowest value
    axes.legend(loc="lower center", ncols=2, frameon=False)


def _interactions(axes: Axes, table: pd.DataFrame) -> None:
    """Draw networks with interactions filled, and additive ones hollow."""
    styles = looks_of(table)
    for place, (method, look) in enumerate(styles.items()):
        axes.axhline(place, color="#DDDDDD", linewidth=0.7, zorder=0)
        for on, face, shift in ((True, look["color"], 0.14), (False, "white", -0.14)):
            found = table[(table["method"] == method) & (table["interactions"].astype(bool) == on)]
            marked: Style = {"marker": "o", "markersize": 7, "markerfacecolor": face}
            points(axes, np.full(len(found), place + shift), found, look, width=1.8, **marked)
    name_lines(axes, [plot_label(method) for method in styles])
    axes.set_ylim(len(styles) + 0.4, -0.6)
    axes.set_xlabel(METRICS["cosine"].label)
    axes.set_title("interactions between features")
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=7, color="#333333", markerfacecolor=face, label=label)
        for face, label in (("white", "none (additive)"), ("#333333", "with"))
    ]
    axes.legend(handles=handles, loc="lower center", ncols=2, frameon=False)


def _stability(axes: Axes, table: pd.DataFrame) -> None:
    _ranked(axes, table, _best_first(table), "exact")
    axes.set_xlabel(METRICS["stability_cosine"].label)
    axes.set_title("stability over the networks' seeds")


def _best_first(table: pd.DataFrame) -> list[str]:
    return [str(method) for method in table.groupby("method")["mean"].mean().sort_values(ascending=False).index]


def _ranked(axes: Axes, table: pd.DataFrame, order: list[str], ringed: str) -> None:
    """Draw a line with its interval for each method, the first of the order on top."""
    for place in range(len(order)):
        axes.axhline(place, color="#DDDDDD", linewidth=0.7, zorder=0)
    dots(axes, table, "method", lines=order, styles=looks_of(table), markersize=7, width=1.8)
    for mean in table.loc[table["method"] == ringed, "mean"]:
        axes.plot([mean], [order.index(ringed)], **RING)


def _distances(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Turn a similarity into a distance that a logarithmic axis can show."""
    better = look_up(metric, METRICS).better
    if better is None:
        return table
    turned = {edge: table[edge] for edge in ("mean", "low", "high")}
    if better == "higher":
        turned = {"mean": 1 - table["mean"], "low": 1 - table["high"], "high": 1 - table["low"]}
    return table.assign(**{edge: values.clip(lower=FLOOR) for edge, values in turned.items()})


def _distance_label(metric: str) -> str:
    known = look_up(metric, METRICS)
    return f"1 \N{MINUS SIGN} {known.label}" if known.better == "higher" else known.label


def _lines(axes: Axes, table: pd.DataFrame, styles: Mapping[str, Style], place: str, until: float = 0) -> None:
    """Draw the methods' curves; what one reached stays to the end where it cannot spend more."""
    for method, found in table.sort_values(place).groupby("method", sort=False):
        look, places = styles[str(method)], found[place].to_numpy(float)
        curve(axes, places, found, look)
        if places[-1] < until / 2:  # not of a sampler that spent a little less
            ends, reached = [places[-1], until], [found["mean"].iloc[-1]] * 2
            axes.plot(ends, reached, color=look["color"], linestyle=":", linewidth=1.0, zorder=1)


def _span(numbers: "pd.Series[float]") -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low}" if low == high else f"{low} to {high}"
