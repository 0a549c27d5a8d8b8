"""A task: a network, inputs, targets, and what a method or a metric may know beside.

Methods and metrics see tasks and nothing of the study that made them; so each of them runs on each kind of data.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from igbaselines.common.devices import sent
from igbaselines.tasks.background import Background
from igbaselines.tasks.imputers import Imputer
from igbaselines.tasks.lazy import Lazy
from igbaselines.tasks.outputs import check_output, read_target
from igbaselines.tasks.players import EachFeature, PlayerMap, Players

Function = Callable[[Tensor], Tensor]
# The output that is followed while players go; the second argument says which input (0..n-1) each point is made from.
Score = Callable[[Float[Tensor, "m *features"], Int[Tensor, " m"]], Float[Tensor, " m"]]


def class_score(f: Function, targets: Int[Tensor, " n"] | None) -> Score:
    """Make of a network, (m, *features) -> (m,) or (m, classes), the score of each input's class."""
    largest = cache(lambda: None if targets is None else int(targets.max()))  # the host waits for a GPU once

    def score(points: Float[Tensor, "m *features"], source: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        output = f(points)
        check_output(output, points, largest())
        if targets is None:
            return output
        return output.gather(1, targets.to(output.device, torch.int64)[source][:, None]).squeeze(1)

    return score


@dataclass(frozen=True)
class Task:
    """What is explained.

    Args:
        name: unique in a run, such as `network_0` or `photograph imagenet_03`.
        f: the explained function, (m, *features) -> (m,), or -> (m, classes) where there are targets.
        inputs: the inputs to explain; of an array a tensor is made.
        targets: class index of each input, on its device; None for a function of one output. Of a list, an array, or
            one index for all a tensor is made.
        units: of statistics: a name for each input.
        background: what baselines may be made of; the task tells it of f and the targets.
        players: which features come and go together.
        imputers: what absent players become, by name; `zero` and `mean` are there by convention.
        masks: the object in each picture, where it is known.
        known: player values that are known to be right, by name: exact Shapley values by imputer, or a planted truth.
        score: the output that deletion and fitness follow; None: the explained one.
        max_batch: points in one pass; None chooses it from the memory there is.
        data: the data that the inputs are of, such as `wine`: networks are nested in data, inputs in networks.
        network: which network f is of; tasks of one network share it.
        memory: what metrics have computed of this very task, by a key of their own, so that methods share it.
        variants: the same inputs under another network, by name, each made when it is asked for: `twin`, trained alike
            with another seed; `randomised`, with every parameter shuffled (`models.randomised`).
        retrained: trains a network alike on the features of some players alone and returns its score on test data; None
            where nobody trains here.
    """

    name: str
    f: Function
    inputs: Float[Tensor, "n *features"]
    targets: Int[Tensor, " n"] | None
    units: Sequence[str]
    background: Background
    players: Players = field(default_factory=EachFeature)
    imputers: Mapping[str, Imputer] = field(default_factory=dict)
    masks: Bool[Tensor, "n h w"] | None = None
    known: Mapping[str, Float[Tensor, "n p"]] = field(default_factory=dict)
    score: Score | None = None
    max_batch: int | None = None
    data: str = ""
    network: str = ""
    variants: "Mapping[str, Callable[[], Task]]" = field(default_factory=dict)
    retrained: Callable[[Int[Tensor, " k"]], float] | None = None
    memory: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", torch.as_tensor(self.inputs))
        if not isinstance(self.targets, Tensor):
            object.__setattr__(self, "targets", read_target(self.inputs, self.targets))
        object.__setattr__(self, "background", self.background.asked_of(self.f, self.targets))
        if len(self.units) != len(self.inputs):
            raise ValueError(f"task {self.name} has {len(self.inputs)} inputs and {len(self.units)} units: one each")
        for what, values in (("targets", self.targets), ("masks", self.masks)):
            if values is not None and len(values) != len(self.inputs):
                raise ValueError(f"task {self.name} has {len(self.inputs)} inputs and {len(values)} {what}: one each")

    @property
    def is_picture(self) -> bool:
        """Whether inputs are pictures (c, h, w): some methods and metrics are of those alone."""
        return self.inputs.dim() == 4

    @cached_property
    def player_map(self) -> PlayerMap:
        """The players of these inputs."""
        return PlayerMap(self.players, self.inputs.shape[1:], self.inputs.device)

    @property
    def followed(self) -> Score:
        """The score that deletion and fitness follow."""
        return self.score or class_score(self.f, self.targets)

    def imputer(self, chosen: str | Imputer) -> Imputer:
        """An imputer, by its name among those of the task or as it is.

        Raises:
            ValueError: for a name that the task does not know.
        """
        if not isinstance(chosen, str):
            return chosen
        if chosen not in self.imputers:
            known = ", ".join(self.imputers) or "none"
            raise ValueError(f"task {self.name} knows no imputer {chosen!r}: it has {known}")
        return self.imputers[chosen]

    def take(self, chosen: slice | Sequence[int]) -> "Task":
        """The task of some of the inputs; an input may be taken several times."""
        place = torch.arange(len(self.inputs))[chosen if isinstance(chosen, slice) else list(chosen)]
        index = sent(place, self.inputs.device)
        score, own = self.score, self.background.own
        return replace(
            self,
            background=self.background if own is None else replace(self.background, own=own[index]),
            inputs=self.inputs[chosen] if isinstance(chosen, slice) else self.inputs[index],
            targets=None if self.targets is None else self.targets[index],
            units=[self.units[at] for at in place.tolist()],
            masks=None if self.masks is None else self.masks[index],
            known=Lazy(self.known, lambda name: self.known[name][index]),
            score=None if score is None else lambda points, source: score(points, index[source]),
            variants={name: partial(_taken, make, chosen) for name, make in self.variants.items()},
        )


def _taken(make: Callable[[], Task], chosen: slice | Sequence[int]) -> Task:
    return make().take(chosen)
