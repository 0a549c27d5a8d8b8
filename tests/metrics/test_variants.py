"""Maps of a network that has unlearned, of a twin, and of other draws: what each metric asks for and makes of it."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from igbaselines.metrics import DrawStability, ModelRandomisation, PairedMetric, TwinStability
from igbaselines.tasks import FeatureMask, Task
from tests.small_tasks import task_of

MAP = torch.tensor([[3.0, -2.0, 1.0, 0.5]])
OF_NETWORKS = [(ModelRandomisation(), "randomised"), (TwinStability(), "twin")]


def task_with(*variants: str) -> Task:
    """A task whose variants carry their names."""

    task = task_of(lambda points: points.sum(1), torch.zeros(1, 4))
    return replace(task, variants={name: partial(replace, task, name=name) for name in variants})


@pytest.mark.parametrize(("metric", "network"), OF_NETWORKS)
def test_the_map_of_the_other_network_is_asked_for(
    metric: PairedMetric, network: str, generator: torch.Generator
) -> None:
    assert isinstance(metric, PairedMetric)
    assert not metric.redraws
    task = task_with("twin", "randomised")
    assert metric.why_not(task) is None
    assert metric.variant(task, generator).name == network
    assert metric.why_not(task_with("other")) == f"the task has no {network} network"


def test_draws_are_made_anew_for_the_task_itself(generator: torch.Generator) -> None:
    metric, task = DrawStability(), task_with()
    assert isinstance(metric, PairedMetric)
    assert metric.redraws
    assert metric.why_not(task) is None
    assert metric.variant(task, generator) is task


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (-10 * MAP, 1.0),  # signs and scale do not count
        (MAP.flip(1), 1.0),  # nor does the direction: the map is still told by the network's
        (torch.tensor([[2.0, 4, 1, 3]]), 0.0),
        (torch.ones(1, 4), float("nan")),
    ],
)
def test_a_map_that_stays_is_not_of_the_network(other: Tensor, expected: float) -> None:
    found = ModelRandomisation().compare(task_with(), MAP, other)
    assert found.tolist() == pytest.approx([expected], nan_ok=True)


@pytest.mark.parametrize("kind", [TwinStability, DrawStability])
def test_agreement_of_players(kind: type[TwinStability] | type[DrawStability]) -> None:
    other = torch.tensor([[3.0, 2.0, 1.0, 0.5]])
    squares = 9 + 4 + 1 + 0.25
    found = kind().compare(task_with(), MAP, other).item()
    assert found == pytest.approx((squares - 8) / squares)
    assert kind("spearman").compare(task_with(), MAP, 2 * MAP).item() == pytest.approx(1)
    assert kind().compare(task_with(), MAP, 0 * MAP).isnan().all()
    pairs = replace(task_with(), players=FeatureMask([0, 0, 1, 1]))  # (1, 1.5) and (5, 1.5)
    found = kind().compare(pairs, MAP, other).item()
    assert found == pytest.approx((5 + 2.25) / ((1 + 2.25) * (25 + 2.25)) ** 0.5)
    assert kind("spearman").quantity.label != kind().quantity.label
    with pytest.raises(ValueError, match="measure=angle is unknown: cosine or"):
        kind("angle")
