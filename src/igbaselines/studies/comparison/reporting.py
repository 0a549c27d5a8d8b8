"""The table and the figure of `comparison`: means and intervals over inputs, by domain, method and metric."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.plots import dots, grid_of, legend_above
from igbaselines.reporting.rows import in_order
from igbaselines.reporting.statistics.estimates import mean_with_interval
from igbaselines.reporting.style import looks, new_figure, page_style, save_figures
from igbaselines.reporting.tables import write_table
from igbaselines.running.rows import Names

KEYS = ["metric", "domain", "method"]
ARROWS = {"lower": "\N{LEFTWARDS ARROW}", "higher": "\N{RIGHTWARDS ARROW}"}
COLUMNS = 3  # of panels


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write the table and the figure; the run's names.json says which direction of a metric is better."""
    table = comparison_table(rows, Names.read(folder).metrics)
    write_table(table, folder, "comparison")
    save_figures(folder, {"figure_comparison": (comparison_figure(table), _caption(table))})


def comparison_table(rows: pd.DataFrame, metrics: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A line for each metric, domain and method: mean over the inputs, each averaged over the tasks that explain it.

    Returns:
        `metric`, `domain`, `method`, `better`, `mean`, `low`, `high` (95 % t-interval over the inputs), `inputs`,
        `tasks`, and `without_value`: inputs for which the metric has no meaning.
    """
    lines = []
    for keys, group in rows.groupby(KEYS, sort=False):
        means = group.groupby(["data", "unit"])["value"].mean()
        finite = means[np.isfinite(means)].to_numpy(float)
        line = dict(zip(KEYS, map(str, keys), strict=True))
        line["better"] = metrics.get(line["metric"], {}).get("better", "")
        counts = {"inputs": len(finite), "tasks": group["task"].nunique(), "without_value": len(means) - len(finite)}
        lines.append(line | mean_with_interval(finite) | counts)
    places = {key: {name: place for place, name in enumerate(in_order(rows[key]))} for key in KEYS}

    def in_rows(names: "pd.Series[str]") -> "pd.Series[int]":
        return names.map(places[str(names.name)])

    return pd.DataFrame(lines).sort_values(KEYS, key=in_rows, ignore_index=True)


def comparison_figure(table: pd.DataFrame) -> Figure:
    """Draw a panel for each metric: methods down, a look for each domain."""
    metrics, methods, styles = in_order(table["metric"]), in_order(table["method"]), looks(in_order(table["domain"]))
    lines = -(-len(metrics) // COLUMNS)
    with page_style():
        figure = new_figure(2.4 + 3.4 * min(COLUMNS, len(metrics)), 0.8 + lines * (1.0 + 0.4 * len(methods)))
        for axes, metric in zip(grid_of(figure, len(metrics), COLUMNS, sharey=True), metrics, strict=True):
            found = table[table["metric"] == metric]
            dots(axes, found, "method", "domain", lines=methods, styles=styles)
            axes.set_xlabel(f"{plot_label(metric)} {ARROWS.get(found['better'].iloc[0], '')}")
            if metric == "evaluations":
                axes.set_xscale("log")
                axes.xaxis.set_minor_formatter(NullFormatter())
        legend_above(figure, styles)
    return figure


def _caption(table: pd.DataFrame) -> str:
    counts = table.groupby("domain", sort=False)[["inputs", "tasks"]].max()
    sizes = "; ".join(f"{domain}: {line.inputs} inputs of {line.tasks} tasks" for domain, line in counts.iterrows())
    return (
        f"Every method by every metric that has a meaning in the domain ({sizes}): means with 95 % t-intervals over "
        "inputs, each averaged over the networks that explain it. Arrows point to where a metric is better."
    )
