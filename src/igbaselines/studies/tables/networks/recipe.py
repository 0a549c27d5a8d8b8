"""How a network for a table is built and trained: the schemas of conf/model/, importable without torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from igbaselines.common.errors import UserError
from igbaselines.common.values import check_values, value

if TYPE_CHECKING:
    from torch import nn

    from igbaselines.studies.tables.networks.training import TrainingRows


@dataclass
class TableRecipe:
    """A network of the domain `tables`; anyone's own is a dataclass like this one."""

    # Whether it can be trained on some of the features alone: not where its layers or its file want all of them
    takes_any_features: ClassVar[bool] = True

    def domain(self) -> str:
        """The domain whose model it can be (`igbaselines.running.study.OfDomain`)."""
        return "tables"

    def checksum(self) -> str | None:
        """Of a file of the user's that goes in: none does."""
        return None

    def trained(self, rows: "TrainingRows", seed: tuple[int, ...]) -> "nn.Module":
        """Train a network from features in their own units, (m, d), to a logit of each class, (m, classes).

        It comes back in evaluation mode, on the device of the rows; the seed is of everything random.
        """
        raise NotImplementedError


@dataclass
class TableMLPRecipe(TableRecipe):
    """A fully connected network with Swish; cross-entropy, early stopping, the best epoch kept."""

    hidden: list[int] = field(metadata=value("[1, 100000]"))  # widths of the hidden layers
    learning_rate: float = field(metadata=value("(0, )"))  # of AdamW
    weight_decay: float = field(metadata=value("[0, )"))  # of AdamW, decoupled
    batch_size: int = field(metadata=value("[1, )"))  # rows in a step
    # rows of the training part in an epoch, after which the validation loss is taken; all where there are fewer
    epoch_rows: int = field(metadata=value("[1, )"))
    max_epochs: int = field(metadata=value("[1, )"))
    patience: int = field(metadata=value("[1, )"))  # epochs without a better validation loss that end training

    def __post_init__(self) -> None:
        check_values("model", type(self), vars(self))
        if not self.hidden:
            raise UserError("model.hidden needs one positive width a layer, got []")

    def trained(self, rows: "TrainingRows", seed: tuple[int, ...]) -> "nn.Module":
        """Train it, about a second; features are standardised by the training part's mean and spread, within it."""
        from igbaselines.common.randomness import generator_for
        from igbaselines.models.mlp import MLP, draw_weights
        from igbaselines.models.standardise import Standardise
        from igbaselines.studies.tables.networks.training import fit

        network = MLP(Standardise.of(rows.x), self.hidden, rows.class_count).to(rows.x)
        draw_weights(network.layers(), generator_for(*seed, "tables: weights"))
        training = {name: value for name, value in vars(self).items() if name != "hidden"}
        fit(network, rows, (*seed, "tables: order"), **training)
        return network.requires_grad_(False).eval()
