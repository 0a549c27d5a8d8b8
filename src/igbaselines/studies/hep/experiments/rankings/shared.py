"""What the studies of 2412.13864's open questions share: networks to explain, their rankings, and how well two agree.

Each study is an experiment of its own (`hep_sample_counts`, `hep_weightings`, `hep_combined`, `hep_architectures`,
`hep_stability`, `hep_scores`): it decides what makes the rankings differ. The columns `variant` and `other` of its rows
say which two rankings of a method were compared.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import Reference
from igbaselines.common.progress import bar
from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset, EventTable
from igbaselines.studies.hep.experiments.attributions import ClassAttribution, class_attribution
from igbaselines.studies.hep.experiments.networks import SplitEvents, split_events
from igbaselines.studies.hep.experiments.rankings.settings import RankingsEvaluation
from igbaselines.studies.hep.experiments.settings import HepAttribution
from igbaselines.studies.hep.experiments.shared import (
    BASELINES,
    background_reference,
    check_events,
    explained_events,
    load_events,
    retrain,
    sampled,
    train_on_all_features,
    usable_baselines,
)
from igbaselines.studies.hep.measures.classification import classification_metrics
from igbaselines.studies.hep.measures.rankings import by_score, places, rank_correlation, top_masks, top_overlap
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.studies.hep.networks.training import Trained

log = logging.getLogger(__name__)

TRAINING = 1_000_004  # what a stream of random numbers is for, as the last part of its key

Ranking: TypeAlias = Int[np.ndarray, " d"]


@dataclass(frozen=True)
class RankingStudy:
    """What every step of a study shares."""

    run: Run
    events: EventTable
    attribution: HepAttribution
    evaluation: RankingsEvaluation

    @classmethod
    def begin(
        cls,
        run: Run,
        dataset: EventDataset,
        attribution: HepAttribution,
        evaluation: RankingsEvaluation,
        baselines_per_process: int | None = None,
    ) -> "RankingStudy":
        """Load the events and check that they suffice.

        Args:
            run: of the experiment.
            dataset: of the experiment.
            attribution: of the experiment.
            evaluation: of the experiment.
            baselines_per_process: background events of each process that a training part has to hold; None takes the
                most that one of the sources of baselines draws.

        Raises:
            UserError: naming what the events lack.
        """
        run, events = load_events(run, dataset)
        attribution = replace(attribution, baselines=usable_baselines(attribution, events))
        most = max([source.count for source in sampled(attribution.baselines).values()], default=1)
        check_events(events, evaluation, baselines_per_process or most, attribution.signal_events)
        return cls(run, events, attribution, evaluation)

    def split(self, network: int) -> SplitEvents:
        """Split the events for one of the networks, as `hep_baselines` does."""
        return split_events(self.events, self.evaluation, network, self.run.seed, self.run.device)


@dataclass(frozen=True)
class RankingNetwork:
    """A network trained on all features, and what explaining it takes.

    Args:
        run: with checkpoints of this network's own.
        name: of the network, the unit of its rows.
        events: its split of the events.
        recipe: how it was trained.
        seed: key of its training.
        key: seeds the draws of baselines.
        trained: the network.
        signal: the events to explain.
        reference: what baselines are made of.
    """

    run: Run
    name: str
    events: SplitEvents
    recipe: ClassifierRecipe
    seed: tuple[int, ...]
    key: tuple[int, ...]
    trained: Trained
    signal: Float[Tensor, "n d"]
    reference: Reference

    @classmethod
    def train(
        cls,
        study: RankingStudy,
        recipe: ClassifierRecipe,
        name: str,
        events: SplitEvents,
        seed: tuple[int, ...],
        key: tuple[int, ...] | None = None,
    ) -> "RankingNetwork":
        """Train a network on all features, and draw the signal events to explain.

        Args:
            study: what the networks share.
            recipe: architecture and optimiser.
            name: of the network.
            events: the split.
            seed: key of the training.
            key: key of everything else that is drawn; None takes `seed`, as `hep_baselines` does.
        """
        key = key or seed
        run = replace(study.run, checkpoints=study.run.checkpoints / name)
        signal = explained_events(study.events, events, study.attribution.signal_events, key)
        trained = train_on_all_features(run, events, recipe, seed, name)
        reference = background_reference(study.events, events)
        return cls(run, name, events, recipe, seed, (*key, BASELINES), trained, signal, reference)

    def explain(
        self, settings: HepAttribution, label: str = "", reference: Reference | None = None
    ) -> ClassAttribution:
        """Attribute the output to the features, for every source of baselines in the settings.

        Args:
            settings: output, rule and baselines.
            label: tells attributions of the same network apart.
            reference: what baselines are made of; None takes all background events of the training part.
        """
        model = self.trained.networks.network(0, self.events.standardise, self.recipe.dropout)
        file = self.run.checkpoints / f"attribution{label}.safetensors"
        reference = reference or self.reference
        with bar(f"attributions {self.name} {label}", len(self.signal)) as progress:
            return class_attribution(
                model,
                self.signal,
                reference,
                settings,
                self.key,
                self.run.max_batch,
                file,
                progress,
                self.run.fast_paths,
            )


def networks(study: RankingStudy, recipe: ClassifierRecipe) -> Iterable[RankingNetwork]:
    """The networks of `hep_baselines`: each with its own split of the events and its own training seed."""
    for number in study.run.units(range(study.evaluation.networks)):
        seed = (study.run.seed, number)
        yield RankingNetwork.train(study, recipe, f"network_{number}", study.split(number), seed)


def rankings_of(settings: HepAttribution, attribution: ClassAttribution) -> dict[str, Ranking]:
    """The ranking of each source of baselines, by signed mean or magnitude."""
    scores = attribution.signed if settings.ranking == "signed" else attribution.magnitude
    return {name: by_score(row) for name, row in zip(settings.baselines, scores.cpu().numpy(), strict=True)}


def without_variants(rankings: Mapping[str, Ranking]) -> dict[tuple[str, str | None], Ranking]:
    """Name rankings for `add_retrained` where methods are all that differs."""
    return {(method, None): ranking for method, ranking in rankings.items()}


def add_rankings(study: RankingStudy, unit: str, rankings: Mapping[str, Ranking], **columns: str) -> None:
    """Write the place of each feature, counted from 1, in each method's ranking."""
    for method, ranking in rankings.items():
        table = pd.DataFrame({"feature": study.events.feature_names, "value": places(ranking) + 1.0})
        study.run.rows.add_table(table.assign(method=method, metric="rank", unit=unit, **columns))


def add_agreement(
    study: RankingStudy, unit: str, method: str, pairs: Sequence[tuple[Ranking, Ranking]], **columns: str
) -> None:
    """Write how well pairs of rankings agree: Spearman's correlation, and the overlap of their first features.

    Args:
        study: where rows go.
        unit: of the rows: what is independent of the other units.
        method: what the rankings were made with.
        pairs: compared each by itself; the mean over them is one value.
        columns: `variant` and `other`, what the two rankings of each pair are.
    """
    agreement = {
        "spearman": np.mean([rank_correlation(a, b) for a, b in pairs]),
        "top_overlap": np.mean([top_overlap(a, b, study.evaluation.top) for a, b in pairs]),
    }
    for metric, value in agreement.items():
        study.run.rows.add(method, metric, unit, float(value), **columns)


def add_retrained(
    study: RankingStudy,
    network: RankingNetwork,
    rankings: Mapping[tuple[str, str | None], Ranking],
    sizes: Sequence[int],
) -> pd.DataFrame:
    """Retrain on the first features of every ranking and write how well the networks classify.

    Args:
        study: where rows go.
        network: whose split and seed are taken.
        rankings: by method and variant, or None where there are no variants.
        sizes: numbers of first features.

    Returns:
        What was written: columns method, variant, k, metric (of the test part, and `validation_loss`), unit and value.
    """
    masks, index = top_masks(list(rankings.values()), sizes)
    run, name = network.run, network.name
    retrained = retrain(run, network.events, network.trained, masks, network.recipe, network.seed, name)
    is_signal = study.events.is_signal[network.events.split.test]
    metrics = [classification_metrics(row, is_signal) for row in retrained.logits]
    losses = [{"validation_loss": float(loss)} for loss in retrained.loss]
    table = pd.DataFrame(
        {"method": method, "variant": variant, "k": k, "metric": metric, "unit": name, "value": value}
        for (method, variant), of_sizes in zip(rankings, index, strict=True)
        for k, which in zip(sizes, of_sizes, strict=True)
        for metric, value in (metrics[which] | losses[which]).items()
    )
    run.rows.add_table(table)
    return table
