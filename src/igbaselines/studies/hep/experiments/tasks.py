"""Tasks of collider physics: a ranking network, and the signal events that it is explained on (2412.13864)."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from igbaselines.attribution.baselines import PerStratum, TrainingMean, ZeroBaseline
from igbaselines.models.inference import for_gradients
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.networks.dnn import Classifier, Probability
from igbaselines.tasks import Background, FeatureMask, Imputer, Task

# What an absent feature becomes: zero GeV, its mean, or that of a background event, every process as likely.
IMPUTERS: Mapping[str, Imputer] = MappingProxyType(
    {"zero": ZeroBaseline(), "mean": TrainingMean(), "background": PerStratum(20, at_most=True)}
)


def ranking_task(
    name: str,
    network: Classifier,
    table: EventTable,
    explained: Int[np.ndarray, " n"],
    background: Background,
    output: str,
    max_batch: int | None = None,
    fast_paths: bool = True,
) -> Task:
    """The output of a ranking network for some events; every feature, in physical units, or category is a player.

    Deletion and fitness follow the probability, whichever output is explained: a logit has no share to fall to.

    Args:
        name: of the network.
        network: from features in physical units to the logit of being signal.
        table: all events.
        explained: indices of the events to explain.
        background: what baselines are made of, on the device where the network is.
        output: logit or probability.
        max_batch: points in one pass, or None.
        fast_paths: whether the network is made for gradients first.
    """
    function: nn.Module = Probability(network) if output == "probability" else network
    # A module around it hides the stem and the closed form.
    function = for_gradients(function) if fast_paths else nn.Sequential(function)

    def probability(points: Float[Tensor, "m d"], source: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        return torch.sigmoid(function(points))

    return Task(
        name,
        function,
        torch.from_numpy(table.features[explained]).to(background.centre.device),
        None,
        [f"event_{index}" for index in explained],
        background,
        FeatureMask(table.player_of),
        IMPUTERS,
        score=None if output == "probability" else probability,
        max_batch=max_batch,
    )


def training_background(table: EventTable, train: Int[np.ndarray, " t"], mean: Float[Tensor, " d"]) -> Background:
    """Background events of a training part, in strata by process, weighted by cross-section, on the device of `mean`.

    The features' ranges are those of signal and background.
    """
    index = train[~table.is_signal[train]]
    part = table.features[train]
    weight = cross_sections = None
    if table.weight is not None:
        weight = torch.from_numpy(table.weight[index]).to(mean.device)
        of_process = np.bincount(table.process, table.weight, len(table.processes))
        cross_sections = torch.from_numpy(of_process).to(mean.device)  # [fb]
    return Background(
        examples=torch.from_numpy(table.features[index]).to(mean.device),
        centre=mean,
        stratum=torch.from_numpy(table.process[index].astype(np.int64)).to(mean.device),
        stratum_weight=cross_sections,
        example_weight=weight,
        low=torch.from_numpy(part.min(axis=0)).to(mean.device),
        high=torch.from_numpy(part.max(axis=0)).to(mean.device),
    )


def untrained_task(table: EventTable, most: int = 1000) -> Task:
    """What some events tell of every task before its network is trained: which methods and metrics fit it."""
    some = np.arange(0, len(table), max(1, len(table) // most))
    inputs = torch.from_numpy(table.features[some[table.is_signal[some]]])
    background = training_background(table, some, torch.zeros(len(table.feature_names)))
    units = [f"event_{index}" for index in range(len(inputs))]
    players = FeatureMask(table.player_of)
    return Task(
        "the events", lambda points: points.new_zeros(len(points)), inputs, None, units, background, players, IMPUTERS
    )
