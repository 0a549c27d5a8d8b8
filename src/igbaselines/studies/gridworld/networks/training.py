"""Training of networks that learn the exact values of grid worlds: AdamW, one cycle of the rate, fixed epochs."""

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.common.devices import sent
from igbaselines.common.randomness import generator_for
from igbaselines.common.threads import one_thread
from igbaselines.models.optimiser import adamw
from igbaselines.models.standardise import Standardise, nonzero
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.value_mlp import GridValueNetwork, for_network

WEIGHTS, ORDER = 0, 1  # what a generator is for, as the second last part of its key


def train_value(
    features: Float[Tensor, "s d"],
    value: Float[Tensor, " s"],
    action_value: Float[Tensor, "s 4"],
    recipe: GridValueRecipe,
    seed: tuple[int, ...],
) -> GridValueNetwork:
    """Train one network on the values of states; a few seconds for 15,000 states on two cores.

    The loss is the squared error of V plus the mean squared error of the four Q. Features are standardised by their
    mean and standard deviation here, as part of the network. The seed is the key of initial weights and order of
    states, and nothing else is random. The network comes back frozen and in evaluation mode.

    Raises:
        FloatingPointError: if training diverged.
    """
    network = for_network(recipe, Standardise.of(features), generator_for(*seed, WEIGHTS))
    target = torch.cat([value[:, None], action_value], dim=1).to(features)
    # One scale for all outputs: the loss stays that of the values, up to a factor.
    mean = target.mean(0)
    scale = nonzero((target - mean).std(correction=0))
    with one_thread():
        _fit(network, features, (target - mean) / scale, recipe, seed)
    weight, bias, _ = network.layers()[-1]
    with torch.no_grad():
        weight.mul_(scale)
        bias.mul_(scale).add_(mean)
    if not torch.stack([torch.isfinite(parameter).all() for parameter in network.parameters()]).all():
        raise FloatingPointError("training diverged: choose a lower model.learning_rate")
    return network.requires_grad_(False).eval()


def _fit(
    network: GridValueNetwork,
    features: Float[Tensor, "s d"],
    target: Float[Tensor, "s 5"],
    recipe: GridValueRecipe,
    seed: tuple[int, ...],
) -> None:
    size = min(recipe.batch_size, len(features))
    steps = recipe.epochs * -(-len(features) // size)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = adamw(parameters, recipe.learning_rate, recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    share = target.new_tensor([1, 1 / 4, 1 / 4, 1 / 4, 1 / 4])
    for epoch in range(recipe.epochs):
        order = sent(torch.randperm(len(features), generator=generator_for(*seed, ORDER, epoch)), features.device)
        for x, y in zip(features[order].split(size), target[order].split(size), strict=True):
            loss = ((network(x) - y).square() * share).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
