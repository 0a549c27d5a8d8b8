"""How much a map depends on what it should not: which baselines were drawn (2505.03201, theorem 4), which network."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from igbaselines.metrics.agreement import spearman
from igbaselines.metrics.base import Quantity

DRAW_VARIANCE = Quantity("draw_variance", "variance of the map, over EG's squared norm", better="lower")
CONSISTENCY = Quantity("consistency", "consistency between networks", better="higher")


def inner_products(per_baseline: Float[Tensor, "n k *features"]) -> Float64[Tensor, "n k k"]:
    """Of the maps of each input with one another, on the host: all that `draw_variance` needs of them."""
    return torch.stack([one @ one.T for one in per_baseline.flatten(2).double()]).cpu()


def draw_variance(
    products: Float[Tensor, "k k"], fitness: Float[Tensor, " k"], draws: int, generator: torch.Generator
) -> float:
    """Variance of the averaged map over bootstrap draws of the set of baselines, over the squared norm of the even map.

    Of the maps their `inner_products` are all that is needed. A draw takes k of the k baselines with replacement and
    averages their maps with weights proportional to their fitness. What is returned is the mean squared distance of the
    drawn maps from their mean, over the squared norm of the mean map of all k, the same for every fitness: theorem 4
    compares variances, not ratios. 0 is a map that does not depend on the draw. The fitness is 1 for EG and
    1 / D_alpha for Weighted Gradients; two methods with the same draws, by a generator on the CPU, are paired.
    """
    k = len(products)
    drawn = torch.randint(k, (draws, k), generator=generator)
    counts = torch.zeros(draws, k, dtype=torch.float64).scatter_add_(1, drawn, torch.ones(drawn.shape).double())
    weights = counts * fitness.double().cpu()
    weights = weights / weights.sum(dim=1, keepdim=True)
    spread = weights - weights.mean(dim=0)
    distance = torch.einsum("bk,kl,bl->b", spread, products, spread).mean().clamp_min(0)
    norm = products.mean()
    return float(distance / norm) if norm > 0 else float("nan")


def map_consistency(
    maps: Float[Tensor, "maps c h w"], others: Float[Tensor, "maps c h w"], grid: int
) -> Float[Tensor, " maps"]:
    """Spearman's rank correlation of maps with those that another network gives of the same pixels, in [-1, 1].

    Maps are summed over channels with their signs and averaged over grid x grid cells: the gradients of single pixels
    are noise, in which two networks do not agree whatever the method. NaN where a map is the same in all cells.
    """
    cells = [
        torch.nn.functional.adaptive_avg_pool2d(some.sum(dim=-3).double(), grid).flatten(1) for some in (maps, others)
    ]
    return spearman(*cells)
