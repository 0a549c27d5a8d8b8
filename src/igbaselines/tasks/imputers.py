"""What absent players become: one idea for baselines, coalitions, deletion, fitness and exact Shapley values.

A baseline of Integrated Gradients is what an imputer makes of an input all of whose players are absent. So the classes
of `igbaselines.attribution.baselines` serve as both, and whatever one names in a configuration serves everywhere.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.tasks.background import Background


@runtime_checkable
class Imputer(Protocol):
    """Gives values for absent features: the baselines of a method, and their weights."""

    def draw(
        self, inputs: Float[Tensor, "n *features"], background: Background, generator: torch.Generator
    ) -> tuple[Float[Tensor, "k *features"] | Float[Tensor, "n k *features"], Float[Tensor, " k"]]:
        """Return values for these inputs, shared or one set an input, and weights that sum to one, float64."""
        ...


def draw(
    imputer: Imputer, inputs: Float[Tensor, "n *features"], background: Background, generator: torch.Generator
) -> tuple[Float[Tensor, "k *features"] | Float[Tensor, "n k *features"], Float[Tensor, " k"]]:
    """Return what an imputer draws, or refuse it where values and weights do not fit: it may be anyone's own."""
    drawn: object = imputer.draw(inputs, background, generator)
    if not (isinstance(drawn, tuple) and len(drawn) == 2 and all(isinstance(one, Tensor) for one in drawn)):
        kind = type(drawn).__name__ if not isinstance(drawn, tuple) else f"tuple of {len(drawn)}"
        raise ValueError(
            f"{type(imputer).__name__}.draw gave a {kind}: it gives two tensors, values (k, *features) or (n, k, "
            "*features) and their weights (k,)"
        )
    values, weights = drawn
    n, *features = inputs.shape
    shapes, given = ((len(weights), *features), (n, len(weights), *features)), tuple(values.shape)
    if given not in shapes:
        raise ValueError(
            f"{type(imputer).__name__} gave values {given} and {len(weights)} weights for inputs {(n, *features)}: "
            f"so many weights take values {shapes[0]} that inputs share, or {shapes[1]}"
        )
    return values, weights


def for_each(values: Float[Tensor, "..."], inputs: Float[Tensor, "n *features"]) -> Float[Tensor, "n k *features"]:
    """Say of values that inputs share, without a copy, that they are each input's."""
    return values if values.dim() > inputs.dim() else values.expand(len(inputs), *values.shape)


def lots(weights: Float[Tensor, "*n k"]) -> Float[Tensor, "*n k"]:
    """What values are drawn in proportion to, where one is drawn for all: the magnitudes of their weights, on the CPU.

    Examples of negative weight, as generators beyond leading order give them, lower averages; a lot has no sign.
    """
    return weights.cpu().abs()


def impute(
    imputer: Imputer, inputs: Float[Tensor, "n *features"], background: Background, generator: torch.Generator
) -> Float[Tensor, "n *features"]:
    """Return each input with all of its players absent; of several values one is drawn (`lots`)."""
    values, weights = draw(imputer, inputs, background, generator)
    each = for_each(values, inputs)
    if each.shape[1] == 1:
        return each[:, 0]
    chosen = torch.multinomial(lots(weights), len(inputs), replacement=True, generator=generator)
    return each[torch.arange(len(inputs), device=each.device), chosen.to(each.device)]
