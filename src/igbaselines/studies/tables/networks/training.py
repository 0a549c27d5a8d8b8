"""Training of a network that tells the classes of a table apart: AdamW, cross-entropy, the best epoch kept."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from igbaselines.common.randomness import generator_for
from igbaselines.common.threads import one_thread
from igbaselines.models.optimiser import adamw


@dataclass(frozen=True)
class TrainingRows:
    """What a network may learn from: features in their own units, and classes, on the device of the training."""

    x: Float[Tensor, "t d"]
    y: Int[Tensor, " t"]
    validation_x: Float[Tensor, "v d"]
    validation_y: Int[Tensor, " v"]
    class_count: int


def fit(
    network: nn.Module,
    rows: TrainingRows,
    seed: tuple[int | str, ...],
    *,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    epoch_rows: int,
    max_epochs: int,
    patience: int,
) -> None:
    """Train a network, (m, d) -> (m, classes), until its validation loss has not improved for `patience` epochs.

    It is left at its best epoch. The seed is the key of the order of rows, and nothing else is random.

    Raises:
        FloatingPointError: if training diverged.
    """
    parameters = list(network.parameters())
    optimiser = adamw(parameters, learning_rate, weight_decay)
    best, best_loss, waited = [parameter.detach().clone() for parameter in parameters], torch.inf, 0
    with one_thread():
        for epoch in range(max_epochs):
            order = torch.randperm(len(rows.x), generator=generator_for(*seed, epoch))
            for batch in order[:epoch_rows].to(rows.x.device).split(batch_size):
                loss = cross_entropy(network(rows.x[batch]), rows.y[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            with torch.no_grad():
                validation_loss = float(cross_entropy(network(rows.validation_x), rows.validation_y))
            if validation_loss < best_loss:
                best, best_loss, waited = [parameter.detach().clone() for parameter in parameters], validation_loss, 0
            elif (waited := waited + 1) == patience:
                break
    if best_loss == torch.inf:
        raise FloatingPointError("training diverged: choose a lower model.learning_rate")
    with torch.no_grad():
        for parameter, value in zip(parameters, best, strict=True):
            parameter.copy_(value)
