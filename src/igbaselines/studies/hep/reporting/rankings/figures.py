"""Figures of the studies of rankings, the open questions of 2412.13864; every one comes with its caption."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from igbaselines.reporting.labels import known_label
from igbaselines.reporting.plots import dots, grid_of, heat_map, points
from igbaselines.reporting.rows import in_order
from igbaselines.reporting.style import Drawing, looks, new_figure, page_style
from igbaselines.studies.hep.reporting.rankings.tables import LISTED

Tables = Mapping[str, pd.DataFrame]

AGREEMENT = {"spearman": "Spearman's rank correlation", "top_overlap": "share of the first features in common"}
ACCURACY = "accuracy"
INTERVAL = "lines: 95 % t-intervals"
UNIFORM, BEST_SINGLE, LOGIT_SIGNED = "background", "best_single", "logit_signed"
LABELS = {
    "background": r"$B_{\mathrm{bg}}$ (equal weights)",
    "background_weighted": r"$B_{\mathrm{bgw}}$ (cross-section)",
    "background_square_root": "square root",
    "background_logarithm": "logarithm",
    "background_percentile": "percentile",
    "mean_rank": "mean rank",
    "borda_count": "Borda count",
    "best_single": "best of the single ones",
    "swish_dnn": "Swish",
    "deep_swish_dnn": "Swish, deep",
    "relu_dnn": "ReLU",
    "object_attention": "attention",
    "seed": "training seed",
    "split": "split of the events",
    "both": "both",
}


def label_of(name: str) -> str:
    """How a method, a variant or a feature is called in the figures of the studies."""
    return LABELS.get(name) or known_label(name) or name.replace("_", " ").replace("$", r"\$")


def sample_counts_figure(tables: Tables) -> Drawing:
    """Draw agreement between draws, and cost, against the number of background events."""
    agreement = tables["agreement"].assign(count=tables["agreement"]["variant"].astype(int))
    largest = str(agreement["count"].max())
    cost = tables["cost"].assign(count=tables["cost"]["variant"].astype(int))
    seconds = cost[cost["metric"] == "seconds"]
    with page_style():
        figure = new_figure(14.0, 4.6)
        *panels, right = figure.subplots(1, 3)
        for axes, (metric, words) in zip(panels, AGREEMENT.items(), strict=True):
            curves = {}
            for name, found in agreement[agreement["metric"] == metric].groupby("method", sort=False):
                method = label_of(str(name))
                curves[f"{method}: two draws"] = found[found["variant"] == found["other"]]
                curves[f"{method}: with {largest}"] = found[found["other"] == largest]
            _against_count(axes, curves, words)
        panels[0].legend(fontsize=9)
        _against_count(right, {"": seconds}, "seconds for a network")
        right.set_yscale("log")
    spent = cost[cost["metric"] == "gradient_points"].set_index("count")["mean"]
    return figure, (
        "How far a ranking hangs on which background events are drawn. Agreement of the rankings by two draws without "
        f"common events, with the same network and explained events, and with the ranking by {largest} other events of "
        f"each background; right: the time of an attribution ({spent.min():.2g} to {spent.max():.2g} gradient points). "
        f"Means over {seconds['n'].max()} networks; {INTERVAL}."
    )


def weightings_figure(tables: Tables) -> Drawing:
    """Draw agreement between weightings, and accuracy with their first features."""
    effective = tables["effective_baselines"].set_index("method")["mean"]
    agreement = _pairs(tables["agreement"], "method")
    with page_style():
        figure = new_figure(12.5, 5.0)
        left, right = figure.subplots(1, 2)
        _heat_map(left, agreement, AGREEMENT["spearman"], _floor(agreement))
        _differences(right, tables["differences"], "method", label_of(UNIFORM))
    counts = ", ".join(f"{label_of(str(name))} {value:.3g}" for name, value in effective.items())
    return figure, (
        f"{effective.size} weightings of the same baselines. Left: how well their rankings agree. Right: paired "
        "differences in the accuracy of networks retrained on the first features. Means over "
        f"{_most(tables['differences'])} networks; {INTERVAL}. Effective number of baselines: {counts}."
    )


def combined_figure(tables: Tables) -> Drawing:
    """Draw accuracy with combined rankings, against the best single one."""
    with page_style():
        figure = new_figure(8.0, 5.0)
        _differences(figure.subplots(), tables["differences"], "method", f"the {label_of(BEST_SINGLE)}")
    return figure, (
        "Accuracy of networks retrained on the first features of single and of combined rankings, minus that of the "
        "single baseline with the least validation loss, which may be another one in every network. Means of paired "
        f"differences over {_most(tables['differences'])} networks; {INTERVAL}."
    )


def architectures_figure(tables: Tables) -> Drawing:
    """Draw agreement between architectures, and of each with itself."""
    agreement = _pairs(tables["agreement"], "variant")
    methods = in_order(agreement["method"])
    accuracy = tables["classification"]
    with page_style():
        columns = -(-(len(methods) + 1) // 2)
        figure = new_figure(5.0 * columns, 8.6)
        *panels, last = grid_of(figure, len(methods) + 1, columns)
        for axes, method in zip(panels, methods, strict=True):
            _heat_map(axes, agreement[agreement["method"] == method], label_of(method), _floor(agreement))
        _dots(last, accuracy[accuracy["metric"] == ACCURACY], "variant", "method", "accuracy with all features")
    return figure, (
        f"{AGREEMENT['spearman']} of the rankings by networks of two architectures, for each baseline; on the diagonal "
        f"two networks of the same one. Both differ in the training seed and share the split of the events. Means over "
        f"{_most(agreement)} splits. Last panel: mean accuracy over the networks; {INTERVAL}."
    )


def stability_figure(tables: Tables) -> Drawing:
    """Draw agreement between networks that differ in seed, split or both, and features' places."""
    agreement, places = tables["agreement"], tables["places"]
    method = in_order(places["method"], (UNIFORM,))[0]
    with page_style():
        figure = new_figure(12.5, 6.0)
        left, right = figure.subplots(1, 2)
        _dots(left, agreement[agreement["metric"] == "spearman"], "method", "variant", AGREEMENT["spearman"])
        _dots(right, places[places["method"] == method], "feature", "method", f"place with {label_of(method)}")
        right.set_xscale("log")
    return figure, (
        "Left: how well the rankings agree by two networks that differ in the training seed, in the split of the "
        f"events, or in both. Means over {_most(agreement)} blocks of four networks; {INTERVAL}. Right: mean place of "
        f"the first {LISTED} features; lines from the best to the worst place in any of the networks."
    )


def scores_figure(tables: Tables) -> Drawing:
    """Draw agreement between outputs and scores, and accuracy with their first features."""
    agreement, differences = _pairs(tables["agreement"], "variant"), tables["differences"]
    methods = in_order(agreement["method"])
    with page_style():
        figure = new_figure(4.6 * len(methods), 8.4)
        panels = figure.subplots(2, len(methods), squeeze=False)
        for (upper, lower), method in zip(panels.T, methods, strict=True):
            _heat_map(upper, agreement[agreement["method"] == method], label_of(method), _floor(agreement))
            _differences(lower, differences[differences["method"] == method], "variant", label_of(LOGIT_SIGNED))
    return figure, (
        f"Above: {AGREEMENT['spearman']} between the rankings by logit or probability, signed mean or mean magnitude. "
        "Below: paired differences in the accuracy of networks retrained on the first features. Means over "
        f"{_most(differences)} networks; {INTERVAL}."
    )


# Experiment -> how it is drawn, and in which column accuracies are compared with which name.
FIGURES: dict[str, Callable[[Tables], Drawing]] = {
    "hep_sample_counts": sample_counts_figure,
    "hep_weightings": weightings_figure,
    "hep_combined": combined_figure,
    "hep_architectures": architectures_figure,
    "hep_stability": stability_figure,
    "hep_scores": scores_figure,
}
COMPARED = {
    "hep_weightings": ("method", UNIFORM),
    "hep_combined": ("method", BEST_SINGLE),
    "hep_scores": ("variant", LOGIT_SIGNED),
}


def _heat_map(axes: Axes, agreement: pd.DataFrame, title: str, lowest: float) -> None:
    heat_map(axes, agreement, lowest, label_of)
    axes.set_title(title)


def _dots(axes: Axes, table: pd.DataFrame, line: str, series: str, value_label: str) -> None:
    dots(axes, table, line, series, label=label_of, markersize=5)
    axes.xaxis.set_major_locator(MaxNLocator(4))  # labels of more than four places of a small panel run into another
    axes.set_xlabel(value_label)
    if (colours := table[series].nunique()) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(colours, 3), frameon=False)


def _differences(axes: Axes, differences: pd.DataFrame, line: str, reference: str) -> None:
    named = differences.assign(first=[f"first {k}" for k in differences["k"]])
    _dots(axes, named, line, "first", f"accuracy minus that of {reference}")
    axes.axvline(0, color="black", linewidth=0.8)


def _against_count(axes: Axes, curves: Tables, value_label: str) -> None:
    """Draw means against the number of events of each background, on a logarithmic axis."""
    counts = sorted({int(count) for table in curves.values() for count in table["count"]})
    for place, ((label, table), look) in enumerate(zip(curves.items(), looks(curves).values(), strict=True)):
        found = table.sort_values("count")
        shifted = found["count"].to_numpy(float) * (1 + 0.03 * (place - (len(curves) - 1) / 2))  # keeps intervals apart
        points(axes, shifted, found, look, upright=True, joined=True, width=1.2, label=label, markersize=5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("events of each background")
    axes.set_ylabel(value_label)


def _pairs(agreement: pd.DataFrame, column: str) -> pd.DataFrame:
    found = agreement[agreement["metric"] == "spearman"]
    return found.assign(a=found[column], b=found["other"])


def _floor(agreement: pd.DataFrame) -> float:
    """The palest colour of heat maps: a little below the lowest agreement."""
    return float(np.floor(agreement["mean"].min() * 10 - 1) / 10)


def _most(table: pd.DataFrame) -> int:
    return int(table["n"].max())
