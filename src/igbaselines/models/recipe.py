"""How a network is built and trained: the schema of conf/model/, importable without torch."""

from dataclasses import dataclass

from igbaselines.errors import UserError


@dataclass
class SwishRecipe:
    """How a Swish network is built and trained.

    Args:
        hidden: widths of the hidden layers.
        dropout: probability of dropping a unit.
        learning_rate: of AdamW.
        weight_decay: of AdamW, decoupled.
        batch_size: events in a step.
        epoch_events: events of the training part in an epoch, after which the validation loss is taken; the whole
            part where it is smaller.
        max_epochs: the most epochs.
        patience: epochs without a better validation loss after which training ends.
        networks_at_once: networks that are trained side by side; a matter of cache, not of the result.
    """

    hidden: list[int]
    dropout: float
    learning_rate: float
    weight_decay: float
    batch_size: int
    epoch_events: int
    max_epochs: int
    patience: int
    networks_at_once: int

    def __post_init__(self) -> None:
        least = {"batch_size": 2, "epoch_events": 2, "max_epochs": 1, "patience": 1, "networks_at_once": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise UserError(f"model.{name} must be at least {bound}, got {getattr(self, name)}")
        if not self.hidden or min(self.hidden) < 1:
            raise UserError(f"model.hidden needs one positive width a layer, got {list(self.hidden)}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"model.dropout must lie in [0, 1), got {self.dropout}")
        if self.learning_rate <= 0 or self.weight_decay < 0:
            raise UserError("model.learning_rate must be positive and model.weight_decay not negative")

    def checksum(self) -> None:
        """No file of the user's goes in."""
        return
