"""Controls: maps that never ask the network. A metric that prefers one to an explanation measures something else.

Adebayo et al. (2018) show how near edges come to what passes for an explanation of a picture.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.engine.result import Attribution
from igbaselines.tasks import Task


@dataclass(frozen=True)
class RandomMap:
    """Gaussian noise."""

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Draw a value for every feature."""
        return _unasked(task, torch.randn(task.inputs.shape, generator=generator).to(task.inputs))


@dataclass(frozen=True)
class DistanceFromMean:
    """|x - mean|: how unusual a feature's value is, in units of its range; of one without a range as it stands."""

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Compare every feature with what the network's standardisation takes for its mean."""
        low, high = task.background.bounds()
        span = high - low
        return _unasked(task, (task.inputs - task.background.centre).abs() / torch.where(span > 0, span, 1))


@dataclass(frozen=True)
class EdgeMap:
    """Strength of edges: the norm of the differences to the neighbours on either side, of each channel."""

    pictures_only = True

    def attribute(self, task: Task, generator: torch.Generator) -> Attribution:
        """Find the edges of pictures (n, c, h, w)."""
        down, across = torch.gradient(task.inputs, dim=(2, 3))
        return _unasked(task, (down.square() + across.square()).sqrt())

    def why_not(self, task: Task) -> str | None:
        """Edges are of pictures."""
        return None if task.is_picture else "edges are of pictures"


def _unasked(task: Task, maps: Float[Tensor, "n *features"]) -> Attribution:
    """A map that came about without the network: there is no baseline, and nothing that it should sum to."""
    n = len(maps)
    none = maps.new_empty(n, 0)
    unknown = torch.full((n,), torch.nan, dtype=maps.dtype, device=maps.device)
    return Attribution(maps, None, unknown, none, none, None, None, task.player_map.sums(maps))
