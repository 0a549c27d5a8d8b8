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

from igbaselines.attribution.baselines import BaselineSource, PerStratum, Reference
from igbaselines.attribution.weighting import ByStratum
from igbaselines.datasets.events import EventDataset, EventTable
from igbaselines.errors import UserError
from igbaselines.evaluation.classification import classification_metrics
from igbaselines.evaluation.discovery import Selected, Significance, pooled_significance
from igbaselines.evaluation.rankings import by_score, by_single_feature_auc, top_masks
from igbaselines.experiments.hep_attributions import GAP_QUANTILES, ClassAttribution, class_attribution
from igbaselines.experiments.hep_networks import SplitEvents, split_events, train_on_subsets
from igbaselines.experiments.hep_settings import HepAttribution, HepEvaluation
from igbaselines.experiments.runner import Run
from igbaselines.models.recipe import SwishRecipe
from igbaselines.models.training import Trained
from igbaselines.progress import bar
from igbaselines.randomness import generator_for
from igbaselines.tensors import save_tensors

log = logging.getLogger(__name__)

# What a stream of random numbers is for, as the last part of its key.
EXPLAINED_EVENTS, BASELINES, RANDOM_RANKINGS = 1_000_001, 1_000_002, 1_000_003


@dataclass(frozen=True)
class Study:
    """What every step of the experiment shares."""

    run: Run
    events: EventTable
    model: SwishRecipe
    attribution: HepAttribution
    evaluation: HepEvaluation
    sizes: list[int]


def run(
    run: Run,
    dataset: EventDataset,
    model: SwishRecipe,
    attribution: HepAttribution,
    evaluation: HepEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`.

    Raises:
        UserError: where the events do not suffice for what is asked.
    """
    events = dataset.load(run.cache, run.workers)
    run.checksums["events"] = events.checksum
    run = replace(run, checkpoints=run.checkpoints / events.checksum[:16])  # of these events and no others
    attribution = replace(attribution, baselines=_usable_baselines(attribution, events))
    study = Study(run, events, model, attribution, evaluation, evaluation.sizes(len(events.feature_names)))
    _check(study)
    _add_event_counts(study)
    selected = [_one_network(study, network) for network in range(evaluation.networks)]
    parts = [part for part in selected if part is not None]
    if parts and events.weight is not None:
        cross_section = float(events.weight[events.is_signal].sum())
        luminosity, replicates = evaluation.luminosity, evaluation.bootstrap
        _add_significance(study, pooled_significance(parts, cross_section, luminosity, replicates, run.seed))


def _usable_baselines(attribution: HepAttribution, events: EventTable) -> dict[str, BaselineSource]:
    """The sources of baselines for which the events have what it takes."""
    if events.weight is not None:
        return attribution.baselines
    log.info("the events have no weights: no significance, and no baselines weighted by cross-section")
    return {
        name: source
        for name, source in attribution.baselines.items()
        if not (isinstance(source, PerStratum) and isinstance(source.weighting, ByStratum))
    }


def _check(study: Study) -> None:
    """Say before any work what the events lack."""
    events, evaluation = study.events, study.evaluation
    sampled = [source for source in study.attribution.baselines.values() if isinstance(source, PerStratum)]
    per_process = max([source.count for source in sampled], default=1)
    events.require(process_events=max(10, int(np.ceil(per_process / evaluation.train_fraction)) + 1))
    test_fraction = 1 - evaluation.train_fraction - evaluation.validation_fraction
    signal_events = int(events.is_signal.sum() * test_fraction)
    if signal_events < study.attribution.signal_events:
        raise UserError(
            f"attribution.signal_events={study.attribution.signal_events} but a test part holds {signal_events} signal "
            "events: take fewer, or more dataset.n_events"
        )
    if evaluation.networks * test_fraction < 1:
        log.info("%d networks score only a part of the events out of fold", evaluation.networks)


def _one_network(study: Study, network: int) -> Selected | None:
    """Train, explain, rank, retrain and judge with one split of the events."""
    events = split_events(study.events, study.evaluation, network, study.run.seed, study.run.device)
    everything = np.ones((1, len(study.events.feature_names)), dtype=bool)
    seed = (study.run.seed, network)
    with bar(f"ranking network {network}", 1) as progress:
        ranking = train_on_subsets(events, everything, study.model, seed, study.run.checkpoints, progress)
    log.info(
        "network %d: validation loss %.4f after %d epochs",
        network,
        ranking.loss.item(),
        ranking.epochs.item(),
    )
    attribution = _explain(study, events, ranking, network)
    rankings = _rankings(study, events, attribution, network)
    masks, index = top_masks(list(rankings.values()), study.sizes)
    # The last size is all features, and that network is there already: the ranking network itself.
    smaller = ~masks.all(axis=1)
    logits = np.repeat(events.test_logits(ranking.networks), len(masks), axis=0)
    if smaller.any():
        with bar(f"top-k networks {network}", smaller.sum()) as progress:
            retrained = train_on_subsets(events, masks[smaller], study.model, seed, study.run.checkpoints, progress)
        logits[smaller] = events.test_logits(retrained.networks)
        capped = int((retrained.epochs == study.model.max_epochs).sum())
        log.info("network %d: %d retrained on subsets of the features", network, smaller.sum())
        if capped:
            log.warning("network %d: %d of them had not converged after model.max_epochs", network, capped)
    _add_classification(study, events, list(rankings), index, logits, network)
    return _select(study, events, logits[index.flatten()]) if study.events.weight is not None else None


def _explain(study: Study, events: SplitEvents, ranking: Trained, network: int) -> ClassAttribution:
    run, rows = study.run, study.run.rows
    model = ranking.networks.network(0, events.standardise, study.model.dropout)
    file = run.artifacts / "networks" / f"network_{network}.safetensors"
    save_tensors(file, model.state_dict())
    run.checksums[f"network_{network}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    rows.add("all_features", "network_loss", f"network_{network}", ranking.loss.item())
    rows.add("all_features", "network_epochs", f"network_{network}", ranking.epochs.item())
    signal = events.split.test[study.events.is_signal[events.split.test]]
    chosen = torch.randperm(len(signal), generator=generator_for(run.seed, network, EXPLAINED_EVENTS))
    signal = signal[chosen[: study.attribution.signal_events].numpy()]
    checkpoint = run.checkpoints / f"attribution-{network}.safetensors"
    start = time.monotonic()
    with bar(f"attributions {network}", len(signal)) as progress:
        attribution = class_attribution(
            model,
            torch.from_numpy(study.events.features[signal]).to(run.device),
            _reference(study, events),
            study.attribution,
            (run.seed, network, BASELINES),
            run.max_batch,
            checkpoint,
            progress,
        )
    log.info("network %d: %d events explained in %.1f s", network, len(signal), time.monotonic() - start)
    _add_attributions(study, attribution, network)
    return attribution


def _reference(study: Study, events: SplitEvents) -> Reference:
    """Background events of the training part, in strata by process, weighted by cross-section."""
    table, device = study.events, study.run.device
    index = events.split.train[~table.is_signal[events.split.train]]
    cross_section = None
    if table.weight is not None:
        cross_section = torch.from_numpy(np.bincount(table.process, table.weight, len(table.processes))).to(device)
    return Reference(
        examples=torch.from_numpy(table.features[index]).to(device),
        stratum=torch.from_numpy(table.process[index].astype(np.int64)).to(device),
        stratum_weight=cross_section,
        centre=events.standardise.mean,
    )


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


def _select(study: Study, events: SplitEvents, logits: Float[np.ndarray, "cuts n"]) -> Selected:
    """Cut every network's output at the configured signal efficiency of the test part."""
    table, test = study.events, events.split.test
    assert table.weight is not None
    is_signal = table.is_signal[test]
    cut = np.quantile(logits[:, is_signal], 1 - study.evaluation.signal_efficiency, axis=1)
    background = test[~is_signal]
    counted = len(table.processes)
    share = np.bincount(table.process[test], minlength=counted) / np.bincount(table.process, minlength=counted)
    return Selected(
        event=background,
        weight=table.weight[background] / share[table.process[background]],
        passes=(logits[:, ~is_signal] > cut[:, None]).T,
        signal_efficiency=(logits[:, is_signal] > cut[:, None]).mean(axis=1),
    )


def _add_event_counts(study: Study) -> None:
    table = study.events
    for index, process in enumerate(table.processes):
        members = table.process == index
        study.run.rows.add("data", "selected_events", "all", members.sum(), process=process)
        if table.weight is not None:
            study.run.rows.add("data", "cross_section", "all", table.weight[members].sum(), process=process)


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


def _add_significance(study: Study, significance: Significance) -> None:
    methods = [*study.attribution.baselines, "single_feature_auc"]
    methods += [f"random_{control}" for control in range(study.evaluation.random_rankings)]
    cuts = [(method, k) for method in methods for k in study.sizes]
    columns = {
        "signal_expected": significance.signal,
        "background_expected": significance.background,
        "background_n_eff": significance.n_eff,
        "significance": significance.value,
        "significance_mc_error": significance.mc_error,
    }
    for cut, (method, k) in enumerate(cuts):
        for metric, values in columns.items():
            study.run.rows.add(method, metric, "pooled", values[cut], k=k)
        for replicate, value in enumerate(significance.replicates[:, cut]):
            study.run.rows.add(method, "significance", f"bootstrap_{replicate:03d}", value, k=k)
