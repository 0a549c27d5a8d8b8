"""Networks of the first features alone: which they are, and how often one is trained."""

import pytest
import torch
from torch import Tensor

from igbaselines.metrics import RetrainedScore
from igbaselines.tasks import Background, Task


def task_with(trained: list[list[int]] | None, features: int = 10) -> Task:
    def retrained(kept: Tensor) -> float:
        assert trained is not None
        trained.append(kept.tolist())
        return float(kept.sum())

    inputs = torch.ones(3, features)
    return Task(
        "task",
        lambda x: x.sum(dim=1),
        inputs,
        None,
        ["a", "b", "c"],
        Background(inputs, torch.zeros(features)),
        retrained=None if trained is None else retrained,
    )


def test_the_first_features_by_mean_magnitude_are_kept(generator: torch.Generator) -> None:
    trained: list[list[int]] = []
    task, maps = task_with(trained), torch.zeros(3, 10)
    maps[:, 7], maps[0, 2], maps[1, 4] = -5, 9, 1
    found = RetrainedScore(share=0.2).score(task, maps, generator)
    assert trained == [[2, 7]]
    assert found[0] == 9
    assert found[1:].isnan().all()  # a value a network
    RetrainedScore(share=0.2).score(task, -2 * maps, generator)
    assert len(trained) == 1  # the same features are trained on once
    RetrainedScore(share=0.01).score(task, maps, generator)
    assert trained[1] == [7]


def test_tasks_whose_networks_nobody_trains_are_left_out() -> None:
    assert RetrainedScore().why_not(task_with([])) is None
    assert RetrainedScore().why_not(task_with(None)) == "no network is trained anew on some of its features"


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_shares_that_keep_nothing_or_more_than_all(share: float) -> None:
    with pytest.raises(ValueError, match=r"share must be in \(0, 1\]"):
        RetrainedScore(share=share)
