"""Maps compared with those of another network, or of other draws: what should change a map, and what should not."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from igbaselines.metrics.agreement import AGREEMENT, spearman
from igbaselines.metrics.base import ASKS, STABLE, Maps, Quantity, Scores
from igbaselines.tasks import Task


@dataclass(frozen=True)
class _OfNetwork:
    """What metrics share that ask for the map of another network on the same inputs."""

    redraws: ClassVar[bool] = False  # differences are the network's, not those of other draws
    network: ClassVar[str]  # the task's variant

    def why_not(self, task: Task) -> str | None:
        """Only tasks that have the other network can be judged."""
        return None if self.network in task.variants else f"the task has no {self.network} network"

    def variant(self, task: Task, generator: torch.Generator) -> Task:
        """The same inputs under the other network."""
        return task.variants[self.network]()


@dataclass(frozen=True)
class ModelRandomisation(_OfNetwork):
    """How much a map stays when all the network's parameters are shuffled (Adebayo et al. 2018, section 3).

    The absolute value of Spearman's rank correlation, over players, between the magnitudes of both maps. All layers are
    randomised, which is the end of their cascade, and by shuffling their values instead of drawing new ones.

    It can be fooled by noise that is drawn anew: such a map has forgotten the network best of all. Methods start from
    the same state of their generator here, so that only the network differs. A map that multiplies by the input keeps
    the input's share, which no shuffling of a network changes.
    """

    network: ClassVar[str] = "randomised"

    @property
    def quantity(self) -> Quantity:
        """Lower is better."""
        return Quantity("model_randomisation", "map of the randomised network", better="lower", question=ASKS)

    def compare(self, task: Task, attributions: Maps, others: Maps) -> Scores:
        """Return the correlations, in [0, 1]; NaN where either map is the same for all players."""
        sizes = (task.player_map.importance(maps.double(), "magnitude") for maps in (attributions, others))
        return spearman(*sizes).abs()


@dataclass(frozen=True)
class _Agreement:
    """Agreement of the players' attributions by one of the measures of `metrics.agreement`."""

    measure: str = "cosine"

    def __post_init__(self) -> None:
        if self.measure not in AGREEMENT:
            raise ValueError(f"measure={self.measure} is unknown: {' or '.join(AGREEMENT)}")

    def compare(self, task: Task, attributions: Maps, others: Maps) -> Scores:
        """Return the agreement of each input's two maps; NaN where it has no meaning, as for a map of zeros."""
        return AGREEMENT[self.measure](*(task.player_map.sums(maps.double()) for maps in (attributions, others)))


@dataclass(frozen=True)
class TwinStability(_Agreement, _OfNetwork):
    """How alike the maps of two networks are that were trained alike, from other initial weights and in another order.

    Twins have learned nearly the same function; what differs between their maps is, for the most part, the method's.

    It can be fooled by a map that never asks the network, and by twins that have learned different things: an honest
    map says so.

    Args:
        measure: one of `metrics.agreement.AGREEMENT` in which higher is better.
    """

    network: ClassVar[str] = "twin"

    @property
    def quantity(self) -> Quantity:
        """Higher is better."""
        return Quantity("twin_stability", f"{self.measure} between twin networks", better="higher", question=STABLE)


@dataclass(frozen=True)
class DrawStability(_Agreement):
    """How alike maps of one network are that differ in the method's own draws: of baselines, nodes, coalitions.

    It can be fooled by a method that draws nothing: it gets 1, and may still have chosen its one baseline badly.

    Args:
        measure: one of `metrics.agreement.AGREEMENT` in which higher is better.
    """

    redraws: ClassVar[bool] = True

    @property
    def quantity(self) -> Quantity:
        """Higher is better."""
        return Quantity("draw_stability", f"{self.measure} between draws", better="higher", question=STABLE)

    def why_not(self, task: Task) -> str | None:
        """Any task will do."""
        return None

    def variant(self, task: Task, generator: torch.Generator) -> Task:
        """The task itself."""
        return task
