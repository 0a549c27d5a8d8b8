"""Tables and figures of two samples, on rows whose content is known because it was put in."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.claims import Printed
from igbaselines.studies.hep.artifacts import TwoSamples
from igbaselines.studies.hep.reporting.generators import (
    auc_table,
    cross_validated,
    distances_table,
    processes_table,
    render,
)
from igbaselines.studies.hep.reporting.generators_figures import (
    auc_figure,
    correlations_figure,
    distances_figure,
    distributions_figure,
)
from tests.reporting.added import METHOD, METRIC, with_method, with_metric

PROCESSES = ("wj", "signal")  # not in alphabetical order
FEATURES = ("HT", "m_J", "user_$50%<b>")
FAMILIES = ("scale", "all")
METHODS = ("sample", "reference_halves")
DISTANCES = {"HT": 0.1, "m_J": 0.4, "user_$50%<b>": 0.2}

Row = dict[str, object]


@pytest.fixture
def rows() -> pd.DataFrame:
    found: list[Row] = []
    for process in PROCESSES:
        for method, factor in (("sample", 1.0), ("reference_halves", 0.1)):
            known = {"process": process, "method": method, "unit": "all"}
            for feature, distance in DISTANCES.items():
                found.append(known | {"metric": "distance", "feature": feature, "value": factor * distance})
                found.append(known | {"metric": "mean_shift", "feature": feature, "value": -factor * distance})
            for family in FAMILIES:
                found += [
                    known
                    | {"metric": "two_sample_auc", "family": family, "unit": f"fold_{fold}", "value": 0.5 + 0.1 * fold}
                    for fold in range(3)
                ]
            found.append(known | {"metric": "correlation_agreement", "value": 1 - 0.1 * factor})
        for method, events in (("sample", 70), ("reference", 90)):
            known = {"process": process, "method": method, "unit": "all"}
            found.append(known | {"metric": "events", "value": float(events)})
            found.append(known | {"metric": "effective_events", "value": events / 2})
    same = {"experiment": "hep_generators", "dataset": "mine", "model": "", "seed": 0}
    return pd.DataFrame([same | row for row in found])


def test_the_farthest_feature_of_a_process_comes_first(rows: pd.DataFrame) -> None:
    table = distances_table(rows)
    assert table["process"].tolist() == ["wj"] * 3 + ["signal"] * 3
    assert table["feature"].tolist() == ["m_J", "user_$50%<b>", "HT"] * 2
    np.testing.assert_allclose(table["distance_reference_halves"], 0.1 * table["distance"])
    np.testing.assert_allclose(table["mean_shift"], -table["distance"])


def test_every_process_and_family_has_its_auc(rows: pd.DataFrame) -> None:
    table = auc_table(rows)
    assert [tuple(line) for line in table[["process", "family", "method"]].to_numpy()] == [
        (process, family, method) for process in PROCESSES for family in FAMILIES for method in METHODS
    ]
    np.testing.assert_allclose(table["mean"], 0.6)
    assert (table["low"] < table["mean"]).all()
    np.testing.assert_allclose(table["high"], table["high"][0])


def test_the_interval_of_folds_is_wider_than_students(rng: np.random.Generator) -> None:
    folds = rng.normal(size=5)
    mean, low, high = cross_validated(folds)
    plain = stats.ttest_1samp(folds, 0.0).confidence_interval(0.95)
    assert mean == pytest.approx(folds.mean())
    assert (high - low) / (plain.high - plain.low) == pytest.approx(1.5)  # sqrt((1/5 + 1/4) / (1/5))


def test_processes_are_counted(rows: pd.DataFrame) -> None:
    table = processes_table(rows).set_index("process")
    assert table.index.tolist() == list(PROCESSES)
    assert table["events_sample"].tolist() == [70, 70]
    assert table["effective_events_reference"].tolist() == [45, 45]
    np.testing.assert_allclose(table["correlation_agreement_reference_halves"], 0.99)


def test_figures_draw_the_tables(rows: pd.DataFrame) -> None:
    drawings = auc_figure(auc_table(rows), "mine"), distances_figure(distances_table(rows), "mine")
    for (figure, caption), bars in zip(drawings, (FAMILIES, FEATURES), strict=True):
        assert figure is not None
        assert "mine" in caption
        assert [axes.get_title() for axes in figure.axes] == list(PROCESSES)
        assert [len(axes.patches) for axes in figure.axes] == [len(bars)] * 2


def test_distributions_and_correlations_are_drawn(rng: np.random.Generator) -> None:
    correlations = rng.uniform(-1, 1, size=(2, 2, 3, 3))
    correlations[0, 0, 1] = np.nan  # of a constant feature
    drawn = TwoSamples(
        processes=np.array(PROCESSES),
        feature_names=np.array(FEATURES),
        family_of=np.array(["scale", "jet_masses", ""]),
        correlations=correlations,
        drawn=np.array(FEATURES[1:]),
        edges=np.tile(np.linspace(0, 1, 6), (2, 1)),
        density=rng.uniform(size=(2, 2, 2, 5)),
    )
    figures = [draw(drawn, "mine")[0] for draw in (distributions_figure, correlations_figure)]
    panels, matrices = (figure.axes for figure in figures if figure is not None)
    assert [len(axes.patches) for axes in panels] == [4, 4]
    assert [axes.get_xlabel() for axes in panels] == ["$m_{J}$", r"user_\$50%<b>"]
    images = [axes.get_images()[0].get_array() for axes in matrices if axes.get_images()]
    assert len(images) == 6
    np.testing.assert_array_equal(np.asarray(images[5]), correlations[0, 1] - correlations[1, 1])


def test_rows_alone_give_all_tables_and_the_figures_of_them(tmp_path: Path, rows: pd.DataFrame) -> None:
    render(tmp_path, rows, Printed())
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "figure_two_sample_auc",
        "figure_worst_features",
    }
    tables = {path.name for path in (tmp_path / "tables").iterdir()}
    names = ("distances", "processes", "two_sample_auc")
    assert tables == {f"{name}.{suffix}" for name in names for suffix in ("csv", "md", "tex")}


def test_another_sample_and_another_measure_are_listed_and_drawn(rows: pd.DataFrame) -> None:
    added = with_metric(with_method(rows, "sample"), "distance")
    assert {f"distance_{METHOD}", METRIC, f"{METRIC}_{METHOD}"} <= set(distances_table(added))
    assert f"events_{METHOD}" in processes_table(added)
    assert f"{METRIC}_reference" in processes_table(with_metric(rows, "events"))
    aucs = auc_table(added)
    assert METHOD in set(aucs["method"])
    figure, _ = auc_figure(aucs, "mine")
    assert figure is not None
    own = aucs[(aucs["method"] == METHOD) & (aucs["process"] == PROCESSES[0])]["mean"]
    drawn = [np.asarray(line.get_xdata(), float).tolist() for line in figure.axes[0].lines]
    assert own.tolist() in drawn
    distances, _ = distances_figure(distances_table(added), "mine")
    assert distances is not None
    assert len(distances.axes[0].collections) == 2  # a mark of the halves, and one of the third sample
