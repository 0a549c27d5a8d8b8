"""The classifier of 2412.13864 (Experimental Setup): hidden layers with Swish, and one logit."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from igbaselines.models.linear import linear_without_graph


@dataclass(frozen=True)
class Activation:
    """An activation and its derivative.

    Args:
        value: z -> the activation.
        backward: (gradient, z) -> the gradient times the derivative at z.
    """

    value: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


def _silu_backward(gradient: Tensor, z: Tensor) -> Tensor:
    slope: Tensor = torch.ops.aten.silu_backward(gradient, z)
    return slope


def _relu_backward(gradient: Tensor, z: Tensor) -> Tensor:
    slope: Tensor = torch.ops.aten.threshold_backward(gradient, z, 0)
    return slope


ACTIVATIONS = {
    "swish": Activation(nn.functional.silu, _silu_backward),
    "relu": Activation(nn.functional.relu, _relu_backward),
}


class Standardise(nn.Module):
    """(x - mean) / scale, as part of the model, so that a baseline can be zero in either space.

    Args:
        mean: mean of each feature over the training part, in physical units.
        scale: standard deviation of each feature, in physical units; 1 for a constant feature.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Float[Tensor, " d"], scale: Float[Tensor, " d"]) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Standardise features given in physical units."""
        return (x - self.mean) / self.scale


class Classifier(nn.Module):
    """A network from features in physical units to one output an event.

    Its first step is affine and declared as the stem (`igbaselines.attribution.AffineStem`).
    """

    def affine_stem(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m h"]:
        """The affine first step."""
        raise NotImplementedError

    def after_stem(self, z: Float[Tensor, "m h"]) -> Float[Tensor, " m"]:
        """Everything behind the stem."""
        raise NotImplementedError

    def forward(self, x: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        """The output."""
        return self.after_stem(self.affine_stem(x))


class DNN(Classifier):
    """A fully connected network from features in physical units to the logit of being signal.

    Each hidden layer is Linear, BatchNorm, Swish (or another activation), Dropout. The first Linear and the
    standardisation before it are the stem.

    Args:
        standardise: the standardisation of the features.
        hidden: widths of the hidden layers.
        dropout: probability of dropping a unit.
        activation: name of the activation in `ACTIVATIONS`.
    """

    def __init__(self, standardise: Standardise, hidden: list[int], dropout: float, activation: str = "swish") -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.standardise = standardise
        # BatchNorm takes any bias of the layer before it away again, so there is none.
        widths = [len(standardise.mean), *hidden]
        self.linear = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(widths))
        self.norm = nn.ModuleList(nn.BatchNorm1d(width) for width in hidden)
        self.dropout = nn.Dropout(dropout)
        self.logit = nn.Linear(widths[-1], 1)

    def affine_stem(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m h"]:
        """Standardisation and first linear layer."""
        z: Tensor = self.linear[0](self.standardise(x))
        return z

    def after_stem(self, z: Float[Tensor, "m h"]) -> Float[Tensor, " m"]:
        """Everything behind the first linear layer."""
        for layer, norm in enumerate(self.norm):
            if layer > 0:
                z = self.linear[layer](z)
            z = self.dropout(self.activation.value(norm(z)))
        logit: Tensor = self.logit(z).squeeze(-1)
        return logit

    @torch.no_grad()
    def gradient_after_stem(self, z: Float[Tensor, "m h"]) -> Float[Tensor, "m h"]:
        """The gradient of `after_stem` in evaluation mode, written out (`igbaselines.attribution.ClosedFormGradient`).

        The same products as autograd's, without the last activation and the logit, which no gradient needs.
        """
        linear = [cast("nn.Linear", layer) for layer in self.linear]
        before: list[Tensor] = []  # what goes into each activation
        for layer, norm in enumerate(self.norm):
            if layer > 0:
                z = linear_without_graph(self.activation.value(before[-1]), linear[layer].weight, linear[layer].bias)
            before.append(norm(z))
        gradient: Tensor = self.logit.weight.expand_as(before[-1])
        for layer, norm in reversed(list(enumerate(self.norm))):
            gradient = self.activation.backward(gradient, before[layer])
            if isinstance(norm, nn.BatchNorm1d):  # where `for_gradients` has not folded it away
                assert norm.running_var is not None
                gradient = gradient * (norm.weight / (norm.running_var + norm.eps).sqrt())
            if layer > 0:
                gradient = linear_without_graph(gradient, linear[layer].weight.T)
        return gradient


class Probability(Classifier):
    """The probability that belongs to a network's logit; the stem stays declared.

    Args:
        network: the network that gives the logit.
    """

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def affine_stem(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m h"]:
        """The network's stem."""
        return self.network.affine_stem(x)

    def after_stem(self, z: Float[Tensor, "m h"]) -> Float[Tensor, " m"]:
        """The probability from behind the stem."""
        return torch.sigmoid(self.network.after_stem(z))
