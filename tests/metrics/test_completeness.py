"""The gap of attributions to the change of the output, by hand and of a task."""

import pytest
import torch

from igbaselines.attribution import Midpoint
from igbaselines.attribution.baselines import PerStratum
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.metrics.completeness import COMPLETENESS_GAP, relative_gap
from tests.small_tasks import task_of


def test_the_gap_is_relative_to_the_change() -> None:
    maps = torch.stack([torch.full((3, 2, 2), 0.25), torch.full((3, 2, 2), -0.5)])
    gap = relative_gap(maps, torch.tensor([2.0, -6.0], dtype=torch.float64))
    assert gap.tolist() == [0.5, 0]  # |3 - 2| / 2, and -6 as it should be
    assert COMPLETENESS_GAP.better == "lower"


def test_the_gap_of_a_method_closes_with_its_nodes(generator: torch.Generator) -> None:
    inputs = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    task = task_of(lambda points: points.sum(1).exp(), inputs)
    gaps = []
    for n_steps in (4, 8, 16):
        found = AveragedGradients(PerStratum(3), Midpoint(n_steps)).attribute(task, torch.Generator().manual_seed(1))
        gaps.append(relative_gap(found.attributions, found.change).max().item())
    assert gaps[2] < 1e-2
    assert [gaps[0] / gaps[1], gaps[1] / gaps[2]] == pytest.approx([4, 4], rel=0.1)  # midpoint: second order
