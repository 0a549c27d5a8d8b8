"""What lies behind a cut, for events that stand for different cross-sections: against sums over the whole sample."""

import numpy as np
import pytest

from igbaselines.common.splits import rotated_split
from igbaselines.running.rows import Rows
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.experiments.significance import add_event_counts, cross_sections, select_events
from igbaselines.studies.hep.measures.discovery import pooled_significance

EVENTS = {"new": 600, "soft": 500, "hard": 300, "newer": 200}
ERRORS = {"new": 0.1, "soft": 0.02, "hard": 0.05, "newer": 0.3}


def table(errors: dict[str, float] | None = None, seed: int = 0) -> EventTable:
    """Two signals and two backgrounds; within each the weights span two orders of magnitude."""
    rng = np.random.default_rng(seed)
    process = np.repeat(np.arange(len(EVENTS)), list(EVENTS.values()))
    return EventTable(
        features=rng.normal(size=(len(process), 3)).astype(np.float32),
        feature_names=("a", "b", "c"),
        process=process,
        processes=tuple(EVENTS),
        is_signal=np.isin(process, [0, 3]),
        weight=10 ** rng.uniform(-2, 0, len(process)) * 5.0**process,
        checksum="",
        cross_section_error=errors,
    )


def test_over_a_full_turn_of_the_splits_the_background_is_that_of_the_whole_sample() -> None:
    """Ten test parts of 30 %: every event is scored three times, and nothing is left of how they were drawn."""
    events = table()
    assert events.weight is not None
    logits = np.where(events.is_signal, 5.0, events.features[:, 0])[None] - 0.3
    parts = []
    for network in range(10):
        split = rotated_split(events.process, 7, network / 10, 0.5, 0.2)
        part = logits[:, split.test]
        part[:, events.is_signal[split.test]] = np.linspace(0, 1, int(events.is_signal[split.test].sum())) - 0.25
        parts.append(select_events(events, split, part, 0.75))  # the cut lies at 0
    result = pooled_significance(parts, cross_sections(events), 2.0, replicates=0, seed=0)
    behind = ~events.is_signal & (logits[0] > 0)
    assert result.background == pytest.approx(2 * events.weight[behind].sum(), rel=1e-12)
    weight = events.weight[behind]
    assert result.n_eff == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=1e-12)


def test_one_test_part_estimates_the_background_without_bias() -> None:
    """Weights and what passes hang together here: the heavy events do not."""
    events = table()
    assert events.weight is not None
    light = events.weight < np.median(events.weight[~events.is_signal])
    logits = np.where(events.is_signal | light, 1.0, -1.0)[None]
    logits[:, events.is_signal] += np.linspace(-1, 1, int(events.is_signal.sum()))
    truth = events.weight[~events.is_signal & light].sum()
    found = []
    for seed in range(400):
        split = rotated_split(events.process, seed, 0.0, 0.5, 0.2)
        part = select_events(events, split, logits[:, split.test], 0.999)
        found.append(part.weight[part.passes[:, 0]].sum())
    standard_error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - truth) < 4 * standard_error
    assert standard_error < 0.01 * truth


def test_the_efficiency_of_the_signal_is_that_of_its_cross_section() -> None:
    events = table()
    assert events.weight is not None
    split = rotated_split(events.process, 0, 0.0, 0.5, 0.2)
    logits = events.features[split.test].T.astype(float)
    signal = events.is_signal[split.test]
    found = select_events(events, split, logits, 0.6).signal_efficiency
    for efficiency, scores in zip(found, logits[:, signal], strict=True):
        behind = scores > np.quantile(scores, 0.4)
        weight = events.weight[split.test][signal]
        assert efficiency == pytest.approx(weight[behind].sum() / weight.sum())
    equal = EventTable(**{**vars(events), "weight": np.full(len(events), 0.3)})
    count = (logits[:, signal] > np.quantile(logits[:, signal], 0.4, axis=1)[:, None]).mean(axis=1)
    assert np.array_equal(select_events(equal, split, logits, 0.6).signal_efficiency, count)


def test_the_errors_of_the_cross_sections_are_those_of_the_file() -> None:
    events = table(ERRORS)
    assert events.weight is not None
    found = cross_sections(events)
    new, newer = (events.weight[events.process == index].sum() for index in (0, 3))
    assert found.signal == pytest.approx(new + newer)
    assert found.signal_error == pytest.approx(np.hypot(0.1 * new, 0.3 * newer) / (new + newer))
    assert found.process_error.tolist() == list(ERRORS.values())
    unknown = cross_sections(table())
    assert unknown.signal_error == 0
    assert not unknown.process_error.any()


def test_events_are_counted_with_their_weights() -> None:
    for errors in (ERRORS, None):
        rows, events = Rows("hep_baselines", "mine", "swish_dnn", 0), table(errors)
        add_event_counts(rows, events)
        assert events.weight is not None
        found = rows.frame().pivot(index="process", columns="metric", values="value")
        for index, (process, count) in enumerate(EVENTS.items()):
            weight = events.weight[events.process == index]
            assert found["selected_events"][process] == count
            assert found["cross_section"][process] == pytest.approx(weight.sum())
            # As many equal weights have the same relative error of their sum.
            assert found["n_eff"][process] == pytest.approx((np.sqrt((weight**2).sum()) / weight.sum()) ** -2)
            if errors:
                assert found["cross_section_error"][process] == pytest.approx(errors[process] * weight.sum())
        assert ("cross_section_error" in found) == bool(errors)
