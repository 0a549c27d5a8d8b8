"""The Gini index of players' magnitudes: closed forms, then quantus."""

import numpy as np
import pytest
import torch
from quantus.metrics.complexity.sparseness import Sparseness as QuantusSparseness

from igbaselines.metrics.sparseness import Sparseness, gini_index
from igbaselines.tasks import FeatureMask
from tests.small_tasks import task_of


def test_closed_forms() -> None:
    sizes = torch.tensor([[1.0, 1, 1, 1], [0, 0, -5, 0], [0, 0, 2, 2], [0, 0, 0, 0]])
    assert gini_index(sizes).tolist() == pytest.approx([0, 3 / 4, 1 / 2, float("nan")], nan_ok=True)


def test_players_are_counted_by_the_magnitudes_of_their_features(generator: torch.Generator) -> None:
    task = task_of(lambda points: points.sum(1), torch.zeros(1, 3), players=FeatureMask([0, 0, 1]))
    maps = torch.tensor([[1.0, -1.0, 2.0]])
    assert Sparseness().score(task, maps, generator).item() == pytest.approx(0)


def test_it_is_the_sparseness_of_quantus(generator: torch.Generator) -> None:
    maps = torch.randn(4, 30, generator=generator, dtype=torch.float64)
    theirs = QuantusSparseness(normalise=False, return_aggregate=False, disable_warnings=True).evaluate_batch(
        np.zeros((4, 1, 1, 30)), np.abs(maps.numpy())
    )
    assert gini_index(maps).tolist() == pytest.approx(theirs, abs=1e-6)
