"""Tables 1 and 2 and Figure 2 of 2505.03201 over networks, from complete runs that differ in nothing else.

Runs of an ablation go into no table: they show where the advantage comes from.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.combination import Combination, Drawn, Noted
from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.page.by_dataset import ABLATION
from igbaselines.reporting.page.runs import Results
from igbaselines.reporting.rows import by_finite_unit, in_order, look_up, methods_of
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.reporting.style import add_caption
from igbaselines.reporting.tables import Line, with_holm
from igbaselines.studies.images.reporting.rows import EG, METRICS, PERMUTED, TABLE_1, WG, added_methods, of_images
from igbaselines.studies.images.reporting.weighted import sweep
from igbaselines.studies.images.reporting.weighted.comparable import Group, comparable_groups
from igbaselines.studies.images.reporting.weighted.factors import Factor, combinations_run, varied_factors
from igbaselines.studies.images.reporting.weighted.removal import Removal, removal_figure, removal_table
from igbaselines.studies.images.reporting.weighted.tables import metrics_of, table_1_line, table_2_line

TABLE_NOTE = (
    "Ours beside the paper's, a line a network. The improvement is that of the mean, with its paired bootstrap "
    "interval. The paper does not name its t-test: p_welch ignores that both methods saw the same images; p_paired_t "
    "and p_wilcoxon use it. A p-value with _holm is corrected for all lines of the table (Holm). Images without a "
    "finite value of both methods are left out and counted (not_finite)."
)
AVERAGES_NOTE = (
    "Mean over the networks of WG's improvement over EG, with the bootstrap interval over the images, drawn together "
    "for all networks; the networks are taken as they are."
)


def combine(results: Sequence[Results], printed: Printed) -> Combination:
    """Put the complete runs together that may be: see `comparable`."""
    tables: list[Noted] = []
    figures: list[Drawn] = []
    for group in comparable_groups(sorted(results, key=lambda of: (_order(of, printed), of.label))):
        found = {metric: measured_improvements(group, metric) for metric in TABLE_1}
        measured = {metric: improvements for metric, improvements in found.items() if improvements is not None}
        about = " ".join(filter(None, [group.words, group.differs]))
        if group.study == ABLATION:
            drawn = list(_sweep(group, measured))
        else:
            drawn = list(_figures(group, printed, measured))
            for name, table, note in _tables(group, printed, measured):
                tables.append(Noted(f"{name}_{group.name}", table, f"{about} {note}"))
        figures += [Drawn(f"{one.name}_{group.name}", one.figure, f"{about} {one.caption}") for one in drawn]
    return Combination([noted for noted in tables if not noted.table.empty], figures)


def measured_improvements(group: Group, metric: str) -> sweep.Improvements | None:
    """Estimate the runs' improvements over EG, of WG, its permuted control and any other method; None without runs."""
    found = {place: _table(of, metric) for place, of in enumerate(group.results)}
    tables = {place: table for place, table in found.items() if table is not None}
    return sweep.Improvements.of(tables, metric) if tables else None


def _tables(group: Group, printed: Printed, measured: sweep.Measured) -> Iterable[tuple[str, pd.DataFrame, str]]:
    """Table 1 in the paper's metrics, the other metrics, Table 2 and the averages over networks."""
    metrics = in_order((metric for of in group.results for metric in metrics_of(of.rows)), tuple(METRICS))
    compared = {
        metric: [table_1_line(of_images(of.rows), metric, printed, of.model) for of in group.results]
        for metric in metrics
    }
    filtered = [table_2_line(of_images(of.rows), printed, of.model) for of in group.results]
    yield "table_1", _of_runs(group, [lines for metric, lines in compared.items() if metric in TABLE_1]), TABLE_NOTE
    yield "table_2", _of_runs(group, [filtered]), TABLE_NOTE + " AUC of deletion in percent."
    yield "averages", averages(group, printed, measured), AVERAGES_NOTE
    others = [lines for metric, lines in compared.items() if metric not in TABLE_1]
    yield "other_metrics", _of_runs(group, others), TABLE_NOTE


def _of_runs(group: Group, compared: Iterable[Sequence[Line | None]]) -> pd.DataFrame:
    """Put lines of the group's runs into one table, over which p-values are corrected."""
    found = [
        group.known(place) | line | {"run": of.label}
        for lines in compared
        for place, (of, line) in enumerate(zip(group.results, lines, strict=True))
        if line is not None
    ]
    return with_holm(pd.DataFrame(found))


def averages(group: Group, printed: Printed, measured: sweep.Measured) -> pd.DataFrame:
    """Average the improvement over the networks of a group, where there are several."""
    lines = []
    for metric, improvements in measured.items():
        for method in sweep.methods_in(measured):
            found = improvements.keys(method)
            if len(found) < 2 or method == PERMUTED:
                continue
            value, low, high = improvements.mean(found)
            known = {key: item for key, item in group.known(found[0][0]).items() if key != "model"}
            line: Line = {"metric": METRICS[metric].label, "method": method} | known
            line |= {"networks": len(found), "improvement_%": value, "low": low, "high": high}
            if method == WG:
                paper = printed.tables.get("table_1", {}).get(metric, {})
                line["paper_text_%"] = printed.tables.get("average_improvement", {}).get(metric, np.nan)
                line["paper_table_1_%"] = np.mean([of["improvement"] for of in paper.values()]) if paper else np.nan
            lines.append(line)
    return pd.DataFrame(lines)


def _figures(group: Group, printed: Printed, measured: sweep.Measured) -> Iterable[Drawn]:
    if not measured:
        return
    names = [plot_label(of.model) for of in group.results]
    paper = {metric: [_paper_improvement(printed, metric, of.model) for of in group.results] for metric in measured}
    caption = (
        "WG's improvement over EG by network: of the mean, with its 95 % paired bootstrap interval; diamonds: the "
        "paper's Table 1."
    )
    yield Drawn("improvement", sweep.forest_figure(measured, names, paper), caption)
    tables = {of.model: table for of in group.results if (table := removal_table(of.rows)) is not None}
    if len(tables) > 1:
        removal = Removal.of_tables(list(tables.values()), f"{len(tables)} networks ({', '.join(tables)})")
        drawn = removal_figure(removal, printed.tables.get("figure_2", {}))
        if statement := printed.figures.get("figure_2", {}).get("statement"):
            add_caption(drawn, statement)
        yield Drawn("figure_2", drawn, removal.caption)


def _sweep(group: Group, measured: sweep.Measured) -> Iterable[Drawn]:
    """Where the advantage comes from: the improvement by each setting that the runs of an ablation differ in."""
    factors = varied_factors([of.config for of in group.results])
    if measured and factors:
        caption = " ".join([sweep.SWEEP_CAPTION, *_imbalance(group, factors, measured)])
        yield Drawn("advantage", sweep.sweep_figure(measured, factors), caption)


def _imbalance(group: Group, factors: Sequence[Factor], measured: sweep.Measured) -> Iterable[str]:
    """Warn of levels that are not balanced: a mean over a level is then one over other settings, too."""
    columns = [[of.model for of in group.results], *(factor.levels for factor in factors)]
    counts: dict[tuple[int, int], list[str]] = {}
    for metric, improvements in measured.items():
        counted = combinations_run(columns, [place for place, _ in improvements.values])
        counts.setdefault(counted, []).append(look_up(metric, METRICS).label)
    for (run, possible), metrics in counts.items():
        if run < possible:
            yield (
                f"{', '.join(metrics)}: only {run} of the {possible} combinations of network and settings were run, so "
                "the levels are not balanced, and a difference between them may be due to the others."
            )


def _table(of: Results, metric: str) -> pd.DataFrame | None:
    """Lay out EG, WG, the control where it was measured, and any others; None where there is no ratio to EG."""
    beside = [PERMUTED] if PERMUTED in methods_of(of.rows, metric) else []
    try:
        table, _ = by_finite_unit(of.rows, metric, (EG, WG, *beside, *added_methods(of.rows, metric)))
    except NotTestable:
        return None
    return table if len(table) and table[EG].mean() > 0 else None


def _order(of: Results, printed: Printed) -> tuple[int, str]:
    """The paper's order of networks, then any others by name."""
    known = list(printed.tables.get("table_1", {}).get("deletion_auc", {}))
    return (known.index(of.model) if of.model in known else len(known), of.model)


def _paper_improvement(printed: Printed, metric: str, model: str) -> float:
    of_model = printed.tables.get("table_1", {}).get(metric, {}).get(model, {})
    return float(of_model.get("improvement", np.nan))
