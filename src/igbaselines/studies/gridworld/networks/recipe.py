"""How a network of grid values is built and trained: the schema of conf/model/, importable without torch."""

from dataclasses import dataclass, field, replace

from igbaselines.common.checks import at_least
from igbaselines.common.errors import UserError
from igbaselines.common.values import value


@dataclass
class GridValueRecipe:
    """How a network that learns the values of grid worlds is built and trained."""

    # Widths of the hidden layers; without interactions those of each feature's own network; with attention that of the
    # features' tokens, then one of a feed-forward layer for each block
    hidden: list[int]
    interactions: bool  # False for a sum of one network a feature, in which features cannot interact
    learning_rate: float  # the highest of AdamW; it rises to it and falls again (one cycle)
    weight_decay: float  # of AdamW, decoupled
    batch_size: int  # states in a step
    epochs: int  # passes over the training states
    activation: str = field(default="swish", metadata=value(choices=("swish", "relu")))
    heads: int = field(default=0, metadata=value("[0, )"))  # of self-attention over the features; 0: fully connected

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise UserError(f"model.hidden needs one positive width a layer, got {list(self.hidden)}")
        for name in ("batch_size", "epochs"):
            at_least(f"model.{name}", getattr(self, name), 1)
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise UserError("model.learning_rate must be positive and model.weight_decay not negative")
        if self.heads and not self.interactions:
            raise UserError(f"model.heads={self.heads}: attention is interaction, and model.interactions=false")
        if self.heads and (len(self.hidden) < 2 or self.hidden[0] % self.heads):
            raise UserError(
                f"model.hidden={list(self.hidden)} with model.heads={self.heads}: give a width of tokens that the "
                f"heads divide, and one width for each block, such as [{8 * self.heads}, {16 * self.heads}]"
            )

    def additive(self) -> "GridValueRecipe":
        """The same without interactions: a network a feature, for which a quarter of the width learns as well."""
        return replace(self, interactions=False, heads=0, hidden=[max(1, width // 4) for width in self.hidden])

    def domain(self) -> str:
        """The domain whose model it can be (`igbaselines.running.study.OfDomain`)."""
        return "gridworld"

    def checksum(self) -> None:
        """None: no file of the user's goes in."""
