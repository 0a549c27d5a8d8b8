"""Players against maps written out by hand, Captum's groups of features, and loops over players."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, ShapleyValues
from torch import Tensor, nn

from igbaselines.attribution import path_attribution
from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling, exact_shapley_values
from igbaselines.tasks import EachFeature, FeatureMask, Patches, Pixels, PlayerMap, Players
from tests.small_tasks import players_of, task_of

CPU = torch.device("cpu")


def test_each_feature_is_a_player_in_the_order_of_memory() -> None:
    assert EachFeature().of((2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert EachFeature().of(torch.Size([4])).dtype == torch.int64


@pytest.mark.parametrize("players", [EachFeature(), Patches(2, 3), Pixels(), FeatureMask(torch.tensor([0]))], ids=str)
def test_every_class_is_players(players: Players) -> None:
    assert isinstance(players, Players)


def test_patches_are_numbered_as_one_reads_and_hold_all_channels() -> None:
    expected = [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert Patches(3, 2).of((3, 4, 5)).tolist() == [expected] * 3


@pytest.mark.parametrize("patches", [Patches(1, 1), Patches(8, 8), Patches(100, 3), Patches(5, 7)])
def test_every_patch_is_a_rectangle_of_the_size_asked_for_or_less(patches: Patches) -> None:
    player_of = patches.of((2, 16, 17))
    count = PlayerMap(patches, (2, 16, 17), CPU).count
    assert count == -(-16 // patches.height) * -(-17 // patches.width)
    for player in range(count):
        channel, row, column = (player_of == player).nonzero().unbind(1)
        height, width = int(row.max() - row.min()) + 1, int(column.max() - column.min()) + 1
        assert height <= patches.height
        assert width <= patches.width
        assert len(channel) == 2 * height * width


def test_pixels_differ_from_features_by_the_channels() -> None:
    assert torch.equal(Pixels().of((1, 3, 4)), EachFeature().of((1, 3, 4)))
    assert torch.equal(Pixels().of((3, 3, 4)), Patches(1, 1).of((3, 3, 4)))
    assert PlayerMap(Pixels(), (3, 3, 4), CPU).count == 12


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8])
def test_a_feature_mask_is_the_players(dtype: torch.dtype) -> None:
    mask = torch.tensor([[0, 1, 1], [2, 0, 3]], dtype=dtype)
    for given in (mask, mask[None]):
        assert FeatureMask(given).of((2, 3)).tolist() == mask.tolist()
        assert PlayerMap(FeatureMask(given), (2, 3), CPU).player_of.dtype == torch.int64


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.uint16, np.uint64])
def test_a_feature_mask_may_be_an_array_or_a_list(dtype: type) -> None:
    numbers = [[0, 1, 1], [2, 0, 3]]
    given: Any
    for given in (numbers, np.array(numbers, dtype)):
        assert PlayerMap(FeatureMask(given), (2, 3), CPU).player_of.tolist() == numbers


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("players", "message"),
    [
        (None, r"players must be an object such as EachFeature\(\), got None"),
        (EachFeature, r"players must be an object such as EachFeature\(\), got a"),
        (torch.tensor([0, 1]), r"got a Tensor of shape \(2,\); FeatureMask\(players\) makes players of numbers"),
        (FeatureMask([[0], [1, 2]]), r"feature_mask must be a number for each feature, got \[\[0\], \[1, 2\]\]"),
    ],
    ids=str,
)
def test_refuses_what_is_no_players(players: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exact_shapley_values(lambda x: x.sum(1), torch.ones(1, 2), 0, players=players)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("mask", "named"),
    [([0, 1, 3], "[0, 1, 3]"), ([1, 2], "[1, 2]"), ([-1, 0], "[-1, 0]"), ([0.0, 1.0], "[0.0, 1.0]")],
)
def test_refuses_groups_with_a_gap(mask: list[float], named: str) -> None:
    with pytest.raises(ValueError, match="numbers players from 0 on without a gap, got ") as refused:
        PlayerMap(FeatureMask(torch.tensor(mask)), (len(mask),), CPU)
    assert named in str(refused.value)


def test_refuses_a_feature_mask_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"feature_mask \(3,\) does not fit an input of shape \(2, 3\)"):
        FeatureMask(torch.tensor([0, 1, 2])).of((2, 3))
    with pytest.raises(ValueError, match=r"feature_mask \(2, 2\) does not fit an input of shape \(2,\)"):
        FeatureMask(torch.tensor([[0, 1], [1, 0]])).of((2,))  # Captum's masks of one input each are no players


@pytest.mark.parametrize("size", [(0, 4), (4, -1)])
def test_refuses_an_empty_patch(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"at least 1 x 1 pixels, got {size[0]} x {size[1]}"):
        Patches(*size)


def test_refuses_what_is_no_picture_or_empty() -> None:
    with pytest.raises(ValueError, match=r"pictures \(c, h, w\), but an input has shape \(10,\)"):
        Patches(2, 2).of((10,))
    empty = torch.zeros(0, dtype=torch.int64)
    for players, shape in ((Patches(2, 2), (3, 0, 4)), (EachFeature(), (0,)), (FeatureMask(empty), (0,))):
        with pytest.raises(ValueError, match="no feature"):
            players.of(shape)


# From features to players and back

MAPS: list[tuple[Players, tuple[int, ...]]] = [
    (EachFeature(), (7,)),
    (EachFeature(), ()),
    (EachFeature(), (3, 5, 4)),
    (Pixels(), (3, 5, 4)),
    (Pixels(), (1, 5, 4)),
    (Patches(2, 3), (3, 5, 4)),
    (FeatureMask(torch.tensor([2, 0, 1, 1, 2, 0, 3])), (7,)),
    (FeatureMask(torch.arange(7).flip(0)), (7,)),
    (FeatureMask(torch.arange(20).flip(0).view(5, 4).expand(3, -1, -1)), (3, 5, 4)),
]
every_map = pytest.mark.parametrize(("players", "shape"), MAPS, ids=str)


@every_map
def test_sums_and_importance_are_loops_over_players(
    players: Players, shape: tuple[int, ...], generator: torch.Generator, device: torch.device
) -> None:
    found = PlayerMap(players, shape, device)
    of_features = players.of(shape)
    assert torch.equal(found.player_of.cpu(), of_features)
    for batch in ((4,), (2, 3), ()):
        per_feature = torch.randn((*batch, *shape), generator=generator)
        there = per_feature.to(device)
        sums = {"sums": found.sums(there), "signed": found.importance(there, "signed")}
        sums["magnitude"] = found.importance(there, "magnitude")
        for name, values in sums.items():
            assert values.shape == (*batch, found.count)
            assert values.dtype == torch.float32
            for player in range(found.count):
                members = (per_feature.abs() if name == "magnitude" else per_feature)[..., of_features == player]
                torch.testing.assert_close(values[..., player].cpu(), members.sum(-1), rtol=0, atol=1e-5)


@every_map
def test_equal_shares_sum_to_what_was_spread(
    players: Players, shape: tuple[int, ...], generator: torch.Generator, device: torch.device
) -> None:
    found = PlayerMap(players, shape, device)
    values = torch.randn(4, found.count, generator=generator, dtype=torch.float64).to(device)
    spread = found.spread(values)
    assert spread.shape == (4, *shape)
    torch.testing.assert_close(found.sums(spread), values, rtol=0, atol=1e-14)
    for player in range(found.count):
        members = spread[:, found.player_of == player]
        assert torch.equal(members, members[:, :1].expand_as(members))


@every_map
def test_masks_are_loops_over_features(
    players: Players, shape: tuple[int, ...], generator: torch.Generator, device: torch.device
) -> None:
    found = PlayerMap(players, shape, device)
    members = torch.rand(6, found.count, generator=generator) < 0.5
    mask = found.mask(members.to(device)).expand(6, *shape).cpu()
    of_features = players.of(shape)
    for row in range(6):
        for place in range(of_features.numel()):
            player = int(of_features.flatten()[place])
            assert mask[row].reshape(-1)[place] == members[row, player]


@every_map
def test_refuses_a_ranking_that_is_none(players: Players, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ranking=squared is unknown: signed or magnitude"):
        PlayerMap(players, shape, CPU).importance(torch.zeros(2, *shape), "squared")


# Captum's groups

GROUPS = torch.tensor([[0, 0, 1], [2, 1, 3]])


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 3)).double()


@pytest.fixture
def inputs(generator: torch.Generator) -> Tensor:
    return torch.randn(5, 2, 3, generator=generator, dtype=torch.float64)


TARGET = torch.tensor([0, 2, 1, 1, 0])


def by_captum(explainer: Callable[..., Tensor], inputs: Tensor) -> Tensor:
    """A group's value, which Captum gives each of its features."""
    each = explainer(inputs, baselines=0.0, target=TARGET, feature_mask=GROUPS[None])
    return torch.stack([each[:, group == GROUPS][:, 0] for group in range(4)], dim=1)


def test_exact_values_and_all_marginals_are_captums_shapley_values(network: nn.Module, inputs: Tensor) -> None:
    expected = by_captum(ShapleyValues(network).attribute, inputs)
    absent, players = torch.zeros(1, 2, 3, dtype=torch.float64), FeatureMask(GROUPS)
    exact = exact_shapley_values(network, inputs, absent, players=players, target=TARGET).values
    # Captum keeps its sums in float32.
    torch.testing.assert_close(exact, expected.double(), rtol=0, atol=1e-6)
    task = task_of(network, inputs, targets=TARGET, players=players)
    for sampler in (ShapleySampling(ZeroBaseline(), None), ShapleySampling(ZeroBaseline(), 4096)):
        found = players_of(sampler.attribute(task, torch.Generator().manual_seed(1)))
        torch.testing.assert_close(found, exact, rtol=0, atol=1e-12 if sampler.coalitions is None else 0.02)


def test_leaving_one_group_out_is_captums_ablation(network: nn.Module, inputs: Tensor) -> None:
    """A step from all but one player is one term of the sampler: x and x without a group."""
    expected = by_captum(FeatureAblation(network).attribute, inputs)
    players = PlayerMap(FeatureMask(GROUPS), (2, 3), CPU)
    with torch.no_grad():
        whole = network(inputs).gather(1, TARGET[:, None])
        without = [network(inputs * players.mask(~torch.eye(4, dtype=torch.bool)[[group]])) for group in range(4)]
    left_out = [whole - output.gather(1, TARGET[:, None]) for output in without]
    torch.testing.assert_close(torch.cat(left_out, dim=1), expected.double(), rtol=0, atol=1e-6)


def test_shapley_ig_of_groups_is_a_loop_over_coalitions(network: nn.Module, inputs: Tensor) -> None:
    """A group of features moves together: weights of each coalition by Shapley, paths from the engine."""
    task = task_of(network, inputs, targets=TARGET, players=FeatureMask(GROUPS))
    found = ShapleyIG(ZeroBaseline(), None).attribute(task, torch.Generator().manual_seed(1))
    expected = torch.zeros_like(inputs)
    weight = {0: 1 / 4, 1: 1 / 12, 2: 1 / 12, 3: 1 / 4}  # |S|! (3 - |S|)! / 4!
    for chosen in range(15):
        members = torch.tensor([bool(chosen >> player & 1) for player in range(4)])
        start = inputs * members[GROUPS]
        rule = ShapleyIG(ZeroBaseline()).rule
        paths = path_attribution(network, inputs, start[:, None], rule=rule, target=TARGET).attributions
        expected += weight[int(members.sum())] * torch.where(members[GROUPS], 0.0, paths)
    torch.testing.assert_close(found.attributions, expected, rtol=0, atol=1e-13)
    sums = torch.stack([expected[:, group == GROUPS].sum(1) for group in range(4)], dim=1)
    torch.testing.assert_close(players_of(found), sums, rtol=0, atol=1e-13)
