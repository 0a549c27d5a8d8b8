"""Maps of one photograph by every method, each from random numbers of its own, and timed."""

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution import Attribution
from igbaselines.attribution.methods import Method
from igbaselines.attribution.shapley.estimators import ShapleyIG
from igbaselines.common.randomness import generator_for
from igbaselines.studies.images.experiments.settings import IG_ABSENT, SHAPLEY_IG
from igbaselines.studies.images.tasks import image_key, task_of
from igbaselines.tasks import Task

FEW_PLAYERS = 10  # up to here the share of all coalitions is worth a number


@dataclass(frozen=True)
class Sampling:
    """How coalitions of a square photograph's patches are sampled.

    Args:
        side: of the photograph [px].
        patch: side of a patch [px].
        coalitions: how many are drawn.
    """

    side: int
    patch: int
    coalitions: int

    def of(self, method: Method) -> ShapleyIG:
        """Shapley Integrated Gradients with as many coalitions."""
        assert isinstance(method, ShapleyIG)
        return replace(method, coalitions=self.coalitions)

    def columns(self) -> dict[str, int | float]:
        """What a row says of it; `q` is the share of all coalitions, where there are few players."""
        players = (-(-self.side // self.patch)) ** 2
        known: dict[str, int | float] = {"patch": self.patch, "coalitions": self.coalitions, "players": players}
        few = players <= FEW_PLAYERS and self.coalitions <= 2**players  # more than all would be no share
        return known | ({"q": self.coalitions / 2**players} if few else {})


@dataclass(frozen=True)
class MethodMap:
    """What a method gives of a photograph.

    Args:
        method: its name.
        found: the attribution, n = 1.
        change: what a complete attribution sums to: of Shapley Integrated Gradients f(x) - f(absent), as of its
            control; NaN where it is not known.
        seconds: wall time of the attribution.
    """

    method: str
    found: Attribution
    change: float
    seconds: float

    @property
    def attributions(self) -> Float[Tensor, "c h w"]:
        """Of the pixels."""
        return self.found.attributions[0]

    @property
    def gradient_points(self) -> int:
        """Gradients taken."""
        return int(self.found.gradient_points)


def every_map(methods: Mapping[str, Method], task: Task, patch: int, seed: int) -> list[MethodMap]:
    """Explain a photograph by every method.

    Args:
        methods: with what several of them share drawn.
        task: of the photograph.
        patch: side of the players of coalitions [px].
        seed: of the run.
    """
    maps = [timed_map(name, method, task_of(method, task, patch), seed) for name, method in methods.items()]
    change = next((one.change for one in maps if one.method == IG_ABSENT), torch.nan)
    return [replace(one, change=change) if one.method == SHAPLEY_IG else one for one in maps]


def timed_map(name: str, method: Method, task: Task, seed: int) -> MethodMap:
    """Explain a photograph by a method, and say how long it took, to its end on the device."""
    key = image_key(task.units[0])
    if isinstance(method, ShapleyIG):
        generator = generator_for(seed, "images: coalitions", key)
    else:
        generator = generator_for(seed, "images: baselines", key, zlib.crc32(name.encode()))
    _ = task.player_map  # once a photograph, and not in the time of its first method
    start = time.perf_counter()
    found = method.attribute(task, generator)
    if task.inputs.device.type == "cuda":
        torch.cuda.synchronize(task.inputs.device)
    return MethodMap(name, found, found.change.item(), time.perf_counter() - start)
