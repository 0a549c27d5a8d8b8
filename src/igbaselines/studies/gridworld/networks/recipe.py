"""How a network of grid values is built and trained: the schema of conf/model/, importable without torch."""

from dataclasses import dataclass

from igbaselines.common.checks import at_least
from igbaselines.common.errors import UserError


@dataclass
class GridValueRecipe:
    """How a network that learns the values of grid worlds is built and trained."""

    hidden: list[int]  # widths of the hidden layers; without interactions those of each feature's own network
    interactions: bool  # False for a sum of one network a feature, in which features cannot interact
    learning_rate: float  # the highest of AdamW; it rises to it and falls again (one cycle)
    weight_decay: float  # of AdamW, decoupled
    batch_size: int  # states in a step
    epochs: int  # passes over the training states

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise UserError(f"model.hidden needs one positive width a layer, got {list(self.hidden)}")
        for name in ("batch_size", "epochs"):
            at_least(f"model.{name}", getattr(self, name), 1)
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise UserError("model.learning_rate must be positive and model.weight_decay not negative")

    def domain(self) -> str:
        """The domain whose model it can be (`igbaselines.running.study.OfDomain`)."""
        return "gridworld"

    def checksum(self) -> None:
        """None: no file of the user's goes in."""
