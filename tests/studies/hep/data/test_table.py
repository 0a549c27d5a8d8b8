"""A user's table: what is read, and one clear line for everything that is wrong with it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from igbaselines.common.errors import UserError
from igbaselines.common.files import sha256
from igbaselines.studies.hep.data.table import HepTable

GOOD: dict[str, list[Any]] = {
    "process": ["new", "old", "old", "older"],
    "a": [1.0, 2.0, 3.0, 4.0],
    "label": [1, 0, 0, 0],
    "b": [1, 2, 3, 4],
    "weight": [0.5, 2.0, 2.0, 0.0],
}


def write(path: Path, **changes: Any) -> Path:
    columns = {name: values for name, values in (GOOD | changes).items() if values is not None}
    pd.DataFrame(columns).to_parquet(path)
    return path


def load(path: Path) -> Any:
    return HepTable(str(path)).load(path.parent / "unused", workers=1)


def test_reads_features_labels_and_weights(tmp_path: Path) -> None:
    path = write(tmp_path / "events.parquet")
    table = load(path)
    assert table.feature_names == ("a", "b")
    np.testing.assert_array_equal(table.features, [[1, 1], [2, 2], [3, 3], [4, 4]])
    assert table.features.dtype == np.float32
    assert table.processes == ("new", "old", "older")
    assert table.process.tolist() == [0, 1, 1, 2]
    assert table.is_signal.tolist() == [True, False, False, False]
    assert table.weight.tolist() == [0.5, 2, 2, 0]
    assert table.checksum == sha256(path)
    assert not (tmp_path / "unused").exists()


def test_weights_are_optional_and_processes_may_be_categories(tmp_path: Path) -> None:
    path = write(tmp_path / "events.parquet", weight=None, process=pd.Categorical(GOOD["process"]))
    table = load(path)
    assert table.weight is None
    assert table.processes == ("new", "old", "older")


@pytest.mark.parametrize("dtype", ["bool", "int8", "float64"])
def test_labels_of_any_type(dtype: str, tmp_path: Path) -> None:
    path = write(tmp_path / "events.parquet", label=np.array(GOOD["label"]).astype(dtype))
    assert load(path).is_signal.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"process": None}, "no column 'process'; found a, label, b, weight"),
        ({"label": None}, "no column 'label'; found"),
        ({"a": None, "b": None}, "no feature columns"),
        ({"process": [1, 2, 3, 4]}, "column 'process' must hold text, found int64"),
        ({"process": ["new", None, "old", "old"]}, "column 'process' has 1 missing values"),
        ({"b": ["x", "y", "z", "w"]}, "column 'b' must hold numbers, found"),
        ({"b": [1.0, np.nan, np.inf, 4.0]}, "column 'b' has 2 values that are NaN, infinite or too large"),
        ({"b": [1.0, 1e300, 3.0, 4.0]}, "column 'b' has 1 values that are NaN, infinite or too large"),
        ({"label": [1, 0, 2, 3]}, r"column 'label' must be 1 \(signal\) or 0, found 2 \(2 values\)"),
        ({"label": [1.0, 0.0, np.nan, 0.0]}, "column 'label' has 1 values that are NaN"),
        ({"label": [1, 1, 0, 0]}, "process 'old' has label 1 in 1 of 2 events"),
        ({"weight": [1.0, -1.0, -2.0, 0.0]}, "column 'weight' has 2 negative values"),
        ({"weight": ["a", "b", "c", "d"]}, "column 'weight' must hold numbers"),
        ({name: [] for name in GOOD}, "the table has no rows"),
    ],
)
def test_bad_tables_end_in_one_line_that_names_the_file(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "events.parquet", **changes)
    with pytest.raises(UserError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_bad_files_end_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "events.csv"
    text.write_text("process,label\n")
    for path, message in (
        (tmp_path / "missing.parquet", "no such file"),
        (tmp_path, "this is a folder"),
        (text, "cannot be read as parquet"),
    ):
        with pytest.raises(UserError, match=message) as error:
            load(path)
        assert "\n" not in str(error.value)


def test_damaged_pages_end_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    rng = np.random.default_rng(0)
    process, label = ["new", "old"] * 500, [1, 0] * 500
    pd.DataFrame({"process": process, "label": label, "a": rng.normal(size=1000)}).to_parquet(path)
    whole, refused = path.read_bytes(), []
    for place in range(0, len(whole), len(whole) // 50):
        path.write_bytes(whole[:place] + bytes(byte ^ 0xFF for byte in whole[place : place + 8]) + whole[place + 8 :])
        try:
            load(path)
        except UserError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert not any("\n" in line for line in refused)


def test_row_labels_of_pandas_are_no_feature(tmp_path: Path) -> None:
    events = pd.DataFrame({"x": np.arange(8.0), "process": ["s", "b"] * 4, "label": [1, 0] * 4})
    events.sample(frac=1, random_state=0).to_parquet(tmp_path / "events.parquet")
    assert HepTable(str(tmp_path / "events.parquet")).load(tmp_path, 1).feature_names == ("x",)


def test_a_part_of_the_events_keeps_shares_and_cross_sections(tmp_path: Path) -> None:
    process = ["s"] * 1000 + ["b"] * 600 + ["rare"] * 400
    label = [1] * 1000 + [0] * 1000
    events = pd.DataFrame({"x": np.arange(2000.0), "process": process, "label": label, "weight": 0.5})
    events.to_parquet(tmp_path / "events.parquet")
    part = HepTable(str(tmp_path / "events.parquet"), n_events=200).load(tmp_path, 1)
    assert np.bincount(part.process).tolist() == [100, 60, 40]
    assert part.weight is not None
    assert np.bincount(part.process, part.weight) == pytest.approx([500, 300, 200])
    slices = np.where(np.arange(2000) % 10 == 0, 5.0, 0.1)  # as from ranges of the collision's energy
    events.assign(weight=slices).to_parquet(tmp_path / "slices.parquet")
    sliced = HepTable(str(tmp_path / "slices.parquet"), n_events=200).load(tmp_path, 1)
    assert sliced.weight is not None
    assert np.bincount(sliced.process, sliced.weight) == pytest.approx([590, 354, 236])
    other = HepTable(str(tmp_path / "events.parquet"), n_events=200, seed=1).load(tmp_path, 1)
    assert set(part.features[:, 0]) != set(other.features[:, 0])


# Errors of the cross-sections, in the file's metadata


def with_errors(path: Path, text: str) -> Path:
    table = pq.read_table(write(path))
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, "cross_section_error": text}), path)
    return path


def test_errors_of_the_cross_sections_are_read_and_stay_with_a_part_of_the_events(tmp_path: Path) -> None:
    errors = {"new": 0.01, "old": 0, "older": 0.2}
    path = with_errors(tmp_path / "events.parquet", json.dumps(errors | {"left out": 0.5}))
    assert load(path).cross_section_error == errors
    assert load(path).at_most(3, seed=0).cross_section_error == errors
    assert load(write(tmp_path / "events.parquet")).cross_section_error is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[0.1]", r"must map each process to its relative error, found \[0.1\]"),
        ('{"new": 0.1, "old": 0.1}', r"must give process 'older' a relative error in \[0, 1\), found none"),
        ('{"new": 0.1, "old": 3, "older": 0}', r"process 'old' a relative error in \[0, 1\), found 3"),
        ('{"new": -0.1, "old": 0, "older": 0}', "found -0.1"),
        ('{"new": NaN, "old": 0, "older": 0}', "found nan"),
        ('{"new": "1 %", "old": 0, "older": 0}', "found 1 %"),
        ('{"new": true, "old": 0, "older": 0}', "found True"),
    ],
)
def test_broken_errors_end_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = with_errors(tmp_path / "events.parquet", text)
    with pytest.raises(UserError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: metadata 'cross_section_error'")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "label"), [("signal", 1), ("background", 0)])
def test_a_class_without_cross_section_is_refused(name: str, label: int, tmp_path: Path) -> None:
    weight = [0.0 if own == label else 1.0 for own in GOOD["label"]]
    events = load(write(tmp_path / "events.parquet", weight=weight))
    with pytest.raises(UserError, match=f"the weights of the {name} add up to 0"):
        events.require(process_events=1)


TEXT_TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
def test_processes_of_any_kind_of_text(kind: pa.DataType, tmp_path: Path) -> None:
    columns = GOOD | {"process": pa.array(GOOD["process"]).cast(kind)}
    pq.write_table(pa.table(columns), tmp_path / "events.parquet")
    assert load(tmp_path / "events.parquet").processes == ("new", "old", "older")


@pytest.mark.parametrize("name", list(GOOD))
def test_columns_of_one_name_are_refused(name: str, tmp_path: Path) -> None:
    arrays = [*(pa.array(values) for values in GOOD.values()), pa.array(GOOD[name])]
    pq.write_table(pa.table(arrays, names=[*GOOD, name]), tmp_path / "events.parquet")
    with pytest.raises(UserError, match=f"column '{name}' is there more than once"):
        load(tmp_path / "events.parquet")


def test_a_process_without_weight_is_refused_before_work(tmp_path: Path) -> None:
    table = load(write(tmp_path / "events.parquet"))  # of the process `older` all weights are zero
    with pytest.raises(UserError, match="the weights of process 'older' are all 0"):
        table.require(process_events=1)


def test_a_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "events.parquet")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load(Path("~/events.parquet"))) == 4
