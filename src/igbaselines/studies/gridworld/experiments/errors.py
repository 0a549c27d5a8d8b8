"""What separates Shapley IG from exact Shapley values, part by part (2310.04821; a review's open questions 1 and 3).

With coalitions sampled, a reference for absent features, and nodes on each path, the difference to the exact values of
the interventional game over background states is a sum of four:

    sampling    SIG with sampled coalitions less SIG with all of them
    quadrature  SIG with all less the same with twice the nodes
    paths       that less the exact values of the same game: what IG's sharing of a move gets wrong
    imputer     these less the exact values of the interventional game

Networks of several architectures learn the same values. A second study samples more and more coalitions of 8 to 14
players: how many bring the part of sampling below that of the paths?
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from sklearn.metrics import r2_score
from torch import Tensor

from igbaselines.attribution.engine.quadrature import GaussLegendre
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.attribution.shapley.estimators import ShapleyIG
from igbaselines.common.devices import fetched
from igbaselines.common.errors import UserError
from igbaselines.common.progress import bar
from igbaselines.common.randomness import generator_for
from igbaselines.common.threads import one_thread
from igbaselines.metrics import Quantity, undirected
from igbaselines.metrics.agreement import cosine
from igbaselines.models.mlp import MLP
from igbaselines.running.context import Run
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.gridworld.data.dataset import GridStates, GridWorld
from igbaselines.studies.gridworld.data.features import FEATURES
from igbaselines.studies.gridworld.experiments.networks import resumed
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution, GridworldErrorsEvaluation
from igbaselines.studies.gridworld.experiments.tasks import state_task, trained_network
from igbaselines.studies.gridworld.networks.paths_bound import paths_bound
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe
from igbaselines.tasks import Task, impute

log = logging.getLogger(__name__)

MEASURED = (
    Quantity("cosine", "cosine similarity", better="higher"),
    Quantity("relative_l2", "relative L2 distance", better="lower"),
    *undirected("share_of_bound", "r2_value"),
)
LABELS = {  # of the parts, and of the architectures of conf/experiment/shapley_errors.yaml
    "sampling": "sampling",
    "quadrature": "quadrature",
    "paths": "paths",
    "imputer": "imputer",
    "paths_sampling": "paths and sampling",
    "all_parts": "all parts",
    "ig_paths": "plain IG: paths",
    "ig_all": "plain IG: all parts",
    "bound": "paths: at most",
    "additive": "additive",
    "one_layer": "one hidden layer",
    "relu": "deep ReLU",
    "swish": "deep Swish",
    "attention": "attention",
}
Pairs = Mapping[str, tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]]  # each part from its second value to its first


@dataclass(frozen=True)
class Learner:
    """A network of the run, and the studies that it takes part in."""

    architecture: str  # its name
    recipe: GridValueRecipe  # how it is trained
    network: int  # its place among those of its kind, which is its seed
    features: tuple[str, ...]  # what it sees
    studies: tuple[str, ...]  # `parts`, `players`

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.architecture}-{len(self.features)}-features-{self.network}"


def run(
    run: Run, dataset: GridWorld, model: None, attribution: AttributionSettings, evaluation: GridworldErrorsEvaluation
) -> None:
    """Split the errors of the networks of `evaluation.architectures`; there is no other model.

    Raises:
        UserError: for settings that do not go together, before any work.
    """
    settings = _checked(run, dataset, attribution, evaluation)
    states = dataset.load()
    if settings.background > (train := int((~states.held_out).sum())):
        raise UserError(f"attribution.background={settings.background}, but there are {train} training states")
    for name, label in LABELS.items():
        run.names.method(name, label)
    run = replace(run, checkpoints=run.checkpoints / run.fingerprint())
    explained = states.explained(evaluation.states, run.seed)
    learners = list(_learners(tuple(dataset.features), evaluation))
    with one_thread(), bar("networks", len(learners)) as progress:
        for done, learner in enumerate(run.units(learners), start=1):

            def measure(learner: Learner = learner) -> tuple[pd.DataFrame, dict[str, Tensor]]:
                return _measured(run, learner, states.with_features(learner.features), explained, settings, evaluation)

            resumed(run, learner.name, measure)
            progress(done)


def _checked(
    run: Run, dataset: GridWorld, attribution: AttributionSettings, evaluation: GridworldErrorsEvaluation
) -> GridworldAttribution:
    """The settings, if they go together."""
    if asked := [*run.methods, *run.metrics, *run.pairs]:
        raise UserError(
            f"experiment=shapley_errors takes Shapley IG apart and nothing else: leave {', '.join(asked)} out"
        )
    if not isinstance(attribution, GridworldAttribution):
        raise UserError("experiment=shapley_errors needs attribution=shapley_gridworld")
    if "background" in attribution.references:
        raise UserError(
            "attribution.references: background states are what the parts are measured against; give zero, mean or both"
        )
    if evaluation.players and "mean" not in attribution.references:
        raise UserError(
            "evaluation.players takes the mean for absent features: add it to attribution.references, or give []"
        )
    if evaluation.states > dataset.held_out:
        raise UserError(
            f"evaluation.states={evaluation.states} must be at most dataset.held_out={dataset.held_out}: one state of "
            "each held-out world"
        )
    if (most := max(evaluation.players, default=0)) > len(FEATURES):
        raise UserError(f"evaluation.players={most}, but a state has {len(FEATURES)} features")
    named, count = tuple(dataset.features), len(dataset.features)
    if count in evaluation.players and named != FEATURES[:count]:
        raise UserError(
            f"evaluation.players={count} takes the first {count} features that a state has, and dataset.features are "
            f"others: leave {count} out of evaluation.players"
        )
    return attribution


def _learners(features: tuple[str, ...], evaluation: GridworldErrorsEvaluation) -> Iterator[Learner]:
    """List the networks: those whose error is split, and those with other numbers of players."""
    counts, of_players = evaluation.players, evaluation.players_architecture
    for architecture, recipe in evaluation.architectures.items():
        for network in range(evaluation.networks):
            both = architecture == of_players and len(features) in counts and network < evaluation.players_networks
            yield Learner(architecture, recipe, network, features, ("parts", "players") if both else ("parts",))
    for count in counts:
        there = evaluation.networks if count == len(features) else 0
        for network in range(there, evaluation.players_networks):
            recipe = evaluation.architectures[of_players]
            yield Learner(of_players, recipe, network, features if there else FEATURES[:count], ("players",))


def _measured(
    run: Run,
    learner: Learner,
    states: GridStates,
    explained: Int[np.ndarray, " n"],
    settings: GridworldAttribution,
    evaluation: GridworldErrorsEvaluation,
) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """Train a network and split its errors."""
    network = trained_network(states, learner.recipe, run.seed, learner.network, run.device, learner.name)
    task = state_task(learner.name, network, states, explained, settings, run.seed, run.device, run.max_batch)
    split = Split(run.seed, task, settings)
    tables = [_quality(learner, states, network, run.device)]
    if "parts" in learner.studies:
        tables += [split.parts(reference, evaluation.coalitions) for reference in settings.references]
    if "players" in learner.studies:
        tables.append(split.players(evaluation.counts))
    columns = {"architecture": learner.architecture, "network": f"network_{learner.network}"}
    rows = pd.concat(tables, ignore_index=True).assign(**columns, players=len(learner.features))
    return rows, {name: tensor.contiguous() for name, tensor in fetched(network.state_dict()).items()}


def _quality(learner: Learner, states: GridStates, network: torch.nn.Module, device: torch.device) -> pd.DataFrame:
    """How well a network has learned the values of worlds that it was not trained on."""
    features, value = states.features[states.held_out], states.value[states.held_out]
    with torch.no_grad():
        predicted = network(torch.from_numpy(features).to(device))[:, 0].double().cpu().numpy()
    found = float(r2_score(value, predicted, force_finite=False))
    line = {"study": "network", "method": "network", "metric": "r2_value", "value": found}
    return pd.DataFrame([line | {"unit": f"network_{learner.network}"}])


@dataclass(frozen=True)
class Split:
    """The errors of one network."""

    seed: int  # of the run: all networks meet the same coalitions
    task: Task  # what is explained
    attribution: GridworldAttribution  # nodes of paths, and what is explained

    def parts(self, reference: str, coalitions: int) -> pd.DataFrame:
        """Split the error of Shapley IG, and of plain IG, from a reference."""
        known, steps = self.task.known, self.attribution.steps
        exact, interventional = known[reference], known["background"]
        sampled, every = self.shapley_ig(reference, coalitions, steps), self.shapley_ig(reference, None, steps)
        fine = self.shapley_ig(reference, None, 2 * steps)
        plain = AveragedGradients(reference, GaussLegendre(self.attribution.most_nodes))
        ig = plain.attribute(self.task, generator_for(self.seed)).attributions
        pairs = {
            "sampling": (sampled, every),
            "quadrature": (every, fine),
            "paths": (fine, exact),
            "imputer": (exact, interventional),
            "all_parts": (sampled, interventional),
            "ig_paths": (ig, exact),
            "ig_all": (ig, interventional),
        }
        length = interventional.norm(dim=1)  # one for all parts, which are to be compared, and zero of no state
        rows = self._rows(pairs, length, study="parts", reference=reference, coalitions=coalitions)
        return pd.concat([rows, self._bound(fine - exact, length, reference, coalitions)])

    def players(self, counts: Sequence[int]) -> pd.DataFrame:
        """Sample more and more coalitions, the mean for absent features."""
        reference, steps = "mean", self.attribution.steps
        exact, every = self.task.known[reference], self.shapley_ig(reference, None, steps)
        tables = []
        for count in (count for count in counts if count < 2**self.task.player_map.count):
            sampled = self.shapley_ig(reference, count, steps)
            pairs = {"sampling": (sampled, every), "paths": (every, exact), "paths_sampling": (sampled, exact)}
            tables.append(self._rows(pairs, exact.norm(dim=1), study="players", reference=reference, coalitions=count))
        return pd.concat(tables)

    def shapley_ig(self, reference: str, coalitions: int | None, steps: int) -> Float[Tensor, "n d"]:
        """Shapley IG with some or all coalitions, float64."""
        method = ShapleyIG(reference, coalitions, rule=GaussLegendre(steps))
        generator = generator_for(self.seed, "gridworld: errors", coalitions or 0)
        players = method.attribute(self.task, generator).players
        assert players is not None
        return players.double()

    def _bound(
        self, error: Float[Tensor, "n d"], length: Float[Tensor, " n"], reference: str, coalitions: int
    ) -> pd.DataFrame:
        """The bound of the part of the paths where one is proven, and the largest share of it that a player reaches."""
        task = self.task
        if not isinstance(task.f, MLP):
            return pd.DataFrame()
        absent = impute(task.imputer(reference), task.inputs, task.background, generator_for(self.seed))
        most = paths_bound(task.f, 0, task.inputs - absent)
        share = torch.where(most > 0, error.abs() / most, 0.0).amax(dim=1)
        values = {"relative_l2": most.norm(dim=1) / length, "share_of_bound": share}
        return self._table("bound", values, study="parts", reference=reference, coalitions=coalitions)

    def _rows(self, pairs: Pairs, length: Float[Tensor, " n"], **known: str | int) -> pd.DataFrame:
        """Judge each pair by its cosine, and by its distance relative to the length of exact values."""
        tables = []
        for part, (found, expected) in pairs.items():
            distance = (found.double() - expected).norm(dim=1) / length
            tables.append(self._table(part, {"cosine": cosine(found, expected), "relative_l2": distance}, **known))
        return pd.concat(tables)

    def _table(self, method: str, values: Mapping[str, Float[Tensor, " n"]], **known: str | int) -> pd.DataFrame:
        tables = [
            pd.DataFrame({"unit": self.task.units, "value": of_metric.cpu().numpy()} | {"metric": metric})
            for metric, of_metric in values.items()
        ]
        return pd.concat(tables).assign(method=method, **known)
