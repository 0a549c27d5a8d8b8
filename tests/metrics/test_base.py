"""Every metric says what it measures, in which unit and direction, and judges a task without knowing the method."""

import pytest
import torch
from torch import Tensor

from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.metrics import DeletionAUC, KnownAgreement, Metric, OverlapAUC, PointingGame, Quantity
from igbaselines.metrics.agreement import AGREEMENT
from igbaselines.tasks import Task
from tests.small_tasks import task_of

METRICS: list[Metric] = [
    DeletionAUC(),
    DeletionAUC(insertion=True),
    OverlapAUC(),
    PointingGame(),
    *(KnownAgreement(measure) for measure in AGREEMENT),
]
every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.quantity.name)


@pytest.fixture
def task(generator: torch.Generator) -> Task:
    """Two pictures of which everything is known; every channel of a pixel is a player."""
    inputs = torch.rand(2, 3, 4, 4, generator=generator)
    masks = torch.rand(2, 4, 4, generator=generator) < 0.5
    known = {"zero": torch.randn(2, 48, generator=generator)}

    def f(points: Tensor) -> Tensor:
        return points.flatten(1).sum(1)

    return task_of(f, inputs, masks=masks, known=known, imputers={"zero": ZeroBaseline()})


@every_metric
def test_says_what_it_measures(metric: Metric) -> None:
    assert isinstance(metric, Metric)
    quantity = metric.quantity
    assert quantity.name
    assert quantity.label
    assert quantity.unit
    assert quantity.better in ("lower", "higher")


def test_names_are_given_once() -> None:
    assert len({metric.quantity.name for metric in METRICS}) == len({metric.quantity.label for metric in METRICS})
    assert len({metric.quantity.name for metric in METRICS}) == len(METRICS)


@every_metric
def test_gives_a_value_for_each_input(metric: Metric, task: Task, generator: torch.Generator) -> None:
    attributions = torch.randn(2, 3, 4, 4, generator=generator)
    before = torch.get_rng_state()
    assert metric.why_not(task) is None
    found = metric.score(task, attributions, generator)
    assert found.shape == (2,)
    assert found.dtype == torch.float64
    assert torch.isfinite(found).all()
    assert torch.equal(torch.get_rng_state(), before)
    each = [metric.score(task.take([place]), attributions[[place]], generator) for place in (0, 1)]
    torch.testing.assert_close(torch.cat(each), found)


@every_metric
def test_says_why_a_bare_table_cannot_be_judged(metric: Metric, generator: torch.Generator) -> None:
    bare = task_of(lambda points: points.sum(1), torch.rand(2, 5, generator=generator))
    assert metric.why_not(bare) in (
        "the task has no imputer 'zero'",
        "no object is outlined",
        "no player values are known",
    )


def test_a_quantity_has_no_unit_and_no_direction_unless_told() -> None:
    assert Quantity("effect", "Effect") == Quantity("effect", "Effect", "1", None)
