"""Choosing rows, laying them out, and naming what is in them: nothing is dropped in silence."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.rows import (
    MetricLook,
    by_finite_unit,
    by_method,
    by_unit,
    choose,
    in_order,
    look_up,
    unit_name,
)
from igbaselines.reporting.statistics.verdicts import NotTestable
from tests.hep_rows import BASELINES
from tests.studies.images.reporting.weighted_rows import EG, WG


def test_rows_are_chosen_by_columns_of_every_type() -> None:
    rows = pd.DataFrame(
        {
            "study": ["agreement", "players", "interactions", None],
            "players": pd.array([10, 8, 10, None], dtype="Int64"),
            "interactions": np.array([True, True, False, None], dtype=object),
            "q": [0.1, np.nan, 1.0, np.nan],
        }
    )
    assert list(choose(rows, {"study": "players"}).index) == [1]
    assert list(choose(rows, {"players": 10, "interactions": False}).index) == [2]
    assert list(choose(rows, {"interactions": True}).index) == [0, 1]
    assert list(choose(rows, {"q": 1}).index) == [2]
    assert list(choose(rows, {}).index) == [0, 1, 2, 3]
    assert choose(rows, {"reference": "zero"}).empty
    assert choose(rows, {"players": 11}).empty
    assert choose(rows.iloc[:0], {"players": 10}).empty


def test_values_stand_by_method_and_method(weighted: pd.DataFrame) -> None:
    table = by_method(weighted, "deletion_auc", (EG, WG))
    assert list(table.columns) == [EG, WG]
    assert len(table) == 40
    row = weighted[(weighted["metric"] == "deletion_auc") & (weighted["method"] == WG)].iloc[7]
    assert table.loc[row["unit"], WG] == row["value"]


def test_nothing_is_dropped_in_silence(weighted: pd.DataFrame) -> None:
    values = weighted[weighted["metric"] == "deletion_auc"]
    with pytest.raises(NotTestable, match="no 'deletion_auc' of method 'nobody'"):
        by_method(values, "deletion_auc", (EG, "nobody"))
    with pytest.raises(NotTestable, match="1 of 80 values"):
        by_method(values.drop(values[values["method"] == WG].index[3]), "deletion_auc", (EG, WG))
    with pytest.raises(NotTestable, match="several values"):
        by_method(pd.concat([values, values.head(1)]), "deletion_auc", (EG, WG))


def test_units_without_a_finite_value_are_left_out_and_counted(weighted: pd.DataFrame) -> None:
    rows = weighted.copy()
    rows.loc[rows[(rows["metric"] == "deletion_auc") & (rows["method"] == WG)].index[:2], "value"] = [np.nan, np.inf]
    table, left_out = by_finite_unit(rows, "deletion_auc", (EG, WG))
    assert (len(table), left_out) == (38, 2)
    assert np.isfinite(table.to_numpy()).all()


def test_a_unit_is_called_by_its_name(rows: pd.DataFrame) -> None:
    assert unit_name(by_unit(rows, "rank", BASELINES[0], "feature").columns) == "network"
    assert unit_name(pd.Index(["image_003"])) == "image"
    assert unit_name(pd.Index([], dtype=str)) == "unit"
    assert unit_name(["cat", "dog"]) == "unit"


def test_names_that_are_not_known_come_last_and_are_not_lost() -> None:
    assert in_order(["mine", "b", "other", "b", "a", np.nan], ("a", "b", "c")) == ["a", "b", "mine", "other"]


def test_a_metric_that_nobody_knows_has_its_name_and_no_direction() -> None:
    known = {"auc": MetricLook("AUC", "lower")}
    assert (look_up("auc", known).label, look_up("auc", known).sign) == ("AUC", -1)
    assert look_up("my_metric", known) == MetricLook("my metric", None)
    assert look_up("my_metric", known).sign == 1
