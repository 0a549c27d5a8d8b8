"""2412.13864, "Constructing sensible baselines for Integrated Gradients": Figures 1 to 5.

Ranking networks are trained on all features and explained by every method; then networks are retrained on the top k
features of every ranking. Each ranking network has its own split of the events, and all that follows from it is judged
on the test part of that split.
"""

import numpy as np
import torch
from jaxtyping import Float

from igbaselines.common.devices import sent
from igbaselines.common.randomness import generator_for, stream
from igbaselines.metrics import Quantity, undirected
from igbaselines.studies.hep.experiments import premises
from igbaselines.studies.hep.experiments.attributions import GAP_QUANTILES, ClassAttribution
from igbaselines.studies.hep.experiments.explained import ExplainedNetwork, explained_networks
from igbaselines.studies.hep.experiments.ranked import RANKED, VALIDATION_LOSS, add_rankings, performance, ranked
from igbaselines.studies.hep.experiments.settings import HepEvaluation
from igbaselines.studies.hep.experiments.significance import (
    add_event_counts,
    add_significance,
    cross_sections,
    select_events,
)
from igbaselines.studies.hep.experiments.study import HepStudy, experiment
from igbaselines.studies.hep.measures.discovery import Selected, pooled_significance
from igbaselines.studies.hep.measures.rankings import Ranking, by_score, permutation_importance, single_feature_auc
from igbaselines.studies.hep.networks.own import OwnNetwork
from igbaselines.studies.hep.networks.recipe import ClassifierRecipe

SINGLE = "single_feature_auc"
PERMUTED = "permutation_importance"
PERMUTED_EVENTS = 2000
REORDERED = "background"  # the baseline whose features are ranked by |signed mean| and by mean magnitude, too
FEATURE_AUC = Quantity("feature_auc", "ROC AUC of a feature alone", better="higher")
MEASURED = (
    *RANKED,
    FEATURE_AUC,
    Quantity("significance", "discovery significance Z", better="higher"),
    Quantity("significance_with_error", "discovery significance Z with the background's error", better="higher"),
    *premises.MEASURED,
    Quantity("attribution", "mean attribution", "output"),
    Quantity("attribution_magnitude", "mean |attribution|", "output"),
    *undirected("network_loss", "network_epochs", *(f"completeness_gap_{part}" for part in GAP_QUANTILES)),
    *undirected("selected_events", "n_eff", "cross_section", "cross_section_error", "background_n_eff"),
    *undirected("signal_expected", "background_expected", "significance_mc_error"),
)


@experiment
def run(study: HepStudy, model: ClassifierRecipe | OwnNetwork, evaluation: HepEvaluation) -> None:
    """Explain every network and retrain on its rankings; the significances are pooled over all networks.

    The first `evaluation.retrained_networks` are retrained. A network of the user's is explained on every split of the
    events, and nothing is trained.
    """
    rows, events, every_size = study.run.rows, study.events, evaluation.sizes(len(study.events.players))
    add_event_counts(rows, events)
    cuts: list[tuple[str, int]] = []
    selected: list[Selected] = []
    for number, network in explained_networks(study, model):
        network.keep()
        explained = network.explain()
        premises.add_premises(network)
        _add_attributions(study, network.name, explained)
        controls = _controls(network, explained, evaluation.random_rankings)
        rankings = ranked(study, network.name, explained) | controls
        if number >= evaluation.retrained:
            continue
        sizes = network.sizes(every_size)
        retrained = network.retrain(list(rankings.values()), sizes)
        classified = performance(network, [{"method": name} for name in rankings], sizes, retrained)
        rows.add_table(classified[classified["metric"] != VALIDATION_LOSS.name])
        cuts = [(name, k) for name in rankings for k in sizes]
        if events.weight is not None:
            logits = retrained.logits[retrained.network.flatten()]
            selected.append(select_events(events, network.events.split, logits, evaluation.signal_efficiency))
    if selected:
        significance = pooled_significance(
            selected,
            cross_sections(events),
            evaluation.luminosity,
            evaluation.bootstrap,
            study.run.seed,
            evaluation.background_error,
        )
        add_significance(rows, cuts, significance)


def _controls(network: ExplainedNetwork, explained: ClassAttribution, random_rankings: int) -> dict[str, Ranking]:
    """Rank without attributions: each feature alone, or shuffled, or at random; and one baseline in other orders."""
    study, train = network.study, network.events.split.train
    auc = single_feature_auc(study.events.features[train], study.events.is_signal[train], study.events.player_of)
    for feature, value in zip(study.events.players, auc.tolist(), strict=True):
        study.run.rows.add(SINGLE, FEATURE_AUC.name, network.name, value, feature=feature)
    rankings = {SINGLE: by_score(auc), PERMUTED: by_score(_permutation_importance(network))}
    if (mean := explained.of.get(REORDERED)) is not None:
        rankings[f"{REORDERED}_absolute"] = by_score(mean.signed.abs().cpu().numpy())
        rankings[f"{REORDERED}_magnitude"] = by_score(mean.magnitude.cpu().numpy())
    generator = generator_for(*network.key, "hep: random rankings")
    for control in range(random_rankings):
        rankings[f"random_{control}"] = torch.randperm(len(study.events.players), generator=generator).numpy()
    add_rankings(study, network.name, rankings)
    return rankings


def _permutation_importance(network: ExplainedNetwork) -> Float[np.ndarray, " p"]:
    """Of a network on events of its validation part: what it was stopped by, never what it is judged on."""
    events, device = network.study.events, network.events.data.x.device
    rng = np.random.default_rng([*network.key, stream("hep: permutations")])
    some = rng.permutation(network.events.split.validation)[:PERMUTED_EVENTS]  # a split's order is that of processes

    @torch.no_grad()
    def logits(features: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " m"]:
        return np.asarray(network.model(sent(torch.from_numpy(features), device)).cpu())

    return permutation_importance(logits, events.features[some], events.is_signal[some], events.player_of, rng)


def _add_attributions(study: HepStudy, unit: str, attribution: ClassAttribution) -> None:
    for method, mean in attribution.of.items():
        for metric, values in (("attribution", mean.signed), ("attribution_magnitude", mean.magnitude)):
            for feature, value in zip(study.events.players, values.tolist(), strict=True):
                study.run.rows.add(method, metric, unit, value, feature=feature)
        for name, value in zip(GAP_QUANTILES, mean.gap.tolist(), strict=True):
            study.run.rows.add(method, f"completeness_gap_{name}", unit, value)
