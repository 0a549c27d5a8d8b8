"""Fully connected networks from features in physical units; with Swish their gradients are smooth along a path."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu, silu

from igbaselines.common.devices import sent
from igbaselines.models.standardise import Standardise
from igbaselines.models.stem import Stemmed

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"swish": silu, "relu": relu}


class MLP(Stemmed):
    """Linear layers with an activation between them, in which every feature can interact with every other.

    The first Linear and the standardisation before it are declared as the stem (`igbaselines.attribution.AffineStem`).
    Whoever builds one draws its weights (`draw_weights`): nn.Linear by itself would draw them from global state.

    Args:
        standardise: of the features, on the device and of the dtype of the network.
        hidden: widths of the hidden layers.
        outputs: how many there are.
        activation: one of `ACTIVATIONS`.
    """

    def __init__(
        self, standardise: Standardise, hidden: Sequence[int], outputs: int, activation: str = "swish"
    ) -> None:
        super().__init__()
        self.activation = activation
        self.standardise = standardise
        widths = [len(standardise.mean), *hidden, outputs]
        device = standardise.mean.device
        linear = (nn.utils.skip_init(nn.Linear, a, b, device=device) for a, b in itertools.pairwise(widths))
        self.linear = nn.ModuleList(linear)

    def layers(self) -> list[tuple[Tensor, Tensor, int]]:
        """Weight, bias and fan-in of each layer, the output's last."""
        linear = (layer for layer in self.linear if isinstance(layer, nn.Linear))
        return [(layer.weight, layer.bias, layer.in_features) for layer in linear]

    def affine_stem(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m h"]:
        """Standardisation and first linear layer."""
        z: Tensor = self.linear[0](self.standardise(x))
        return z

    def after_stem(self, z: Float[Tensor, "m h"]) -> Float[Tensor, "m outputs"]:
        """Everything behind the first linear layer."""
        for layer in self.linear[1:]:
            z = layer(ACTIVATIONS[self.activation](z))
        return z


def draw_weights(layers: Iterable[tuple[Tensor, Tensor, int]], generator: torch.Generator) -> None:
    """Draw weights and biases uniformly within 1 / sqrt(fan-in), as PyTorch's Linear has them, whatever their device.

    Args:
        layers: weight, bias and fan-in of each.
        generator: on the CPU.
    """
    with torch.no_grad():
        for weight, bias, fan_in in layers:
            for parameter in (weight, bias):
                drawn = torch.rand(parameter.shape, generator=generator, device=generator.device) * 2 - 1
                parameter.copy_(sent(drawn / math.sqrt(fan_in), parameter.device))
