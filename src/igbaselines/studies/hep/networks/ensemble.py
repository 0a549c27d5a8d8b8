"""Many networks of one architecture side by side, each on its own subset of the features.

Retraining on the top k features of several rankings (2412.13864, Figure 2) means hundreds of small networks
on the same events. Side by side they share the reading of the events and the dropout masks, and each behaves
as if it were trained alone.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import ACTIVATIONS, DNN, Classifier

State = dict[str, Tensor]
Keep = Sequence[Float[Tensor, "_ b"]] | None  # dropout factors, of training
_NOT_TRAINED = ("mask", "mean", "variance", "fixed")


class Ensemble(ABC):
    """Networks of one architecture, as training needs them.

    Every tensor of the state has a first dimension over them. `mask` says which features each sees; BatchNorm's running
    statistics are `mean...` and `variance...`, and constants are `fixed...`; an optimiser moves the rest.
    """

    def __init__(self, state: State) -> None:
        self.state = state

    def __len__(self) -> int:
        return len(self.state["mask"])

    def trained(self) -> State:
        """The tensors that an optimiser moves."""
        return {name: tensor for name, tensor in self.state.items() if not name.startswith(_NOT_TRAINED)}

    def with_state(self, state: State) -> "Ensemble":
        """Networks of the same architecture with another state, which may be of more or fewer of them."""
        other = copy.copy(self)
        other.state = state
        return other

    def select(self, chosen: Tensor) -> "Ensemble":
        """Copy the networks with these indices (or this mask)."""
        return self.with_state({name: tensor.detach()[chosen] for name, tensor in self.state.items()})

    @abstractmethod
    def logits(self, x: Float[Tensor, "b d"], keep: Keep = None) -> Float[Tensor, "n b"]:
        """Logits of standardised features, the same events for every network.

        With `keep` they are those of training, where batch statistics count and move the running ones: dropout factors
        of `dropout_units`, shared by the networks, 0 or 1 / (1 - p).
        """

    @property
    @abstractmethod
    def dropout_units(self) -> list[int]:
        """For each place of a network where dropout acts, how many units of an event it acts on."""

    @abstractmethod
    def mask_gradients(self) -> None:
        """Forget the gradients of weights to features that a network does not see."""

    @abstractmethod
    def network(self, index: int, standardise: Standardise, dropout: float) -> Classifier:
        """Take one network out, with the standardisation that its inputs had."""


class DNNEnsemble(Ensemble):
    """Fully connected networks as one batch of matrices.

    Activations are (network, unit, event), so that BatchNorm normalises contiguous rows. The state is `mask` (n, d);
    for each hidden layer l `linear_l` (n, out, in), BatchNorm's `gain_l`, `shift_l`, `mean_l`, `variance_l` (n, out);
    `logit` (n, 1, in) and `bias` (n, 1).
    """

    def __init__(self, state: State, activation: str = "swish") -> None:
        super().__init__(state)
        self.activation = activation
        self.seen = _seen_by_any(state["mask"])

    def with_state(self, state: State) -> "DNNEnsemble":
        """Networks of the same architecture with another state, which may be of more or fewer of them."""
        other = cast("DNNEnsemble", super().with_state(state))
        other.seen = _seen_by_any(state["mask"])
        return other

    @classmethod
    def initialise(
        cls, mask: Bool[Tensor, "n d"], hidden: Sequence[int], generator: torch.Generator, activation: str = "swish"
    ) -> "DNNEnsemble":
        """Draw initial weights, uniform within 1 / sqrt(fan-in) as PyTorch's linear layers have them.

        The same draws serve every network up to its mask, so that differences between them are paired.
        """
        n, d = mask.shape
        device = mask.device

        def uniform(*shape: int) -> Tensor:
            return (torch.rand(shape, generator=generator, device=generator.device) * 2 - 1).to(device)

        state: State = {"mask": mask}
        for layer, (fan_in, width) in enumerate(zip([d, *hidden], hidden, strict=False)):
            weight = uniform(width, fan_in)
            fan_in_of_each = torch.full((n,), fan_in, device=device) if layer else mask.sum(1)
            state[f"linear_{layer}"] = weight / fan_in_of_each[:, None, None].sqrt()
            for name, value in (("gain", 1.0), ("shift", 0.0), ("mean", 0.0), ("variance", 1.0)):
                state[f"{name}_{layer}"] = torch.full((n, width), value, device=device)
        state["linear_0"] = state["linear_0"] * mask[:, None]
        state["logit"] = (uniform(1, hidden[-1]) / math.sqrt(hidden[-1])).repeat(n, 1, 1)
        state["bias"] = (uniform(1) / math.sqrt(hidden[-1])).repeat(n, 1)
        return cls(state, activation)

    @property
    def dropout_units(self) -> list[int]:
        """The widths of the hidden layers."""
        layers = sum(name.startswith("linear_") for name in self.state)
        return [self.state[f"linear_{layer}"].shape[1] for layer in range(layers)]

    def mask_gradients(self) -> None:
        """Forget the gradients of weights to features that a network does not see."""
        gradient = self.state["linear_0"].grad
        if gradient is not None:
            gradient *= self.state["mask"][:, None]

    def network(self, index: int, standardise: Standardise, dropout: float) -> DNN:
        """Take one network out, with the standardisation that its inputs had."""
        hidden = self.dropout_units
        own = {name: tensor[index].detach().clone() for name, tensor in self.state.items()}
        statistics = (tensor.to(own["bias"]) for tensor in (standardise.mean, standardise.scale))
        standardise = Standardise(*statistics)
        with torch.device("meta"):  # nothing is drawn from global randomness, and nothing moved
            network = DNN(standardise, hidden, dropout, self.activation)
        state = {"logit.weight": own["logit"], "logit.bias": own["bias"]}
        for layer in range(len(hidden)):
            state[f"linear.{layer}.weight"] = own[f"linear_{layer}"]
            names = {"gain": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
            state |= {f"norm.{layer}.{theirs}": own[f"{ours}_{layer}"] for ours, theirs in names.items()}
            state[f"norm.{layer}.num_batches_tracked"] = torch.zeros_like(own["mask"][0], dtype=torch.int64)
        network.load_state_dict(state | standardise.state_dict(prefix="standardise."), assign=True)
        return network.eval()

    def logits(self, x: Float[Tensor, "b d"], keep: Keep = None) -> Float[Tensor, "n b"]:
        """Logits in training (with `keep`) or in evaluation mode."""
        n, a, activation = len(self), x.T, ACTIVATIONS[self.activation].value
        for layer in range(len(self.dropout_units)):
            weight = self.state[f"linear_{layer}"]
            if not layer and self.seen is not None:
                weight, a = weight[..., self.seen], a[self.seen]
            # Every network reads the same events: the first layer is one product.
            z = torch.bmm(weight, a) if layer else (weight.flatten(0, 1) @ a).view(n, -1, len(x))
            a = activation(self._normalise(layer, z, training=keep is not None))
            a = a if keep is None else a * keep[layer]
        return torch.matmul(self.state["logit"], a).squeeze(1) + self.state["bias"]

    def _normalise(self, layer: int, z: Tensor, training: bool) -> Tensor:
        """BatchNorm of every unit of every network: each is a channel of one long batch of events."""
        mean, variance, gain, shift = (
            self.state[f"{name}_{layer}"].view(-1) for name in ("mean", "variance", "gain", "shift")
        )
        rows = z.view(1, -1, z.shape[-1])
        return nn.functional.batch_norm(rows, mean, variance, gain, shift, training=training).view_as(z)


def _seen_by_any(mask: Bool[Tensor, "n d"]) -> Int[Tensor, " s"] | None:
    """The features that any of the networks sees: zeros times all others need not be added up. None: all.

    On a GPU, where one more wait costs more than the products, it is all.
    """
    seen = mask.any(dim=0)
    return seen.nonzero().squeeze(1) if mask.device.type == "cpu" and not seen.all() else None
