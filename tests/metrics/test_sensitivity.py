"""Max-sensitivity: a closed form, then captum."""

from dataclasses import replace

import pytest
import torch
from captum.metrics import sensitivity_max
from torch import Tensor, nn

from igbaselines.metrics.sensitivity import MaxSensitivity
from igbaselines.tasks import Background, FeatureMask, Task
from tests.small_tasks import task_of

LOW, HIGH = torch.tensor([0.0, -1, 5]).double(), torch.tensor([1.0, 3, 5]).double()


@pytest.fixture
def task(generator: torch.Generator) -> Task:
    """Three features: ranges of 1 and 4, and one that never changes."""
    inputs = torch.rand(4, 3, generator=generator, dtype=torch.float64)
    background = Background(inputs, inputs[0], low=LOW, high=HIGH)
    return task_of(lambda points: points.sum(1), inputs, background, targets=None)


def test_the_variant_lies_in_a_box_around_each_input(task: Task, generator: torch.Generator) -> None:
    metric = MaxSensitivity(0.1, draws=200)
    state = torch.get_rng_state()
    variant = metric.variant(task, generator)
    assert torch.equal(torch.get_rng_state(), state)
    assert variant.units == [unit for unit in task.units for _ in range(200)]
    noise = variant.inputs.view(4, 200, 3) - task.inputs[:, None]
    largest = noise.abs().amax((0, 1))
    assert (largest <= 0.1 * (HIGH - LOW) + 1e-12).all()
    assert largest[:2].tolist() == pytest.approx([0.1, 0.4], rel=0.05)
    assert abs(noise[..., 0].mean()) < 0.01


def test_the_largest_change_relative_to_the_map(task: Task) -> None:
    maps = torch.tensor([[3.0, 4.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    others = maps.repeat_interleave(2, dim=0)
    others[0] += torch.tensor([3.0, -4.0, 0.0])
    others[3] += torch.tensor([0.0, 0.0, 0.5])
    found = MaxSensitivity(draws=2).compare(task, maps, others)
    assert found.tolist() == pytest.approx([1, 0.5, float("nan"), 0], nan_ok=True)
    players = replace(task, players=FeatureMask([0, 0, 1]))  # (7, 0) becomes (6, 0)
    assert MaxSensitivity(draws=2).compare(players, maps, others)[0] == pytest.approx(1 / 7)


def test_it_is_the_max_sensitivity_of_captum(task: Task, generator: torch.Generator) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()

    def explained(points: Tensor) -> Tensor:
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            return torch.autograd.grad(network(points).sum(), points)[0]

    metric = MaxSensitivity(0.3, draws=6)
    noisy = metric.variant(task, generator).inputs
    ours = metric.compare(task, explained(task.inputs), explained(noisy))
    theirs = sensitivity_max(
        lambda points: (explained(points[0]),) if isinstance(points, tuple) else explained(points),
        task.inputs,
        perturb_func=lambda inputs: noisy,
        n_perturb_samples=6,
    )
    torch.testing.assert_close(ours, theirs)


def test_what_makes_no_box() -> None:
    with pytest.raises(ValueError, match=r"radius=0\.0 and draws=10"):
        MaxSensitivity(0.0)
    still = task_of(lambda points: points.sum(1), torch.ones(1, 2), Background(torch.ones(1, 2), torch.ones(2)))
    assert MaxSensitivity().why_not(still) is None  # without ranges they are those of pixels
    fixed = replace(still, background=replace(still.background, low=torch.ones(2), high=torch.ones(2)))
    assert MaxSensitivity().why_not(fixed) == "no feature has a range"
