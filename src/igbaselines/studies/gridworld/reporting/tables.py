"""Tables of 2310.04821 on GridWorld from the rows of one run: agreement with exact values, its price, the studies."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import CONFIDENCE
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.studies.gridworld.reporting.claim_tests import ratio_estimate
from igbaselines.studies.gridworld.reporting.rows import (
    METHODS,
    METRICS,
    PLAIN_IG,
    REFERENCES,
    SIG,
    SIG_PAIRED,
    STABILITY,
    budgets,
    choose,
    state_means,
)
from igbaselines.studies.images.reporting.weighted.tables import mean_with_interval

COMPARED = ("cosine", "proportions_l1")  # the metrics of every study
TIMED_AGAINST = "ig_uniform"  # many paths at the full budget, as SIG has
ORDERS: Mapping[str, Sequence[str]] = {"reference": REFERENCES, "method": METHODS, "metric": (*METRICS, *STABILITY)}

Line = dict[str, Any]


def run_tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Make every table of a run for which there are rows; their intervals are 95 % t-intervals over the states."""
    agreement = means_table(choose(rows, {"study": "agreement"}), ["reference"])
    tables = {
        "agreement": agreement,
        "agreement_summary": summary_table(agreement),
        "against_plain_ig": against_plain_ig(rows),
        "cost": cost_table(rows),
        "q": means_table(choose(rows, {"study": "q"}), ["q"]),
        "players": means_table(with_main_rows(rows, "players"), ["players"]),
        "interactions": means_table(with_main_rows(rows, "interactions"), ["interactions"]),
        "stability": means_table(choose(rows, {"study": "stability"}), ["reference"]),
        "networks": networks_table(rows),
        "time": time_table(rows),
    }
    return {name: table for name, table in tables.items() if not table.empty}


def means_table(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean over the states of every metric of every method, each state averaged over the networks.

    Args:
        rows: of one study.
        keys: columns that tell its parts apart.

    Returns:
        One line for each part, metric and method; states without a finite value in every network are left out and
        counted. Empty for no rows.
    """
    if rows.empty:
        return pd.DataFrame()
    columns = [*keys, "metric", "method"]
    lines = []
    for values, group in state_means(rows, columns).groupby(columns, dropna=False, sort=False):
        line: Line = dict(zip(columns, values, strict=True))
        finite = group["value"].dropna().to_numpy(float)
        line |= {**mean_with_interval(finite), "states": len(finite), "not_finite": len(group) - len(finite)}
        if group["networks"].notna().all():
            line["networks"] = int(group["networks"].iloc[0])
        lines.append(line | _spent(group))
    return _in_order(pd.DataFrame(lines), columns)


def summary_table(agreement: pd.DataFrame) -> pd.DataFrame:
    """Lay the means out to be read: a line for each reference and method, metrics across as mean ± half interval."""
    if agreement.empty:
        return agreement
    lines = []
    for (reference, method), group in agreement.groupby(["reference", "method"], sort=False):
        line: Line = {"reference": reference, "method": method}
        for metric, known in METRICS.items():
            of_metric = group[group["metric"] == metric]
            if len(of_metric):
                line[known.label] = _plus_minus(*of_metric[["mean", "low", "high"]].iloc[0])
        line |= {key: group[key].iloc[0] for key in ("evaluations", "states", "networks") if key in group}
        lines.append(line)
    return pd.DataFrame(lines)


def against_plain_ig(rows: pd.DataFrame) -> pd.DataFrame:
    """Compare SIG with plain Integrated Gradients that takes the same reference, state by state.

    `p_holm` is the paired t-test's p-value corrected for the number of lines; `result` says what it resolves.
    """
    agreement = choose(rows, {"study": "agreement"})
    if agreement.empty:
        return agreement
    lines = [
        line
        for metric in COMPARED
        for reference, plain in PLAIN_IG.items()
        for method in (SIG, SIG_PAIRED)
        if (line := _against(choose(agreement, {"reference": reference, "metric": metric}), metric, method, plain))
    ]
    for line, p_value in zip(lines, paired.holm([line["p_paired_t"] for line in lines]), strict=True):
        line |= {"p_holm": p_value, "result": _words(line, p_value)}
    return pd.DataFrame(lines)


def cost_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Means by what was spent; a budget that a method cannot use up is told once."""
    found = choose(rows, {"study": "cost"})
    if found.empty:
        return pd.DataFrame()
    table = means_table(found.assign(budget=budgets(found)), ["reference", "budget"]).drop(columns="budget")
    columns = ["reference", "metric", "method", "evaluations"]
    return _in_order(table.drop_duplicates(columns), [*columns[:3], "evaluations"])


def with_main_rows(rows: pd.DataFrame, study: str) -> pd.DataFrame:
    """Take a study of other networks, and beside it the main comparison's rows of the same methods and references."""
    found = choose(rows, {"study": study})
    if found.empty:
        return found
    main = choose(rows, {"study": "agreement"})
    for column in ("metric", "method", "reference"):
        main = main[main[column].isin(found[column].unique())]
    return pd.concat([main, found])


def networks_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What every network learnt: shares of variance explained, and of episodes that end at the goal."""
    found = choose(rows, {"study": "network"})
    keys = [key for key in ("players", "interactions", "unit") if key in found]
    lines = []
    for values, group in found.groupby(keys, dropna=False) if len(found) else ():
        named = dict(zip(keys, values, strict=True))
        lines.append({"network": named.pop("unit"), **named, **group.set_index("metric")["value"]})
    return pd.DataFrame(lines)


def time_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Seconds of every method with t-intervals over the networks, and their geometric ratio to IG over many paths."""
    found = choose(rows, {"study": "time"})
    if found.empty:
        return found
    lines = []
    for (metric, method), group in found.groupby(["metric", "method"], sort=False):
        times = group.groupby("unit")["value"].mean()
        line: Line = {"metric": metric, "method": method, **mean_with_interval(times.to_numpy(float))}
        line |= {"networks": len(times), **_spent(group)}
        plain = choose(found, {"metric": str(metric), "method": TIMED_AGAINST}).groupby("unit")["value"].mean()
        both = pd.DataFrame({"own": times, "plain": plain}).dropna()
        with suppress(NotTestable):
            ratio = ratio_estimate(both["own"].to_numpy(float), both["plain"].to_numpy(float))
            line |= {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high}
        lines.append(line)
    return _in_order(pd.DataFrame(lines), ["metric", "method"])


def _against(rows: pd.DataFrame, metric: str, method: str, plain: str) -> Line | None:
    means = state_means(rows[rows["method"].isin([method, plain])], ["method"])
    table = means.pivot(index="unit", columns="method", values="value")
    finite = table.dropna()
    if not {method, plain} <= set(table) or finite.empty:
        return None
    found = paired.compare(finite[method].to_numpy(float), finite[plain].to_numpy(float))
    return {
        "metric": METRICS[metric].label,
        "reference": rows["reference"].iloc[0],
        "method": method,
        "plain": plot_label(plain),
        "states": found.n,
        "networks": means["networks"].max(),
        "not_finite": len(table) - found.n,
        "mean": found.mean_a,
        "mean_plain": found.mean_b,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p_paired_t": found.p_paired,
        "p_wilcoxon": found.p_wilcoxon,
    }


def _words(line: Line, p_value: float) -> str:
    if not p_value < 1 - CONFIDENCE:
        return "no difference resolved"
    lower_is_better = next(known.lower_is_better for known in METRICS.values() if known.label == line["metric"])
    return "SIG better" if (line["difference"] < 0) == lower_is_better else "IG better"


def _spent(rows: pd.DataFrame) -> dict[str, float]:
    known = "evaluations" in rows and rows["evaluations"].notna().any()
    return {"evaluations": float(rows["evaluations"].mean())} if known else {}


def _plus_minus(mean: float, low: float, high: float) -> str:
    value = "" if np.isnan(mean) else f"{mean:.3f}"
    return value if np.isnan(high) else f"{value} ± {(high - low) / 2:.3f}"


def _in_order(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Sort lines: methods, metrics and references as they are listed, unknown ones last, numbers by size."""
    if table.empty:
        return table
    places = {
        column: table[column].map({name: place for place, name in enumerate(ORDERS[column])}).fillna(99)
        if column in ORDERS
        else table[column]
        for column in columns
    }
    return table.loc[pd.DataFrame(places).sort_values(list(columns), kind="stable").index].reset_index(drop=True)
