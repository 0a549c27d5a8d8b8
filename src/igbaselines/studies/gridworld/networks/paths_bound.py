"""How far Shapley IG with all coalitions can be from exact Shapley values: a bound from a network's weights.

Per coalition S without player i, IG's share of the move from x_S to x differs from the marginal contribution of i by
the integral of d_i f where the other absent players have moved along, less that where they have not. That is a sum over
those players j of mixed derivatives over triangles of half the unit square, and j is absent from half of the coalitions
by their Shapley weights:

    |SIG_i - phi_i| <= 1/4 |D_i| sum_j |D_j| sup |d_i d_j f|,    D = x - x', the sup over the box between both.

Where d_i f has no derivative of its own, as with ReLU: 2 (1 - 1/n) |D_i| sup |d_i f|, since nothing is shared where i
moves alone. docs/shapley.md has both derivations.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.models.mlp import MLP

# Largest magnitudes of an activation's first and second derivative; None where it has no second.
LIMITS: Mapping[str, tuple[float, float | None]] = {"swish": (1.0998394, 0.5), "relu": (1.0, None)}


def derivative_bounds(network: MLP, output: int) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"] | None]:
    """Bound |d_i f| and |d_i d_j f|, i not j, of an output everywhere, float64, by the chain rule."""
    slope, curvature = LIMITS[network.activation]
    (weight, _, _), *others = network.layers()
    first = (weight / network.standardise.scale).double().abs()  # (width, d)
    second = first.new_zeros(*first.shape, first.shape[1])
    for weight, _, _ in others:
        size = weight.double().abs()
        bent = slope * second + (curvature or 0.0) * first[:, :, None] * first[:, None]
        first, second = size @ (slope * first), torch.einsum("ok,kij->oij", size, bent)
    return first[output], None if curvature is None else second[output].fill_diagonal_(0.0)


def paths_bound(network: MLP, output: int, moves: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Bound |SIG_i - phi_i| of each player, float64, for SIG with all coalitions and the inputs' moves x - x'."""
    first, second = derivative_bounds(network, output)
    size = moves.double().abs()
    most = (2 * (1 - 1 / moves.shape[1]) * first).expand_as(size)
    if second is not None:
        most = torch.minimum(most, size @ second / 4)
    return size * most
