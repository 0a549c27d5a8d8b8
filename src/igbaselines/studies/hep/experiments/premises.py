"""What 2412.13864 takes for granted of baselines, measured on the events themselves.

"The zero vector may not belong to the data distribution"; "features that cannot even take the value 0"; "the signal has
distinctly higher H_T"; "a baseline with a particular high H_T would give low attributions to H_T"; and an average over
background events varies less from draw to draw than a single one.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import PerStratum
from igbaselines.attribution.engine.path import path_attribution
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.common.randomness import generator_for, stream
from igbaselines.metrics import Quantity
from igbaselines.metrics.agreement import spearman
from igbaselines.studies.hep.experiments.explained import ExplainedNetwork
from igbaselines.studies.hep.experiments.study import sampled
from igbaselines.studies.hep.experiments.tasks import ranking_task
from igbaselines.studies.hep.measures.classification import roc_auc
from igbaselines.tasks import Task, draw

EVENTS = 400  # background events in all processes together, each a baseline by itself
EXPLAINED = 100  # signal events
COUNTS = (1, 20, 200)  # events that are averaged over; the last is half of them
PAIRS = 40  # draws without an event in common that are compared, where there are so many
HIGHEST = 0.1  # of the background events those with the largest values of a feature
BEYOND = 0.01  # of a feature's range
NEIGHBOURS = 500  # events of the test part whose nearest neighbour is looked for
SINGLE_EVENTS, EVENTS_THEMSELVES = "single_events", "events"  # in the place of a method

MEASURED = (
    Quantity("share_nearer", "share of events nearer to their nearest event than the baseline is to its own"),
    Quantity("features_out_of_range", "features whose value at the baseline lies beyond all training events"),
    Quantity("higher_in_signal", "share of pairs of events in which the signal has the higher value"),
    Quantity("raised_attribution", "attribution of a feature from events with high values of it, less from the others"),
    Quantity("draw_agreement", "Spearman correlation of mean attributions between draws", better="higher"),
)


def add_premises(network: ExplainedNetwork) -> None:
    """Write the measures of one network; only those of the data where no method averages over background events."""
    study, name = network.study, network.name
    run, of_output, explained = study.run, study.attribution.output, network.explained[:EXPLAINED]
    task = ranking_task(
        name, network.model, study.events, explained, network.background, of_output, run.max_batch, run.fast_paths
    )
    for method, (share, beyond) in _outside(network, task).items():
        run.rows.add(method, "share_nearer", name, share)
        run.rows.add(method, "features_out_of_range", name, beyond)
    train = network.events.split.train
    higher = roc_auc(study.events.is_signal[train], study.events.features[train])
    for feature, share in zip(study.events.feature_names, higher, strict=True):
        run.rows.add(EVENTS_THEMSELVES, "higher_in_signal", name, float(share), feature=feature)
    if not sampled(study.methods):
        return
    baselines, attributions = _from_single_events(network, task)
    for feature, raised in zip(study.events.feature_names, raised_attributions(baselines, attributions), strict=True):
        run.rows.add(SINGLE_EVENTS, "raised_attribution", name, raised, feature=feature)
    generator = generator_for(*network.key, "hep: draws that are compared")
    for count in COUNTS:
        if 2 * count <= len(attributions):
            agreement = agreement_of_draws(attributions, count, generator)
            run.rows.add(SINGLE_EVENTS, "draw_agreement", name, agreement, variant=str(count))


def _outside(network: ExplainedNetwork, task: Task) -> dict[str, tuple[float, int]]:
    """How far every method's single baseline is from the training events.

    Returns:
        The share of events that lie nearer to these than it does, by Euclidean distance between standardised features:
        1 is farther out than any of the events; and how many of its features lie beyond all of them, by a hundredth of
        their range: a mass may come as near to zero as it likes.
    """
    x, split = network.events.data.x, network.events.split
    train = x[torch.from_numpy(split.train).to(x.device)]
    rng = np.random.default_rng([*network.key, stream("hep: neighbours")])
    some = rng.permutation(split.test)[:NEIGHBOURS]  # a split's order is that of processes
    of_events = _nearest(x[torch.from_numpy(some).to(x.device)], train)
    found = {}
    for method, how in network.study.methods.items():
        if not isinstance(how, AveragedGradients):
            continue
        generator = generator_for(*network.key, "hep: a baseline")
        baselines, _ = draw(task.imputer(how.baselines), task.inputs[:1], task.background, generator)
        if len(baselines) == 1 and baselines.dim() == task.inputs.dim():  # one, whatever is explained
            standardised = network.events.standardise(baselines)
            least, most = train.min(dim=0).values, train.max(dim=0).values
            margin = BEYOND * (most - least)
            beyond = (standardised[0] < least - margin) | (standardised[0] > most + margin)
            share = (of_events < _nearest(standardised, train)).double().mean()
            found[method] = float(share), int(beyond.sum())
    return found


def _nearest(points: Float[Tensor, "m d"], events: Float[Tensor, "n d"]) -> Float[Tensor, " m"]:
    return torch.cdist(points, events).min(dim=1).values


def _from_single_events(
    network: ExplainedNetwork, task: Task
) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, "k d"]]:
    """Background events, as many of each process, and what signal events are attributed on average from each."""
    strata = task.background.stratum
    source = PerStratum(max(1, EVENTS // (1 if strata is None else len(strata.unique()))), at_most=True)
    generator = generator_for(*network.key, "hep: single events")
    baselines, _ = draw(source, task.inputs, task.background, generator)
    rule = next(how.rule for how in network.study.methods.values() if isinstance(how, AveragedGradients))
    found = path_attribution(
        task.f,
        task.inputs,
        baselines,
        rule=rule,
        max_batch=task.max_batch,
        keep_per_baseline=True,
        generator=generator,
    )
    assert found.per_baseline is not None
    return baselines.cpu().numpy(), found.per_baseline.mean(dim=0).double().cpu().numpy()


def raised_attributions(baselines: Float[np.ndarray, "k d"], attributions: Float[np.ndarray, "k d"]) -> list[float]:
    """Of each feature its mean attribution from the events with its highest values, less that from the others."""
    highest: Bool[np.ndarray, "k d"] = baselines >= np.quantile(baselines, 1 - HIGHEST, axis=0)
    pairs = zip(highest.T, attributions.T, strict=True)
    return [float(of[high].mean() - of[~high].mean()) if not high.all() else float("nan") for high, of in pairs]


def agreement_of_draws(attributions: Float[np.ndarray, "k d"], count: int, generator: torch.Generator) -> float:
    """How alike the mean attributions of two draws of so many events rank the features, over some pairs of draws."""
    found = []
    for _ in range(max(1, min(PAIRS, len(attributions) // (2 * count)))):
        order: Int[np.ndarray, " k"] = torch.randperm(len(attributions), generator=generator).numpy()
        means = [attributions[order[part * count : (part + 1) * count]].mean(axis=0) for part in range(2)]
        found.append(float(spearman(*(torch.from_numpy(mean)[None] for mean in means))))
    return float(np.mean(found))
