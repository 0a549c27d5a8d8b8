"""Players against maps written out by hand."""

import pytest
import torch

from igbaselines.tasks.players import (
    EachFeature,
    Patches,
    Players,
    player_count,
    spread_over_features,
    sum_over_players,
)


def test_each_feature_is_a_player_in_the_order_of_memory() -> None:
    assert EachFeature().of((2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert EachFeature().of(torch.Size([4])).dtype == torch.int64
    assert isinstance(EachFeature(), Players)


def test_patches_are_numbered_as_one_reads_and_hold_all_channels() -> None:
    expected = [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert Patches(3, 2).of((3, 4, 5)).tolist() == [expected] * 3


@pytest.mark.parametrize("patches", [Patches(1, 1), Patches(8, 8), Patches(100, 3), Patches(5, 7)])
def test_every_patch_is_a_rectangle_of_the_size_asked_for_or_less(patches: Patches) -> None:
    player_of = patches.of((2, 16, 17))
    count = player_count(player_of)
    assert count == -(-16 // patches.height) * -(-17 // patches.width)
    for player in range(count):
        channel, row, column = (player_of == player).nonzero().unbind(1)
        height, width = int(row.max() - row.min()) + 1, int(column.max() - column.min()) + 1
        assert height <= patches.height
        assert width <= patches.width
        assert len(channel) == 2 * height * width


def test_one_pixel_patches_differ_from_features_by_the_channels() -> None:
    assert torch.equal(Patches(1, 1).of((1, 3, 4)), EachFeature().of((1, 3, 4)))
    assert player_count(Patches(1, 1).of((3, 3, 4))) == 12


def test_sums_and_equal_shares_are_inverse(generator: torch.Generator, device: torch.device) -> None:
    player_of = Patches(2, 3).of((3, 5, 4))
    per_feature = torch.randn(7, 3, 5, 4, generator=generator).to(device)
    sums = sum_over_players(per_feature, player_of.to(device))
    for player in range(player_count(player_of)):
        expected = per_feature[:, player_of.to(device) == player].sum(1)
        torch.testing.assert_close(sums[:, player], expected, rtol=0, atol=1e-5)
    spread = spread_over_features(sums, player_of.to(device))
    torch.testing.assert_close(sum_over_players(spread, player_of.to(device)), sums, rtol=0, atol=1e-5)
    assert torch.equal(spread[:, 0, 0, 0], spread[:, 2, 1, 2])


@pytest.mark.parametrize("size", [(0, 4), (4, -1)])
def test_refuses_an_empty_patch(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"at least 1 x 1 pixels, got {size[0]} x {size[1]}"):
        Patches(*size)


def test_refuses_what_is_no_picture_or_empty() -> None:
    with pytest.raises(ValueError, match=r"pictures \(c, h, w\), but an input has shape \(10,\)"):
        Patches(2, 2).of((10,))
    for players, shape in ((Patches(2, 2), (3, 0, 4)), (EachFeature(), (0,))):
        with pytest.raises(ValueError, match="no feature"):
            players.of(shape)
