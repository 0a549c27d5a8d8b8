"""Whether the important pixels lie on the object: the overlap (2505.03201, eqs. 9 to 11) and the pointing game.

Pixels are ordered by `attribution.perturbation.player_ranks`. A random order is expected to score the object's share of
the image in both, so values compare between methods on the same images and not between images.
"""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.perturbation import nearest_count, player_ranks
from igbaselines.metrics.base import OBJECT, Quantity, Scores
from igbaselines.tasks import Pixels, PlayerMap, Task
from igbaselines.tasks.players import check_ranking

PERCENTS = 100

# Importance of the pixels, higher is more, and the object in each map's image. What is made of them is float64, higher
# is better, and NaN where there is no object; shapes that differ and an importance that is NaN raise a ValueError.
Maps: TypeAlias = Float[Tensor, "r h w"]
Masks: TypeAlias = Bool[Tensor, "r h w"]


def overlap_curve(importance: Maps, masks: Masks, released: bool = False) -> Float[Tensor, "r 100"]:
    """Share of the k P / 100 most important pixels that lie on the object of P pixels, for k = 1..100 (eq. 9).

    `released` counts as the released code does: k P / 100 is rounded down, and the overlap of no pixels is 0; else it
    is rounded to the nearest, halves up, and is at least 1.
    """
    on_object = _by_rank(importance, masks)
    hits = torch.nn.functional.pad(on_object.long().cumsum(dim=1), (1, 0))
    objects = hits[:, -1:]
    percent = torch.arange(1, PERCENTS + 1, device=masks.device).expand(len(masks), -1)
    if released:
        counts = objects * percent // PERCENTS
    else:
        counts = nearest_count(objects.expand_as(percent), percent, PERCENTS).clamp(min=1)
    overlap = hits.gather(1, counts).double() / counts.clamp(min=1)
    return overlap.masked_fill(objects == 0, torch.nan)


def overlap_auc(importance: Maps, masks: Masks, released: bool = False) -> Float[Tensor, " r"]:
    """Area under the overlap curve: the mean over k (eq. 11), in [0, 1].

    `released`: as the released code does, the trapezoid over k = 1..100 of its own curve, here divided by 100, in
    [0, 0.99].
    """
    curve = overlap_curve(importance, masks, released)
    return torch.trapezoid(curve, dim=1) / PERCENTS if released else curve.mean(dim=1)


def pointing_game(importance: Maps, masks: Masks) -> Float[Tensor, " r"]:
    """Whether the most important pixel lies on the object, 1 or 0 (Zhang et al. 2016, without their margin)."""
    on_object = _by_rank(importance, masks)
    return on_object[:, 0].double().masked_fill(~on_object.any(dim=1), torch.nan)


def _by_rank(importance: Maps, masks: Masks) -> Bool[Tensor, "r pixels"]:
    """The masks' pixels in the order of their importance."""
    if importance.shape != masks.shape:
        raise ValueError(f"masks {tuple(masks.shape)} do not fit importance {tuple(importance.shape)}: one mask a map")
    ranks: Int[Tensor, "r pixels"] = player_ranks(importance.flatten(1)).long()
    return torch.zeros_like(ranks, dtype=torch.bool).scatter_(1, ranks, masks.flatten(1))


@dataclass(frozen=True)
class _Localisation:
    """What both metrics of localisation share.

    They can be fooled by a map that never asks the network: objects lie in the middle, and edges lie on them.

    Args:
        ranking: how pixels are ordered, `signed` or `magnitude`.
    """

    ranking: str = "signed"

    def __post_init__(self) -> None:
        check_ranking(self.ranking)

    def why_not(self, task: Task) -> str | None:
        """Only pictures whose object is known can be judged."""
        return None if task.masks is not None else "no object is outlined"

    def _maps(self, task: Task, attributions: Tensor) -> tuple[Float[Tensor, "n h w"], Bool[Tensor, "n h w"]]:
        assert task.masks is not None
        pixels = PlayerMap(Pixels(), attributions.shape[1:], attributions.device)
        return pixels.importance(attributions, self.ranking).view_as(task.masks), task.masks


@dataclass(frozen=True)
class OverlapAUC(_Localisation):
    """Overlap of the most important pixels with the object (2505.03201, eqs. 9 to 11).

    Args:
        released: as the released code counts.
    """

    released: bool = False

    @property
    def quantity(self) -> Quantity:
        """Higher is better."""
        return Quantity("overlap_auc", "AUC of overlap", "share of pixels", "higher", OBJECT)

    def score(self, task: Task, attributions: Float[Tensor, "n c h w"], generator: torch.Generator) -> Scores:
        """Return the areas; NaN where there is no object."""
        return overlap_auc(*self._maps(task, attributions), self.released)


@dataclass(frozen=True)
class PointingGame(_Localisation):
    """Whether the most important pixel lies on the object (Zhang et al. 2016)."""

    @property
    def quantity(self) -> Quantity:
        """Higher is better."""
        return Quantity("pointing_game", "pointing game", "share of inputs", "higher", OBJECT)

    def score(self, task: Task, attributions: Float[Tensor, "n c h w"], generator: torch.Generator) -> Scores:
        """Return 1 or 0; NaN where there is no object."""
        return pointing_game(*self._maps(task, attributions))
