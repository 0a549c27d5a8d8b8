"""Anyone's table: what is read, and one clear line for everything that is wrong with it."""

import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from igbaselines.common.errors import UserError
from igbaselines.common.files import sha256
from igbaselines.studies.tables.data.labelled import LabelledTable
from igbaselines.studies.tables.data.table_file import TableFile

ROWS = 24


def good(**changes: Any) -> pd.DataFrame:
    columns = {
        "height": np.linspace(1, 2, ROWS),
        "smoker": np.arange(ROWS) % 3 == 0,
        "rooms": np.arange(ROWS) % 4,
        "kind": ["old", "new"] * (ROWS // 2),
    }
    return pd.DataFrame({name: column for name, column in (columns | changes).items() if column is not None})


def write(path: Path, table: pd.DataFrame) -> Path:
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep={".csv": ",", ".tsv": "\t"}[path.suffix])
    return path


def load(path: Path, target: str = "kind", leave_out: list[str] | None = None) -> LabelledTable:
    (table,) = TableFile(str(path), target, leave_out or []).tables()
    return table


def refusal(path: Path, *arguments: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(path, *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(params=[".parquet", ".csv", ".tsv"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"my table=1 #é{request.param}"


def test_reads_numbers_booleans_and_classes(path: Path) -> None:
    table = load(write(path, good()))
    expected = good()[["height", "smoker", "rooms"]].to_numpy(np.float32)
    np.testing.assert_array_equal(table.features, expected)
    assert table.class_names == ("new", "old")
    assert table.classes.tolist() == [1, 0] * (ROWS // 2)
    assert table.name == "my_table_1_é"
    assert table.checksum == sha256(path)


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ([10, 9], ("9", "10")),
        ([10.0, 9.0], ("9", "10")),
        ([True, False], ("False", "True")),
        (pd.Categorical(["b", "a"] * (ROWS // 2)), ("a", "b")),
    ],
)
def test_classes_of_any_type(classes: Any, names: tuple[str, str], tmp_path: Path) -> None:
    repeated = classes if isinstance(classes, pd.Categorical) else classes * (ROWS // 2)
    table = load(write(tmp_path / "t.parquet", good(kind=repeated)))
    assert table.class_names == names
    assert table.classes.tolist() == [1, 0] * (ROWS // 2)


def test_pandas_row_labels_are_no_feature(tmp_path: Path) -> None:
    shuffled = good().sample(frac=1, random_state=0)
    shuffled.to_parquet(tmp_path / "t.parquet")
    shuffled.to_csv(tmp_path / "t.csv")  # with a column that has no name
    for name in ("t.parquet", "t.csv"):
        assert load(tmp_path / name).features.shape == (ROWS, 3)


def test_a_csv_file_may_have_semicolons_and_decimals_come_from_databases(tmp_path: Path) -> None:
    good().to_csv(tmp_path / "t.csv", sep=";", index=False)
    assert load(tmp_path / "t.csv").features.shape == (ROWS, 3)
    price = [Decimal(f"{row}.50") for row in range(ROWS)]
    table = load(write(tmp_path / "t.parquet", good(height=price)))
    assert table.features[3, 0] == 3.5


def test_what_may_be_an_id_is_told_and_can_be_left_out(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(path, good(customer=np.arange(ROWS) + 1000))
    with caplog.at_level(logging.WARNING):
        assert load(path).features.shape == (ROWS, 4)
    assert "column 'customer' has another whole number in every row" in caplog.text
    assert load(path, "kind", ["customer"]).features.shape == (ROWS, 3)


FEW = [np.nan, *np.linspace(0, 1, ROWS - 2), np.nan]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"height": FEW}, "column 'height' has 2 missing values: fill them, or dataset.leave_out=[height] leaves"),
        ({"height": ["tall"] * ROWS}, "column 'height' must hold numbers, found"),
        ({"height": [np.inf, *range(ROWS - 1)]}, "column 'height' has 1 values that are NaN, infinite or too large"),
        ({"height": [1e39, *range(ROWS - 1)]}, "column 'height' has 1 values that are NaN, infinite or too large"),
        ({"height": [7.5] * ROWS}, "column 'height' has the same value in every row: dataset.leave_out=[height]"),
        (
            {"height": [7.5] * ROWS, "rooms": [1] * ROWS},
            "and so have 1 others: dataset.leave_out=[height,rooms]",
        ),
        ({"height": None, "smoker": None, "rooms": None}, "no feature columns"),
        ({"kind": None}, "there is no column dataset.target='kind'; found height, smoker, rooms"),
        ({"kind": ["one"] * ROWS}, "every row is of class one, two classes are needed"),
        ({"kind": ["a"] * 9 + ["b"] * (ROWS - 9)}, "class a has 9 rows, at least 10 of each class are needed"),
        ({"kind": np.arange(ROWS)}, "(24 classes: is the target a quantity?)"),
        ({"kind": np.linspace(0, 1, ROWS)}, "target 'kind' must hold classes, found 0.0434783: a quantity"),
        ({"kind": [None, "a"] * (ROWS // 2)}, "target 'kind' has 12 missing values, every row needs a class"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(changes: dict[str, Any], said: str, path: Path) -> None:
    assert said in refusal(write(path, good(**changes)))


def test_a_target_of_days_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", good(kind=pd.date_range("2020-01-01", periods=ROWS)))
    assert "must hold classes, as text, whole numbers or booleans, found timestamp" in refusal(path)


@pytest.mark.parametrize(("name", "said"), [("kind", "'kind' is the target"), ("ag", "'ag' is no column; found")])
def test_what_cannot_be_left_out(name: str, said: str, path: Path) -> None:
    assert f"dataset.leave_out: {said}" in refusal(write(path, good()), "kind", [name])


def test_columns_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,a,kind\n1,2,x\n")
    columns = [pa.array([1.0]), pa.array([2.0]), pa.array(["x"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["a", "a", "kind"]), tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        assert "column 'a' is there more than once" in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "cannot be read as CSV"),
        ("t.csv", b"a,kind\n1,x\n2\n", "cannot be read as CSV"),
        ("t.csv", b"a,kind\n1,\xff\xfe\n", "must hold classes"),
        ("t.csv", b"a,kind\n", "the table has no rows"),
        ("t.parquet", b"a,kind\n1,x\n", "cannot be read as parquet"),
        ("t.xlsx", b"", "dataset.path must name a file .parquet, .csv, .tsv"),
        ("missing/t.csv", None, "no such file"),
        ("", None, "this is a folder"),
    ],
)
def test_what_is_no_table(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert said in refusal(tmp_path / name)
