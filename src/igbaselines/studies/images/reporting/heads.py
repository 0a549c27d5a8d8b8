"""Tables and the figure of `shapley_heads`: how alike the maps of networks of other training seeds are, by method."""

from pathlib import Path

import pandas as pd

from igbaselines.metrics.stability import CONSISTENCY
from igbaselines.reporting.claims import Printed
from igbaselines.reporting.plots import dots
from igbaselines.reporting.rows import in_order
from igbaselines.reporting.style import Drawing, new_figure, page_style, save_figures
from igbaselines.reporting.tables import means_table, paired_line, with_holm, write_tables
from igbaselines.studies.images.reporting.shapley.figures import LOOKS, PLAIN
from igbaselines.studies.images.reporting.shapley.tables import SIG


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write the tables and the figure of a run."""
    tables = run_tables(rows)
    write_tables(folder, tables)
    save_figures(folder, {"figure_heads": heads_figure(tables["methods"], len(tables["networks"]))}, printed.figures)


def run_tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Means over the photographs with 95 % t-intervals, and paired differences of SIG from each other method."""
    found = rows[rows["metric"] == CONSISTENCY.name]
    against = [
        {"method": method} | line
        for method in in_order(found["method"])
        if method != SIG
        and (line := paired_line(found, CONSISTENCY.name, SIG, method, ("SIG", "method_mean"), "images"))
    ]
    return {
        "methods": means_table(found, ("method",), "images").sort_values("mean", ascending=False, ignore_index=True),
        "against_sig": with_holm(pd.DataFrame(against)),
        "networks": rows.loc[rows["metric"] == "accuracy", ["unit", "value"]],
    }


def heads_figure(methods: pd.DataFrame, heads: int) -> Drawing:
    """Draw each method's agreement, the best on top."""
    if methods.empty:
        return None, ""
    with page_style():
        figure = new_figure(7.5, 1.4 + 0.36 * len(methods))
        axes = figure.subplots()
        styles = {str(name): LOOKS.get(str(name), PLAIN) for name in methods["method"]}
        dots(axes, methods, "method", styles=styles, markersize=7, width=1.8)
        axes.set_xlabel(CONSISTENCY.label)
    return figure, (
        f"Rank correlation of a photograph's maps by {heads} heads over the same frozen network, trained from other "
        f"seeds on crops of these photographs: mean over pairs of heads and {methods['images'].max()} photographs, "
        "with its 95 % t-interval over the photographs."
    )
