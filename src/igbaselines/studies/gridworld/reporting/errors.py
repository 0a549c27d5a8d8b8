"""Tables of `shapley_errors`: what separates Shapley IG from exact values, and how many coalitions are enough.

Intervals are over states and networks (`reporting.statistics.estimates.crossed_estimate`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.rows import choose, in_order
from igbaselines.reporting.statistics.estimates import crossed_estimate
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import save_figures
from igbaselines.reporting.tables import Line, write_tables
from igbaselines.studies.gridworld.reporting.errors_figures import AIM, guideline_figure, parts_figure

PARTS = ("imputer", "paths", "sampling", "quadrature", "all_parts", "ig_paths", "ig_all", "bound")
DISTANCE = "relative_l2"


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write the tables and figures of a run."""
    tables = run_tables(rows)
    write_tables(folder, tables)
    drawings = {
        "figure_errors": parts_figure(tables.get("parts", pd.DataFrame())),
        "figure_guideline": guideline_figure(
            tables.get("players", pd.DataFrame()), tables.get("guideline", pd.DataFrame())
        ),
    }
    save_figures(folder, drawings, printed.figures)


def run_tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Make every table of a run for which there are rows."""
    of_parts, of_players = (choose(rows, {"study": study}) for study in ("parts", "players"))
    parts = crossed_table(
        of_parts[of_parts["metric"] != "share_of_bound"], ["architecture", "reference", "method", "metric"]
    )
    quality = choose(rows, {"study": "network"})
    tables = {
        "parts": parts,
        "parts_summary": summary_table(parts),
        "bound": bound_table(of_parts),
        "players": crossed_table(of_players, ["players", "coalitions", "method", "metric"]),
        "guideline": guideline_table(of_players),
        "networks": quality.groupby(["architecture", "players"], sort=False)["value"]
        .agg(["mean", "min", "max"])
        .reset_index(),
    }
    return {name: table for name, table in tables.items() if not table.empty}


def crossed_table(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean over states and networks with its interval, a line for each part that the columns `keys` tell apart.

    States without a finite value in every network are left out, and counted.
    """
    groups = rows.groupby(list(keys), sort=False) if len(rows) else ()
    return pd.DataFrame([dict(zip(keys, key, strict=True)) | _crossed(_laid_out(group)) for key, group in groups])


def summary_table(parts: pd.DataFrame) -> pd.DataFrame:
    """Lay the relative distances out to be read: a line for each architecture and reference, parts across."""
    found = parts[parts["metric"] == DISTANCE] if len(parts) else parts
    lines = []
    for (architecture, reference), group in (
        found.groupby(["architecture", "reference"], sort=False) if len(found) else ()
    ):
        line: Line = {"architecture": plot_label(str(architecture)), "reference": reference}
        of_part = group.set_index("method")
        for part in in_order(found["method"], PARTS):
            line[plot_label(part)] = (
                _spanned(*of_part.loc[part, ["mean", "low", "high"]]) if part in of_part.index else ""
            )
        lines.append(line)
    return pd.DataFrame(lines)


def bound_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How loose the bound of the paths' part is: the share of it that the player nearest to it reaches in a state."""
    found = choose(rows, {"metric": "share_of_bound"})
    shares = found.groupby(["architecture", "reference"], sort=False)
    table = shares.agg(
        median_share=("value", "median"),
        largest_share=("value", "max"),
        states=("unit", "nunique"),
        networks=("network", "nunique"),
    ).reset_index()
    return table.assign(architecture=[plot_label(name) for name in table["architecture"]])


def guideline_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How many coalitions bring the part of sampling below that of the paths, and SIG to a cosine with its own limit.

    Where the mean crosses, between counts by the logarithm; low and high are where the ends of its interval cross. The
    smallest count measured stands for all below it, and infinity for all above the largest.
    """
    lines = []
    for players in sorted(int(count) for count in rows["players"].unique()) if len(rows) else ():
        group = rows[rows["players"] == players]
        of_part = {part: group[group["method"] == part] for part in ("sampling", "paths")}
        distance = {part: _by_count(found, DISTANCE) for part, found in of_part.items()}
        over_paths = {count: distance["sampling"][count] - distance["paths"][count] for count in distance["sampling"]}
        off_limit = {count: AIM - cosine for count, cosine in _by_count(of_part["sampling"], "cosine").items()}
        line: Line = {"players": players, "all_coalitions": 2**players}
        for name, excess in (("below_paths", over_paths), ("near_limit", off_limit)):
            table = pd.DataFrame([_crossed(values) for values in excess.values()])
            found = {edge: crossing(list(excess), table[edge].to_list()) for edge in ("mean", "low", "high")}
            line |= {name: found["mean"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
            line[f"{name}_share"] = found["mean"] / line["all_coalitions"]
        lines.append(line)
    return pd.DataFrame(lines)


def crossing(counts: Sequence[int], excess: Sequence[float]) -> float:
    """The count from which on an excess is no longer positive, between two counts by the logarithm.

    The first count where it never was, infinity where it still is at the last, or has no interval.
    """
    above = [place for place, value in enumerate(excess) if not value <= 0]
    if not above:
        return float(counts[0])
    last = above[-1]
    if last == len(counts) - 1:
        return np.inf
    share = excess[last] / (excess[last] - excess[last + 1])
    return float(np.exp(np.interp(share, [0, 1], np.log(counts[last : last + 2]))))


def _by_count(rows: pd.DataFrame, metric: str) -> dict[int, pd.DataFrame]:
    found = rows[rows["metric"] == metric]
    counts = sorted(int(count) for count in found["coalitions"].unique())
    return {count: _laid_out(found[found["coalitions"] == count]) for count in counts}


def _laid_out(rows: pd.DataFrame) -> pd.DataFrame:
    """States down, networks across."""
    return rows.pivot(index="unit", columns="network", values="value").astype(float)


def _crossed(table: pd.DataFrame) -> Line:
    finite = table[np.isfinite(table).all(axis=1)]
    line: Line = {"mean": float(finite.to_numpy().mean()) if len(finite) else np.nan}
    try:
        found = crossed_estimate(finite.to_numpy())
        line |= {"low": found.low, "high": found.high}
    except NotTestable:  # a single state has a mean and no interval
        line |= {"low": np.nan, "high": np.nan}
    return line | {"states": len(finite), "networks": table.shape[1], "not_finite": len(table) - len(finite)}


def _spanned(mean: float, low: float, high: float) -> str:
    return f"{mean:.3f}" if np.isnan(high) else f"{mean:.3f} ({low:.3f} to {high:.3f})"
