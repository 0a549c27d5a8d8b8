"""Players: which features come and go together when coalitions are formed (2310.04821, section on image data)."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Players(Protocol):
    """Says to which player each feature belongs."""

    def of(self, features: torch.Size | tuple[int, ...]) -> Int[Tensor, "*features"]:
        """Return the player of each feature, 0 to p - 1 with every player present, int64 on the CPU.

        Args:
            features: the shape of one input.
        """
        ...


@dataclass(frozen=True)
class EachFeature:
    """Every feature is a player."""

    def of(self, features: torch.Size | tuple[int, ...]) -> Int[Tensor, "*features"]:
        """Number the features in their order.

        Raises:
            ValueError: where there are no features.
        """
        _check_not_empty(features)
        return torch.arange(torch.Size(features).numel()).reshape(features)


@dataclass(frozen=True)
class Patches:
    """Every patch of a picture is a player, with all its channels; those at the lower and right edge may be smaller.

    Args:
        height: pixels of a patch from top to bottom, at least 1.
        width: pixels of a patch from left to right, at least 1.
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a patch needs at least 1 x 1 pixels, got {self.height} x {self.width}")

    def of(self, features: torch.Size | tuple[int, ...]) -> Int[Tensor, "*features"]:
        """Number the patches row by row, as one reads.

        Args:
            features: (c, h, w).

        Raises:
            ValueError: where the inputs are no pictures.
        """
        if len(features) != 3:
            raise ValueError(f"patches are of pictures (c, h, w), but an input has shape {tuple(features)}")
        _check_not_empty(features)
        _, h, w = features
        across = -(-w // self.width)
        row = torch.arange(h) // self.height
        column = torch.arange(w) // self.width
        return (row[:, None] * across + column).expand(tuple(features)).contiguous()


def player_count(player_of: Int[Tensor, "*features"]) -> int:
    """Number of players of a map from features to players."""
    return int(player_of.max()) + 1


def sum_over_players(
    per_feature: Float[Tensor, "n *features"], player_of: Int[Tensor, "*features"]
) -> Float[Tensor, "n p"]:
    """Sum over the features of each player, in float64 and returned in the dtype given."""
    sums = per_feature.new_zeros(len(per_feature), player_count(player_of), dtype=torch.float64)
    sums.index_add_(1, player_of.flatten().to(sums.device), per_feature.flatten(1).double())
    return sums.to(per_feature.dtype)


def spread_over_features(
    per_player: Float[Tensor, "n p"], player_of: Int[Tensor, "*features"]
) -> Float[Tensor, "n *features"]:
    """Give each feature an equal share of its player's value."""
    sizes = torch.bincount(player_of.flatten()).to(per_player)
    return (per_player / sizes)[:, player_of.to(per_player.device)]


def _check_not_empty(features: torch.Size | tuple[int, ...]) -> None:
    if torch.Size(features).numel() == 0:
        raise ValueError(f"there is no feature in an input of shape {tuple(features)}")
