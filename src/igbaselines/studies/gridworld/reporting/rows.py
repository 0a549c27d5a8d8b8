"""Reading the rows of shapley_gridworld: how near attributions come to exact Shapley values, state by state.

A run has one or several networks and explains the same states with all of them. In tables and figures a value is first
averaged over the networks within a state, and intervals are over the states, with these networks; claims are about
networks, too, and their intervals over both (`reporting.statistics.estimates.crossed_estimate`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from igbaselines.reporting.rows import MetricLook, select
from igbaselines.reporting.statistics.estimates import require_finite
from igbaselines.reporting.statistics.verdicts import NotTestable

EXACT, SIG, SIG_PAIRED, SAMPLING = "exact", "shapley_ig", "shapley_ig_paired", "shapley_sampling"
SIG_UNIFORM = "shapley_ig_uniform"  # coalitions of all sizes alike
# The usual way to take the same reference: one path from it, or one from every state of the background.
PLAIN_IG = {"zero": "ig_zero", "mean": "ig_mean", "background": "expected_gradients"}

REFERENCES = ("zero", "mean", "background")
METHODS = (
    *(EXACT, "ig_zero", "ig_mean", "ig_uniform", "ig_gaussian", "ig_max_distance", "expected_gradients"),
    *(SIG, SIG_PAIRED, SIG_UNIFORM, SAMPLING, "shapley_sampling_paired", "kernel_shap"),
)

METRICS = {
    "cosine": MetricLook("cosine similarity", "higher"),
    "proportions_l1": MetricLook("L1 distance of proportions", "lower"),
    "spearman": MetricLook("Spearman correlation", "higher"),
    "kendall": MetricLook("Kendall correlation", "higher"),
    "top1": MetricLook("same first feature", "higher"),
    "sign_agreement": MetricLook("agreement of signs", "higher"),
    "efficiency_gap": MetricLook("relative efficiency gap", "lower"),
    "stability_cosine": MetricLook("cosine similarity between networks", "higher"),
    "stability_spearman": MetricLook("Spearman correlation between networks", "higher"),
}
ONE_NETWORK = "all"  # stands for the network of rows that belong to none


def by_state(rows: pd.DataFrame, metric: str, methods: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Lay out a metric of each method: the same states down, and the same networks across.

    Raises:
        NotTestable: where a method was not measured, or a state has several values in a network or lacks one: what is
            left would hide it.
    """
    found = pd.concat([select(rows, metric, method) for method in methods])
    found = found.assign(network=_networks(found))
    _require_single(found, ["method", "unit", "network"], f" of {metric!r}")
    table = found.pivot(index="unit", columns=["method", "network"], values="value")
    networks = {method: set(table[method]) for method in methods}
    for method in methods:
        if lone := networks[method] ^ networks[methods[0]]:
            raise NotTestable(
                f"{methods[0]!r} and {method!r} were not measured with the same networks: one lacks "
                f"{', '.join(sorted(lone))}"
            )
    require_finite(table.to_numpy(float))
    return {method: pd.DataFrame(table[method]) for method in methods}


def state_means(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Average every state over the networks, in each part of the rows that the columns `keys` tell apart.

    For tables and figures, which print how many states are left out; a claim is not judged on a part of the states.

    Returns:
        One line for each part and state: `keys`, unit, value (NaN where a network of the part has no finite value),
        networks (NaN: the rows belong to none), and the mean of evaluations where there are any.

    Raises:
        NotTestable: where a state has several values in a network.
    """
    found = rows.assign(network=_networks(rows), value=rows["value"].where(np.isfinite(rows["value"].astype(float))))
    _require_single(found, [*keys, "unit", "network"])
    found = found.assign(networks=found.groupby(list(keys), dropna=False)["network"].transform("nunique"))
    wanted = {"value": ("value", "mean"), "count": ("value", "count"), "networks": ("networks", "first")}
    if "evaluations" in rows:
        wanted["evaluations"] = ("evaluations", "mean")
    means = found.groupby([*keys, "unit"], dropna=False, sort=False).agg(**wanted).reset_index()
    means["value"] = means["value"].where(means["count"] == means["networks"])
    belongs = "network" in rows and rows["network"].notna().any()
    return means.drop(columns="count").assign(networks=means["networks"] if belongs else np.nan)


def budgets(rows: pd.DataFrame) -> "pd.Series[float]":
    """Number the budgets at which a state was explained again and again: 1 is the smallest.

    Methods spend what they can of a budget, and some not the same in every state: a budget is known by its place.
    """
    same = [column for column in ("method", "metric", "reference", "network", "unit") if column in rows]
    return rows.groupby(same, dropna=False)["evaluations"].rank(method="first")


def _networks(rows: pd.DataFrame) -> "pd.Series[str]":
    if "network" not in rows:
        return pd.Series(ONE_NETWORK, index=rows.index, dtype=object)
    return rows["network"].astype(object).fillna(ONE_NETWORK)


def _require_single(rows: pd.DataFrame, columns: list[str], what: str = "") -> None:
    twice = rows.duplicated(columns)
    if twice.any():
        state = rows.loc[twice, "unit"].iloc[0]
        raise NotTestable(f"state {state!r} has several values{what} in a network: choose among them")
