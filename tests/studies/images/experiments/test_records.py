"""What was measured of a photograph is taken up by the next attempt, if it is what was written."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.experiments.records import Record, for_each, one_by_one
from igbaselines.studies.images.experiments.selection import Chosen
from tests.damage import DAMAGES, damage, say_damaged

NAMES = ["a", "b", "c"]


class Attempt:
    """An attempt at three photographs, in a folder of the run's."""

    def __init__(self, folder: Path, artifacts: str) -> None:
        (folder / artifacts).mkdir()
        self.worked: list[str] = []
        self.run = Run(
            Rows("e", "d", "m", 0), folder / "checkpoints", folder / artifacts, folder, torch.device("cpu"), 0, None, 1
        )
        chosen = [Chosen(Photograph(n, folder), 0, 1.0) for n in NAMES]
        self.records = for_each(self.run, chosen, "kept", one_by_one(self._work))

    def _work(self, index: int, one: Chosen, file: Path) -> Record:
        self.worked.append(one.photograph.name)
        values = np.random.default_rng(index).normal(size=50)
        np.savez(file, values=values)
        rows = [{"method": "m", "metric": str(i), "value": value} for i, value in enumerate(values[:5])]
        return {"rows": rows, "mean": float(values.mean())}

    def results(self) -> tuple[pd.DataFrame, list[Record], dict[str, list[float]]]:
        kept = {}
        for file in sorted((self.run.artifacts / "kept").iterdir()):
            with np.load(file, allow_pickle=False) as content:
                kept[file.name] = content["values"].tolist()
        return self.run.rows.frame(), self.records, kept


def assert_same(found: Attempt, expected: Attempt) -> None:
    (rows, *others), (expected_rows, *expected_others) = found.results(), expected.results()
    pd.testing.assert_frame_equal(rows, expected_rows, check_exact=True)
    assert others == expected_others


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_is_made_again(
    kind: str, suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Attempt(tmp_path, "first")
    assert first.worked == NAMES
    (damaged,), (other,) = (list((tmp_path / "checkpoints").rglob(f"{name}{suffix}")) for name in "bc")
    damage(damaged, kind, other)
    second = Attempt(tmp_path, "second")
    assert second.worked == ["b"]
    assert caplog.messages == [say_damaged(damaged)]
    assert_same(second, first)
    third = Attempt(tmp_path, "third")
    assert third.worked == []
    assert_same(third, first)
    assert len(caplog.messages) == 1


def test_changed_values_are_measured_again(tmp_path: Path) -> None:
    first = Attempt(tmp_path, "first")
    (file,) = (tmp_path / "checkpoints").rglob("b.json")
    content = json.loads(file.read_text())
    content["rows"][0]["value"] += 1
    file.write_text(json.dumps(content))
    second = Attempt(tmp_path, "second")
    assert second.worked == ["b"]
    assert_same(second, first)


def test_arrays_without_a_record_count_as_absent_and_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Attempt(tmp_path, "first")
    (file,) = (tmp_path / "checkpoints").rglob("b.json")
    file.unlink()  # killed between the two
    second = Attempt(tmp_path, "second")
    assert second.worked == ["b"]
    assert caplog.messages == []
    assert_same(second, first)
