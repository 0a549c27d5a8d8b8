"""Tables and figures of 2412.13864: baselines for an event classifier in high-energy physics."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.rows import POOLED, MetricLook, by_unit, in_order, look_up, methods_of, unit_name
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import Drawing, Style, looks, save_figures, style_of
from igbaselines.reporting.tables import methods_table, write_tables
from igbaselines.studies.hep.reporting.claim_tests import EFFECTIVE_BACKGROUND
from igbaselines.studies.hep.reporting.curves import Curve, with_curves
from igbaselines.studies.hep.reporting.figures import curves_against_k, ranked_bars

# The order of the paper; what a run has beside comes after, in the order of its rows.
BASELINES = ("zero_physical", "zero_standardised", "background", "background_weighted")
STYLES: Mapping[str, Style] = {method: style_of(place) for place, method in enumerate(BASELINES)}
REFERENCE = "zero_physical"  # the curve that the lower panels of Figure 2 subtract
CONTROL = re.compile(
    r"random_\d+|single_feature_auc|permutation_importance|all_features|background_(absolute|magnitude)"
)
ATTRIBUTIONS = {"attribution": "mean attribution", "attribution_magnitude": "mean |attribution|"}
METRICS = {
    "accuracy": MetricLook("accuracy", "higher"),
    "significance": MetricLook("discovery significance Z", "higher"),
}
EVENTS = ("selected_events", "n_eff", "cross_section", "cross_section_error")  # counts, and fb
OF_NETWORKS = ("network_loss", "network_epochs")  # how training went
PREMISES = ("share_nearer", "features_out_of_range", "draw_agreement", "raised_attribution", "higher_in_signal")
GAPS = tuple(f"completeness_gap_{part}" for part in ("median", "q95", "max"))
PERFORMANCE = (
    "accuracy",
    "balanced_accuracy",
    "roc_auc",
    "significance",
    "significance_mc_error",
    "significance_with_error",
    EFFECTIVE_BACKGROUND,
)
HOLLOW_BELOW = 10  # effective background events behind the cut
FIGURES = {  # metric, what is over the networks, and what else to know
    "figure_2a": ("accuracy", "mean", "with its 95 % t-interval"),
    "figure_2b": (
        "significance",
        "pooled",
        f"with 95 % bootstrap intervals; hollow: fewer than {HOLLOW_BELOW} effective background events behind the cut",
    ),
}
LISTS = {"figure_3": BASELINES[:2], "figure_4": BASELINES[2:3], "figure_5": BASELINES[3:]}


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure of the study for which there are rows, each list as long as that of the paper."""
    baselines = methods_of(rows, "attribution", BASELINES)
    metric = ranking_metric(rows, baselines)
    rankings = {method: ranking(rows, metric, method) for method in baselines}
    longest = max(words.get("top", 0) for words in printed.figures.values())
    write_tables(folder, run_tables(rows, rankings, longest))
    units = rows.loc[rows["metric"] == metric, "unit"].unique()
    unit = unit_name(units)
    others = {"figure_others": [method for method in baselines if method not in BASELINES]}
    drawings: dict[str, Drawing] = {}
    for name, methods in {"figure_1": baselines, **LISTS, **others}.items():
        top = printed.figures.get(name, {}).get("top", longest)
        shown = {method: rankings[method].head(top) for method in methods if method in rankings}
        if shown:
            caption = (
                f"{_numbered(name)}. The {top} features with the largest {ATTRIBUTIONS[metric]} over the signal "
                f"events, in this order: the mean over {_counted(units)}; error bars: standard deviation between "
                f"{unit}s."
            )
            drawings[name] = ranked_bars(shown, looks(baselines, STYLES), ATTRIBUTIONS[metric]), caption
    for name, (curve_metric, over, how) in FIGURES.items():
        caption = (
            f"{_numbered(name)}. The {METRICS[curve_metric].label} of networks retrained on the top k features: {over} "
            f"over {_counted(with_curves(rows))} {how}. "
            "Thin lines are controls, cut off where they fall far below. Lower panel: paired differences from one of "
            "the baselines. Every measured k has the same width."
        )
        drawings[name] = performance_figure(rows, curve_metric), caption
    save_figures(folder, drawings, printed.figures)


def ranking_metric(rows: pd.DataFrame, baselines: Sequence[str]) -> str:
    """Find out what the run ranked by, the signed mean or the mean magnitude: whichever its ranks follow."""
    for metric in ATTRIBUTIONS:
        if all(_ranks_follow(rows, metric, method) for method in baselines):
            return metric
    return "attribution"


def ranking(rows: pd.DataFrame, metric: str, method: str) -> pd.DataFrame:
    """Features by mean attribution: place, feature, mean and sd over the networks, their number, and ranks."""
    values, ranks = by_unit(rows, metric, method, "feature"), by_unit(rows, "rank", method, "feature")
    of_ranks = ranks.agg(["mean", "min", "max"], axis=1).add_prefix("rank_")
    spread = values.std(axis=1).fillna(0.0)  # one network has no spread
    counted = values.count(axis=1).rename(f"{unit_name(values.columns)}s")
    table = pd.concat([values.mean(axis=1).rename("mean"), spread.rename("sd"), of_ranks, counted], axis=1)
    table = table.sort_values("mean", ascending=False, kind="stable").reset_index()
    table.insert(0, "place", range(1, len(table) + 1))
    return table


def performance_figure(rows: pd.DataFrame, metric: str) -> Figure | None:
    """Draw a metric against k, and below it the paired differences from one of the methods; None without any."""
    curves = measured_curves(rows, metric)
    compared = [method for method in curves if not CONTROL.fullmatch(method)]
    if not compared or rows.loc[rows["metric"] == metric, "k"].nunique() < 2:  # all features alone: no curve
        return None
    hollow = {method: thin_points(rows, method) for method in compared if metric == "significance"}
    reference = REFERENCE if REFERENCE in compared else compared[0]
    return curves_against_k(
        curves, compared, reference, looks(compared, STYLES), look_up(metric, METRICS).label, hollow
    )


def measured_curves(rows: pd.DataFrame, metric: str) -> dict[str, Curve]:
    """Read the curve of every method that was measured against k."""
    measured = methods_of(rows[rows["k"].notna()], metric, BASELINES)
    return {method: Curve.of(rows, metric, method) for method in measured}


def thin_points(rows: pd.DataFrame, method: str) -> frozenset[int]:
    """Find the k at which too little background is left behind the cut."""
    try:
        effective = by_unit(rows, EFFECTIVE_BACKGROUND, method, "k")[POOLED]
    except NotTestable:
        return frozenset()
    return frozenset(int(str(k)) for k, found in effective.items() if not found >= HOLLOW_BELOW)


def run_tables(rows: pd.DataFrame, rankings: Mapping[str, pd.DataFrame], top: int) -> dict[str, pd.DataFrame]:
    """Make every table of a run, with the `top` first features of each ranking."""
    listed = [table.head(top).assign(method=method) for method, table in rankings.items()]
    ordered = pd.concat(listed) if listed else pd.DataFrame({"method": []})
    events = _wide(rows[rows["process"].notna()], EVENTS, ["process"])
    once = rows[["feature", "k", "process"]].isna().all(axis=1) & ~rows["metric"].isin([*GAPS, *OF_NETWORKS, *PREMISES])
    whole = {name: "Int64" for name in ("selected_events",) if name in events}
    return {
        "rankings": ordered[["method", *ordered.columns.drop("method")]],
        "events": events.astype(whole),
        "completeness": _wide(rows[rows["metric"].isin(GAPS)], GAPS, ["method", "unit"]),
        "curves": curves_table(rows),
        "premises": premises_table(rows),
        "other_metrics": methods_table(rows[once], METRICS, "networks"),
    }


def premises_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay out what the paper takes for granted of baselines: of each measure mean, range and number of networks."""
    found = rows[rows["metric"].isin(PREMISES)]
    columns = [column for column in ("metric", "method", "variant", "feature") if column in found]
    table = found.groupby(columns, sort=False, dropna=False)["value"].agg(["mean", "min", "max", "count"]).reset_index()
    return table.dropna(axis=1, how="all").rename(columns={"count": f"{unit_name(found['unit'])}s"})


def curves_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay out every curve: method and k down; over how many units, and each metric with its interval, across."""
    columns, units = dict(_curve_columns(rows)), with_curves(rows)
    if not columns:
        return pd.DataFrame()
    table = pd.DataFrame(columns)
    table.insert(0, f"{unit_name(units)}s", len(units))
    return table.reset_index()


def _curve_columns(rows: pd.DataFrame) -> Iterator[tuple[str, "pd.Series[float]"]]:
    for metric in in_order(rows.loc[rows["k"].notna(), "metric"], PERFORMANCE):
        tables = {method: curve.table() for method, curve in measured_curves(rows, metric).items()}
        table = pd.concat(tables, names=["method", "k"])
        yield metric, table["mean"]
        if table["low"].notna().any():
            yield f"{metric}_low", table["low"]
            yield f"{metric}_high", table["high"]


def _wide(found: pd.DataFrame, first: Sequence[str], index: list[str]) -> pd.DataFrame:
    """Lay out metrics across; the known ones first."""
    wide = found.pivot(index=index, columns="metric", values="value")
    return wide.reindex(columns=in_order(wide, first)).reset_index()


def _ranks_follow(rows: pd.DataFrame, metric: str, method: str) -> bool:
    """Whether in every network the metric falls from rank to rank."""
    try:
        values, ranks = by_unit(rows, metric, method, "feature"), by_unit(rows, "rank", method, "feature")
    except NotTestable:
        return False
    return all(values[unit].loc[ranks[unit].sort_values().index].is_monotonic_decreasing for unit in values)


def _counted(units: Iterable[str]) -> str:
    """So many networks, or splits of the events that a network of the user's is explained on."""
    units = list(units)
    unit = unit_name(units)
    return f"{len(units)} {unit}s{' of the events' if unit == 'split' else ''}"


def _numbered(name: str) -> str:
    return name.replace("_", " ").capitalize()
