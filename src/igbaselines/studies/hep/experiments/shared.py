"""What the experiments of 2412.13864 share: the events, a network to explain on each split of them, and retraining."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from igbaselines.attribution.baselines import PerStratum
from igbaselines.attribution.weighting import ByStratum
from igbaselines.common.errors import UserError
from igbaselines.common.progress import bar
from igbaselines.common.randomness import generator_for
from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset, EventTable
from igbaselines.studies.hep.experiments.networks import SplitEvents, train_on_subsets
from igbaselines.studies.hep.experiments.settings import HepAttribution, HepSplits
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.studies.hep.networks.training import Trained
from igbaselines.tasks import Background, Imputer

log = logging.getLogger(__name__)

# What a stream of random numbers is for, as the last part of its key.
EXPLAINED_EVENTS, BASELINES = 1_000_001, 1_000_002


@dataclass(frozen=True)
class Retrained:
    """Networks retrained on subsets of the features, on one split of the events.

    Args:
        logits: of the test part.
        loss: class-balanced validation loss.
    """

    logits: Float[np.ndarray, "sets n"]
    loss: Float[np.ndarray, " sets"]


def load_events(run: Run, dataset: EventDataset) -> tuple[Run, EventTable]:
    """Load the events; the checkpoints of the returned run belong to these events and to no others."""
    events = dataset.load(run.cache, run.workers)
    run.checksums["events"] = events.checksum
    if (source := dataset.checksum()) is not None:
        run.checksums["dataset"] = source
    return replace(run, checkpoints=run.checkpoints / events.checksum[:16]), events


def usable_baselines(attribution: HepAttribution, events: EventTable) -> dict[str, Imputer]:
    """The sources of baselines for which the events have what it takes."""
    if events.weight is not None:
        return attribution.baselines
    log.info("the events have no weights: no significance, and no baselines weighted by cross-section")
    return {
        name: source
        for name, source in attribution.baselines.items()
        if not (isinstance(source, PerStratum) and isinstance(source.weighting, ByStratum))
    }


def sampled(baselines: Mapping[str, Imputer]) -> dict[str, PerStratum]:
    """Those of the sources that draw events of each background."""
    return {name: source for name, source in baselines.items() if isinstance(source, PerStratum)}


def check_events(events: EventTable, splits: HepSplits, baselines_per_process: int, signal_events: int) -> None:
    """Say before any work what the events lack.

    Args:
        events: all events.
        splits: fractions and number of networks.
        baselines_per_process: background events of each process that a training part has to hold.
        signal_events: signal events that a test part has to hold.

    Raises:
        UserError: naming what would be needed.
    """
    events.require(process_events=max(10, int(np.ceil(baselines_per_process / splits.train_fraction)) + 1))
    available = int(events.is_signal.sum() * splits.test_fraction)
    if available < signal_events:
        raise UserError(
            f"attribution.signal_events={signal_events} but a test part holds {available} signal "
            "events: take fewer, or more dataset.n_events"
        )


def train_on_all_features(
    run: Run, events: SplitEvents, recipe: ClassifierRecipe, seed: tuple[int, ...], name: str
) -> Trained:
    """Train the network that will be explained."""
    everything = np.ones((1, events.data.x.shape[1]), dtype=bool)
    with bar(f"ranking {name}", 1) as progress:
        ranking = train_on_subsets(events, everything, recipe, seed, run.checkpoints, progress)
    log.info("%s: validation loss %.4f after %d epochs", name, ranking.loss.item(), ranking.epochs.item())
    return ranking


def explained_events(
    table: EventTable, events: SplitEvents, count: int, key: tuple[int, ...]
) -> Float[Tensor, "count d"]:
    """Draw signal events of the test part, on the device where networks are trained.

    Args:
        table: all events.
        events: the split.
        count: how many.
        key: seeds the draw.
    """
    signal = events.split.test[table.is_signal[events.split.test]]
    chosen = torch.randperm(len(signal), generator=generator_for(*key, EXPLAINED_EVENTS))
    return torch.from_numpy(table.features[signal[chosen[:count].numpy()]]).to(events.data.x.device)


def background_reference(table: EventTable, events: SplitEvents) -> Background:
    """Background events of the training part, in strata by process, weighted by cross-section."""
    device = events.data.x.device
    index = events.split.train[~table.is_signal[events.split.train]]
    cross_section = weight = None
    if table.weight is not None:
        cross_section = torch.from_numpy(np.bincount(table.process, table.weight, len(table.processes))).to(device)
        weight = torch.from_numpy(table.weight[index]).to(device)
    return Background(
        examples=torch.from_numpy(table.features[index]).to(device),
        stratum=torch.from_numpy(table.process[index].astype(np.int64)).to(device),
        stratum_weight=cross_section,
        example_weight=weight,
        centre=events.standardise.mean,
    )


def retrain(
    run: Run,
    events: SplitEvents,
    ranking: Trained,
    masks: Bool[np.ndarray, "sets d"],
    recipe: ClassifierRecipe,
    seed: tuple[int, ...],
    name: str,
) -> Retrained:
    """Train a network on each set of features; the one with all of them is there already: the ranking network."""
    smaller = ~masks.all(axis=1)
    logits = np.repeat(events.test_logits(ranking.networks), len(masks), axis=0)
    loss = np.repeat(ranking.loss.cpu().numpy(), len(masks))
    if smaller.any():
        with bar(f"top-k networks {name}", int(smaller.sum())) as progress:
            retrained = train_on_subsets(events, masks[smaller], recipe, seed, run.checkpoints, progress)
        logits[smaller], loss[smaller] = events.test_logits(retrained.networks), retrained.loss.cpu().numpy()
        capped = int((retrained.epochs == recipe.max_epochs).sum())
        log.info("%s: %d retrained on subsets of the features", name, smaller.sum())
        if capped:
            log.warning("%s: %d of them had not converged after model.max_epochs", name, capped)
    return Retrained(logits, loss)
