"""Photographs side by side: the rows of one after another, also where memory runs out on the way."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from jaxtyping import Bool

from igbaselines.attribution.baselines import TrainingMean, UniformNoise
from igbaselines.attribution.image_baselines import CornerMean
from igbaselines.common.stopping import StoppedError
from igbaselines.running.context import Run, RunShard, ShardFinished
from igbaselines.running.rows import Rows
from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.experiments import weighted_gradients
from igbaselines.studies.images.experiments.records import Record, Unit, for_each
from igbaselines.studies.images.experiments.selection import Chosen
from igbaselines.studies.images.experiments.settings import WeightedGradientsEvaluation
from igbaselines.tasks import Imputer
from tests.studies.images.experiments.test_others_methods import GRID, WEIGHTED, InMemory, LeftHalf, carry_out

pytestmark = pytest.mark.usefixtures("one_thread", "unchecked_shapes")

COUNT = 5


class OfSome(LeftHalf):
    """Nobody outlined the second class."""

    def mask(self, photograph: object, predicted: int) -> Bool[np.ndarray, "h w"]:
        return super().mask(photograph, predicted) & (predicted != 1)


MASKS: dict[str, Imputer] = {"corner_mean": CornerMean(), "mean": TrainingMean()}


def rows_of(folder: Path, at_once: int, masks: dict[str, Imputer] = MASKS) -> pd.DataFrame:
    evaluation = WeightedGradientsEvaluation(
        TrainingMean(), GRID, "signed", "paper", 2, ["weighted_gradients"], [1, 2], 5, [2, 3], 4, "tables", masks, 3
    )
    photographs = InMemory(count=COUNT, labels=(None,) * COUNT)
    return carry_out(weighted_gradients.run, folder, WEIGHTED, evaluation, photographs, units_at_once=at_once)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found.drop(columns="value"), expected.drop(columns="value"))
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-6, atol=1e-6)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photographs were worked on side by side."""
    seen: list[int] = []
    work = weighted_gradients.photographs

    def counted(*args: object) -> list[Record]:
        seen.append(len(args[-1]))  # type: ignore[arg-type]
        return work(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(weighted_gradients, "photographs", counted)
    return seen


def test_rows_are_those_of_one_after_another(
    tmp_path: Path, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.studies.images.experiments.test_others_methods.LeftHalf", OfSome)
    one, three = rows_of(tmp_path / "1", 1), rows_of(tmp_path / "2", 3)
    assert batches == [1] * COUNT + [3, 2]
    assert_same(three, one)
    outlined = one.loc[one["metric"] == "overlap_auc", "unit"].nunique()
    assert 0 < outlined < COUNT
    maps = [sorted(path.name for path in (tmp_path / at / "examples").iterdir()) for at in "12"]
    assert maps == [["p0.npz", "p1.npz"]] * 2


def test_random_masks_are_drawn_for_one_after_another(tmp_path: Path, batches: list[int]) -> None:
    rows_of(tmp_path, 3, {"noise": UniformNoise(1)})
    assert batches == [1] * COUNT


class Attempt:
    """Five photographs, four at once, with memory for `most`."""

    def __init__(self, folder: Path, most: int, shard: RunShard | None = None) -> None:
        nowhere = torch.device("cpu")
        self.run = Run(Rows("e", "d", "m", 0), folder, folder, folder, nowhere, 0, None, 1, shard=shard or RunShard())
        self.most = most
        self.worked: list[list[int]] = []
        self.photographs = [Chosen(Photograph(f"p{i}", folder), i, 1.0) for i in range(COUNT)]

    def __call__(self, work: Callable[[Sequence[Unit]], list[Record]] | None = None) -> list[Record]:
        return for_each(self.run, self.photographs, "kept", work or self.work, at_once=4)

    def work(self, units: Sequence[Unit]) -> list[Record]:
        self.worked.append([index for index, _, _ in units])
        if len(units) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [{"rows": [{"method": "m", "metric": "i", "value": index}], "i": index} for index, _, _ in units]


@pytest.mark.parametrize(
    ("most", "worked"),
    [
        (4, [[0, 1, 2, 3], [4]]),
        (3, [[0, 1, 2, 3], [0, 1], [2, 3], [4]]),
        (1, [[0, 1, 2, 3], [0, 1], [0], [1], [2], [3], [4]]),
    ],
)
def test_half_of_them_where_memory_runs_out(tmp_path: Path, most: int, worked: list[list[int]]) -> None:
    attempt = Attempt(tmp_path, most)
    assert attempt() == [{"i": index} for index in range(COUNT)]
    assert attempt.worked == worked
    assert attempt.run.rows.frame()["value"].tolist() == [*range(COUNT)]


def test_one_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        Attempt(tmp_path, 0)()


def test_a_stop_comes_between_two_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Attempt(tmp_path, 4), Attempt(tmp_path, 4)

    def stop() -> None:
        raise StoppedError(2)

    monkeypatch.setattr("igbaselines.running.context.stop_here", stop)
    with pytest.raises(StoppedError):
        first()
    monkeypatch.undo()
    assert second() == [{"i": index} for index in range(COUNT)]
    assert (first.worked, second.worked) == ([[0, 1, 2, 3]], [[4]])


def test_shards_go_through_their_own_units(tmp_path: Path) -> None:
    shards = [Attempt(tmp_path, 4, RunShard(2, index)) for index in range(2)]
    for shard in shards:
        with pytest.raises(ShardFinished):
            shard()
    whole = Attempt(tmp_path, 4)
    assert whole() == [{"i": index} for index in range(COUNT)]
    assert [*(shard.worked for shard in shards), whole.worked] == [[[0, 2, 4]], [[1, 3]], []]
