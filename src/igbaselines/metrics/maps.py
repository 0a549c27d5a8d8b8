"""How maps of a photograph are judged: what the image experiments share, whatever the maps were made with."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from igbaselines.attribution.perturbation import Score
from igbaselines.attribution.weighted import pixel_importance
from igbaselines.metrics.agreement import spearman
from igbaselines.metrics.localisation import overlap_auc, pointing_game
from igbaselines.metrics.perturbation_curves import PerturbationGrid, area, deletion_curves, insertion_curves
from igbaselines.tasks.imputers import MaskValue


@dataclass(frozen=True)
class MapValues:
    """What the maps of a photograph are worth.

    Args:
        of_all: metric -> a value for every map, float64: deletion_auc, and where the object is known overlap_auc and
            pointing_game.
        deletion: the score while the most important pixels are masked.
        insertion_auc: of the maps chosen for it, float64.
        insertion: their scores while the most important pixels are revealed.
    """

    of_all: dict[str, Float[Tensor, " maps"]]
    deletion: Float[Tensor, "maps points"]
    insertion_auc: Float[Tensor, " chosen"]
    insertion: Float[Tensor, "chosen points"]


@dataclass(frozen=True)
class MapJudge:
    """Judges the maps of a photograph by what its network and its object's outline say of them.

    Args:
        mask_value: what masked pixels become.
        grid: at which counts of masked pixels the curves are taken.
        ranking: how pixels are ordered: signed or magnitude.
        released_overlap: the overlap AUC as in the released code of 2505.03201, not as in its text.
        max_batch: pictures scored in one pass.
    """

    mask_value: MaskValue
    grid: PerturbationGrid
    ranking: str
    released_overlap: bool
    max_batch: int

    def judge(
        self,
        score: Score,
        pixels: Float[Tensor, "1 c h w"],
        maps: Float[Tensor, "maps c h w"],
        object_mask: Bool[Tensor, "h w"] | None,
        insertion: Sequence[int],
    ) -> MapValues:
        """Judge attributions of the photograph's pixels.

        Args:
            score: of the explained class.
            pixels: the photograph.
            maps: attributions.
            object_mask: the object; None where nobody drew one.
            insertion: places of the maps whose insertion curves are taken.

        Raises:
            ValueError: for attributions that are NaN.
        """
        importance = pixel_importance(maps, self.ranking)
        same = (score, pixels, self.mask_value.fill(pixels))
        chosen = list(insertion)
        of_photograph = torch.zeros(len(maps), dtype=torch.int64, device=maps.device)
        deletion = deletion_curves(*same, importance, of_photograph, self.grid, self.max_batch)
        of_all = {"deletion_auc": area(deletion, self.grid)}
        if object_mask is not None:
            masks = object_mask.expand(len(maps), *object_mask.shape)
            of_all["overlap_auc"] = overlap_auc(importance, masks, self.released_overlap)
            of_all["pointing_game"] = pointing_game(importance, masks)
        inserted = deletion[:0]
        if chosen:
            of_chosen = (importance[chosen], of_photograph[chosen])
            inserted = insertion_curves(*same, *of_chosen, self.grid, self.max_batch)
        return MapValues(of_all, deletion, area(inserted, self.grid), inserted)


def relative_gap(attributions: Float[Tensor, "maps c h w"], change: Float[Tensor, " maps"]) -> Float[Tensor, " maps"]:
    """|sum of the attributions - change| over |change|, float64: by how much they miss completeness.

    Args:
        attributions: of each map.
        change: of the explained output, which the attributions should sum to.
    """
    return (attributions.double().flatten(1).sum(dim=1) - change).abs() / change.abs()


def map_consistency(
    maps: Float[Tensor, "maps c h w"], others: Float[Tensor, "maps c h w"], grid: int
) -> Float[Tensor, " maps"]:
    """Spearman's rank correlation of maps with those that another network gives of the same pixels.

    Maps are summed over channels with their signs and averaged over grid x grid cells: the gradients of single pixels
    are noise, in which two networks do not agree whatever the method.

    Args:
        maps: attributions for one network.
        others: for another, method by method.
        grid: cells a side.

    Returns:
        Correlations in [-1, 1], float64; NaN where a map is the same in all cells.
    """
    cells = [
        torch.nn.functional.adaptive_avg_pool2d(pixel_importance(some, "signed").double(), grid).flatten(1)
        for some in (maps, others)
    ]
    return spearman(*cells)
