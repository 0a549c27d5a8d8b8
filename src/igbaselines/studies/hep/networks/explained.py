"""A network of the user's as the study sees it: from features in physical units to one logit an event."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from igbaselines.common.errors import UserError
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import Classifier

LEAST = 1e-7  # of a probability: its logarithm stays finite


class ExplainedClassifier(Classifier):
    """The logit of a network that gives logits or probabilities, of one class or of several.

    Of several it is log(p_signal / p_against): what a classifier of two classes would give as its logit. p_against adds
    up the probabilities of all other classes, or of those named; of one class each it is the difference of two logits.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        scale: Sequence[float],
        outputs: str,
        signal: Sequence[int],
        against: Sequence[int],
    ) -> None:
        super().__init__()
        self.network = network
        self.standardise = Standardise(torch.tensor(mean), torch.tensor(scale))
        self.outputs, self.signal, self.against = outputs, list(signal), list(against)

    def on(self, device: torch.device) -> "ExplainedClassifier":
        """The network on a device, once it has shown that it takes events.

        Raises:
            UserError: where it does not, or has no such classes.
        """
        moved = self.to(device)
        moved.training = False
        points = moved.standardise.mean.expand(3, -1).clone()
        try:
            with torch.no_grad():
                found = moved.network(points)
        except Exception as error:  # somebody else's code
            said = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise UserError(
                f"model: the network does not take {points.shape[1]} inputs of 3 events ({said}): model.inputs names "
                "the features that it takes; export it with a batch of any size"
            ) from error
        if not isinstance(found, Tensor) or found.shape[:1] != (3,) or found.dim() > 2:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise UserError(f"model: the network makes {shape} of 3 events: (3,), (3, 1) or (3, classes) is needed")
        classes = found.numel() // 3
        if classes > 1 and max((*self.signal, *self.against)) >= classes:
            raise UserError(
                f"model.signal={self.signal} model.against={self.against}: it has classes 0 to {classes - 1}"
            )
        if classes > 1 and len(self.signal) == classes:
            raise UserError(f"model.signal={self.signal} are all classes: one at least is what they are told from")
        return moved

    def affine_stem(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
        """Standardisation by the user's scaler."""
        scaled: Tensor = self.standardise(x)
        return scaled

    def after_stem(self, z: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        """The network, and the logit from its outputs."""
        found = self.network(z)
        if found.dim() == 1 or found.shape[1] == 1:
            one = found.reshape(-1)
            return torch.logit(one, eps=LEAST) if self.outputs == "probabilities" else one
        logs = found.clamp_min(LEAST).log() if self.outputs == "probabilities" else found
        against = self.against or [place for place in range(found.shape[1]) if place not in self.signal]
        logit: Tensor = logs[:, self.signal].logsumexp(dim=1) - logs[:, against].logsumexp(dim=1)
        return logit
