"""Training of a network that tells the classes of a table apart: AdamW, cross-entropy, the best epoch kept."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from igbaselines.common.randomness import generator_for
from igbaselines.common.threads import one_thread
from igbaselines.models.mlp import SwishMLP, draw_weights
from igbaselines.models.optimiser import adamw
from igbaselines.models.standardise import Standardise
from igbaselines.studies.tables.networks.recipe import TableMLPRecipe

WEIGHTS, ORDER = 0, 1  # what a generator is for, behind the seed


@dataclass(frozen=True)
class TrainingRows:
    """What a network may learn from: features in their own units, and classes, on the device of the training."""

    x: Float[Tensor, "t d"]
    y: Int[Tensor, " t"]
    validation_x: Float[Tensor, "v d"]
    validation_y: Int[Tensor, " v"]
    class_count: int


def train_mlp(rows: TrainingRows, recipe: TableMLPRecipe, seed: tuple[int, ...]) -> SwishMLP:
    """Train one network, until the validation loss has not improved for a while; it comes back frozen.

    Features are standardised by mean and standard deviation of the training part, as part of the network. The seed is
    the key of initial weights and order of rows, and nothing else is random.

    Raises:
        FloatingPointError: if training diverged.
    """
    network = SwishMLP(Standardise.of(rows.x), recipe.hidden, rows.class_count).to(rows.x)
    draw_weights(network.layers(), generator_for(*seed, WEIGHTS))
    with one_thread():
        _fit(network, rows, recipe, seed)
    return network.requires_grad_(False).eval()


def _fit(network: SwishMLP, rows: TrainingRows, recipe: TableMLPRecipe, seed: tuple[int, ...]) -> None:
    parameters = list(network.parameters())
    optimiser = adamw(parameters, recipe.learning_rate, recipe.weight_decay)
    best, best_loss, waited = [parameter.detach().clone() for parameter in parameters], torch.inf, 0
    for epoch in range(recipe.max_epochs):
        order = torch.randperm(len(rows.x), generator=generator_for(*seed, ORDER, epoch))
        for batch in order[: recipe.epoch_rows].to(rows.x.device).split(recipe.batch_size):
            loss = cross_entropy(network(rows.x[batch]), rows.y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            validation_loss = float(cross_entropy(network(rows.validation_x), rows.validation_y))
        if validation_loss < best_loss:
            best, best_loss, waited = [parameter.detach().clone() for parameter in parameters], validation_loss, 0
        elif (waited := waited + 1) == recipe.patience:
            break
    if best_loss == torch.inf:
        raise FloatingPointError("training diverged: choose a lower model.learning_rate")
    with torch.no_grad():
        for parameter, value in zip(parameters, best, strict=True):
            parameter.copy_(value)
