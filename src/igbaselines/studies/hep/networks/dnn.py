"""The classifier of 2412.13864 (Experimental Setup): hidden layers with Swish, and one logit."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from igbaselines.models.joined import Applied, weight_and_bias
from igbaselines.models.linear import linear_without_graph
from igbaselines.models.standardise import Standardise
from igbaselines.models.stem import OfOutput, Stemmed


@dataclass(frozen=True)
class Activation:
    """An activation and its derivative."""

    value: Callable[[Tensor], Tensor]  # z -> the activation
    backward: Callable[[Tensor, Tensor], Tensor]  # (gradient, z) -> the gradient times the derivative at z


# Functions with names: a network that holds them can be pickled, which torch's own operators and lambdas cannot.
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


class Classifier(Stemmed):
    """A network from features in physical units, (m, d), to one output an event, (m,)."""


class DNN(Classifier):
    """A fully connected network from features in physical units to the logit of being signal.

    Each hidden layer is Linear, BatchNorm, Swish (or another of `ACTIVATIONS`), Dropout. The first Linear and the
    standardisation before it are the stem.
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
        before: list[Tensor] = []  # what goes into each activation
        for layer, norm in enumerate(self.norm):
            if layer > 0:
                z = linear_without_graph(self.activation.value(before[-1]), *weight_and_bias(self.linear[layer]))
            before.append(norm(z))
        gradient: Tensor = self.logit.weight.expand_as(before[-1])
        for layer, norm in reversed(list(enumerate(self.norm))):
            gradient = self.activation.backward(gradient, before[layer])
            if not isinstance(norm, Applied):  # by `for_gradients`, which has it in the layer before
                norm = cast("nn.BatchNorm1d", norm)
                assert norm.running_var is not None
                gradient = gradient * (norm.weight / (norm.running_var + norm.eps).sqrt())
            if layer > 0:
                gradient = linear_without_graph(gradient, weight_and_bias(self.linear[layer])[0].T)
        return gradient


class Probability(OfOutput):
    """The probability that belongs to a network's logit."""

    def of_output(self, output: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        """The probability of being signal."""
        return torch.sigmoid(output)
