"""States of grid worlds as a task: what each feature contributes to a network's output, where that is known exactly."""

import logging
import time

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.baselines import TrainingMean, ZeroBaseline
from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.common.devices import sent
from igbaselines.common.randomness import generator_for, stream
from igbaselines.studies.gridworld.data.dataset import GridStates
from igbaselines.studies.gridworld.data.dynamics import ACTIONS
from igbaselines.studies.gridworld.experiments.methods import FirstExamples
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.studies.gridworld.networks.training import train_value
from igbaselines.studies.gridworld.networks.value_mlp import ActionAdvantage, GridValueNetwork
from igbaselines.tasks import Background, Imputer, Lazy, Task, draw, for_each

log = logging.getLogger(__name__)


def state_task(
    name: str,
    network: GridValueNetwork,
    states: GridStates,
    explained: Int[np.ndarray, " n"],
    settings: GridworldAttribution,
    seed: int,
    device: torch.device,
    max_batch: int | None = None,
) -> Task:
    """Make the task of some states for a network that gives values of states and actions, (m, features) -> (m, 5).

    Features are the players. The background is the training states in random order, in strata by the best action, which
    weigh as often as it is best. Known are the exact Shapley values by imputer: `zero`, `mean`, and `background`, the
    first states.
    """
    x = sent(torch.from_numpy(states.features), device)
    inputs, train = x[sent(torch.from_numpy(explained), device)], np.flatnonzero(~states.held_out)
    best = torch.from_numpy(states.action_value.argmax(axis=1))  # the same action for every network
    is_action = settings.explained == "action"
    f = ActionAdvantage(network) if is_action else network
    targets = sent(best[explained] if is_action else torch.zeros(len(inputs), dtype=torch.int64), device)
    background = _background(x[sent(torch.from_numpy(train), device)], best[train], seed)
    sample = FirstExamples(settings.background)
    imputers: dict[str, Imputer] = {"zero": ZeroBaseline(), "mean": TrainingMean(), "background": sample}

    def exact(imputer: str) -> Float[Tensor, "n d"]:
        absent, weights = draw(imputers[imputer], inputs, background, generator_for(seed))
        return exact_shapley_values(
            f, inputs, for_each(absent, inputs), weights, target=targets, max_batch=max_batch
        ).values

    units, known = state_names(states, explained), Lazy(imputers, exact)
    return Task(name, f, inputs, targets, units, background, imputers=imputers, known=known, max_batch=max_batch)


def state_names(states: GridStates, rows: Int[np.ndarray, " n"]) -> list[str]:
    """A name of each of these states: its world and its index there."""
    return [f"world_{states.world[row]}_state_{states.state[row]}" for row in rows]


def _background(train: Float[Tensor, "m d"], best: Int[Tensor, " m"], seed: int) -> Background:
    """The training states in random order, in strata by the best action."""
    order = torch.randperm(len(train), generator=generator_for(seed, "gridworld: background"))
    often = torch.bincount(best, minlength=len(ACTIONS)) / len(best)
    return Background(
        examples=train[sent(order, train.device)],
        centre=train.mean(dim=0),
        stratum=sent(best[order], train.device),
        stratum_weight=sent(often, train.device),
        low=train.amin(dim=0),
        high=train.amax(dim=0),
    )


def trained_network(
    states: GridStates,
    recipe: GridValueRecipe,
    seed: int,
    network: int,
    device: torch.device,
    name: str,
    kind: str = "gridworld: networks",
) -> GridValueNetwork:
    """Train a network on the states that are not held out; weights and order follow from the seed and its number.

    Those of another `kind`, a stream of random numbers, are trained alike from other numbers.
    """
    train = ~states.held_out
    parts = (states.features, states.value, states.action_value)
    features, value, action_value = (sent(torch.from_numpy(part[train]).float(), device) for part in parts)
    start, key = time.monotonic(), (seed, stream(kind), network)
    trained = train_value(features, value, action_value, recipe, key)
    log.info("%s: trained in %.1f s", name, time.monotonic() - start)
    return trained
