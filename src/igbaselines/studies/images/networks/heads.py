"""Small heads over the frozen features of a classifier of photographs: networks that differ in the training seed alone.

The features are what the classifier's last linear layer takes; a head stands in that layer's place. It learns the
labels of a few photographs from random crops, which is enough to ask what a training seed changes, and nothing else.
"""

import copy
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from igbaselines.common.devices import sent
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.common.threads import one_thread
from igbaselines.models.mlp import draw_weights
from igbaselines.models.optimiser import adamw
from igbaselines.studies.images.networks.network import ImageNetwork

LEAST_SHARE = 0.5  # of a photograph's side, that a crop keeps
LEARNING_RATE, WEIGHT_DECAY, BATCH = 1e-2, 1e-2, 32
AT_ONCE = 64  # crops, of which features are computed


def with_head(network: ImageNetwork, head: nn.Module) -> ImageNetwork:
    """A copy of a classifier with another module in the place of its last linear layer, frozen.

    Raises:
        UserError: where it has none.
    """
    place, _ = _last_linear(network)
    copied = copy.deepcopy(network)
    parent, _, name = place.rpartition(".")
    setattr(copied.network.get_submodule(parent), name, head)
    return copied.requires_grad_(False).eval()


def random_crops(
    pixels: Float[Tensor, "3 h w"], count: int, generator: torch.Generator
) -> Float[Tensor, "{count} 3 h w"]:
    """Random squares of at least half the side of a square photograph, as large as it again, half of them mirrored."""
    side, crops = pixels.shape[-1], []
    for share, top, left, mirrored in torch.rand(count, 4, generator=generator).tolist():
        kept = math.ceil(side * (LEAST_SHARE + (1 - LEAST_SHARE) * share))
        row, column = (int(place * (side - kept + 1)) for place in (top, left))
        crop = pixels[None, :, row : row + kept, column : column + kept]
        crop = interpolate(crop, size=(side, side), mode="bilinear", antialias=True)
        crops.append(crop.flip(-1) if mirrored < 1 / 2 else crop)
    return torch.cat(crops)


@torch.no_grad()
def features_of(network: ImageNetwork, pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
    """What the last linear layer of a classifier takes of pictures, some at a time."""
    body = with_head(network, nn.Identity())
    return torch.cat([body(some) for some in pictures.split(AT_ONCE)])


def trained_head(
    network: ImageNetwork,
    features: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    hidden: int,
    epochs: int,
    seed: tuple[int | str, ...],
) -> nn.Sequential:
    """Train a head of one hidden layer, with as many outputs as the classifier's own; the seed is all that is random.

    Raises:
        FloatingPointError: if training diverged.
    """
    _, last = _last_linear(network)
    first, second = (
        nn.utils.skip_init(nn.Linear, a, b, device=features.device)
        for a, b in ((last.in_features, hidden), (hidden, last.out_features))
    )
    draw_weights(
        [(one.weight, one.bias, one.in_features) for one in (first, second)], generator_for(*seed, "heads: weights")
    )
    head = nn.Sequential(first, nn.SiLU(), second)
    optimiser = adamw(list(head.parameters()), LEARNING_RATE, WEIGHT_DECAY)
    with one_thread():
        for epoch in range(epochs):
            order = torch.randperm(len(features), generator=generator_for(*seed, "heads: order", epoch))
            for batch in sent(order, features.device).split(BATCH):
                loss = cross_entropy(head(features[batch]), labels[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    if not all(torch.isfinite(parameter).all() for parameter in head.parameters()):
        raise FloatingPointError("training of a head diverged")
    return head.requires_grad_(False).eval()


def _last_linear(network: ImageNetwork) -> tuple[str, nn.Linear]:
    found = [(name, one) for name, one in network.network.named_modules() if isinstance(one, nn.Linear) and name]
    if not found:
        raise UserError(f"{type(network.network).__name__} has no linear layer at its end that a head could replace")
    return found[-1]
