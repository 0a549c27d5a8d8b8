"""XRAI: what a method gives to pixels, evened out over the regions of a picture (Kapishnikov et al. 2019).

arXiv:1906.02825, algorithm 1. The picture is cut into segments several times over, coarse and fine (Felzenszwalb and
Huttenlocher 2004), and each is widened by some pixels, so that it holds its edges. Then the segment whose new pixels
have the largest mean attribution joins the region, again and again, and all its new pixels get that mean:

    phi_i = mean of phi over A_t,    A_t = s_t minus s_1 ... s_{t-1},    s_t = argmax of that mean;    i in A_t

The sum over the picture stays what the method gave.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from igbaselines.attribution.budget import Budget
from igbaselines.attribution.engine.result import Attribution
from igbaselines.attribution.methods import Method, why_not, within
from igbaselines.tasks import Task

# As released: pictures of this side with values from -1 to 1 are segmented, whatever their own are.
SIDE, SCALES, BLUR, FEWEST_IN_SEGMENT = 224, (50, 100, 150, 250, 500, 1200), 0.8, 150
FEWEST_NEW = 50  # pixels that a segment has to bring

Masks = Bool[np.ndarray, "m h w"]


@dataclass(frozen=True)
class Regions:
    """XRAI of any method, with the segments of the released code.

    Args:
        method: explains the pixels, whose channels are summed.
        dilation: by which segments are widened [pixels].
    """

    method: Method
    dilation: int = 5

    def __post_init__(self) -> None:
        if self.dilation < 0:
            raise ValueError(f"dilation is a number of pixels, 0 or more, got {self.dilation}")

    @property
    def few_players(self) -> bool:
        """Whether the method asks for few players."""
        return getattr(self.method, "few_players", False)

    def why_not(self, task: Task) -> str | None:
        """Regions are of pictures."""
        return why_not(self.method, task) if task.is_picture else "regions are of pictures"

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Attribute by the method, and even out; a pixel's channels get the same."""
        if not task.is_picture:
            raise ValueError("regions are of pictures (n, c, h, w)")
        found = self.method.attribute(task, generator)
        pixels = found.attributions.sum(dim=1).double().cpu().numpy()
        pictures = zip(pixels, task.inputs, strict=True)
        even = np.stack([evened(one, self.masks(picture)) for one, picture in pictures])
        maps = (torch.from_numpy(even)[:, None] / task.inputs.shape[1]).expand(task.inputs.shape).to(found.attributions)
        return replace(found, attributions=maps, per_baseline=None, players=task.player_map.sums(maps))

    def within(self, task: Task, budget: Budget) -> "Regions":
        """The method for a budget: regions ask for nothing."""
        return replace(self, method=within(self.method, task, budget))

    def masks(self, picture: Float[Tensor, "c h w"]) -> Masks:
        """The segments of a picture, at all scales."""
        from skimage.morphology import isotropic_dilation

        values = picture.detach().double().cpu().numpy()
        masks = [labels == label for labels in labels_of(values.tobytes(), values.shape) for label in np.unique(labels)]
        return np.stack([isotropic_dilation(mask, self.dilation) for mask in masks])


@lru_cache(maxsize=16)  # of a task's pictures, for budget after budget
def labels_of(values: bytes, shape: tuple[int, ...]) -> list[Int[np.ndarray, "h w"]]:
    """The segment of each pixel, at every scale."""
    from skimage.segmentation import felzenszwalb
    from skimage.transform import resize

    picture = np.moveaxis(np.frombuffer(values).reshape(shape), 0, -1)
    span = picture.max() - picture.min()
    picture = 2 * (picture - picture.min()) / (span if span > 0 else 1) - 1
    picture = resize(picture, (SIDE, SIDE), order=3, mode="constant", preserve_range=True, anti_aliasing=True)
    found = [felzenszwalb(picture, scale=scale, sigma=BLUR, min_size=FEWEST_IN_SEGMENT) for scale in SCALES]
    as_given = {"order": 0, "mode": "constant", "preserve_range": True, "anti_aliasing": False}
    return [resize(labels, shape[1:], **as_given).astype(int) for labels in found]


def evened(pixels: Float64[np.ndarray, "h w"], masks: Masks, fewest: int = FEWEST_NEW) -> Float64[np.ndarray, "h w"]:
    """Give every pixel the mean over those that join the region with it; the last of them are what no segment brings.

    Args:
        pixels: what they have.
        masks: segments.
        fewest: pixels that one has to bring.
    """
    flat, masks = pixels.flatten(), masks.reshape(len(masks), -1)
    found, free = np.zeros_like(flat), np.ones(flat.shape, dtype=bool)
    new, sums = masks.sum(axis=1), np.array([flat[mask].sum() for mask in masks])
    while (new >= fewest).any():
        best = int(np.where(new >= fewest, sums / np.maximum(new, 1), -np.inf).argmax())
        joins = masks[best] & free
        found[joins] = flat[joins].mean()
        free &= ~joins
        theirs = masks[:, joins]
        new, sums = new - theirs.sum(axis=1), sums - theirs @ flat[joins]
    if free.any():
        found[free] = flat[free].mean()
    return found.reshape(pixels.shape)
