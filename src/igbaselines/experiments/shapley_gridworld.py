"""2310.04821, "A New Baseline Assumption of Integrated Gradients Based on Shapley Value": the GridWorld simulations.

Networks learn the exact values of grid worlds. What each feature of a state contributes to a network's output is known
exactly, from all coalitions of features; every method is judged by how near it comes to that, at the same cost.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from igbaselines.attribution.baselines import Reference
from igbaselines.datasets.gridworld import GridStates, GridWorld
from igbaselines.datasets.gridworld_drawing import draw_world
from igbaselines.datasets.gridworld_dynamics import greedy_success
from igbaselines.datasets.gridworld_features import FEATURES
from igbaselines.errors import UserError
from igbaselines.evaluation.agreement import AGREEMENT
from igbaselines.experiments.gridworld_examples import save_example
from igbaselines.experiments.gridworld_methods import SAMPLING, SIG
from igbaselines.experiments.gridworld_settings import GridworldAttribution, GridworldEvaluation
from igbaselines.experiments.gridworld_study import ExplainedStates, Studies
from igbaselines.experiments.runner import Run
from igbaselines.models.grid_recipe import GridValueRecipe
from igbaselines.models.grid_training import r_squared, train_value
from igbaselines.models.grid_value_mlp import Advantage, GridValueNetwork
from igbaselines.progress import bar
from igbaselines.randomness import generator_for
from igbaselines.results.rows import write_rows
from igbaselines.tensors import load_tensors, save_tensors
from igbaselines.threads import one_thread

log = logging.getLogger(__name__)

# What a stream of random numbers is for, as the second part of its key; the first is the run's seed.
NETWORK, BACKGROUND, SLIPS = 3_000_002, 3_000_003, 3_000_004
ACTIONS = ("up", "down", "left", "right")
SIMILARITIES = ("cosine", "spearman")
DRAWN = ("exact", "ig_zero", "ig_mean", SIG, SAMPLING)


@dataclass(frozen=True)
class Variant:
    """A network of the run, and what it is for.

    Args:
        network: its place among those of its kind, which is its seed.
        features: what it sees.
        interactions: whether features can act together in it.
        studies: it takes part in.
    """

    network: int
    features: tuple[str, ...]
    interactions: bool
    studies: tuple[str, ...]

    @property
    def name(self) -> str:
        """A name for files."""
        kind = "" if self.interactions else "-additive"
        return f"{len(self.features)}-features{kind}-{self.network}"


@dataclass(frozen=True)
class Shared:
    """What every network of the run shares.

    Args:
        dataset: the worlds' kind.
        states: all states, with all features.
        explained: rows of the states explained.
        model: recipe of the networks.
        attribution, evaluation: settings.
    """

    dataset: GridWorld
    states: GridStates
    explained: Int[np.ndarray, " n"]
    model: GridValueRecipe
    attribution: GridworldAttribution
    evaluation: GridworldEvaluation


def run(
    run: Run,
    dataset: GridWorld,
    model: GridValueRecipe,
    attribution: GridworldAttribution,
    evaluation: GridworldEvaluation,
) -> None:
    """Carry out the experiment; the measured values go into `run.rows`.

    Args:
        run: where it runs and where results go.
        dataset: the worlds.
        model: how networks are built and trained.
        attribution: methods.
        evaluation: studies.

    Raises:
        UserError: for settings that cannot work, before any training.
    """
    check(dataset, model, attribution, evaluation)
    states = dataset.load()
    shared = Shared(dataset, states, states.explained(evaluation.states, run.seed), model, attribution, evaluation)
    log.info("%d states of %d worlds, %d held out", len(states), dataset.n_worlds, dataset.held_out)
    if attribution.background > (train := int((~states.held_out).sum())):
        raise UserError(f"attribution.background={attribution.background}, but there are {train} training states")
    if "mean" not in attribution.references:
        log.info("without the mean among attribution.references: no stability over training seeds, no examples")
    planned = list(variants(tuple(dataset.features), model.interactions, evaluation))
    attributions = []
    with one_thread(), bar("networks", len(planned)) as progress:
        for done, variant in enumerate(planned, start=1):
            found = _measured(run, shared, variant)
            if "agreement" in variant.studies:
                attributions.append(found)
            progress(done)
    _add_stability(run, shared, attributions)


def check(dataset: object, model: object, attribution: object, evaluation: GridworldEvaluation) -> None:
    """Say before any work what cannot work together.

    Raises:
        UserError: in one line.
    """
    parts = ((dataset, GridWorld), (model, GridValueRecipe), (attribution, GridworldAttribution))
    if not all(isinstance(part, kind) for part, kind in parts):
        raise UserError(
            "experiment=shapley_gridworld needs dataset=gridworld, model=grid_value_mlp and "
            "attribution=shapley_gridworld"
        )
    assert isinstance(dataset, GridWorld)
    if evaluation.kernel_shap and find_spec("shapiq") is None:
        raise UserError(
            'shapiq is not installed: pip install "igbaselines[gridworld]", or take evaluation.kernel_shap=false'
        )
    if evaluation.states > dataset.held_out:
        raise UserError(
            f"evaluation.states={evaluation.states}, but dataset.held_out={dataset.held_out}: each is of another world"
        )
    most = max((len(dataset.features), *evaluation.players))
    if most > len(FEATURES):
        raise UserError(f"evaluation.players={most}, but a state has {len(FEATURES)} features")


def variants(features: tuple[str, ...], interactions: bool, evaluation: GridworldEvaluation) -> Iterator[Variant]:
    """List the networks: those of the main comparison first."""
    for network in range(evaluation.networks):
        more = ("cost", "q") if network < evaluation.study_networks else ()
        yield Variant(network, features, interactions, ("agreement", "time", *more))
    for network in range(evaluation.study_networks):
        for count in evaluation.players:
            if count != len(features):
                yield Variant(network, FEATURES[:count], interactions, ("players",))
        if evaluation.additive and interactions:
            yield Variant(network, features, False, ("interactions",))


def _measured(run: Run, shared: Shared, variant: Variant) -> dict[str, Float[Tensor, "n d"]]:
    """Train and explain a network, unless an earlier attempt has; return its attributions."""
    tensors = run.checkpoints / f"{variant.name}.safetensors"
    table = tensors.with_suffix(".parquet")
    kept = load_tensors(tensors)
    if kept is None or not table.exists():
        rows, kept = _measure(run, shared, variant)
        save_tensors(tensors, kept)
        write_rows(table, rows)  # written last: it vouches for the tensors
    run.rows.add_table(pd.read_parquet(table))
    state = {name: tensor for name, tensor in kept.items() if not name.startswith("attributions.")}
    file = run.artifacts / "networks" / f"{variant.name}.safetensors"
    save_tensors(file, state)
    run.checksums[variant.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    found = {name.removeprefix("attributions."): kept[name] for name in kept if name not in state}
    if variant.network == 0 and found:
        _save_examples(run, shared, found)
    return found


def _measure(run: Run, shared: Shared, variant: Variant) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    states = shared.states.with_features(variant.features)
    x = torch.from_numpy(states.features).to(run.device)
    value, action_value = (torch.from_numpy(part).to(x) for part in (states.value, states.action_value))
    train = torch.from_numpy(~states.held_out).to(run.device)
    recipe = shared.model
    if variant.interactions != recipe.interactions:  # one network a feature: a quarter of the width learns as well
        recipe = replace(recipe, interactions=False, hidden=[max(1, width // 4) for width in recipe.hidden])
    start = time.monotonic()
    network = train_value(x[train], value[train], action_value[train], recipe, (run.seed, NETWORK, variant.network))
    log.info("%s: trained in %.1f s", variant.name, time.monotonic() - start)
    with torch.no_grad():
        outputs = network(x)
    studies = Studies(_explained(run, shared, network, x, train), shared.attribution, shared.evaluation, run.seed)
    for study in variant.studies:
        studies.carry_out(study)
    studies.rows.append(_quality(run, shared, outputs.double().cpu().numpy()))
    rows = pd.concat(studies.rows, ignore_index=True)
    columns: dict[str, str | int | bool] = {
        "network": f"network_{variant.network}",
        "players": len(variant.features),
        "interactions": variant.interactions,
    }
    rows = rows.assign(**columns)
    rows["unit"] = rows["unit"].fillna(rows["network"])
    kept = {f"attributions.{name}": values for name, values in studies.attributions.items()}
    kept |= network.state_dict()
    return rows, {name: tensor.cpu().contiguous() for name, tensor in kept.items()}


def _explained(
    run: Run, shared: Shared, network: GridValueNetwork, x: Float[Tensor, "s d"], train: Tensor
) -> ExplainedStates:
    """The states explained as this network sees them, and the output that is explained."""
    chosen = torch.from_numpy(shared.explained).to(x.device)
    inputs, examples = x[chosen], x[train]
    model: nn.Module = network
    targets = torch.zeros(len(inputs), dtype=torch.int64, device=x.device)
    if shared.attribution.explained == "action":
        model = Advantage(network)
        best = shared.states.action_value[shared.explained].argmax(axis=1)  # the same action for every network
        targets = torch.from_numpy(best).to(x.device)
    order = torch.randperm(len(examples), generator=generator_for(run.seed, BACKGROUND))
    background = examples[order[: shared.attribution.background].to(x.device)]
    reference = Reference(
        examples=examples,
        centre=examples.mean(dim=0),
        low=examples.amin(dim=0),
        high=examples.amax(dim=0),
    )
    return ExplainedStates(model, inputs, targets, _units(shared), reference, background)


def _units(shared: Shared) -> list[str]:
    """A name of each explained state: its world and its index there."""
    states = shared.states
    return [f"world_{states.world[row]}_state_{states.state[row]}" for row in shared.explained]


def _quality(run: Run, shared: Shared, outputs: Float[np.ndarray, "s 5"]) -> pd.DataFrame:
    """How well a network has learned the worlds that it was not trained on."""
    states, held_out = shared.states, shared.states.held_out
    predicted = torch.from_numpy(outputs[held_out])
    values = {
        "r2_value": r_squared(predicted[:, 0], torch.from_numpy(states.value[held_out])),
        "r2_action": r_squared(predicted[:, 1:], torch.from_numpy(states.action_value[held_out])),
        "greedy_success": _success(run, shared, outputs[:, 1:]),
        "optimal_success": _success(run, shared, states.action_value),
    }
    rows = [{"method": "network", "metric": metric, "value": float(value)} for metric, value in values.items()]
    return pd.DataFrame(rows).assign(study="network")


def _success(run: Run, shared: Shared, action_value: Float[np.ndarray, "s 4"]) -> float:
    """Share of the held-out worlds in which the greedy policy reaches the goal, from a random start."""
    states = shared.states
    held_out = np.unique(states.world[states.held_out])
    policy = states.policy(action_value.argmax(axis=1))[held_out]
    slips = np.random.default_rng((run.seed, SLIPS))
    return greedy_success(states.worlds[held_out], policy, states.start[held_out], slips, shared.dataset.slip)


def _save_examples(run: Run, shared: Shared, attributions: dict[str, Float[Tensor, "n d"]]) -> None:
    """Keep the first states with what a few methods say of them."""
    states, names = shared.states, tuple(shared.dataset.features)
    seen = states.with_features(names).features
    for place in _shown(shared):
        row = shared.explained[place]
        file = run.artifacts / "examples" / f"{place:02d}-{_units(shared)[place]}.npz"
        save_example(
            file,
            draw_world(states.worlds[int(states.world[row])], int(states.state[row])),
            dict(zip(names, seen[row].tolist(), strict=True)),
            {name: attributions[name][place].cpu().numpy() for name in DRAWN if name in attributions},
            "mean",
            _title(shared, row),
        )


def _shown(shared: Shared) -> list[int]:
    """Places of the states that are drawn: the first ones, with and without the key in turn."""
    with_key = shared.states.state[shared.explained] >= shared.dataset.size**2
    turn = np.where(with_key, with_key.cumsum(), (~with_key).cumsum())
    return [int(place) for place in np.argsort(turn, kind="stable")[: shared.evaluation.examples]]


def _title(shared: Shared, row: int) -> str:
    """What is explained of a state."""
    if shared.attribution.explained == "value":
        return f"value {shared.states.value[row]:.2f}"
    return f"why go {ACTIONS[int(shared.states.action_value[row].argmax())]}"


def _add_stability(run: Run, shared: Shared, attributions: list[dict[str, Float[Tensor, "n d"]]]) -> None:
    """How alike the explanations of a state are by networks that differ in the training seed alone."""
    pairs = list(combinations(attributions, 2))
    if not pairs:
        log.info("a single network: no stability over training seeds")
        return
    for method in sorted(attributions[0]):  # checkpoints keep no order
        for metric in SIMILARITIES:
            similar = [AGREEMENT[metric](a[method].double(), b[method].double()) for a, b in pairs]
            for unit, value in zip(_units(shared), torch.stack(similar).mean(dim=0).tolist(), strict=True):
                run.rows.add(method, f"stability_{metric}", unit, value, study="stability", reference="mean")
