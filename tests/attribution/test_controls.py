"""Controls never ask the network, and are what they say."""

import pytest
import torch
from torch import Tensor

from igbaselines.attribution.controls import DistanceFromMean, EdgeMap, RandomMap
from igbaselines.attribution.methods import Method, why_not
from igbaselines.metrics.completeness import relative_gap
from igbaselines.tasks import Background, Patches, Task
from tests.small_tasks import players_of, task_of

CONTROLS: list[Method] = [RandomMap(), DistanceFromMean(), EdgeMap()]


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def never(points: Tensor) -> Tensor:
    raise AssertionError("a control asked the network")


@pytest.fixture
def pictures(generator: torch.Generator, device: torch.device) -> Task:
    inputs = torch.rand(3, 2, 4, 6, generator=generator, dtype=torch.float64).to(device)
    return task_of(never, inputs, players=Patches(2, 3))


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: type(control).__name__)
def test_a_map_without_the_network_has_no_cost_and_nothing_to_sum_to(control: Method, pictures: Task) -> None:
    assert why_not(control, pictures) is None
    found = control.attribute(pictures, seeded())
    assert found.attributions.shape == pictures.inputs.shape
    assert found.attributions.device == pictures.inputs.device
    assert found.attributions.isfinite().all()
    torch.testing.assert_close(players_of(found), pictures.player_map.sums(found.attributions))
    assert players_of(found).shape == (3, 4)
    assert found.evaluations.tolist() == [0, 0, 0]
    assert found.change.isnan().all()
    assert relative_gap(found.attributions, found.change).isnan().all()


def test_noise_is_of_the_generator_alone(pictures: Task) -> None:
    one, again, other = (RandomMap().attribute(pictures, seeded(seed)).attributions for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    many = RandomMap().attribute(task_of(never, torch.zeros(100, 100)), seeded()).attributions
    assert float(many.mean()) == pytest.approx(0, abs=5 / 100)
    assert float(many.std()) == pytest.approx(1, abs=5 / 100)


def test_the_distance_from_the_mean_is_in_units_of_a_feature_s_range() -> None:
    background = Background(
        examples=torch.zeros(2, 4),
        centre=torch.tensor([1.0, 0.5, 3.0, 0.1]),
        low=torch.tensor([-3.0, 0.0, 3.0, 0.0]),
        high=torch.tensor([5.0, 1.0, 3.0, 1.0]),
    )
    task = task_of(never, torch.tensor([[3.0, 0.25, 3.0, 0.1], [1.0, 2.0, 7.0, -0.4]]), background)
    found = DistanceFromMean().attribute(task, seeded()).attributions
    # the third feature has no range: its distance stands as it is, and no rounding of the mean is blown up
    torch.testing.assert_close(found, torch.tensor([[0.25, 0.25, 0.0, 0.0], [0.0, 1.5, 4.0, 0.5]]))


def test_edges_are_where_the_picture_changes() -> None:
    """A step between columns 2 and 3, of one channel; a slope of 0.1 a row in the other."""
    picture = torch.zeros(1, 2, 4, 6, dtype=torch.float64)
    picture[:, 0, :, 3:] = 1
    picture[:, 1] = 0.1 * torch.arange(4)[:, None]
    found = EdgeMap().attribute(task_of(never, picture), seeded()).attributions
    step = torch.tensor([0, 0, 0.5, 0.5, 0, 0], dtype=torch.float64).expand(4, -1)
    torch.testing.assert_close(found[0, 0], step)
    torch.testing.assert_close(found[0, 1], torch.full((4, 6), 0.1, dtype=torch.float64))
    turned = EdgeMap().attribute(task_of(never, picture.transpose(2, 3)), seeded()).attributions
    torch.testing.assert_close(turned, found.transpose(2, 3))


def test_a_table_has_no_edges() -> None:
    assert why_not(EdgeMap(), task_of(never, torch.zeros(2, 3))) == "edges are of pictures"
    assert why_not(RandomMap(), task_of(never, torch.zeros(2, 3))) is None
