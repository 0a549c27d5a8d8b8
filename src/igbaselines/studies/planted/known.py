"""The attributions of planted functions, in closed form.

Known is the Shapley value (Shapley 1953) of the interventional game v(S) = sum_r w_r f(x_S, x'_r without S): players
outside a coalition take the values of a reference x'_r, whatever the others are (Janzing et al. 2020; Sundararajan and
Najmi 2020, "baseline Shapley"). It is linear in f and in the references, so that it is a sum over the terms of f:

- a term of one feature gives that feature u(x) - u(x');
- a product h_1 h_2 h_3, which is k_1 k_2 k_3 at the reference, gives its first feature, by the weights 1/3, 1/6, 1/6,
  1/3 of the coalitions of the two others, (h_1 - k_1) ((h_2 h_3 + k_2 k_3) / 3 + (h_2 k_3 + k_2 h_3) / 6); with
  h_3 = k_3 = 1 it is that of a pair, (h_1 - k_1) (h_2 + k_2) / 2.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from igbaselines.studies.planted.function import PlantedFunction


def product_values(present: Float[Tensor, "*m 3"], absent: Float[Tensor, "*m 3"]) -> Float[Tensor, "*m 3"]:
    """Shapley values of the game v(S) = product of `present` in S and of `absent` outside, of three players."""
    (h2, h3), (k2, k3) = ((factors.roll(-1, -1), factors.roll(-2, -1)) for factors in (present, absent))
    return (present - absent) * ((h2 * h3 + k2 * k3) / 3 + (h2 * k3 + k2 * h3) / 6)


def shapley_values(
    f: PlantedFunction,
    inputs: Float[Tensor, "n p"],
    references: Float[Tensor, "n r p"],
    weights: Float[Tensor, " r"],
) -> Float[Tensor, "n p"]:
    """Exact Shapley values of the interventional game, at a cost that grows with the terms of f, not with 2^p.

    Args:
        f: the function.
        inputs: to explain.
        references: what absent features become.
        weights: of the references, which sum to one.
    """
    present = f.responses(inputs)
    values = torch.zeros_like(present)
    for reference, weight in zip(references.unbind(1), weights, strict=True):
        values += weight * _from_one(f, present, f.responses(reference))
    return values


def _from_one(f: PlantedFunction, present: Float[Tensor, "n p"], absent: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """The values for one reference, from the responses to both."""
    shares = f.coefficient[:, None] * product_values(f.factors(present), f.factors(absent))
    alone = nn.functional.pad(f.amplitude * (present - absent), (0, 1))  # and the third player that a pair has not
    return alone.index_add(1, f.groups.flatten(), shares.flatten(1))[:, :-1]
