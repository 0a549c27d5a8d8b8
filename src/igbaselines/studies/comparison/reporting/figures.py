"""The figures of a comparison: the answer as a matrix, ranks with what is not told apart, metrics, and cost."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import dots, grid_of, heat_map, legend_above, name_lines, points
from igbaselines.reporting.rows import in_order
from igbaselines.reporting.statistics.nested import Nested, clusters
from igbaselines.reporting.style import GREY, Drawing, looks, new_figure, page_style, style_of
from igbaselines.studies.comparison.reporting.answer import asked
from igbaselines.studies.comparison.reporting.judged import OVERALL, Domain, Judgement
from igbaselines.studies.comparison.reporting.tables import mean_intervals
from igbaselines.studies.comparison.settings import COST

ARROWS = {"lower": "\N{LEFTWARDS ARROW}", "higher": "\N{RIGHTWARDS ARROW}"}
COLUMNS = 3  # of panels
PALE = 0.6  # of the worst rank; what is better is so dark that it is written in white


def answer_figure(every: Sequence[Domain]) -> Drawing:
    """Kinds of data across, methods down: the mean rank by all questions; what is not told from the best is framed."""
    found = {domain.name: one for domain in every if (one := domain.overall) is not None}
    if not found:
        return None, ""
    ranks = pd.DataFrame({name: pd.Series(one.nested.means, one.nested.methods) for name, one in found.items()})
    shares = ranks.rank() / ranks.count()
    methods = list(shares.mean(axis=1).sort_values(kind="stable").index)
    with page_style():
        figure = new_figure(3.6 + 1.3 * len(found), 1.6 + 0.34 * len(methods))
        axes = figure.subplots()
        axes.imshow(
            shares.loc[methods].to_numpy(float), cmap="Blues_r", vmin=0, vmax=1.6, aspect="auto", interpolation="none"
        )
        for column, one in enumerate(found.values()):
            for row, method in enumerate(methods):
                if method not in one.nested.methods:
                    continue
                is_best = method in one.unresolved
                text = f"{ranks.loc[method, list(found)[column]]:.1f}"
                axes.text(
                    column,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontweight="bold" if is_best else "normal",
                    fontstyle="italic" if method in one.controls else "normal",
                    color="white" if shares.loc[method].iloc[column] < PALE else "black",
                    fontsize=10,
                )
                if is_best:
                    axes.add_patch(_frame(column, row, method == one.best))
        name_lines(axes, [plot_label(method) for method in methods])
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.set_xticks(range(len(found)), list(found))
        axes.xaxis.tick_top()
        axes.tick_params(axis="x", which="both", length=0)
        axes.minorticks_off()
    sizes = "; ".join(
        f"{name}: {one.nested.inputs} inputs, {sum(one.nested.networks)} networks" for name, one in found.items()
    )
    return figure, (
        "Which baseline, then? Mean rank of every method over all questions, each question and in it each metric "
        "counted the same; lower is better. Thick frames: the best; thin ones: what may be the best as well, by a 95 % "
        "confidence set (one-sided tests against all others, after Bonferroni). Italic: controls that never ask the "
        f"network. {sizes}."
    )


def _frame(column: int, row: int, thick: bool) -> Rectangle:
    return Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, linewidth=2.4 if thick else 1.0)


def ranks_figure(every: Sequence[Domain]) -> Drawing:
    """Mean ranks with intervals, a panel a kind of data; bars join methods that no test tells apart (Demsar 2006)."""
    found = {domain.name: one for domain in every if (one := domain.overall) is not None}
    if not found:
        return None, ""
    most = max(len(one.nested.methods) for one in found.values())
    with page_style():
        figure = new_figure(5.2 * min(COLUMNS, len(found)), -(-len(found) // COLUMNS) * (1.2 + 0.3 * most))
        for axes, (name, one) in zip(grid_of(figure, len(found), COLUMNS), found.items(), strict=True):
            _ranks(axes, one)
            axes.set_title(name)
            axes.set_xlabel("mean rank over all questions \N{LEFTWARDS ARROW}")
    return figure, (
        "Critical differences (Demsar 2006): mean ranks over all questions with 95 % intervals over replicates; bars "
        "at the right join neighbours of which tests of all pairs, corrected by Holm, tell no two apart; where spreads "
        "differ two others may not be told apart either. Grey: controls."
    )


def _rank_intervals(nested: Nested) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of mean ranks within what a rank can be: those of two inputs reach far beyond."""
    last = max(len(nested.methods), nested.means.max())  # methods without a value of some data have ranks, too
    low, high = (bound.clip(1, last) for bound in mean_intervals(nested))
    return low, high


def _ranks(axes: Axes, one: Judgement) -> None:
    order, nested = one.nested.order(-1), one.nested
    low, high = _rank_intervals(nested)
    at = [nested.methods.index(method) for method in order]
    table = pd.DataFrame({"mean": nested.means[at], "low": low[at], "high": high[at]})
    is_control = np.array([method in one.controls for method in order])
    for chosen, look in ((~is_control, style_of(2)), (is_control, {"color": GREY, "marker": "o"})):
        points(axes, np.flatnonzero(chosen), table[chosen], look)
    right = axes.get_xlim()[1]
    step = (right - axes.get_xlim()[0]) / 40
    for place, some in enumerate(clusters(order, nested)):
        where = right + (1 + place) * step
        axes.vlines(where, order.index(some[0]) - 0.2, order.index(some[-1]) + 0.2, color="black", linewidth=2)
    name_lines(axes, [plot_label(method) for method in order])


def metrics_figure(table: pd.DataFrame) -> Drawing:
    """How much metrics agree on the order of methods: Kendall's tau of each pair, a triangle a kind of data."""
    if table.empty:
        return None, ""
    names = in_order(table["domain"])
    most = max(len(in_order([*some["a"], *some["b"]])) for _, some in table.groupby("domain"))
    side = 2.4 + 0.42 * most
    with page_style():
        figure = new_figure(side * min(2, len(names)), -(-len(names) // 2) * side)
        for axes, name in zip(grid_of(figure, len(names), 2), names, strict=True):
            some = table[table["domain"] == name]
            heat_map(axes, some, -1.0)
            axes.set_title(f"{name}: Kendall's $W$ = {some['kendalls_w'].iloc[0]:.2f}")
    return figure, (
        "How much metrics agree on the order of methods: Kendall's tau of each pair, and W of all of them (1: the same "
        "order, 0: none in common)."
    )


def cost_figure(every: Sequence[Domain]) -> Drawing:
    """The mean rank over all questions against what was spent, at every budget; a panel a kind of data."""
    names = in_order(domain.name for domain in every)
    lines = [
        {"domain": domain.name, "method": method, "cost": domain.mean(COST, method), "rank": rank}
        for domain in every
        if (one := domain.overall) is not None
        for method, rank in zip(one.nested.methods, one.nested.means, strict=True)
        if method not in one.controls
    ]
    table = pd.DataFrame(lines)
    if table.empty or table.groupby(["domain", "method"]).size().max() < 2:
        return None, ""
    styles = looks(in_order(table["method"]))
    with page_style():
        figure = new_figure(4.4 * min(COLUMNS, len(names)), 1.6 + -(-len(names) // COLUMNS) * 3.6)
        for axes, name in zip(grid_of(figure, len(names), COLUMNS), names, strict=True):
            for method, some in table[table["domain"] == name].groupby("method", sort=False):
                ordered = some.sort_values("cost")
                axes.plot(ordered["cost"], ordered["rank"], **{"markersize": 5, **styles[str(method)]})
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel("evaluations an input")
            axes.set_ylabel("mean rank")
            axes.set_title(name)
        legend_above(figure, styles)
    return figure, (
        "What more evaluations buy: mean rank over all questions, among the methods of the same budget, against what "
        "each method spent on an input; a gradient counts as what it costs on the network."
    )


def metrics_and_methods_figure(every: Sequence[Domain]) -> Drawing:
    """Ranks of methods by each metric, a panel a kind of data: methods down, metrics across, the better the darker."""
    found = [domain for domain in every if domain.measured]
    if not found:
        return None, ""
    metrics = max(len(domain.measured) for domain in found)
    methods = max(len(_first(domain).nested.methods) for domain in found)
    columns = min(2, len(found))
    with page_style():
        figure = new_figure(columns * (2.6 + 0.3 * metrics), -(-len(found) // columns) * (2.4 + 0.27 * methods))
        for axes, domain in zip(grid_of(figure, len(found), columns), found, strict=True):
            _by_metric(axes, domain)
            axes.set_title(domain.name)
    return figure, (
        "Ranks of methods by each metric, the better the darker; a dot where a method may be the best, by a 95 % "
        "confidence set. Grey names: controls that never ask the network, and metrics that are no part of the answer."
    )


def _first(domain: Domain) -> Judgement:
    """What methods are ordered by: all questions, or else the first metric."""
    return domain.overall or domain.measured[0]


def _by_metric(axes: Axes, domain: Domain) -> None:
    first, every = _first(domain), domain.measured
    order = first.nested.order(first.sign)
    ranks = pd.DataFrame({one.metric: pd.Series(one.nested.ranks(one.sign), one.nested.methods) for one in every})
    shades = ranks.reindex(order) / (ranks.count() + 1)  # a metric that few methods have is as dark as the others
    axes.imshow(shades.to_numpy(float), cmap="Blues_r", vmin=0, vmax=1.5, aspect="auto", interpolation="none")
    places = {method: row for row, method in enumerate(order)}
    dots = [(at, places[one]) for at, judged in enumerate(every) for one in judged.unresolved if one in places]
    axes.plot(*zip(*dots, strict=True), ".", color="white", markersize=5)
    name_lines(axes, [plot_label(method) for method in order])
    for tick, method in zip(axes.get_yticklabels(), order, strict=True):
        tick.set_color(GREY if method in first.controls else "black")
    axes.set_ylim(len(order) - 0.5, -0.5)
    labels = [plot_label(one.metric) for one in every]
    axes.set_xticks(range(len(every)), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    for tick, one in zip(axes.get_xticklabels(), every, strict=True):
        tick.set_color("black" if one.question else GREY)
    axes.tick_params(axis="x", which="both", length=0)
    axes.minorticks_off()


def questions_figure(every: Sequence[Domain]) -> Drawing:
    """Ranks by each question: where the answer hangs on what is asked."""
    lines = []
    for domain in every:
        for one in asked(domain):
            low, high = _rank_intervals(one.nested)
            for at, method in enumerate(one.nested.methods):
                name = f"{domain.name}: {one.question}"
                lines.append(
                    {
                        "panel": name,
                        "method": method,
                        "question": one.question,
                        "domain": domain.name,
                        "mean": one.nested.means[at],
                        "low": low[at],
                        "high": high[at],
                    }
                )
    table = pd.DataFrame(lines)
    if table.empty:
        return None, ""
    methods = in_order(table[table["question"] == OVERALL].sort_values("mean", kind="stable")["method"])
    questions = in_order(table["question"])
    styles = looks(in_order(table["domain"]))
    with page_style():
        figure = new_figure(2.4 + 3.0 * len(questions), 1.6 + 0.4 * len(methods))
        panels = grid_of(figure, len(questions), len(questions), sharey=True)
        for axes, question in zip(panels, questions, strict=True):
            dots(axes, table[table["question"] == question], "method", "domain", lines=methods, styles=styles)
            axes.set_xlabel(f"mean rank \N{LEFTWARDS ARROW}\n{question}")
        legend_above(figure, styles)
    return figure, "Mean ranks by each question, with 95 % intervals over replicates."
