"""Networks that the experiments of 2412.13864 explain and retrain, one on each split of the events."""

import hashlib
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.methods import Method
from igbaselines.common.progress import bar, shares
from igbaselines.common.randomness import generator_for, stream
from igbaselines.common.tensors import save_tensors
from igbaselines.studies.hep.experiments.attributions import ClassAttribution, class_attribution
from igbaselines.studies.hep.experiments.networks import (
    AT_ONCE,
    SplitEvents,
    side_by_side,
    train_on_subsets,
    workers,
)
from igbaselines.studies.hep.experiments.study import HepStudy
from igbaselines.studies.hep.experiments.tasks import ranking_task, training_background
from igbaselines.studies.hep.measures.classification import roc_auc
from igbaselines.studies.hep.measures.rankings import Ranking, top_masks
from igbaselines.studies.hep.networks.dnn import Classifier
from igbaselines.studies.hep.networks.own import OwnNetwork
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.studies.hep.networks.training import EVALUATION_BATCH, Trained
from igbaselines.tasks import Background

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retrained:
    """Networks retrained on the first features of rankings, on one split of the events."""

    logits: Float[np.ndarray, "sets n"]  # of the test part, one row a distinct set of features
    loss: Float[np.ndarray, " sets"]  # class-balanced validation loss
    network: Int[np.ndarray, "rankings sizes"]  # of each ranking and number of features the row of its network


@dataclass(frozen=True)
class ExplainedNetwork(ABC):
    """A network that tells signal from background, and what explaining it takes."""

    study: HepStudy  # that it is part of
    name: str  # of the network, the unit of its rows
    events: SplitEvents  # its split of the events
    key: tuple[int, ...]  # key of everything that is drawn, but its training

    @property
    @abstractmethod
    def model(self) -> Classifier:
        """The network, from features in physical units to a logit."""

    @abstractmethod
    def retrain(self, rankings: Sequence[Ranking], sizes: Sequence[int]) -> Retrained:
        """Networks like this one, of the first features of each ranking alone."""

    def sizes(self, asked: Sequence[int]) -> list[int]:
        """Of numbers of features those for which there is a network."""
        return list(asked)

    @abstractmethod
    def keep(self) -> None:
        """Put the network among the results, if the run has made it, and say how its training went."""

    @property
    def checkpoints(self) -> Path:
        """The network's own folder."""
        return self.study.run.checkpoints / self.name

    @cached_property
    def explained(self) -> Int[np.ndarray, " n"]:
        """Indices of the signal events of the test part that are explained, drawn at random."""
        test = self.events.split.test
        signal = test[self.study.events.is_signal[test]]
        order = torch.randperm(len(signal), generator=generator_for(*self.key, "hep: explained events")).numpy()
        return np.asarray(signal[order[: self.study.attribution.signal_events]])

    @cached_property
    def background(self) -> Background:
        """Background events of the training part."""
        return training_background(self.study.events, self.events.split.train, self.events.standardise.mean)

    def explain(
        self,
        methods: Mapping[str, Method] | None = None,
        background: Background | None = None,
        output: str | None = None,
        label: str = "",
    ) -> ClassAttribution:
        """Attribute the output to the features: by the study's methods, background and output, if no others are given.

        Args:
            methods: by name.
            background: what baselines are made of.
            output: logit or probability.
            label: tells attributions of the same network apart.
        """
        study, run, start = self.study, self.study.run, time.monotonic()
        of_output, background = output or study.attribution.output, background or self.background
        task = ranking_task(
            self.name, self.model, study.events, self.explained, background, of_output, run.max_batch, run.fast_paths
        )
        file = self.checkpoints / f"attribution-{self.name}{label}.safetensors"
        key = (*self.key, stream("hep: baselines"))
        with bar(f"attributions {self.name}{label}", len(task.inputs)) as progress:
            found = class_attribution(methods or study.methods, task, key, file, progress, study.metrics)
        log.info("%s%s: %d events explained in %.1f s", self.name, label, len(task.inputs), time.monotonic() - start)
        return found


@dataclass(frozen=True)
class RankingNetwork(ExplainedNetwork):
    """A network that the run has trained on all features, and can train again on some of them."""

    recipe: ClassifierRecipe  # how it was trained
    seed: tuple[int, ...]  # key of its training
    trained: Trained

    @classmethod
    def train(
        cls,
        study: HepStudy,
        recipe: ClassifierRecipe,
        name: str,
        events: SplitEvents,
        seed: tuple[int, ...],
        key: tuple[int, ...] | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> "RankingNetwork":
        """Train a network on all features; without a `key` everything else is drawn by that of the training, `seed`.

        `progress` is called with 0 and in the end with 1; without it there is a bar.
        """
        everything = np.ones((1, len(study.events.feature_names)), dtype=bool)
        with nullcontext(progress) if progress else bar(f"ranking {name}", 1) as report:
            trained = train_on_subsets(events, everything, recipe, seed, study.run.checkpoints / name, report)
        log.info("%s: validation loss %.4f after %d epochs", name, trained.loss.item(), trained.epochs.item())
        return cls(study, name, events, key or seed, recipe, seed, trained)

    @property
    def model(self) -> Classifier:
        """The network, from features in physical units to a logit."""
        return self.trained.networks.network(0, self.events.standardise, self.recipe.dropout)

    def retrained(self, players: Int[Tensor, " k"]) -> float:
        """Train a network alike on some of the players' features alone; returns its ROC AUC on the test part."""
        mask = np.isin(self.study.events.player_of, players.cpu().numpy())[None]
        with bar(f"{self.name}: {mask.sum()} features", 1) as progress:
            trained = train_on_subsets(self.events, mask, self.recipe, self.seed, self.checkpoints, progress)
        logits = self.events.test_logits(trained.networks)[0]
        return float(roc_auc(self.study.events.is_signal[self.events.split.test], logits))

    def keep(self) -> None:
        """Put the network among the results, and say how its training went."""
        run = self.study.run
        file = run.artifacts / "networks" / f"{self.name}.safetensors"
        save_tensors(file, self.model.state_dict())
        run.checksums[self.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        run.rows.add("all_features", "network_loss", self.name, self.trained.loss.item())
        run.rows.add("all_features", "network_epochs", self.name, self.trained.epochs.item())

    def retrain(self, rankings: Sequence[Ranking], sizes: Sequence[int]) -> Retrained:
        """Train a network on each set of first features; the one with all of them is there already: this one."""
        of_players, index = top_masks(rankings, sizes)
        masks = of_players[:, self.study.events.player_of]
        smaller, name, recipe = ~masks.all(axis=1), self.name, self.recipe
        logits = np.repeat(self.events.test_logits(self.trained.networks), len(masks), axis=0)
        loss = np.repeat(self.trained.loss.cpu().numpy(), len(masks))
        if smaller.any():
            with bar(f"top-k networks {name}", int(smaller.sum())) as progress:
                found = train_on_subsets(self.events, masks[smaller], recipe, self.seed, self.checkpoints, progress)
            logits[smaller], loss[smaller] = self.events.test_logits(found.networks), found.loss.cpu().numpy()
            log.info("%s: %d retrained on subsets of the features", name, smaller.sum())
            if capped := int((found.epochs == recipe.max_epochs).sum()):
                log.warning("%s: %d of them had not converged after model.max_epochs", name, capped)
        return Retrained(logits, loss, index)


@dataclass(frozen=True)
class UsersNetwork(ExplainedNetwork):
    """A network of the user's on one split of the events; it is not trained, nor are others like it."""

    network: Classifier

    @property
    def model(self) -> Classifier:
        """The network."""
        return self.network

    def sizes(self, asked: Sequence[int]) -> list[int]:
        """All features."""
        return [max(asked)]

    def keep(self) -> None:
        """Leave it where the user has it: the run's checksums name it."""

    def retrain(self, rankings: Sequence[Ranking], sizes: Sequence[int]) -> Retrained:
        """The network itself stands for all rankings: its outputs of the test part."""
        table, device = self.study.events, self.events.data.x.device
        test = torch.from_numpy(table.features[self.events.split.test]).to(device)
        with torch.no_grad():
            logits = torch.cat([self.network(some) for some in test.split(EVALUATION_BATCH)])
        return Retrained(logits[None].cpu().numpy(), np.full(1, np.nan), np.zeros((len(rankings), 1), dtype=np.int64))


def explained_networks(study: HepStudy, model: ClassifierRecipe | OwnNetwork) -> Iterator[tuple[int, ExplainedNetwork]]:
    """The ranking networks with their numbers, or on each split of the events the user's own.

    Raises:
        UserError: where that is no network of these events.
    """
    if isinstance(model, ClassifierRecipe):
        yield from _numbered(study, model)
        return
    run = study.run
    if (checksum := model.checksum()) is not None:
        run.checksums["own network"] = checksum
    network = model.classifier(study.events.feature_names, run.device)
    study = replace(study, run=replace(run, checkpoints=run.checkpoints / run.fingerprint()))
    log.info("the network is the user's: whether it was trained on events that are explained here nobody knows")
    for number in run.units(range(study.evaluation.networks)):
        yield number, UsersNetwork(study, f"split_{number}", study.split(number), (run.seed, number), network)


def ranking_networks(study: HepStudy, recipe: ClassifierRecipe) -> Iterator[RankingNetwork]:
    """The ranking networks, each with its own split of the events and its own training seed."""
    for _, network in _numbered(study, recipe):
        yield network


def _numbered(study: HepStudy, recipe: ClassifierRecipe) -> Iterator[tuple[int, RankingNetwork]]:
    """Train some side by side: each is the network that it would be alone."""
    device, train = study.run.device, partial(_ranking_network, study, recipe)
    for numbers in study.run.batches(range(study.evaluation.networks), min(side_by_side(device), AT_ONCE)):
        count = len(numbers)
        with bar(f"ranking networks from {numbers[0]} on", count) as progress, workers(device, count) as each:
            networks = list(each(train, numbers, shares(progress, count)))
        yield from zip(numbers, networks, strict=True)


def _ranking_network(
    study: HepStudy, recipe: ClassifierRecipe, number: int, progress: Callable[[int], object]
) -> RankingNetwork:
    seed = study.run.seed, number
    return RankingNetwork.train(study, recipe, f"network_{number}", study.split(number), seed, progress=progress)
