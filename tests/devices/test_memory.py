"""Memory that runs out at random places of whole runs: chunks and batches are halved, and the rows stay."""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from igbaselines.attribution.engine import chunking
from igbaselines.command_line import act
from igbaselines.running.command import run_command
from tests.studies.images.experiments.test_side_by_side import rows_of

pytestmark = pytest.mark.slow

FAIL = 6  # operations of a run


class ShortOfMemory(TorchDispatchMode):
    """Some of the operations on more than one point fail, of those that a chunk or a batch is made of.

    Args:
        places: of those that fail, among all of them.
    """

    def __init__(self, places: Sequence[int] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.places = set(places)
        self.done = self.failed = self.depth = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation, unless it fails."""
        found = func(*args, **(kwargs or {}))
        made = found[0] if isinstance(found, tuple | list) and found else found
        points = isinstance(made, torch.Tensor) and made.is_floating_point() and made.dim() > 1 and len(made) > 1
        if self.depth and points:
            self.done += 1
            if self.done in self.places:
                self.failed += 1
                raise torch.OutOfMemoryError("CUDA out of memory: on purpose")
        return found

    @contextmanager
    def while_halving_helps(self) -> Iterator[None]:
        """Fail while the block lasts, where something smaller can be tried."""
        whole = chunking.unless_memory_runs_out

        def noted(compute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            self.depth += 1
            try:
                return whole(compute, *args, **kwargs)
            finally:
                self.depth -= 1

        users = [module for module in list(sys.modules.values()) if vars(module).get(whole.__name__) is whole]
        try:
            for module in users:
                setattr(module, whole.__name__, noted)
            with self:
                yield
        finally:
            for module in users:
                setattr(module, whole.__name__, whole)


def grid_worlds(folder: Path) -> pd.DataFrame:
    return of_command(folder, "experiment=shapley_gridworld")


def collisions(folder: Path) -> pd.DataFrame:
    return of_command(folder, "experiment=hep_baselines")


def of_command(folder: Path, *words: str) -> pd.DataFrame:
    assert run_command([*words, "scale=smoke", f"output_root={folder}"], act) == 0
    (file,) = folder.glob("*/*/rows.parquet")
    rows = pd.read_parquet(file)
    return rows[~rows["metric"].str.startswith("seconds")].reset_index(drop=True)


def photographs(folder: Path) -> pd.DataFrame:
    """Of a network of a few layers, three side by side."""
    return rows_of(folder, 3)


@pytest.mark.usefixtures("unchecked_shapes", "one_thread")
@pytest.mark.parametrize("run", [photographs, grid_worlds, collisions])
def test_rows_stay_where_memory_runs_out(run: Callable[[Path], pd.DataFrame], tmp_path: Path) -> None:
    enough = ShortOfMemory()
    with enough.while_halving_helps():
        expected = run(tmp_path / "enough")
    short = ShortOfMemory(random.Random(1).sample(range(1, enough.done), FAIL))
    with short.while_halving_helps():
        found = run(tmp_path / "short")
    assert short.failed > FAIL // 2  # what is halved is less, or more
    pd.testing.assert_frame_equal(found.drop(columns="value"), expected.drop(columns="value"))
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-5, atol=1e-6)
