"""The networks of 2412.13864: one split of the events a ranking network, and retraining on subsets of the features."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from igbaselines.common.progress import shares
from igbaselines.common.splits import Split, rotated_split
from igbaselines.common.tensors import load_tensors, save_tensors
from igbaselines.common.threads import one_thread
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.experiments.settings import HepSplits
from igbaselines.studies.hep.networks.ensemble import Ensemble
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.studies.hep.networks.training import Trained, evaluate, train
from igbaselines.studies.hep.networks.training_data import TrainingData

AT_ONCE = 4  # ranking networks that are trained side by side, at most: each has a copy of the events
ON_A_GPU = 64  # networks that are trained side by side there, at least: their layers are small


@dataclass(frozen=True)
class SplitEvents:
    """Events split for one ranking network and standardised on its training part."""

    split: Split  # indices of the parts
    standardise: Standardise  # statistics of the training part
    data: TrainingData  # standardised events on the device

    def test_logits(self, networks: Ensemble) -> Float[np.ndarray, "n events"]:
        """Logits of the test part."""
        test = torch.from_numpy(self.split.test).to(self.data.x.device)
        return evaluate(networks, self.data.x[test]).cpu().numpy()


def split_events(
    events: EventTable, evaluation: HepSplits, network: int, seed: int, device: torch.device
) -> SplitEvents:
    """Split the events for one of the ranking networks that share a circle, in the order that the seed draws."""
    fractions = evaluation.train_fraction, evaluation.validation_fraction
    split = rotated_split(events.process, seed, evaluation.turn(network), *fractions)
    part = events.features[split.train]
    mean = part.mean(axis=0, dtype=np.float64)
    scale = part.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1
    standardise = Standardise(*(torch.from_numpy(v.astype(np.float32)).to(device) for v in (mean, scale)))
    x = standardise(torch.from_numpy(events.features).to(device))
    target = torch.from_numpy(events.is_signal).to(x)
    train_part, validation_part = (torch.from_numpy(indices).to(device) for indices in split[:2])
    counts = None if events.training_weight is None else torch.from_numpy(events.training_weight).to(x)
    data = TrainingData(x, target, train_part, validation_part, events.feature_names, counts, standardise)
    return SplitEvents(split, standardise, data)


def train_on_subsets(
    events: SplitEvents,
    masks: Bool[np.ndarray, "sets d"],
    recipe: ClassifierRecipe,
    seed: tuple[int, ...],
    checkpoints: Path,
    progress: Callable[[int], object],
) -> Trained:
    """Train a network on each subset of the features, many at once; what is finished is not trained again.

    Args:
        events: the split events.
        masks: the features of each subset.
        recipe: architecture and optimiser.
        seed: of initial weights, order of events and dropout, the same for every subset.
        checkpoints: folder for finished and unfinished networks.
        progress: called with the number of networks that are finished.
    """
    at_once = max(recipe.networks_at_once, 1 if events.data.x.device.type == "cpu" else ON_A_GPU)
    groups = [torch.from_numpy(masks[start : start + at_once]) for start in range(0, len(masks), at_once)]
    stopped = threading.Event()

    def train_group(mask: Tensor, share: Callable[[int], object]) -> Trained:
        def report(done: int) -> None:
            share(done)
            if stopped.is_set():
                raise CancelledError

        name = hashlib.sha256(repr((recipe, seed)).encode() + mask.numpy().tobytes()).hexdigest()[:16]
        file, unfinished = (checkpoints / f"{kind}-{name}.safetensors" for kind in ("networks", "unfinished"))
        state = load_tensors(file, events.data.x.device)
        if state is not None:
            loss, epochs = state.pop("loss"), state.pop("epochs")
            trained = Trained(recipe.with_state(state), loss, epochs)
        else:
            trained = train(events.data, mask, recipe, seed, unfinished, report)
            save_tensors(file, {"loss": trained.loss, "epochs": trained.epochs, **trained.networks.state})
            unfinished.unlink(missing_ok=True)
        report(len(mask))
        return trained

    with workers(events.data.x.device, len(groups)) as each:
        try:
            return _together(list(each(train_group, groups, shares(progress, len(groups)))))
        except BaseException:
            stopped.set()
            raise


def side_by_side(device: torch.device) -> int:
    """How many trainings run beside one another: on a CPU one a core, which beats many cores at each small product."""
    return torch.get_num_threads() if device.type == "cpu" else 1


@contextmanager
def workers(device: torch.device, most: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A `map` by as many threads as trainings run side by side, so many at most.

    One alone goes on in the thread that asks: each further one has address space of its own.
    """
    count = min(side_by_side(device), most)
    with one_thread():
        if count == 1:
            yield map
            return
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map


def _together(groups: list[Trained]) -> Trained:
    def join(tensors: list[Tensor]) -> Tensor:
        return torch.cat([tensor.detach() for tensor in tensors])

    states = [group.networks.state for group in groups]
    state = {name: join([each[name] for each in states]) for name in states[0]}
    networks = groups[0].networks.with_state(state)
    return Trained(networks, join([g.loss for g in groups]), join([g.epochs for g in groups]))
