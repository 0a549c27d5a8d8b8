"""Completeness: attributions sum to the change of the output that they explain (Sundararajan et al. 2017)."""

from jaxtyping import Float
from torch import Tensor

from igbaselines.metrics.base import Quantity

COMPLETENESS_GAP = Quantity("completeness_gap", "relative completeness gap", better="lower")


def relative_gap(attributions: Float[Tensor, "n *features"], change: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """|sum of the attributions - change| over |change|, float64: by how much they miss completeness.

    Args:
        attributions: any number of them.
        change: of the explained output, which each should sum to (`Attribution.change`).
    """
    return (attributions.double().flatten(1).sum(dim=1) - change).abs() / change.abs()
