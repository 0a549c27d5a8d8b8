"""Networks that give the optimal values of a state of a grid world (the GridWorld simulations of arXiv:2310.04821).

The outputs are (m, 5): column 0 is the value V of the state, columns 1 to 4 are the values Q of the actions up, down,
left and right. Swish keeps the gradients smooth along a path. The paper does not describe its networks.
"""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from igbaselines.models.mlp import ACTIVATIONS, MLP, draw_weights
from igbaselines.models.standardise import Standardise
from igbaselines.models.stem import OfOutput, Stemmed
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe

OUTPUTS = 5


class GridValueMLP(MLP):
    """A fully connected network in which every feature can interact with every other."""

    def __init__(self, standardise: Standardise, hidden: list[int], activation: str = "swish") -> None:
        super().__init__(standardise, hidden, OUTPUTS, activation)


class _OfFeatures(Stemmed):
    """A network that sees each standardised feature by itself first. The standardisation is declared as the stem."""

    def __init__(self, standardise: Standardise, activation: str) -> None:
        super().__init__()
        self.standardise = standardise
        self.activation = activation

    def affine_stem(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
        """Standardisation."""
        z: Tensor = self.standardise(x)
        return z


class AdditiveGridValue(_OfFeatures):
    """A sum of one small network a feature: no interactions, so every faithful method has to agree on it.

    The widths of hidden layers are those of each feature's network.
    """

    def __init__(self, standardise: Standardise, hidden: list[int], activation: str = "swish") -> None:
        super().__init__(standardise, activation)
        features, device = len(standardise.mean), standardise.mean.device
        self.weight = nn.ParameterList(
            torch.zeros(features, a, b, device=device) for a, b in itertools.pairwise([1, *hidden, OUTPUTS])
        )
        # The outputs share one bias: a bias for each feature would add up to no more.
        shapes = [*((features, 1, width) for width in hidden), (OUTPUTS,)]
        self.bias = nn.ParameterList(torch.zeros(shape, device=device) for shape in shapes)

    def layers(self) -> list[tuple[Tensor, Tensor, int]]:
        """Weight, bias and fan-in of each layer, the output's last."""
        fan_in = [weight.shape[1] for weight in self.weight]
        fan_in[-1] *= len(self.weight[-1])  # it sums over the features
        return list(zip(self.weight, self.bias, fan_in, strict=True))

    def after_stem(self, z: Float[Tensor, "m d"]) -> Float[Tensor, "m 5"]:
        """Everything behind the standardisation."""
        activation = ACTIVATIONS[self.activation]
        a = z.T.unsqueeze(2) * self.weight[0] + self.bias[0]  # (d, m, h)
        for weight, bias in zip(self.weight[1:-1], self.bias[1:-1], strict=True):
            a = torch.baddbmm(bias, activation(a), weight)
        outputs: Tensor = torch.bmm(activation(a), self.weight[-1]).sum(0) + self.bias[-1]
        return outputs


class AttentionGridValue(_OfFeatures):
    """Self-attention over the features, each a token: blocks of attention and a feed-forward layer, then their mean.

    Every feature has an embedding that its value scales, and an offset that says which feature it is. The first width
    is that of the tokens, each further one that of a block's feed-forward layer.
    """

    def __init__(self, standardise: Standardise, hidden: list[int], heads: int, activation: str = "swish") -> None:
        super().__init__(standardise, activation)
        self.heads = heads
        width, *forward = hidden
        device = standardise.mean.device
        self.embedding, self.offset = (
            nn.Parameter(torch.zeros(len(standardise.mean), width, device=device)) for _ in range(2)
        )
        sizes = [
            size for wide in forward for size in ((width, 3 * width), (width, width), (width, wide), (wide, width))
        ]
        self.linear = nn.ModuleList(
            nn.utils.skip_init(nn.Linear, a, b, device=device) for a, b in [*sizes, (width, OUTPUTS)]
        )

    def layers(self) -> list[tuple[Tensor, Tensor, int]]:
        """Weight, bias and fan-in of each layer, the output's last."""
        linear = (layer for layer in self.linear if isinstance(layer, nn.Linear))
        return [(self.embedding, self.offset, 1), *((one.weight, one.bias, one.in_features) for one in linear)]

    def after_stem(self, z: Float[Tensor, "m d"]) -> Float[Tensor, "m 5"]:
        """Everything behind the standardisation."""
        tokens = z.unsqueeze(2) * self.embedding + self.offset  # (m, d, width)
        *blocks, head = self.linear
        for project, join, widen, narrow in zip(*(blocks[part::4] for part in range(4)), strict=True):
            query, key, value = project(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            heard = scaled_dot_product_attention(query, key, value)  # (m, heads, d, width / heads)
            tokens = tokens + join(heard.transpose(1, 2).flatten(2))
            tokens = tokens + narrow(ACTIVATIONS[self.activation](widen(tokens)))
        outputs: Tensor = head(tokens.mean(1))
        return outputs


GridValueNetwork = GridValueMLP | AdditiveGridValue | AttentionGridValue


class ActionAdvantage(OfOutput):
    """Q of each action less the mean over the actions: why this action and not another."""

    def of_output(self, output: Float[Tensor, "m 5"]) -> Float[Tensor, "m 4"]:
        """The advantage of each action."""
        action_value = output[:, 1:]
        return action_value - action_value.mean(1, keepdim=True)


def for_network(recipe: GridValueRecipe, standardise: Standardise, generator: torch.Generator) -> GridValueNetwork:
    """Build the network of a recipe with initial weights uniform within 1 / sqrt(fan-in), as PyTorch's Linear has them.

    The weights do not depend on the device and dtype, which are those of the standardisation.
    """
    hidden, activation = list(recipe.hidden), recipe.activation
    network: GridValueNetwork
    if recipe.heads:
        network = AttentionGridValue(standardise, hidden, recipe.heads, activation)
    else:
        kind = GridValueMLP if recipe.interactions else AdditiveGridValue
        network = kind(standardise, hidden, activation)
    network = network.to(standardise.mean)
    draw_weights(network.layers(), generator)
    return network
