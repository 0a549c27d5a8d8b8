"""2310.04821, "A New Baseline Assumption of Integrated Gradients Based on Shapley Value": the GridWorld simulations.

Networks learn the exact values of grid worlds. What each feature of a state contributes to a network's output is known
exactly, from all coalitions of features; every method is judged by how near it comes to that, at the same cost.
"""

import logging
from dataclasses import replace
from importlib.util import find_spec
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.common.errors import UserError
from igbaselines.common.progress import bar
from igbaselines.common.randomness import generator_for
from igbaselines.common.threads import one_thread
from igbaselines.metrics import Quantity, undirected
from igbaselines.metrics.agreement import AGREEMENT, QUANTITIES
from igbaselines.models.standardise import Standardise
from igbaselines.running.choice import fitting_methods, fitting_metrics
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.gridworld.data.dataset import GridWorld
from igbaselines.studies.gridworld.data.features import FEATURES
from igbaselines.studies.gridworld.experiments.examples import save_examples
from igbaselines.studies.gridworld.experiments.methods import KERNEL_SHAP, KernelSHAP
from igbaselines.studies.gridworld.experiments.networks import OF_BUDGETS, Shared, measured, variants
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution, GridworldEvaluation
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.value_mlp import for_network

log = logging.getLogger(__name__)

SIMILARITIES = ("cosine", "spearman")
MEASURED = (
    *QUANTITIES.values(),
    Quantity("stability_cosine", "cosine similarity between networks", better="higher"),
    Quantity("stability_spearman", "Spearman correlation between networks", better="higher"),
    Quantity("seconds", "time of one state", "s", "lower"),
    Quantity("seconds_per_point", "time of one evaluation", "s", "lower"),
    *undirected("r2_value", "r2_action", "optimal_success", "greedy_success"),
)


def run(
    run: Run,
    dataset: GridWorld,
    model: GridValueRecipe,
    attribution: AttributionSettings,
    evaluation: GridworldEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`.

    Methods of another study's attribution are compared at costs of their own.
    """
    check(dataset, evaluation)
    states = dataset.load()
    own = isinstance(attribution, GridworldAttribution)
    settings = attribution if isinstance(attribution, GridworldAttribution) else GridworldAttribution()
    explained = states.explained(evaluation.states, run.seed)
    shared = Shared(dataset, states, explained, model, settings, evaluation, own)
    log.info("%d states of %d worlds, %d held out", len(states), dataset.n_worlds, dataset.held_out)
    if settings.background > (train := int((~states.held_out).sum())):
        raise UserError(f"attribution.background={settings.background}, but there are {train} training states")
    if "mean" not in settings.references:
        log.info(
            "attribution.references leaves out the mean: only the main comparison follows it, the studies take the "
            "mean all the same; there is no stability over training seeds, and no state is drawn"
        )
    run = _with_what_fits(run, shared, attribution)
    if not own:
        log.info("%s are left out: they need methods that can be made for any budget", " and ".join(OF_BUDGETS))
    planned = list(variants(tuple(dataset.features), model.interactions, evaluation, own))
    attributions = []
    with one_thread(), bar("networks", len(planned)) as progress:
        for done, variant in enumerate(run.units(planned), start=1):
            found = measured(run, shared, variant)
            if "agreement" in variant.studies:
                attributions.append(found)
            progress(done)
    _add_stability(run, shared, attributions)
    if attributions[0]:
        save_examples(run.artifacts / "examples", shared, attributions[0])


def check(dataset: GridWorld, evaluation: GridworldEvaluation) -> None:
    """Refuse before any work what cannot work together."""
    if evaluation.kernel_shap and find_spec("shapiq") is None:
        raise UserError('shapiq is not installed: pip install "igbaselines[gridworld]" or evaluation.kernel_shap=false')
    if evaluation.states > dataset.held_out:
        raise UserError(
            f"evaluation.states={evaluation.states} must be at most dataset.held_out={dataset.held_out}: one state of "
            "each held-out world"
        )
    most = max((len(dataset.features), *evaluation.players))
    if most > len(FEATURES):
        raise UserError(f"evaluation.players={most}, but a state has {len(FEATURES)} features")


def _with_what_fits(run: Run, shared: Shared, attribution: AttributionSettings) -> Run:
    """The run with the methods that are compared at a cost of their own, and the metrics, that fit these states."""
    standardise = Standardise.of(torch.from_numpy(shared.states.features).to(run.device))
    untrained = for_network(shared.model, standardise, generator_for(0))
    task = shared.task(run, "states", untrained, shared.states)
    own = attribution.methods()
    if shared.own_methods and shared.evaluation.kernel_shap:
        own[KERNEL_SHAP] = KernelSHAP("mean", shared.evaluation.evaluations)
    fitting = fitting_methods(run, own, task)
    methods = {name: method for name, method in fitting.items() if not shared.own_methods or name in run.methods}
    kept = run.checkpoints / run.fingerprint()
    return replace(run, checkpoints=kept, methods=methods, metrics=fitting_metrics(run, task))


def _add_stability(run: Run, shared: Shared, attributions: list[dict[str, Float[Tensor, "n d"]]]) -> None:
    """How alike the explanations of a state are by networks that differ in the training seed alone."""
    pairs = list(combinations(attributions, 2))
    if not pairs:
        log.info("a single network: no stability over training seeds")
        return
    for method in sorted(attributions[0]):  # checkpoints keep no order
        for metric in SIMILARITIES:
            similar = [AGREEMENT[metric](a[method].double(), b[method].double()) for a, b in pairs]
            for unit, value in zip(shared.units, torch.stack(similar).mean(dim=0).tolist(), strict=True):
                run.rows.add(method, f"stability_{metric}", unit, value, study="stability", reference="mean")
