"""Tables 1 and 2 and Figure 2 of 2505.03201 over networks, from all complete runs of one scale."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.combination import Combination, Drawn, Noted
from igbaselines.reporting.factors import Factor, varied_factors
from igbaselines.reporting.image_rows import EG, METRICS, PERMUTED, TABLE_1, WG, by_image, methods_of
from igbaselines.reporting.labels import plot_label
from igbaselines.reporting.paired import holm
from igbaselines.reporting.resampling import SEED, joint_means
from igbaselines.reporting.runs import Results
from igbaselines.reporting.verdicts import NotTestable
from igbaselines.reporting.weighted_removal import Removal, removal_figure, removal_table
from igbaselines.reporting.weighted_sweep import SWEEP_CAPTION, Improvement, forest_figure, sweep_figure
from igbaselines.reporting.weighted_tables import Line, table_1_line, table_2_line

PROTOCOL = "protocol"
P_VALUES = ("p_welch", "p_paired_t", "p_wilcoxon")
TABLE_NOTE = (
    "Ours beside the paper's, a line a run. The improvement is that of the mean, with its paired bootstrap interval. "
    "The paper does not name its t-test: p_welch ignores that both methods saw the same images; p_paired_t and "
    "p_wilcoxon use it. A p-value with _holm is corrected for all lines of the table (Holm)."
)
AVERAGES_NOTE = (
    "Mean over the networks of WG's improvement over EG, with the bootstrap interval over the images, drawn together "
    "for all networks; the networks are taken as they are."
)


@dataclass(frozen=True)
class Group:
    """The runs of one scale, in order, and what differs between them."""

    results: Sequence[Results]
    factors: Sequence[Factor]

    def known(self, place: int) -> Line:
        """What a table says of a run before its numbers."""
        of = self.results[place]
        varied = {factor.name: factor.levels[place] for factor in self.factors}
        return {"model": of.model, "dataset": of.dataset, PROTOCOL: _protocol(of)} | varied

    def words(self, place: int) -> str:
        """Name everything but the network; the protocol stands there whether or not it differs."""
        of = self.results[place]
        varied = [f"{factor.name} {factor.levels[place]}" for factor in self.factors if factor.name != PROTOCOL]
        return ", ".join(filter(None, [of.dataset, _protocol(of), *varied]))

    def setting(self, place: int) -> tuple[str, ...]:
        """Everything in which runs differ but the network."""
        of = self.results[place]
        return (of.dataset, _protocol(of), *(factor.levels[place] for factor in self.factors))


def combine(results: Sequence[Results], printed: Printed) -> Combination:
    """Put the runs of each scale together.

    Args:
        results: of complete runs.
        printed: the paper's numbers and statements.
    """
    ordered = sorted(results, key=lambda of: (of.scale, of.dataset, _protocol(of), _order(of, printed), of.label))
    tables: list[Noted] = []
    figures: list[Drawn] = []
    for scale, members in groupby(ordered, key=lambda of: of.scale):
        of_scale = list(members)
        group = Group(of_scale, varied_factors([of.config for of in of_scale]))
        improvements = {metric: measured_improvements(group, metric) for metric in METRICS}
        tables += [Noted(f"{name}_{scale}", table, note) for name, table, note in _tables(group, printed, improvements)]
        figures += [
            Drawn(f"{drawn.name}_{scale}", drawn.figure, f"Scale {scale}. {drawn.caption}")
            for drawn in _figures(group, printed, improvements)
        ]
    return Combination([noted for noted in tables if not noted.table.empty], figures)


def measured_improvements(group: Group, metric: str) -> list[Improvement]:
    """Estimate each run's improvement over EG, of WG and of its permuted control; images are drawn together.

    Runs on the same data set are resampled with the same draws, so that their average has an honest interval.
    """
    found: list[Improvement] = []
    places = sorted(range(len(group.results)), key=lambda place: group.results[place].dataset)
    by_dataset = groupby(places, key=lambda place: group.results[place].dataset)
    for number, (_, members) in enumerate(by_dataset):
        tables = {place: table for place in members if (table := _table(group.results[place], metric)) is not None}
        replicates = joint_means(list(tables.values()), seed=SEED + number) if tables else []
        for (place, table), means in zip(tables.items(), replicates, strict=True):
            found += [
                Improvement.of(place, method, metric, table, means) for method in (WG, PERMUTED) if method in table
            ]
    return sorted(found, key=lambda improvement: improvement.place)


def _tables(
    group: Group, printed: Printed, improvements: dict[str, list[Improvement]]
) -> Iterable[tuple[str, pd.DataFrame, str]]:
    """Table 1 in the paper's metrics, the other metrics, Table 2 and the averages over networks."""
    beside = [metric for metric in METRICS if metric not in TABLE_1]
    yield "table_1", _comparison(group, printed, TABLE_1), TABLE_NOTE
    yield "table_2", _corrected(_filtering(group, printed)), TABLE_NOTE + " AUC of deletion in percent."
    yield "averages", averages(group, printed, improvements), AVERAGES_NOTE
    yield "other_metrics", _comparison(group, printed, beside), TABLE_NOTE


def _comparison(group: Group, printed: Printed, metrics: Iterable[str]) -> pd.DataFrame:
    lines = []
    for metric in metrics:
        for place, of in enumerate(group.results):
            if (line := table_1_line(of.rows, metric, printed, of.model)) is not None:
                lines.append({"metric": line["metric"]} | group.known(place) | line | {"run": of.label})
    return _corrected(pd.DataFrame(lines))


def _filtering(group: Group, printed: Printed) -> pd.DataFrame:
    lines = []
    for place, of in enumerate(group.results):
        if (line := table_2_line(of.rows, printed, of.model)) is not None:
            lines.append(group.known(place) | line | {"run": of.label})
    return pd.DataFrame(lines)


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Put every p-value's Holm correction over the whole table beside it."""
    for name in P_VALUES if len(table) else ():
        table.insert(int(str(table.columns.get_loc(name))) + 1, f"{name}_holm", holm(table[name].to_list()))
    return table


def averages(group: Group, printed: Printed, improvements: dict[str, list[Improvement]]) -> pd.DataFrame:
    """Average the improvement over networks, for every setting that several networks were run with."""
    lines = []
    for metric in TABLE_1:
        of_wg = [found for found in improvements[metric] if found.method == WG]
        for members in _several_networks(group, [found.place for found in of_wg]).values():
            chosen = [found for found in of_wg if found.place in members]
            value, low, high = Improvement.mean(chosen)
            paper = printed.tables.get("table_1", {}).get(metric, {})
            known = {key: item for key, item in group.known(members[0]).items() if key != "model"}
            line: Line = {"metric": METRICS[metric].label} | known
            line |= {"networks": len(members), "improvement_%": value, "low": low, "high": high}
            line["paper_text_%"] = printed.tables.get("average_improvement", {}).get(metric, np.nan)
            line["paper_table_1_%"] = np.mean([of["improvement"] for of in paper.values()]) if paper else np.nan
            lines.append(line)
    return pd.DataFrame(lines)


def _figures(group: Group, printed: Printed, improvements: dict[str, list[Improvement]]) -> Iterable[Drawn]:
    measured = {metric: found for metric in TABLE_1 if (found := improvements[metric])}
    if not measured:
        return
    names = [f"{plot_label(of.model)}, {group.words(place)}" for place, of in enumerate(group.results)]
    paper = {metric: [_paper_improvement(printed, metric, of.model) for of in group.results] for metric in measured}
    caption = (
        "WG's improvement over EG by run: of the mean, with its 95 % paired bootstrap interval; diamonds: the paper's "
        "Table 1."
    )
    yield Drawn("improvement", forest_figure(measured, names, paper), caption)
    if group.factors:
        yield Drawn("advantage", sweep_figure(measured, group.factors), SWEEP_CAPTION)
    yield from _removals(group, printed)


def _removals(group: Group, printed: Printed) -> Iterable[Drawn]:
    """Figure 2 as a mean over networks, for every setting that several networks were run with."""
    tables = {place: table for place, of in enumerate(group.results) if (table := removal_table(of.rows)) is not None}
    settings = _several_networks(group, list(tables))
    statement = printed.figures.get("figure_2", {}).get("statement", "")
    for number, members in enumerate(settings.values(), start=1):
        names = ", ".join(group.results[place].model for place in members)
        removal = Removal.of_tables([tables[place] for place in members], f"{len(members)} networks ({names})")
        drawn = removal_figure(removal, printed.tables.get("figure_2", {}), statement)
        name = "figure_2" if len(settings) == 1 else f"figure_2_{number}"
        yield Drawn(name, drawn, f"{removal.caption} Setting: {group.words(members[0])}.")


def _several_networks(group: Group, places: Sequence[int]) -> dict[tuple[str, ...], list[int]]:
    """Find the settings that at least two networks were run with."""
    settings: dict[tuple[str, ...], list[int]] = {}
    for place in places:
        settings.setdefault(group.setting(place), []).append(place)
    return {
        setting: members
        for setting, members in settings.items()
        if len({group.results[place].model for place in members}) > 1
    }


def _table(of: Results, metric: str) -> pd.DataFrame | None:
    """Lay out EG, WG and the control where it was measured; None where there is no ratio to EG."""
    control = [PERMUTED] if PERMUTED in methods_of(of.rows, metric) else []
    try:
        table = by_image(of.rows, metric, (EG, WG, *control))
    except NotTestable:
        return None
    return table if table[EG].mean() > 0 else None


def _protocol(of: Results) -> str:
    attribution = of.config.get("attribution")
    return str(attribution.get("protocol", "")) if isinstance(attribution, dict) else ""


def _order(of: Results, printed: Printed) -> tuple[int, str]:
    """The paper's order of networks, then any others by name."""
    known = list(printed.tables.get("table_1", {}).get("deletion_auc", {}))
    return (known.index(of.model) if of.model in known else len(known), of.model)


def _paper_improvement(printed: Printed, metric: str, model: str) -> float:
    of_model = printed.tables.get("table_1", {}).get(metric, {}).get(model, {})
    return float(of_model.get("improvement", np.nan))
