"""Players: which features come and go together, in coalitions as in deletion (2310.04821, section on image data)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from igbaselines.common.devices import sent
from igbaselines.tasks.outputs import described

RANKINGS = ("signed", "magnitude")


@runtime_checkable
class Players(Protocol):
    """Says to which player each feature belongs."""

    def of(self, features: torch.Size | tuple[int, ...]) -> Int[Tensor, "*features"]:
        """Return the player of each feature of an input's shape, 0 to p - 1 with every player present, on the CPU."""
        ...


@dataclass(frozen=True)
class EachFeature:
    """Every feature is a player."""

    def of(self, features: torch.Size | tuple[int, ...]) -> Int[Tensor, "*features"]:
        """Number the features in their order."""
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
        """Number the patches of pictures (c, h, w) row by row, as one reads."""
        if len(features) != 3:
            raise ValueError(f"patches are of pictures (c, h, w), but an input has shape {tuple(features)}")
        _check_not_empty(features)
        _, h, w = features
        across = -(-w // self.width)
        row = torch.arange(h) // self.height
        column = torch.arange(w) // self.width
        return (row[:, None] * across + column).expand(tuple(features)).contiguous()


@dataclass(frozen=True)
class Pixels(Patches):
    """Every pixel of a picture is a player, with all its channels."""

    height: int = 1
    width: int = 1


@dataclass(frozen=True, eq=False)
class FeatureMask:
    """Players as Captum takes them: `feature_mask`, the number of each feature's group.

    Args:
        feature_mask: of one input, or with a leading dimension of one, in a tensor, an array or a list; groups are
            numbered from 0 without a gap, which `PlayerMap` checks.
    """

    feature_mask: Integer[Tensor, "..."] | np.ndarray | Sequence[Any]

    def of(self, features: torch.Size | tuple[int, ...]) -> Integer[Tensor, "*features"]:
        """Return the mask."""
        _check_not_empty(features)
        try:
            mask = torch.as_tensor(self.feature_mask)
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(f"feature_mask must be a number for each feature, got {self.feature_mask!r}") from None
        if tuple(mask.shape) not in (tuple(features), (1, *features)):
            raise ValueError(f"feature_mask {tuple(mask.shape)} does not fit an input of shape {tuple(features)}")
        return mask.cpu().reshape(features)


class PlayerMap:
    """From features to players and back, for inputs of one shape.

    Args:
        players: which features are one player.
        features: the shape of one input.
        device: of the inputs.
    """

    def __init__(self, players: Players, features: torch.Size | tuple[int, ...], device: torch.device) -> None:
        self.features = torch.Size(features)
        if isinstance(players, type) or not isinstance(players, Players):
            cure = "; FeatureMask(players) makes players of numbers" if isinstance(players, Tensor | list) else ""
            raise ValueError(f"players must be an object such as EachFeature(), got {described(players)}{cure}")
        numbers = players.of(self.features)
        if tuple(numbers.shape) != tuple(features):
            raise ValueError(
                f"{type(players).__name__} numbers features {tuple(numbers.shape)}, but an input has {tuple(features)}"
            )
        _check_numbers(type(players).__name__, numbers)
        numbers = numbers.to(torch.int64)  # looked at here, on the host
        self.player_of = sent(numbers, device)
        self.count = int(numbers.max()) + 1
        self.size = sent(torch.bincount(numbers.flatten(), minlength=self.count), device)  # features of each player
        flat = torch.arange(self.count)
        self.each_feature = torch.equal(numbers.flatten(), flat)
        # Pictures whose pixels are players: sums over channels, and masks that broadcast over them.
        self.each_pixel = (
            len(self.features) == 3
            and self.features[1] * self.features[2] == self.count
            and torch.equal(numbers.flatten(1), flat.expand(self.features[0], -1))
        )

    def sums(self, per_feature: Float[Tensor, "..."]) -> Float[Tensor, "*batch p"]:
        """Sum (*batch, *features) over the features of each player, in the dtype given."""
        batch = per_feature.shape[: per_feature.dim() - len(self.features)]
        if self.each_feature:
            return per_feature.reshape(*batch, self.count)
        if self.each_pixel:
            return per_feature.sum(dim=-3).flatten(-2)
        flat = per_feature.reshape(-1, self.features.numel()).double()
        sums = flat.new_zeros(len(flat), self.count).index_add_(1, self.player_of.flatten(), flat)
        return sums.to(per_feature.dtype).reshape(*batch, self.count)

    def importance(self, attributions: Float[Tensor, "..."], ranking: str) -> Float[Tensor, "*batch p"]:
        """How important each player is: the sum of its features' attributions, or (`magnitude`) of their magnitudes."""
        check_ranking(ranking)
        return self.sums(attributions if ranking == "signed" else attributions.abs())

    def spread(self, per_player: Float[Tensor, "n p"]) -> Float[Tensor, "n *features"]:
        """Give each feature an equal share of its player's value."""
        return (per_player / self.size.to(per_player))[:, self.player_of]

    def mask(self, members: Bool[Tensor, "m p"]) -> Bool[Tensor, "m ..."]:
        """Say of each feature whether its player is a member; broadcasts to (m, *features)."""
        if self.each_pixel:
            return members.view(len(members), 1, *self.features[1:])
        if not self.each_feature:
            members = members.index_select(1, self.player_of.flatten())
        return members.view(len(members), *self.features)


def check_ranking(ranking: str) -> None:
    """Refuse a way to order players that is none of `RANKINGS`."""
    if ranking not in RANKINGS:
        raise ValueError(f"ranking={ranking} is unknown: {' or '.join(RANKINGS)}")


def _check_numbers(name: str, numbers: Tensor) -> None:
    """Refuse numbers of players that are not 0 to p - 1, each of them there."""
    whole = not (numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool)
    if not numbers.numel():
        return
    places = numbers.to(torch.int64)  # torch cannot compare uint16 to uint64
    within = whole and places.min() >= 0 and places.max() < places.numel()
    if not within or not places.flatten().bincount().all():
        found = (places if whole else numbers).unique().tolist()[:8]
        raise ValueError(f"{name} numbers players from 0 on without a gap, got {found}, {numbers.dtype}")


def _check_not_empty(features: torch.Size | tuple[int, ...]) -> None:
    if torch.Size(features).numel() == 0:
        raise ValueError(f"there is no feature in an input of shape {tuple(features)}")
