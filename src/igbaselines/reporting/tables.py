"""Tables of a run: .csv with every digit, .md and .tex to be read; and the tables that every study has.

Those are means over the units with their intervals, and two methods compared on the same units.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.reporting.labels import escape_latex, latex_label
from igbaselines.reporting.rows import MetricLook, by_finite_unit, in_order, look_up
from igbaselines.reporting.statistics import paired
from igbaselines.reporting.statistics.estimates import CONFIDENCE, mean_with_interval
from igbaselines.reporting.statistics.verdicts import NotTestable

Line = dict[str, Any]
LABELLED = ("feature", "method", "model")


def mean_line(values: np.ndarray, of: str = "n") -> Line:
    """Mean and 95 % t-interval of (n,) values: those that are not finite are left out, and counted."""
    finite = values[np.isfinite(values)]
    return {of: len(finite), **mean_with_interval(finite), "not_finite": len(values) - len(finite)}


def means_table(rows: pd.DataFrame, keys: Sequence[str], of: str = "n") -> pd.DataFrame:
    """A line of means over the units, by `mean_line`, for each part of the rows that the columns `keys` tell apart."""
    groups = rows.groupby(list(keys), dropna=False, sort=False) if len(rows) else ()
    return pd.DataFrame(
        [dict(zip(keys, key, strict=True)) | mean_line(found["value"].to_numpy(float), of) for key, found in groups]
    )


def methods_table(rows: pd.DataFrame, known: Mapping[str, MetricLook], of: str) -> pd.DataFrame:
    """A line of means over the units for each metric and method, whatever was measured; the known metrics first."""
    table = means_table(rows, ("metric", "method"), of)
    return labelled(sorted_lines(table, ("metric",), {"metric": tuple(known)}), known)


def labelled(table: pd.DataFrame, known: Mapping[str, MetricLook]) -> pd.DataFrame:
    """Call the metrics of a table by their labels, and say beside them in which direction each is better."""
    if table.empty:
        return table
    looks = [look_up(metric, known) for metric in table["metric"]]
    named = table.assign(metric=[look.label for look in looks])
    named.insert(list(named.columns).index("metric") + 1, "better", [look.better or "" for look in looks])
    return named


def paired_line(
    rows: pd.DataFrame, metric: str, a: str, b: str, names: tuple[str, str], of: str = "units"
) -> Line | None:
    """Compare two methods on the same units; None where they were not both measured.

    Units on which either has no finite value are left out and counted. Welch's t-test ignores the pairing; the paired
    t-test, whose interval stands beside the difference a - b, and Wilcoxon's signed-rank test use it.

    Args:
        rows: one a unit and method of the metric.
        metric: the metric.
        a: a method.
        b: the method that is subtracted.
        names: of the columns of both means.
        of: what the units are called.
    """
    try:
        table, left_out = by_finite_unit(rows, metric, (a, b))
        found = paired.compare(table[a].to_numpy(), table[b].to_numpy())
    except NotTestable:
        return None
    line: Line = {of: found.n, "not_finite": left_out}
    line |= {names[0]: found.mean_a, f"{names[0]}_sd": found.sd_a, names[1]: found.mean_b, f"{names[1]}_sd": found.sd_b}
    line |= {"difference": found.difference, "low": found.low, "high": found.high}
    return line | {"p_welch": found.p_unpaired, "p_paired_t": found.p_paired, "p_wilcoxon": found.p_wilcoxon}


def advantage(line: Mapping[Any, Any], metric: MetricLook) -> tuple[float, float, float]:
    """The difference of a line of `paired_line`, and its interval, turned so that more than zero is better."""
    edges = sorted((metric.sign * line["low"], metric.sign * line["high"]))
    return (metric.sign * line["difference"], *edges)


def who_is_better(line: Mapping[Any, Any], metric: MetricLook, a: str, b: str) -> str:
    """Say which of two methods is better, where the paired t-test, corrected for all lines of its table, can tell."""
    if not line["p_paired_t_holm"] < 1 - CONFIDENCE:
        return "not resolved"
    if metric.better is None:
        return f"{a} {'higher' if line['difference'] > 0 else 'lower'}"
    return f"{a if metric.sign * line['difference'] > 0 else b} better"


def sorted_lines(table: pd.DataFrame, columns: Sequence[str], orders: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Sort lines by columns: names in their orders, any others after them as they come; numbers by size."""
    if table.empty:
        return table
    places = {
        column: table[column].map(in_order(table[column], orders[column]).index) if column in orders else table[column]
        for column in columns
    }
    return table.loc[pd.DataFrame(places).sort_values(list(columns), kind="stable").index].reset_index(drop=True)


def with_holm(table: pd.DataFrame, names: Sequence[str] = ("p_welch", "p_paired_t", "p_wilcoxon")) -> pd.DataFrame:
    """Put every p-value's Holm correction over the whole table beside it."""
    for name in names if len(table) else ():
        table.insert(list(table.columns).index(name) + 1, f"{name}_holm", paired.holm(table[name].to_list()))
    return table


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write every table that has a line."""
    for name, table in tables.items():
        if not table.empty:
            write_table(table, folder, name)


def write_table(frame: pd.DataFrame, folder: Path, name: str) -> None:
    """Write NAME.csv, NAME.md and NAME.tex into folder/tables.

    Args:
        frame: without an index that matters; columns `feature`, `method` and `model` are printed by their labels in
            LaTeX.
        folder: a run's folder.
        name: file name without suffix.
    """
    tables = folder / "tables"
    tables.mkdir(exist_ok=True)
    frame.to_csv(tables / f"{name}.csv", index=False)
    (tables / f"{name}.md").write_text(_markdown(frame), encoding="utf-8")
    (tables / f"{name}.tex").write_text(_latex(frame), encoding="utf-8")


def readable(value: object) -> str:
    """Print a cell: four digits of a number, nothing for a missing one."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return "" if value is None or value is pd.NA else str(value)


def _markdown(frame: pd.DataFrame) -> str:
    lines = [list(frame.columns), ["---"] * len(frame.columns)]
    lines += [[readable(value) for value in row] for row in frame.itertuples(index=False)]
    cells = [[cell.replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _latex(frame: pd.DataFrame) -> str:
    """A booktabs table, as pandas writes it in ten times the time."""
    columns = [
        [(latex_label if column in LABELLED else escape_latex)(readable(value)) for value in frame[column]]
        for column in frame.columns
    ]
    cells = [[*map(escape_latex, frame.columns)], *zip(*columns, strict=True)]
    head, *lines = (" & ".join(line) + r" \\" for line in cells)
    body = [rf"\begin{{tabular}}{{{'l' * len(columns)}}}", r"\toprule", head, r"\midrule", *lines, r"\bottomrule"]
    return "\n".join([*body, r"\end{tabular}", ""])
