"""Whether the important pixels lie on the object: the overlap (2505.03201, eqs. 9 to 11) and the pointing game.

Pixels are ordered by `attribution.perturbation.pixel_ranks`. A random order is expected to score the object's share of
the image in both, so values compare between methods on the same images and not between images.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.perturbation import nearest_count, pixel_ranks

PERCENTS = 100


def overlap_curve(
    importance: Float[Tensor, "r h w"], masks: Bool[Tensor, "r h w"], released: bool = False
) -> Float[Tensor, "r 100"]:
    """Share of the k P / 100 most important pixels that lie on the object of P pixels, for k = 1..100 (eq. 9).

    Args:
        importance: maps of the pixels, higher is more important.
        masks: the object in each map's image.
        released: count as the released code does. False: k P / 100 is rounded to the nearest, halves up, and is
            at least 1. True: it is rounded down, and the overlap of no pixels is 0.

    Returns:
        Overlaps in [0, 1], float64, higher is better; NaN where there is no object.

    Raises:
        ValueError: where shapes differ or an importance is NaN.
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


def overlap_auc(
    importance: Float[Tensor, "r h w"], masks: Bool[Tensor, "r h w"], released: bool = False
) -> Float[Tensor, " r"]:
    """Area under the overlap curve; higher is better.

    Args:
        importance: maps of the pixels, higher is more important.
        masks: the object in each map's image.
        released: False: the mean over k (eq. 11), in [0, 1]. True: as the released code does, the trapezoid over
            k = 1..100 of its own curve, here divided by 100, in [0, 0.99].

    Returns:
        Areas, float64; NaN where there is no object.

    Raises:
        ValueError: where shapes differ or an importance is NaN.
    """
    curve = overlap_curve(importance, masks, released)
    return torch.trapezoid(curve, dim=1) / PERCENTS if released else curve.mean(dim=1)


def pointing_game(importance: Float[Tensor, "r h w"], masks: Bool[Tensor, "r h w"]) -> Float[Tensor, " r"]:
    """Whether the most important pixel lies on the object (Zhang et al. 2016, without their margin of 15 pixels).

    Returns:
        1 or 0, float64, higher is better; NaN where there is no object. A random order is expected to score the
        object's share of the image.

    Raises:
        ValueError: where shapes differ or an importance is NaN.
    """
    on_object = _by_rank(importance, masks)
    return on_object[:, 0].double().masked_fill(~on_object.any(dim=1), torch.nan)


def _by_rank(importance: Float[Tensor, "r h w"], masks: Bool[Tensor, "r h w"]) -> Bool[Tensor, "r pixels"]:
    """The masks' pixels in the order of their importance."""
    if importance.shape != masks.shape:
        raise ValueError(f"masks {tuple(masks.shape)} do not fit importance {tuple(importance.shape)}: one mask a map")
    ranks: Int[Tensor, "r pixels"] = pixel_ranks(importance).flatten(1).long()
    return torch.zeros_like(ranks, dtype=torch.bool).scatter_(1, ranks, masks.flatten(1))
