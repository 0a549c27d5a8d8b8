"""A network that has unlearned everything: the control of Adebayo et al. (2018), which a faithful map must notice."""

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


RANDOMISED = "randomised"  # stream of the orders, the same for whatever network


def randomised(network: Network, generator: torch.Generator) -> Network:
    """A copy whose parameters hold their own values in random order, each tensor for itself; the original stays.

    The scale of every layer is kept, what it has learned is not. Buffers, such as the statistics of a batch norm, stay.

    Args:
        network: with parameters.
        generator: of the orders, on the CPU.

    Raises:
        ValueError: where there is no parameter to shuffle.
    """
    if next(network.parameters(), None) is None:
        raise ValueError(f"{type(network).__name__} has no parameter to shuffle")
    shuffled = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in shuffled.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return shuffled
