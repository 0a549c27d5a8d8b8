"""Tables of the studies of rankings: means over the units with intervals, paired differences, places of features."""

import pandas as pd

from igbaselines.reporting.rows import in_order
from igbaselines.reporting.tables import means_table

LABELS = ("metric", "method", "variant", "other", "k")
LISTED = 20  # features whose places are written and drawn


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % t-interval over the units of everything that was measured; several values of a unit are averaged.

    Returns:
        The columns that label a value, in order of appearance; those of `mean_line`.
    """
    labels = [column for column in LABELS if column in rows and rows[column].notna().any()]
    return means_table(rows.groupby([*labels, "unit"], dropna=False, sort=False)["value"].mean().reset_index(), labels)


def paired_differences(rows: pd.DataFrame, metric: str, column: str, reference: str) -> pd.DataFrame:
    """Means of the differences from one of a column's names, unit by unit and for each of the other labels."""
    found = rows[(rows["metric"] == metric) & rows["k"].notna()]
    fixed = ["metric", "k", "unit", *({"method", "variant"} - {column} if "variant" in found else ())]
    subtracted = found.loc[found[column] == reference, [*fixed, "value"]]
    together = found[found[column] != reference].merge(subtracted, on=fixed, suffixes=("", "_reference"))
    return means(together.assign(value=together["value"] - together["value_reference"]))


def feature_places(rows: pd.DataFrame) -> pd.DataFrame:
    """The first features of each method (and variant): mean, least and largest place over networks and draws."""
    ranks = rows[rows["metric"] == "rank"]
    labels = [column for column in ("method", "variant") if column in ranks and ranks[column].notna().any()]
    places = ranks.groupby([*labels, "feature"], dropna=False, sort=False)["value"]
    table = places.agg(mean="mean", low="min", high="max").reset_index()
    first = table.sort_values("mean", kind="stable").groupby(labels, dropna=False, sort=False).head(LISTED)
    order = in_order(ranks["method"])
    return first.sort_values("method", key=lambda names: names.map(order.index), kind="stable", ignore_index=True)
