"""2412.13864, "Constructing sensible baselines for Integrated Gradients": Figures 1 to 5.

Ranking networks are trained on all features and explained from every baseline; then networks are retrained on the top k
features of every ranking. Each ranking network has its own split of the events, and all that follows from it is judged
on the test part of that split.
"""

import hashlib
import logging
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from igbaselines.common.progress import bar
from igbaselines.common.randomness import generator_for
from igbaselines.common.tensors import save_tensors
from igbaselines.running.context import Run
from igbaselines.studies.hep.data.events import EventDataset, EventTable
from igbaselines.studies.hep.experiments.attributions import GAP_QUANTILES, ClassAttribution, class_attribution
from igbaselines.studies.hep.experiments.networks import SplitEvents, split_events
from igbaselines.studies.hep.experiments.settings import HepAttribution, HepEvaluation
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
from igbaselines.studies.hep.experiments.significance import (
    add_event_counts,
    add_significance,
    cross_sections,
    select_events,
)
from igbaselines.studies.hep.measures.classification import classification_metrics
from igbaselines.studies.hep.measures.discovery import Selected, pooled_significance
from igbaselines.studies.hep.measures.rankings import by_score, by_single_feature_auc, top_masks
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe
from igbaselines.studies.hep.networks.training import Trained

log = logging.getLogger(__name__)

RANDOM_RANKINGS = 1_000_003  # what a stream of random numbers is for, as the last part of its key


@dataclass(frozen=True)
class Study:
    """What every step of the experiment shares."""

    run: Run
    events: EventTable
    model: ClassifierRecipe
    attribution: HepAttribution
    evaluation: HepEvaluation
    sizes: list[int]


def run(
    run: Run,
    dataset: EventDataset,
    model: ClassifierRecipe,
    attribution: HepAttribution,
    evaluation: HepEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`.

    Raises:
        UserError: where the events do not suffice for what is asked.
    """
    run, events = load_events(run, dataset)
    attribution = replace(attribution, baselines=usable_baselines(attribution, events))
    study = Study(run, events, model, attribution, evaluation, evaluation.sizes(len(events.feature_names)))
    _check(study)
    add_event_counts(run.rows, events)
    selected = [_one_network(study, network) for network in run.units(range(evaluation.networks))]
    parts = [part for part in selected if part is not None]
    if parts and events.weight is not None:
        luminosity, replicates = evaluation.luminosity, evaluation.bootstrap
        significance = pooled_significance(parts, cross_sections(events), luminosity, replicates, run.seed)
        add_significance(run.rows, _cuts(study), significance)


def _check(study: Study) -> None:
    """Say before any work what the events lack."""
    evaluation, attribution = study.evaluation, study.attribution
    per_process = max([source.count for source in sampled(attribution.baselines).values()], default=1)
    check_events(study.events, evaluation, per_process, attribution.signal_events)
    if evaluation.networks * evaluation.test_fraction < 1:
        log.info("%d networks score only a part of the events out of fold", evaluation.networks)


def _one_network(study: Study, network: int) -> Selected | None:
    """Train, explain, rank, retrain and judge with one split of the events."""
    events = split_events(study.events, study.evaluation, network, study.run.seed, study.run.device)
    seed, name = (study.run.seed, network), f"network {network}"
    ranking = train_on_all_features(study.run, events, study.model, seed, name)
    attribution = _explain(study, events, ranking, network)
    rankings = _rankings(study, events, attribution, network)
    masks, index = top_masks(list(rankings.values()), study.sizes)
    logits = retrain(study.run, events, ranking, masks, study.model, seed, name).logits
    _add_classification(study, events, list(rankings), index, logits, network)
    if study.events.weight is None:
        return None
    return select_events(study.events, events.split, logits[index.flatten()], study.evaluation.signal_efficiency)


def _explain(study: Study, events: SplitEvents, ranking: Trained, network: int) -> ClassAttribution:
    run, rows = study.run, study.run.rows
    model = ranking.networks.network(0, events.standardise, study.model.dropout)
    file = run.artifacts / "networks" / f"network_{network}.safetensors"
    save_tensors(file, model.state_dict())
    run.checksums[f"network_{network}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    rows.add("all_features", "network_loss", f"network_{network}", ranking.loss.item())
    rows.add("all_features", "network_epochs", f"network_{network}", ranking.epochs.item())
    signal = explained_events(study.events, events, study.attribution.signal_events, (run.seed, network))
    checkpoint = run.checkpoints / f"attribution-{network}.safetensors"
    start = time.monotonic()
    with bar(f"attributions {network}", len(signal)) as progress:
        attribution = class_attribution(
            model,
            signal,
            background_reference(study.events, events),
            study.attribution,
            (run.seed, network, BASELINES),
            run.max_batch,
            checkpoint,
            progress,
            run.fast_paths,
        )
    log.info("network %d: %d events explained in %.1f s", network, len(signal), time.monotonic() - start)
    _add_attributions(study, attribution, network)
    return attribution


def _rankings(
    study: Study, events: SplitEvents, attribution: ClassAttribution, network: int
) -> dict[str, Int[np.ndarray, " d"]]:
    """Rankings by every baseline, and the controls."""
    scores = attribution.signed if study.attribution.ranking == "signed" else attribution.magnitude
    names = study.attribution.baselines
    rankings = {name: by_score(row) for name, row in zip(names, scores.cpu().numpy(), strict=True)}
    train = events.split.train
    rankings["single_feature_auc"] = by_single_feature_auc(study.events.features[train], study.events.is_signal[train])
    generator = generator_for(study.run.seed, network, RANDOM_RANKINGS)
    for control in range(study.evaluation.random_rankings):
        rankings[f"random_{control}"] = torch.randperm(len(study.events.feature_names), generator=generator).numpy()
    for name, ranking in rankings.items():
        for position, feature in enumerate(ranking):
            label = study.events.feature_names[feature]
            study.run.rows.add(name, "rank", f"network_{network}", position + 1, feature=label)
    return rankings


def _add_attributions(study: Study, attribution: ClassAttribution, network: int) -> None:
    unit = f"network_{network}"
    for row, method in enumerate(study.attribution.baselines):
        for metric, values in (
            ("attribution", attribution.signed),
            ("attribution_magnitude", attribution.magnitude),
        ):
            for feature, value in zip(study.events.feature_names, values[row].tolist(), strict=True):
                study.run.rows.add(method, metric, unit, value, feature=feature)
        for name, value in zip(GAP_QUANTILES, attribution.gap[row].tolist(), strict=True):
            study.run.rows.add(method, f"completeness_gap_{name}", unit, value)


def _add_classification(
    study: Study,
    events: SplitEvents,
    methods: list[str],
    index: Int[np.ndarray, "methods sizes"],
    logits: Float[np.ndarray, "networks n"],
    network: int,
) -> None:
    is_signal = study.events.is_signal[events.split.test]
    metrics = [classification_metrics(row, is_signal) for row in logits]
    for method, of_sizes in zip(methods, index, strict=True):
        for k, which in zip(study.sizes, of_sizes, strict=True):
            for metric, value in metrics[which].items():
                study.run.rows.add(method, metric, f"network_{network}", value, k=k)


def _cuts(study: Study) -> list[tuple[str, int]]:
    """Method and number of features of each network that a cut is put on, in the order of the rankings."""
    methods = [*study.attribution.baselines, "single_feature_auc"]
    methods += [f"random_{control}" for control in range(study.evaluation.random_rankings)]
    return [(method, k) for method in methods for k in study.sizes]
