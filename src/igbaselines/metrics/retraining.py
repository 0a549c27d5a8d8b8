"""What a network learns from the first features alone: how 2412.13864 judges rankings, for any task that retrains."""

from dataclasses import dataclass

import torch

from igbaselines.metrics.base import Maps, Quantity, Scores
from igbaselines.tasks import Task


@dataclass(frozen=True)
class RetrainedScore:
    """Score of a network that is trained anew on the features with the largest mean magnitude (2412.13864, Figure 5).

    A value for a network and a method, not for an input: it stands with the first input, and is no part of the answer.
    It can be fooled by features that carry the same information: any of them will do, and what else is kept decides.

    Args:
        share: of the features that are kept, at least one.
    """

    share: float = 0.15

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be in (0, 1], got {self.share}")

    @property
    def quantity(self) -> Quantity:
        """More is better."""
        return Quantity("retrained_score", f"score of a network of {self.share:.0%} of the features", better="higher")

    def why_not(self, task: Task) -> str | None:
        """Only of tasks whose maker trains networks."""
        return None if task.retrained is not None else "no network is trained anew on some of its features"

    def score(self, task: Task, attributions: Maps, generator: torch.Generator) -> Scores:
        """Return the score for the first input, NaN for the others; the same features are trained on once."""
        assert task.retrained is not None
        importance = task.player_map.sums(attributions).double().abs().mean(dim=0).cpu()
        kept = max(1, round(self.share * len(importance)))
        first = importance.argsort(descending=True, stable=True)[:kept].sort().values
        key = (type(self), tuple(first.tolist()))
        if key not in task.memory:
            task.memory[key] = task.retrained(first)
        values = torch.full((len(attributions),), torch.nan, dtype=torch.float64)
        values[0] = task.memory[key]
        return values
