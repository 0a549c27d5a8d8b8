"""The networks of `shapley_gridworld`: which there are, and what is measured of each (2310.04821, GridWorld)."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from sklearn.metrics import r2_score
from torch import Tensor

from igbaselines.common.devices import fetched
from igbaselines.common.files import read_record, write_record
from igbaselines.common.randomness import stream
from igbaselines.common.tensors import load_tensors, save_tensors
from igbaselines.running.context import Run
from igbaselines.running.rows import write_rows
from igbaselines.studies.gridworld.data.dataset import GridStates, GridWorld
from igbaselines.studies.gridworld.data.dynamics import greedy_success
from igbaselines.studies.gridworld.data.features import FEATURES
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution, GridworldEvaluation
from igbaselines.studies.gridworld.experiments.study import Studies
from igbaselines.studies.gridworld.experiments.tasks import state_names, state_task, trained_network
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.value_mlp import GridValueNetwork
from igbaselines.tasks import Task

OF_BUDGETS = ("cost", "q")  # studies of methods that can be made for any budget
OF_MAPS = "attributions."  # opens the names of tensors that are no weights


@dataclass(frozen=True)
class Variant:
    """A network of the run, and what it is for."""

    network: int  # its place among those of its kind, which is its seed
    features: tuple[str, ...]  # what it sees
    interactions: bool  # whether features can act together in it
    studies: tuple[str, ...]  # it takes part in

    @property
    def name(self) -> str:
        """A name for files."""
        kind = "" if self.interactions else "-additive"
        return f"{len(self.features)}-features{kind}-{self.network}"


@dataclass(frozen=True)
class Shared:
    """What every network of the run shares."""

    dataset: GridWorld  # the worlds' kind
    states: GridStates  # all states, with all features
    explained: Int[np.ndarray, " n"]  # rows of the states explained
    model: GridValueRecipe  # recipe of the networks
    attribution: GridworldAttribution  # what is explained, from which references
    evaluation: GridworldEvaluation  # settings
    # Whether the methods of `attribution` are compared, each made for a budget; otherwise the run has all that
    # there are
    own_methods: bool = True

    def task(self, run: Run, name: str, network: GridValueNetwork, states: GridStates) -> Task:
        """The task of the explained states for a network, which sees states like this."""
        return state_task(name, network, states, self.explained, self.attribution, run.seed, run.device, run.max_batch)

    @property
    def units(self) -> list[str]:
        """A name of each explained state."""
        return state_names(self.states, self.explained)


def variants(
    features: tuple[str, ...], interactions: bool, evaluation: GridworldEvaluation, of_budgets: bool = True
) -> Iterator[Variant]:
    """List the networks: those of the main comparison first, with or without the studies of budgets."""
    for network in range(evaluation.networks):
        more = OF_BUDGETS if of_budgets and network < evaluation.study_networks else ()
        yield Variant(network, features, interactions, ("agreement", "time", *more))
    for network in range(evaluation.study_networks):
        for count in evaluation.players:
            if count != len(features):
                yield Variant(network, FEATURES[:count], interactions, ("players",))
        if evaluation.additive and interactions:
            yield Variant(network, features, False, ("interactions",))


def measured(run: Run, shared: Shared, variant: Variant) -> dict[str, Float[Tensor, "n d"]]:
    """Train and explain a network, unless an earlier attempt has; return its attributions."""
    kept = resumed(run, variant.name, lambda: _measure(run, shared, variant))
    return {name.removeprefix(OF_MAPS): tensor for name, tensor in kept.items() if name.startswith(OF_MAPS)}


def resumed(
    run: Run, name: str, measure: Callable[[], tuple[pd.DataFrame, dict[str, Tensor]]]
) -> dict[str, Float[Tensor, "..."]]:
    """Add a network's rows to the run's and save its weights; both, and what else it kept, may be an earlier attempt's.

    Args:
        run: the run, whose checkpoints lie where its code and data are the same.
        name: of the network, for files.
        measure: makes its rows, and the tensors to keep on the host: its weights, and maps named `attributions.NAME`.
    """
    record = run.checkpoints / f"{name}.json"
    tensors, table = record.with_suffix(".safetensors"), record.with_suffix(".parquet")
    kept = None if read_record(record) is None else load_tensors(tensors)
    if kept is None:
        rows, kept = measure()
        save_tensors(tensors, kept)
        write_rows(table, rows)
        write_record(record, {}, vouched_for=[tensors, table])
    run.rows.add_table(pd.read_parquet(table))
    file = run.artifacts / "networks" / f"{name}.safetensors"
    save_tensors(file, {name: tensor for name, tensor in kept.items() if not name.startswith(OF_MAPS)})
    run.checksums[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return kept


def _measure(run: Run, shared: Shared, variant: Variant) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    states = shared.states.with_features(variant.features)
    recipe = shared.model if variant.interactions == shared.model.interactions else shared.model.additive()
    network = trained_network(states, recipe, run.seed, variant.network, run.device, variant.name)
    with torch.no_grad():
        outputs = network(torch.from_numpy(states.features).to(run.device))
    task, settings = shared.task(run, variant.name, network, states), shared.attribution
    own = settings if shared.own_methods else None
    studies = Studies(run, task, own, settings.references, shared.evaluation)
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
    kept = {f"{OF_MAPS}{name}": values for name, values in studies.attributions.items()}
    kept |= network.state_dict()
    return rows, {name: tensor.contiguous() for name, tensor in fetched(kept).items()}


def _quality(run: Run, shared: Shared, outputs: Float[np.ndarray, "s 5"]) -> pd.DataFrame:
    """How well a network has learned the worlds that it was not trained on."""
    states, held_out = shared.states, shared.states.held_out
    predicted, action_value = outputs[held_out], states.action_value[held_out]
    values = {
        "r2_value": r2_score(states.value[held_out], predicted[:, 0], force_finite=False),
        "r2_action": r2_score(action_value.ravel(), predicted[:, 1:].ravel(), force_finite=False),
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
    slips = np.random.default_rng((run.seed, stream("gridworld: slips")))
    return greedy_success(states.worlds[held_out], policy, states.start[held_out], slips, shared.dataset.slip)
