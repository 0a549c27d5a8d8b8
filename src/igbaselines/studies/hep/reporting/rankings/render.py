"""Tables and figures of the studies of rankings: the open questions of 2412.13864."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.style import add_caption, new_figure, page_style, save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.studies.hep.reporting.rankings.figures import against_count, dots, heat_map, label_of
from igbaselines.studies.hep.reporting.rankings.tables import LISTED, feature_places, means, paired_differences

AGREEMENT = {"spearman": "Spearman's rank correlation", "top_overlap": "share of the first features in common"}
ACCURACY = "accuracy"
TABLES = {
    "agreement": tuple(AGREEMENT),
    "classification": (ACCURACY, "balanced_accuracy", "roc_auc", "validation_loss"),
    "cost": ("seconds", "gradient_points"),
    "effective_baselines": ("effective_baselines",),
}
INTERVAL = "lines: 95 % t-intervals"
UNIFORM, BEST_SINGLE, LOGIT_SIGNED = "background", "best_single", "logit_signed"

Drawn = tuple[Figure, str]


def sample_counts(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write `hep_sample_counts`: agreement between draws, and cost, against the number of background events."""
    tables = _write_tables(folder, rows)
    _save(folder, printed, "figure_sample_counts", _sample_counts_figure(tables))


def weightings(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write `hep_weightings`: agreement between weightings, and accuracy with their first features."""
    tables = _write_tables(folder, rows)
    differences = paired_differences(rows, ACCURACY, "method", UNIFORM)
    write_table(differences, folder, "differences")
    _save(folder, printed, "figure_weightings", _weightings_figure(tables, differences))


def combined(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write `hep_combined`: accuracy with combined rankings, against the best single one."""
    _write_tables(folder, rows)
    differences = paired_differences(rows, ACCURACY, "method", BEST_SINGLE)
    write_table(differences, folder, "differences")
    _save(folder, printed, "figure_combined", _combined_figure(differences, _units(rows)))


def architectures(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write `hep_architectures`: agreement between architectures, and of each with itself."""
    _save(folder, printed, "figure_architectures", _architectures_figure(_write_tables(folder, rows)))


def stability(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write `hep_stability`: agreement between networks that differ in seed, split or both, and features' places."""
    _save(folder, printed, "figure_stability", _stability_figure(_write_tables(folder, rows)))


def scores(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write `hep_scores`: agreement between outputs and scores, and accuracy with their first features."""
    tables = _write_tables(folder, rows)
    differences = paired_differences(rows, ACCURACY, "variant", LOGIT_SIGNED)
    write_table(differences, folder, "differences")
    _save(folder, printed, "figure_scores", _scores_figure(tables, differences))


RENDERERS: dict[str, Callable[[Path, pd.DataFrame, Printed], None]] = {
    f"hep_{render.__name__}": render
    for render in (sample_counts, weightings, combined, architectures, stability, scores)
}


def _write_tables(folder: Path, rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    measured = {name: rows[rows["metric"].isin(metrics)] for name, metrics in TABLES.items()}
    tables = {name: means(found) for name, found in measured.items() if len(found)}
    tables["places"] = feature_places(rows)
    for name, table in tables.items():
        write_table(table, folder, name)
    return tables


def _save(folder: Path, printed: Printed, name: str, drawn: Drawn) -> None:
    figure, caption = drawn
    if statement := printed.figures.get(name, {}).get("statement"):
        with page_style():
            add_caption(figure, statement)
    save_figure(figure, folder, name, caption)


def _sample_counts_figure(tables: dict[str, pd.DataFrame]) -> Drawn:
    agreement = tables["agreement"].assign(count=tables["agreement"]["variant"].astype(int))
    largest = str(agreement["count"].max())
    with page_style():
        figure = new_figure(14.0, 4.6)
        panels = figure.subplots(1, 3)
        for axes, (metric, words) in zip(panels, AGREEMENT.items(), strict=False):
            curves = {}
            for name, found in agreement[agreement["metric"] == metric].groupby("method", sort=False):
                method = label_of(str(name))
                curves[f"{method}: two draws"] = found[found["variant"] == found["other"]]
                curves[f"{method}: with {largest}"] = found[found["other"] == largest]
            against_count(axes, curves, words)
        panels[0].legend(fontsize=9)
        cost = tables["cost"].assign(count=tables["cost"]["variant"].astype(int))
        seconds = cost[cost["metric"] == "seconds"]
        against_count(panels[2], {"": seconds}, "seconds for a network")
        panels[2].set_yscale("log")
    points = cost[cost["metric"] == "gradient_points"].set_index("count")["mean"]
    spent = f"{points.min():.2g} to {points.max():.2g} gradient points"
    return figure, (
        "How far a ranking hangs on which background events are drawn. Agreement of the rankings by two draws without "
        f"common events, with the same network and explained events, and with the ranking by {largest} other events of "
        f"each background; right: the time of an attribution ({spent}). Means over {seconds['n'].max()} networks; "
        f"{INTERVAL}."
    )


def _weightings_figure(tables: dict[str, pd.DataFrame], differences: pd.DataFrame) -> Drawn:
    effective = tables["effective_baselines"].set_index("method")["mean"]
    agreement = _pairs(tables["agreement"], "method")
    with page_style():
        figure = new_figure(12.5, 5.0)
        left, right = figure.subplots(1, 2)
        heat_map(left, agreement, AGREEMENT["spearman"], _floor(agreement))
        dots(right, _of_k(differences), "method", "first features", f"accuracy minus that of {label_of(UNIFORM)}")
        right.axvline(0, color="black", linewidth=0.8)
    counts = ", ".join(f"{label_of(str(name))} {value:.3g}" for name, value in effective.items())
    return figure, (
        "Five weightings of the same baselines. Left: how well their rankings agree. Right: paired differences in the "
        f"accuracy of networks retrained on the first features. Means over {_most(differences)} networks; {INTERVAL}. "
        f"Effective number of baselines: {counts}."
    )


def _combined_figure(differences: pd.DataFrame, networks: int) -> Drawn:
    with page_style():
        figure = new_figure(8.0, 5.0)
        axes = figure.subplots()
        dots(
            axes, _of_k(differences), "method", "first features", f"accuracy minus that of the {label_of(BEST_SINGLE)}"
        )
        axes.axvline(0, color="black", linewidth=0.8)
    return figure, (
        "Accuracy of networks retrained on the first features of single and of combined rankings, minus that of the "
        "single baseline with the least validation loss, which may be another one in every network. Means of paired "
        f"differences over {networks} networks; {INTERVAL}."
    )


def _architectures_figure(tables: dict[str, pd.DataFrame]) -> Drawn:
    agreement = _pairs(tables["agreement"], "variant")
    methods = list(dict.fromkeys(agreement["method"]))
    accuracy = tables["classification"]
    accuracy = accuracy[accuracy["metric"] == ACCURACY]
    with page_style():
        columns = -(-(len(methods) + 1) // 2)
        figure = new_figure(5.0 * columns, 8.6)
        panels = list(figure.subplots(2, columns, squeeze=False).flat)
        for axes, method in zip(panels, methods, strict=False):
            heat_map(axes, agreement[agreement["method"] == method], label_of(method), _floor(agreement))
        dots(panels[len(methods)], accuracy, "variant", "method", "accuracy with all features")
        for axes in panels[len(methods) + 1 :]:
            axes.set_visible(False)
    return figure, (
        f"{AGREEMENT['spearman']} of the rankings by networks of two architectures, for each baseline; on the diagonal "
        f"two networks of the same one. Both differ in the training seed and share the split of the events. Means over "
        f"{_most(agreement)} splits. Last panel: mean accuracy over the networks; {INTERVAL}."
    )


def _stability_figure(tables: dict[str, pd.DataFrame]) -> Drawn:
    agreement, places = tables["agreement"], tables["places"]
    method = UNIFORM if (places["method"] == UNIFORM).any() else places["method"].iloc[0]
    with page_style():
        figure = new_figure(12.5, 6.0)
        left, right = figure.subplots(1, 2)
        dots(left, agreement[agreement["metric"] == "spearman"], "method", "variant", AGREEMENT["spearman"])
        dots(right, places[places["method"] == method], "feature", "method", f"place with {label_of(method)}")
        right.set_xscale("log")
    return figure, (
        "Left: how well the rankings agree by two networks that differ in the training seed, in the split of the "
        f"events, or in both. Means over {_most(agreement)} blocks of four networks; {INTERVAL}. Right: mean place of "
        f"the first {LISTED} features; lines from the best to the worst place in any of the networks."
    )


def _scores_figure(tables: dict[str, pd.DataFrame], differences: pd.DataFrame) -> Drawn:
    agreement, differences = _pairs(tables["agreement"], "variant"), _of_k(differences)
    methods = list(dict.fromkeys(agreement["method"]))
    with page_style():
        figure = new_figure(4.6 * len(methods), 8.4)
        panels = figure.subplots(2, len(methods), squeeze=False)
        for (upper, lower), method in zip(panels.T, methods, strict=True):
            heat_map(upper, agreement[agreement["method"] == method], label_of(method), _floor(agreement))
            found = differences[differences["method"] == method]
            dots(lower, found, "variant", "first features", f"accuracy minus that of {label_of(LOGIT_SIGNED)}")
            lower.axvline(0, color="black", linewidth=0.8)
    return figure, (
        f"Above: {AGREEMENT['spearman']} between the rankings by logit or probability, signed mean or mean magnitude. "
        "Below: paired differences in the accuracy of networks retrained on the first features. Means over "
        f"{_most(differences)} networks; {INTERVAL}."
    )


def _pairs(agreement: pd.DataFrame, column: str) -> pd.DataFrame:
    found = agreement[agreement["metric"] == "spearman"]
    return found.assign(a=found[column], b=found["other"])


def _of_k(differences: pd.DataFrame) -> pd.DataFrame:
    return differences.assign(**{"first features": [f"first {k}" for k in differences["k"]]})


def _floor(agreement: pd.DataFrame) -> float:
    """The palest colour of heat maps: a little below the lowest agreement."""
    return float(np.floor(agreement["mean"].min() * 10 - 1) / 10)


def _most(table: pd.DataFrame) -> int:
    return int(table["n"].max())


def _units(rows: pd.DataFrame) -> int:
    return int(rows["unit"].nunique())
