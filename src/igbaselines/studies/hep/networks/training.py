"""Training as in 2412.13864: AdamW, class-balanced loss, early stopping, the best epoch kept."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from igbaselines.common.devices import sent
from igbaselines.common.randomness import generator_for
from igbaselines.common.stopping import stop_asked
from igbaselines.common.tensors import load_tensors, save_tensors
from igbaselines.models.optimiser import adamw
from igbaselines.studies.hep.networks.ensemble import Ensemble, State
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.studies.hep.networks.training_data import TrainingData

SECONDS_BETWEEN_CHECKPOINTS = 20.0
EVALUATION_BATCH = 4096


@dataclass(frozen=True)
class Trained:
    """Trained networks at their best epochs."""

    networks: Ensemble
    loss: Float[Tensor, " n"]  # best class-balanced validation loss of each
    epochs: Int[Tensor, " n"]  # epochs that each was trained for


def train(
    data: TrainingData,
    mask: Bool[Tensor, "n d"],
    recipe: ClassifierRecipe,
    seed: tuple[int, ...],
    checkpoint: Path | None = None,
    progress: Callable[[int], object] | None = None,
) -> Trained:
    """Train one network for each mask, all on the same events in the same order, as one batch of networks.

    Args:
        data: the events; on the device where training shall happen.
        mask: the features that each network sees.
        recipe: architecture and optimiser.
        seed: key of initial weights, order of events and dropout; the result depends on nothing else random.
        checkpoint: file for the state of an unfinished training, from which it goes on after a kill.
        progress: called with the number of networks that have finished.
    """
    training = _Training(data, mask, recipe, seed)
    if checkpoint is not None and (state := load_tensors(checkpoint)) is not None:
        training.restore(state)
    saved_at = time.monotonic()
    while len(training.active):
        training.epoch()
        if checkpoint is not None and (stop_asked() or time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS):
            save_tensors(checkpoint, training.state())
            saved_at = time.monotonic()
        if progress is not None:
            progress(len(mask) - len(training.active))
    if not torch.isfinite(training.best_loss).all():
        raise FloatingPointError("training diverged: a network never had a finite validation loss")
    return Trained(training.best, training.best_loss, training.epochs)


@torch.no_grad()
def evaluate(networks: Ensemble, x: Float[Tensor, "events d"]) -> Float[Tensor, "n events"]:
    """Logits of standardised events in evaluation mode, in chunks."""
    return torch.cat([networks.logits(chunk) for chunk in x.split(EVALUATION_BATCH)], dim=1)


class _Training:
    """The networks of one batch, of which those that have converged drop out."""

    def __init__(
        self, data: TrainingData, mask: Bool[Tensor, "n d"], recipe: ClassifierRecipe, seed: tuple[int, ...]
    ) -> None:
        self.data, self.recipe, self.seed = data, recipe, seed
        n, device = len(mask), data.x.device
        self.networks = recipe.untrained(mask.to(device), data, generator_for(*seed))
        self.networks.state = {
            name: value.to(data.x.dtype) if value.is_floating_point() else value
            for name, value in self.networks.state.items()
        }
        self.best = self.networks.select(torch.arange(n, device=device))
        self.best_loss = torch.full((n,), torch.inf, dtype=data.x.dtype, device=device)
        self.epochs = torch.zeros(n, dtype=torch.int64, device=device)
        self.waiting = torch.zeros(n, dtype=torch.int64, device=device)
        self.active = torch.arange(n, device=device)
        self.optimiser = self._optimiser()
        self.weights = data.class_weights(data.train), data.class_weights(data.validation)

    def epoch(self) -> None:
        """One pass over the training part, then validation, then those that no longer improve drop out."""
        epoch = int(self.epochs.max())
        for batch, keep in self._batches(epoch):
            events = self.data.train[batch]
            logits = self.networks.logits(self.data.x[events], keep)
            loss = self._loss(logits, events, self.weights[0][batch])
            self.optimiser.zero_grad()
            loss.sum().backward()
            self.networks.mask_gradients()
            self.optimiser.step()
        self.epochs[self.active] += 1
        self._keep_best()
        goes_on = self.waiting[self.active] < self.recipe.patience
        if epoch + 1 == self.recipe.max_epochs:
            goes_on[:] = False
        chosen = goes_on.nonzero().squeeze(1)
        if len(chosen) < len(goes_on):
            self._continue_with(chosen)

    def state(self) -> State:
        """Everything that the rest of the training depends on."""
        moments = self.optimiser.state
        state = {f"best.{name}": tensor for name, tensor in self.best.state.items()}
        state |= {"best_loss": self.best_loss, "epochs": self.epochs, "waiting": self.waiting, "active": self.active}
        state |= {f"now.{name}": tensor.detach() for name, tensor in self.networks.state.items()}
        for name, parameter in self.networks.trained().items():
            state |= {f"{moment}.{name}": value for moment, value in moments[parameter].items()}
        return state

    def restore(self, state: State) -> None:
        """Go on from what `state` returned."""
        state = {name: tensor.to(self.data.x.device) for name, tensor in state.items()}
        self.best_loss, self.epochs, self.waiting = state["best_loss"], state["epochs"], state["waiting"]
        self.active = state["active"]
        self.best, self.networks = (
            self.networks.with_state({n.removeprefix(part): t for n, t in state.items() if n.startswith(part)})
            for part in ("best.", "now.")
        )
        self.optimiser = self._optimiser()
        for name, parameter in self.networks.trained().items():
            moments = ("step", "exp_avg", "exp_avg_sq")
            self.optimiser.state[parameter] = {moment: state[f"{moment}.{name}"] for moment in moments}

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        """Shuffled positions in the training part, and the dropout factors of every layer."""
        units = self.networks.dropout_units
        recipe, device = self.recipe, self.data.x.device
        events = min(recipe.epoch_events, len(self.data.train))
        turn, part = divmod(epoch, len(self.data.train) // events)
        order = torch.randperm(len(self.data.train), generator=generator_for(*self.seed, turn))
        order = sent(order[part * events : (part + 1) * events], device)
        size = min(recipe.batch_size, events)
        generator = generator_for(*self.seed, epoch, 1, device=device)
        for batch in order.split(size):
            if len(batch) == size:  # a short last batch has noisier statistics, so it is left to another epoch
                shape = (sum(units), size)
                kept = torch.rand(shape, generator=generator, device=device) >= recipe.dropout
                yield batch, (kept.to(self.data.x.dtype) / (1 - recipe.dropout)).split(units)

    def _loss(self, logits: Tensor, events: Tensor, weights: Tensor) -> Tensor:
        target = self.data.target[events].expand_as(logits)
        return (binary_cross_entropy_with_logits(logits, target, reduction="none") * weights).mean(dim=1)

    @torch.no_grad()
    def _keep_best(self) -> None:
        events, weights = self.data.validation, self.weights[1]
        loss = self._loss(evaluate(self.networks, self.data.x[events]), events, weights)
        improved = (loss < self.best_loss[self.active]).nonzero().squeeze(1)  # the host waits for a GPU once
        better = self.active[improved]
        self.best_loss[better] = loss[improved]
        for name, tensor in self.networks.state.items():
            self.best.state[name][better] = tensor[improved]
        self.waiting[self.active] += 1
        self.waiting[better] = 0

    def _continue_with(self, chosen: Int[Tensor, " a"]) -> None:
        moments = {name: self.optimiser.state[p] for name, p in self.networks.trained().items()}
        self.networks = self.networks.select(chosen)
        self.active = self.active[chosen]
        self.optimiser = self._optimiser()
        for name, parameter in self.networks.trained().items():
            self.optimiser.state[parameter] = {
                moment: value[chosen] if value.dim() else value for moment, value in moments[name].items()
            }

    def _optimiser(self) -> torch.optim.AdamW:
        parameters = [tensor.requires_grad_() for tensor in self.networks.trained().values()]
        return adamw(parameters, self.recipe.learning_rate, self.recipe.weight_decay)
