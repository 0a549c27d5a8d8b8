"""Tables of 2310.04821 on GridWorld from the rows of one run: agreement with exact values, its price, the studies."""

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.rows import choose, in_order, look_up
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.tables import Line, mean_line, paired_line, sorted_lines, who_is_better, with_holm
from igbaselines.studies.gridworld.reporting.claim_tests import ratio_estimate
from igbaselines.studies.gridworld.reporting.rows import (
    METHODS,
    METRICS,
    PLAIN_IG,
    REFERENCES,
    SIG,
    SIG_PAIRED,
    budgets,
    state_means,
)

COMPARED = ("cosine", "proportions_l1")  # the metrics of every study
TIMED_AGAINST = "ig_uniform"  # many paths at the full budget, as SIG has
ORDERS: Mapping[str, Sequence[str]] = {"reference": REFERENCES, "method": METHODS, "metric": tuple(METRICS)}


def run_tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Make every table of a run for which there are rows; their intervals are 95 % t-intervals over the states."""
    agreement = states_table(choose(rows, {"study": "agreement"}), ["reference"])
    tables = {
        "agreement": agreement,
        "agreement_summary": summary_table(agreement),
        "against_plain_ig": against_plain_ig(rows),
        "cost": cost_table(rows),
        "q": states_table(choose(rows, {"study": "q"}), ["q"]),
        "players": states_table(with_main_rows(rows, "players"), ["players"]),
        "interactions": states_table(with_main_rows(rows, "interactions"), ["interactions"]),
        "stability": states_table(choose(rows, {"study": "stability"}), ["reference"]),
        "networks": networks_table(rows),
        "time": time_table(rows),
    }
    return {name: table for name, table in tables.items() if not table.empty}


def states_table(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean over the states of every metric of every method, each state averaged over the networks.

    A line for each part that the columns `keys` tell apart, metric and method; states without a finite value in every
    network are left out and counted.
    """
    if rows.empty:
        return pd.DataFrame()
    columns = [*keys, "metric", "method"]
    lines = []
    for values, group in state_means(rows, columns).groupby(columns, dropna=False, sort=False):
        line = dict(zip(columns, values, strict=True)) | mean_line(group["value"].to_numpy(float), "states")
        if group["networks"].notna().all():
            line["networks"] = int(group["networks"].iloc[0])
        lines.append(line | _spent(group))
    return sorted_lines(pd.DataFrame(lines), columns, ORDERS)


def summary_table(agreement: pd.DataFrame) -> pd.DataFrame:
    """Lay the means out to be read: a line for each reference and method, metrics across as mean ± half interval."""
    if agreement.empty:
        return agreement
    lines = []
    for (reference, method), group in agreement.groupby(["reference", "method"], sort=False):
        line: Line = {"reference": reference, "method": method}
        for metric in in_order(group["metric"], tuple(METRICS)):
            of_metric = group[group["metric"] == metric]
            line[look_up(metric, METRICS).label] = _plus_minus(*of_metric[["mean", "low", "high"]].iloc[0])
        line |= {key: group[key].iloc[0] for key in ("evaluations", "states", "networks") if key in group}
        lines.append(line)
    return pd.DataFrame(lines)


def against_plain_ig(rows: pd.DataFrame) -> pd.DataFrame:
    """Compare SIG, and any method that is not of the paper, state by state with plain IG that takes the same reference.

    The p-values with _holm are corrected for the number of lines; `result` says what the paired t-test resolves.
    """
    agreement = choose(rows, {"study": "agreement"})
    if agreement.empty:
        return agreement
    means = state_means(agreement, ["reference", "metric", "method"])
    methods = (SIG, SIG_PAIRED, *(name for name in in_order(means["method"]) if name not in METHODS))
    metrics = [name for name in in_order(means["metric"], COMPARED) if name in COMPARED or name not in METRICS]
    lines = []
    for metric, reference in itertools.product(metrics, in_order(means["reference"], REFERENCES)):
        plain, found = PLAIN_IG.get(reference, f"ig_{reference}"), means[means["reference"] == reference]
        for method in methods:
            if line := paired_line(found, metric, method, plain, ("mean", "mean_plain"), "states"):
                known = {"metric": metric, "reference": reference, "method": method, "plain": plot_label(plain)}
                lines.append(known | line | {"networks": means["networks"].max()})
    table = with_holm(pd.DataFrame(lines))
    if len(table):
        table["result"] = [
            who_is_better(line, look_up(line["metric"], METRICS), plot_label(line["method"]), "IG")
            for line in table.to_dict("records")
        ]
        table["metric"] = [look_up(metric, METRICS).label for metric in table["metric"]]
    return table


def cost_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Means by what was spent; a budget that a method cannot use up is told once."""
    found = choose(rows, {"study": "cost"})
    if found.empty:
        return pd.DataFrame()
    table = states_table(found.assign(budget=budgets(found)), ["reference", "budget"]).drop(columns="budget")
    columns = ["reference", "metric", "method", "evaluations"]
    return sorted_lines(table.drop_duplicates(columns), columns, ORDERS)


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
        line: Line = {"metric": metric, "method": method, **mean_line(times.to_numpy(float), "networks")}
        plain = choose(found, {"metric": str(metric), "method": TIMED_AGAINST}).groupby("unit")["value"].mean()
        both = pd.DataFrame({"own": times, "plain": plain}).dropna()
        with suppress(NotTestable):
            ratio = ratio_estimate(both["own"].to_numpy(float), both["plain"].to_numpy(float))
            line |= {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high}
        lines.append(line | _spent(group))
    return sorted_lines(pd.DataFrame(lines), ["metric", "method"], ORDERS)


def _spent(rows: pd.DataFrame) -> dict[str, float]:
    known = "evaluations" in rows and rows["evaluations"].notna().any()
    return {"evaluations": float(rows["evaluations"].mean())} if known else {}


def _plus_minus(mean: float, low: float, high: float) -> str:
    value = "" if np.isnan(mean) else f"{mean:.3f}"
    return value if np.isnan(high) else f"{value} ± {(high - low) / 2:.3f}"
