"""The table and the figure of `comparison`: means and intervals over inputs, by domain, method and metric."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.statistics.estimates import mean_estimate
from igbaselines.reporting.style import new_figure, page_style, save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.running.names import Names

KEYS = ["metric", "domain", "method"]
ARROWS = {"lower": "\N{LEFTWARDS ARROW}", "higher": "\N{RIGHTWARDS ARROW}"}
MARKERS = "os^Dv<>P"
COLUMNS = 3  # of panels


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write the table and the figure.

    Args:
        folder: a run's folder, whose names.json says which direction of a metric is better.
        rows: of the run.
        printed: nothing: no paper has this comparison.
    """
    table = comparison_table(rows, Names.read(folder).metrics)
    write_table(table, folder, "comparison")
    save_figure(comparison_figure(table), folder, "figure_comparison", _caption(table))


def comparison_table(rows: pd.DataFrame, metrics: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A line for each metric, domain and method: mean over the inputs, each averaged over the tasks that explain it.

    Args:
        rows: of the run.
        metrics: what is known of each: `better`.

    Returns:
        `metric`, `domain`, `method`, `better`, `mean`, `low`, `high` (95 % t-interval over the inputs), `inputs`,
        `tasks`, and `without_value`: inputs for which the metric has no meaning.
    """
    lines = []
    for keys, group in rows.groupby(KEYS, sort=False):
        means = group.groupby("unit")["value"].mean()
        finite = means[np.isfinite(means)].to_numpy(float)
        line = dict(zip(KEYS, map(str, keys), strict=True))
        line["better"] = metrics.get(line["metric"], {}).get("better", "")
        counts = {"inputs": len(finite), "tasks": group["task"].nunique(), "without_value": len(means) - len(finite)}
        lines.append(line | _interval(finite) | counts)
    in_order = {key: {str(name): place for place, name in enumerate(rows[key].unique())} for key in KEYS}
    return pd.DataFrame(lines).sort_values(KEYS, key=lambda names: names.map(in_order[names.name]), ignore_index=True)


def comparison_figure(table: pd.DataFrame) -> Figure:
    """Draw a panel for each metric: methods down, a marker for each domain."""
    metrics, methods, domains = (list(table[column].unique()) for column in ("metric", "method", "domain"))
    across = min(COLUMNS, len(metrics))
    down = -(-len(metrics) // across)
    with page_style():
        figure = new_figure(2.4 + 3.4 * across, 0.8 + down * (1.2 + 0.4 * len(methods)))
        panels = figure.subplots(down, across, squeeze=False, sharey=True).flat
        for axes, metric in zip(panels, metrics, strict=False):
            _panel(axes, table[table["metric"] == metric], methods, domains)
        for axes in list(panels)[len(metrics) :]:
            axes.set_visible(False)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(domains), frameon=False)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, methods: list[str], domains: list[str]) -> None:
    for place, domain in enumerate(domains):
        found = table[table["domain"] == domain]
        heights = [methods.index(method) + 0.5 * ((place + 0.5) / len(domains) - 0.5) for method in found["method"]]
        axes.hlines(heights, found["low"], found["high"], color=f"C{place}", linewidth=1.6)
        look = {"color": f"C{place}", "marker": MARKERS[place % len(MARKERS)], "linestyle": "none"}
        axes.plot(found["mean"], heights, label=domain, **look)
    metric, better = table["metric"].iloc[0], table["better"].iloc[0]
    axes.set_xlabel(f"{plot_label(metric)} {ARROWS.get(better, '')}")
    axes.set_yticks(range(len(methods)), [plot_label(method) for method in methods])
    axes.set_ylim(len(methods) - 0.4, -0.6)
    axes.yaxis.set_minor_locator(NullLocator())
    if metric == "evaluations":
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())


def _interval(values: np.ndarray) -> dict[str, float]:
    if len(values) < 2:  # one has a mean and no interval
        return {"mean": float(values.mean()) if len(values) else np.nan, "low": np.nan, "high": np.nan}
    found = mean_estimate(values)
    return {"mean": found.value, "low": found.low, "high": found.high}


def _caption(table: pd.DataFrame) -> str:
    counts = table.groupby("domain", sort=False)[["inputs", "tasks"]].max()
    sizes = "; ".join(f"{domain}: {line.inputs} inputs of {line.tasks} tasks" for domain, line in counts.iterrows())
    return (
        f"Every method by every metric that has a meaning in the domain ({sizes}): means with 95 % t-intervals over "
        "inputs, each averaged over the networks that explain it. Arrows point to where a metric is better."
    )
