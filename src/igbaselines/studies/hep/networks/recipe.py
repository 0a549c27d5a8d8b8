"""How a classifier of events is built and trained: the schemas of conf/model/, importable without torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from igbaselines.common.errors import UserError

if TYPE_CHECKING:
    import torch

    import igbaselines.studies.hep.networks.ensemble
    import igbaselines.studies.hep.networks.training_data

ACTIVATIONS = ("swish", "relu")


@dataclass
class ClassifierRecipe:
    """What all architectures have in common: their training."""

    dropout: float  # probability of dropping a unit
    learning_rate: float  # of AdamW
    weight_decay: float  # of AdamW, decoupled
    batch_size: int  # events in a step
    # events of the training part in an epoch, after which the validation loss is taken; the whole part where it is
    # smaller
    epoch_events: int
    max_epochs: int
    patience: int  # epochs without a better validation loss after which training ends
    networks_at_once: int  # networks that are trained side by side; a matter of cache, not of the result

    def __post_init__(self) -> None:
        least = {"batch_size": 2, "epoch_events": 2, "max_epochs": 1, "patience": 1, "networks_at_once": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise UserError(f"model.{name} must be at least {bound}, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"model.dropout must lie in [0, 1), got {self.dropout}")
        if self.learning_rate <= 0 or self.weight_decay < 0:
            raise UserError("model.learning_rate must be positive and model.weight_decay not negative")

    def domain(self) -> str:
        """The domain whose model it can be (`igbaselines.running.study.OfDomain`)."""
        return "hep"

    def checksum(self) -> None:
        """No file of the user's goes in."""
        return

    def untrained(
        self,
        mask: "torch.Tensor",
        data: "igbaselines.studies.hep.networks.training_data.TrainingData",
        generator: "torch.Generator",
    ) -> "igbaselines.studies.hep.networks.ensemble.Ensemble":
        """Draw the initial weights of one network for each mask (n, d), the features that it sees.

        The same draws serve every network up to its mask, so that differences between them are paired. Of the events
        the names of the features are asked, and how they were standardised. A UserError says where the architecture has
        no use for features of these names.
        """
        raise NotImplementedError

    def with_state(self, state: "dict[str, torch.Tensor]") -> "igbaselines.studies.hep.networks.ensemble.Ensemble":
        """Build the networks whose `state` was saved."""
        raise NotImplementedError


@dataclass
class DNNRecipe(ClassifierRecipe):
    """A fully connected network, as 2412.13864 has it; with another activation for comparison."""

    hidden: list[int]  # widths of the hidden layers
    activation: str = "swish"  # behind each hidden layer, one of `ACTIVATIONS`

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hidden or min(self.hidden) < 1:
            raise UserError(f"model.hidden needs one positive width a layer, got {list(self.hidden)}")
        if self.activation not in ACTIVATIONS:
            raise UserError(f"model.activation must be {' or '.join(ACTIVATIONS)}, got {self.activation}")

    def untrained(
        self,
        mask: "torch.Tensor",
        data: "igbaselines.studies.hep.networks.training_data.TrainingData",
        generator: "torch.Generator",
    ) -> "igbaselines.studies.hep.networks.ensemble.Ensemble":
        """Draw initial weights; any features will do."""
        from igbaselines.studies.hep.networks.ensemble import DNNEnsemble

        return DNNEnsemble.initialise(mask, self.hidden, generator, self.activation)

    def with_state(self, state: "dict[str, torch.Tensor]") -> "igbaselines.studies.hep.networks.ensemble.Ensemble":
        """Build the networks whose `state` was saved."""
        from igbaselines.studies.hep.networks.ensemble import DNNEnsemble

        return DNNEnsemble(state, self.activation)


@dataclass
class ObjectAttentionRecipe(ClassifierRecipe):
    """Self-attention between the objects of an event."""

    width: int  # of an object's token
    heads: int  # of each self-attention; they share the width
    blocks: int  # self-attentions behind one another

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "heads", "blocks"):
            if getattr(self, name) < 1:
                raise UserError(f"model.{name} must be at least 1, got {getattr(self, name)}")
        if self.width % self.heads:
            raise UserError(f"model.width must be a multiple of model.heads={self.heads}, got {self.width}")

    def untrained(
        self,
        mask: "torch.Tensor",
        data: "igbaselines.studies.hep.networks.training_data.TrainingData",
        generator: "torch.Generator",
    ) -> "igbaselines.studies.hep.networks.ensemble.Ensemble":
        """Draw initial weights; the names say to which objects a feature belongs."""
        from igbaselines.studies.hep.networks.attention_ensemble import AttentionEnsemble
        from igbaselines.studies.hep.networks.object_tokens import object_tokens

        tokens = object_tokens(data.feature_names).to(mask.device)
        return AttentionEnsemble.initialise(mask, tokens, self.width, self.heads, self.blocks, generator)

    def with_state(self, state: "dict[str, torch.Tensor]") -> "igbaselines.studies.hep.networks.ensemble.Ensemble":
        """Build the networks whose `state` was saved."""
        from igbaselines.studies.hep.networks.attention_ensemble import AttentionEnsemble

        return AttentionEnsemble(state, self.heads)


@dataclass
class ParticleSetRecipe(ClassifierRecipe):
    """Deep Sets of the particles of an event, however many there are."""

    width: int  # of what a particle, and the event, becomes

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise UserError(f"model.width must be at least 1, got {self.width}")

    def untrained(
        self,
        mask: "torch.Tensor",
        data: "igbaselines.studies.hep.networks.training_data.TrainingData",
        generator: "torch.Generator",
    ) -> "igbaselines.studies.hep.networks.ensemble.Ensemble":
        """Draw initial weights; the names say which particle a feature is of."""
        from igbaselines.studies.hep.networks.particle_sets import ParticleSets

        return ParticleSets.initialise(mask, data.feature_names, data.standardise, self.width, generator)

    def with_state(self, state: "dict[str, torch.Tensor]") -> "igbaselines.studies.hep.networks.ensemble.Ensemble":
        """Build the networks whose `state` was saved."""
        from igbaselines.studies.hep.networks.particle_sets import ParticleSets

        return ParticleSets(state)
