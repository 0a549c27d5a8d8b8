"""Tables and figures of 2310.04821, Shapley Integrated Gradients, from a run on photographs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.statistics.paired import holm
from igbaselines.reporting.style import save_figure
from igbaselines.reporting.tables import write_table
from igbaselines.studies.images.reporting.overlays import load_explanation
from igbaselines.studies.images.reporting.rows import methods_of
from igbaselines.studies.images.reporting.shapley.figures import (
    ADVANTAGE_CAPTION,
    METHODS_CAPTION,
    SWEEPS_CAPTION,
    advantages_figure,
    grid_caption,
    grid_figure,
    methods_figure,
    sweeps_figure,
)
from igbaselines.studies.images.reporting.shapley.rows import (
    JUDGED,
    KNOWN,
    METHODS,
    SIG,
    SWEEPS,
    Advantage,
    of_study,
    setting_of,
    settings,
)
from igbaselines.studies.images.reporting.weighted.tables import mean_with_interval, measured, selection_table

Line = dict[str, Any]


def render(folder: Path, rows: pd.DataFrame, printed: Printed) -> None:
    """Write every table and figure for which there are rows or examples.

    Args:
        folder: a run's folder; `examples/*.npz` are drawn as figure_overlays_1, figure_overlays_2, ...
        rows: of the run.
        printed: the paper's numbers, of which it prints none for photographs.
    """
    tables = {
        "methods": methods_table(rows),
        "against_shapley_ig": against_table(rows),
        "patches": sweep_table(rows, "patch"),
        "coalitions": sweep_table(rows, "coalitions"),
        "consistency": consistency_table(rows),
        "selection": selection_table(rows),
    }
    for name, table in tables.items():
        if not table.empty:
            write_table(table, folder, name)
    main = of_study(rows, METHODS)
    patch = int(main["patch"].dropna().iloc[0]) if "patch" in main and main["patch"].notna().any() else None
    for number, path in enumerate(sorted((folder / "examples").glob("*.npz")), start=1):
        shown = load_explanation(path)
        save_figure(grid_figure(shown, patch), folder, f"figure_overlays_{number}", grid_caption(shown, patch))
    drawn = {
        "figure_methods": (methods_figure(rows), METHODS_CAPTION),
        "figure_advantages": (advantages_figure(rows), ADVANTAGE_CAPTION),
        "figure_sweeps": (sweeps_figure(rows), SWEEPS_CAPTION),
    }
    for name, (figure, caption) in drawn.items():
        if figure is not None:
            save_figure(figure, folder, name, caption)


def methods_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % t-interval over the images of every metric of every method, at the same gradient points."""
    found = of_study(rows, METHODS)
    return pd.DataFrame([_mean_line(found, metric, method) for metric in KNOWN for method in methods_of(found, metric)])


def against_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Shapley Integrated Gradients minus every other method, image by image.

    The p-values are two-sided; those with _holm are corrected for all lines of the table (Holm). A line is resolved
    where the paired t-test's corrected p-value is below 0.05.
    """
    found = of_study(rows, METHODS)
    pairs = [(metric, method) for metric in JUDGED for method in methods_of(found, metric) if method != SIG]
    compared = [one for one in (Advantage.of(found, *pair) for pair in pairs) if one is not None]
    t_test = holm([one.found.p_paired for one in compared])
    wilcoxon = holm([one.found.p_wilcoxon for one in compared])
    return pd.DataFrame(
        [_against_line(one, *p_values) for one, *p_values in zip(compared, t_test, wilcoxon, strict=True)]
    )


def sweep_table(rows: pd.DataFrame, study: str) -> pd.DataFrame:
    """Mean and 95 % t-interval of every metric in every setting of a study.

    Beside them the mean advantage over plain IG from the same absent value, more than zero where the coalitions help,
    with its paired interval.
    """
    lines: list[Line] = []
    for value in settings(rows, study):
        found = setting_of(rows, study, value)
        of_sig = found[found["method"] == SIG]
        known = {name: of_sig[name].iloc[0] for name in (*SWEEPS, "players", "q") if name in of_sig}
        for metric in KNOWN:
            if metric in set(of_sig["metric"]):
                line = _mean_line(found, metric, SIG)
                lines.append(known | {name: cell for name, cell in line.items() if name != "method"})
                lines[-1] |= _over_control(found, metric)
    table = pd.DataFrame(lines)
    whole = {name: "Int64" for name in (*SWEEPS, "players") if name in table}
    return table.astype(whole)


def consistency_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How well the maps for two networks agree, the most consistent method first."""
    found = of_study(rows, METHODS)
    lines = [
        {"other_model": str(found.loc[found["metric"] == "consistency", "other_model"].iloc[0])}
        | _mean_line(found, "consistency", method)
        for method in methods_of(found, "consistency")
    ]
    if not lines:
        return pd.DataFrame()
    table = pd.DataFrame(lines).drop(columns=["metric", "better"])
    return table.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


def _mean_line(rows: pd.DataFrame, metric: str, method: str) -> Line:
    values = measured(rows, metric, method)
    finite = values[np.isfinite(values)]
    known = KNOWN[metric]
    line: Line = {"metric": known.label, "better": "lower" if known.lower_is_better else "higher", "method": method}
    return line | {"images": len(finite)} | mean_with_interval(finite) | {"not_finite": len(values) - len(finite)}


def _over_control(rows: pd.DataFrame, metric: str) -> Line:
    advantage = Advantage.of(rows, metric, "ig_absent") if metric in JUDGED else None
    mean, low, high = (np.nan,) * 3 if advantage is None else advantage.interval()
    return {"over_plain_ig": mean, "over_plain_ig_low": low, "over_plain_ig_high": high}


def _against_line(one: Advantage, p_holm: float, p_wilcoxon_holm: float) -> Line:
    known, found = KNOWN[one.metric], one.found
    return {
        "metric": known.label,
        "better": "lower" if known.lower_is_better else "higher",
        "method": one.method,
        "images": found.n,
        "not_finite": one.left_out,
        "SIG": found.mean_a,
        "baseline": found.mean_b,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p_paired_t": found.p_paired,
        "p_paired_t_holm": p_holm,
        "p_wilcoxon": found.p_wilcoxon,
        "p_wilcoxon_holm": p_wilcoxon_holm,
        "result": one.words(p_holm),
    }
