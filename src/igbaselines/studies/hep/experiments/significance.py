"""What is left behind a cut on a network's output, and the cross-sections it stands for (2412.13864, Figure 2b)."""

import numpy as np
from jaxtyping import Float

from igbaselines.common.splits import Split
from igbaselines.running.rows import Rows
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.measures.discovery import CrossSections, Selected, Significance, effective_events


def select_events(
    table: EventTable, split: Split, logits: Float[np.ndarray, "cuts n"], signal_efficiency: float
) -> Selected:
    """Cut every output at an efficiency of the test part's signal events; the logits have a row for each network.

    Each event stands for its weight over the share of its process's events that are in the test part. Counting them,
    not their weights, is unbiased however weights differ within a process, and exact where the test parts of several
    networks cover every event equally often; a share by weight would add the fluctuation of what does not pass.
    """
    assert table.weight is not None
    test = split.test
    is_signal, counted = table.is_signal[test], len(table.processes)
    cut = np.quantile(logits[:, is_signal], 1 - signal_efficiency, axis=1)
    passes = logits > cut[:, None]
    background, signal_weight = test[~is_signal], table.weight[test[is_signal]]
    share = np.bincount(table.process[test], minlength=counted) / np.bincount(table.process, minlength=counted)
    return Selected(
        event=background,
        weight=table.weight[background] / share[table.process[background]],
        passes=passes[:, ~is_signal].T,
        # Over the largest weight: equal weights become ones, and the average is the plain mean to the last bit.
        signal_efficiency=np.average(passes[:, is_signal], axis=1, weights=signal_weight / signal_weight.max()),
    )


def cross_sections(table: EventTable) -> CrossSections:
    """Add up the weights; cross-sections whose errors are not known count as exact."""
    assert table.weight is not None
    known = table.cross_section_error or {}
    relative = np.array([known.get(process, 0.0) for process in table.processes])
    signal = np.bincount(table.process, table.weight * table.is_signal, len(relative))
    total = float(table.weight[table.is_signal].sum())
    return CrossSections(total, float(np.linalg.norm(relative * signal)) / total, table.process, relative)


def add_event_counts(rows: Rows, table: EventTable) -> None:
    """Write of every process its events and effective events, and its cross-section with its error [fb]."""
    for index, process in enumerate(table.processes):
        members = table.process == index
        values = {"selected_events": float(members.sum())}
        if table.weight is not None:
            weight = table.weight[members]
            values |= {"n_eff": effective_events(weight), "cross_section": float(weight.sum())}
            if table.cross_section_error is not None:
                values["cross_section_error"] = table.cross_section_error[process] * float(weight.sum())
        for metric, value in values.items():
            rows.add("data", metric, "all", value, process=process)


def add_significance(rows: Rows, cuts: list[tuple[str, int]], significance: Significance) -> None:
    """Write what was found behind each cut: on the output with so many features by a method."""
    columns = {
        "signal_expected": significance.signal,
        "background_expected": significance.background,
        "background_n_eff": significance.n_eff,
        "significance": significance.value,
        "significance_mc_error": significance.mc_error,
        "significance_with_error": significance.with_error,
    }
    for cut, (method, k) in enumerate(cuts):
        for metric, values in columns.items():
            rows.add(method, metric, "pooled", values[cut], k=k)
        for replicate, value in enumerate(significance.replicates[:, cut]):
            rows.add(method, "significance", f"bootstrap_{replicate:03d}", value, k=k)
