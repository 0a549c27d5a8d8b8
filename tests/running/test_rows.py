"""Rows and provenance."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from igbaselines.running.provenance import provenance
from igbaselines.running.rows import COLUMNS, Rows, write_rows


def test_rows_come_back_from_parquet_as_they_were_added(tmp_path: Path) -> None:
    rows = Rows("experiment", "dataset", "model", seed=3)
    rows.add("a", "accuracy", "network_0", 0.5, k=2)
    rows.add("b", "rank", "network_1", 7, feature="HT")
    write_rows(tmp_path / "rows.parquet", rows.frame())
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert tuple(frame.columns[: len(COLUMNS)]) == COLUMNS
    assert frame["seed"].tolist() == [3, 3]
    assert frame["value"].tolist() == [0.5, 7.0]
    assert frame["k"].tolist() == [2, pd.NA]
    assert frame["feature"].isna().tolist() == [True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize("is_checkout", [True, False])
def test_provenance_says_where_a_result_comes_from(tmp_path: Path, is_checkout: bool) -> None:
    root = Path(__file__).parents[2] if is_checkout else tmp_path
    record = provenance(root, {"seed": 5}, torch.device("cpu"), {"events": "abc"}, 1.234)
    assert record["seed"] == 5
    assert record["packages"]["torch"] == torch.__version__.split("+")[0]
    assert record["checksums"] == {"events": "abc"}
    assert record["wall_time_s"] == 1.23
    assert record["peak_memory_mb"]["process"] > 50
    if is_checkout and (root / ".git").exists():
        assert len(record["git"]["commit"]) == 40
    else:
        assert record["git"] == {"commit": None, "dirty": None}
