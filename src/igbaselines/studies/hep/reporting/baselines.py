"""Tables and figures of 2412.13864: baselines for an event classifier in high-energy physics."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.studies.hep.reporting.claim_tests import EFFECTIVE_BACKGROUND
from igbaselines.studies.hep.reporting.curves import POOLED, Curve, by_unit
from igbaselines.studies.hep.reporting.figures import STYLES, Band, curves_against_k, ranked_bars

BASELINES = ("zero_physical", "zero_standardised", "background", "background_weighted")
BASELINE_STYLES = dict(zip(BASELINES, STYLES, strict=False))  # a baseline looks the same in every figure
REFERENCE = "zero_physical"  # the curve that the lower panels of Figure 2 subtract
ATTRIBUTIONS = {"attribution": "mean attribution", "attribution_magnitude": "mean |attribution|"}
METRICS = {"accuracy": "accuracy", "significance": "discovery significance Z"}
EVENTS = ["selected_events", "n_eff", "cross_section", "cross_section_error"]  # counts, and fb
PERFORMANCE = (
    "accuracy",
    "balanced_accuracy",
    "roc_auc",
    "significance",
    "significance_mc_error",
    EFFECTIVE_BACKGROUND,
)
HOLLOW_BELOW = 10  # effective background events behind the cut
FIGURES = {"figure_2a": "accuracy", "figure_2b": "significance"}
LISTS = {
    "figure_1": BASELINES,
    "figure_3": BASELINES[:2],
    "figure_4": BASELINES[2:3],
    "figure_5": BASELINES[3:],
}


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure of the study for which there are rows.

    Args:
        folder: a run's folder.
        rows: of the run.
        printed: the paper's statement of each figure, and the length of its list.
    """
    figures = printed.figures
    baselines = [method for method in BASELINES if (rows["method"] == method).any()]
    metric = ranking_metric(rows, baselines)
    rankings = {method: ranking(rows, metric, method) for method in baselines}
    _write_tables(folder, rows, rankings, max(words.get("top", 0) for words in figures.values()))
    networks = rows.loc[rows["metric"] == metric, "unit"].nunique()
    for name, methods in LISTS.items():
        shown = {method: rankings[method].head(figures[name]["top"]) for method in methods if method in rankings}
        if shown:
            drawn = ranked_bars(shown, BASELINE_STYLES, ATTRIBUTIONS[metric], figures[name]["statement"])
            save_figure(drawn, folder, name, _list_caption(name, figures[name]["top"], metric, networks))
    for name, curve_metric in FIGURES.items():
        if baselines and (rows["metric"] == curve_metric).any():
            drawn = performance_figure(rows, curve_metric, baselines, figures[name]["statement"])
            save_figure(drawn, folder, name, _curve_caption(name, curve_metric))


def ranking_metric(rows: pd.DataFrame, baselines: Sequence[str]) -> str:
    """Find out what the run ranked by, the signed mean or the mean magnitude: whichever its ranks follow."""
    for metric in ATTRIBUTIONS:
        if all(_ranks_follow(rows, metric, method) for method in baselines):
            return metric
    return "attribution"


def ranking(rows: pd.DataFrame, metric: str, method: str) -> pd.DataFrame:
    """Order a method's features by their mean attribution over the networks.

    Returns:
        Columns place, feature, mean, sd (over networks), rank_mean, rank_min and rank_max.
    """
    values, ranks = by_unit(rows, metric, method, "feature"), by_unit(rows, "rank", method, "feature")
    table = pd.DataFrame(
        {
            "mean": values.mean(axis=1),
            "sd": values.std(axis=1).fillna(0.0),  # one network has no spread
            "rank_mean": ranks.mean(axis=1),
            "rank_min": ranks.min(axis=1),
            "rank_max": ranks.max(axis=1),
        }
    )
    table = table.sort_values("mean", ascending=False, kind="stable").reset_index()
    table.insert(0, "place", range(1, len(table) + 1))
    return table


def performance_figure(rows: pd.DataFrame, metric: str, baselines: Sequence[str], statement: str) -> Figure:
    """Draw a metric against k, and below it the paired differences from one of the baselines."""
    curves = measured_curves(rows, metric)
    compared = [method for method in baselines if method in curves]
    reference = REFERENCE if REFERENCE in compared else compared[0]
    hollow = {method: thin_points(rows, method) if metric == "significance" else frozenset() for method in compared}
    return curves_against_k(
        [Band.of(method, curves[method], hollow[method]) for method in compared],
        {method: curve.point for method, curve in curves.items() if method not in compared},
        [
            Band.of(method, curves[method] - curves[reference], hollow[method] | hollow[reference])
            for method in compared
            if method != reference
        ],
        styles=BASELINE_STYLES,
        value_label=METRICS[metric],
        difference_label=f"minus {plot_label(reference)}",
        statement=statement,
    )


def measured_curves(rows: pd.DataFrame, metric: str) -> dict[str, Curve]:
    """Read the curve of every method that was measured against k."""
    measured = rows.loc[(rows["metric"] == metric) & rows["k"].notna(), "method"].unique()
    return {str(method): Curve.of(rows, metric, str(method)) for method in measured}


def thin_points(rows: pd.DataFrame, method: str) -> frozenset[int]:
    """Find the k at which too little background is left behind the cut."""
    try:
        effective = by_unit(rows, EFFECTIVE_BACKGROUND, method, "k")[POOLED]
    except NotTestable:
        return frozenset()
    return frozenset(int(str(k)) for k, found in effective.items() if not found >= HOLLOW_BELOW)


def _write_tables(folder: Path, rows: pd.DataFrame, rankings: Mapping[str, pd.DataFrame], top: int) -> None:
    if rankings:
        listed = [table.head(top).assign(method=method) for method, table in rankings.items()]
        ordered = pd.concat(listed)
        write_table(ordered[["method", *ordered.columns.drop("method")]], folder, "rankings")
    for name, metrics, index in (
        ("events", EVENTS, ["process"]),
        (
            "completeness",
            [f"completeness_gap_{part}" for part in ("median", "q95", "max")],
            ["method", "unit"],
        ),
    ):
        found = rows[rows["metric"].isin(metrics)]
        if not found.empty:
            wide = found.pivot(index=index, columns="metric", values="value")
            if "selected_events" in wide:
                wide = wide.astype({"selected_events": "Int64"})
            write_table(wide.reindex(columns=[m for m in metrics if m in wide]).reset_index(), folder, name)
    curves = _curves_table(rows)
    if not curves.empty:
        write_table(curves, folder, "curves")


def _curves_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay out every curve: method and k down; each metric with its interval across."""
    columns: dict[str, pd.Series[float]] = {}
    for metric in PERFORMANCE:
        bands = {method: Band.of(method, curve).table for method, curve in measured_curves(rows, metric).items()}
        if bands:
            table = pd.concat(bands, names=["method", "k"])
            columns[metric] = table["value"]
            if table["low"].notna().any():
                columns |= {f"{metric}_low": table["low"], f"{metric}_high": table["high"]}
    return pd.DataFrame(columns).reset_index()


def _ranks_follow(rows: pd.DataFrame, metric: str, method: str) -> bool:
    """Whether in every network the metric falls from rank to rank."""
    try:
        values, ranks = by_unit(rows, metric, method, "feature"), by_unit(rows, "rank", method, "feature")
    except NotTestable:
        return False
    return all(values[unit].loc[ranks[unit].sort_values().index].is_monotonic_decreasing for unit in values)


def _list_caption(name: str, top: int, metric: str, networks: int) -> str:
    return (
        f"{_numbered(name)}. The {top} features with the largest {ATTRIBUTIONS[metric]} over the signal "
        f"events, in this order: the mean over {networks} networks; error bars: standard deviation between "
        "networks."
    )


def _curve_caption(name: str, metric: str) -> str:
    how = {
        "accuracy": "mean over the networks with its 95 % t-interval",
        "significance": "pooled over the networks with 95 % bootstrap intervals; hollow: fewer than "
        f"{HOLLOW_BELOW} effective background events behind the cut",
    }
    return (
        f"{_numbered(name)}. The {METRICS[metric]} of networks retrained on the top k features: "
        f"{how[metric]}. Thin lines are controls, cut off where they fall far below. Lower panel: paired "
        "differences from one of the baselines. "
        "Every measured k has the same width."
    )


def _numbered(name: str) -> str:
    return name.replace("_", " ").capitalize()
