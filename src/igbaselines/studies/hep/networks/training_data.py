"""The events that networks are trained on."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.models.standardise import Standardise


@dataclass(frozen=True)
class TrainingData:
    """Standardised events with their split."""

    x: Float[Tensor, "events d"]  # standardised features
    target: Float[Tensor, " events"]  # 1 for signal, 0 for background
    train: Int[Tensor, " t"]  # indices of the training part
    validation: Int[Tensor, " v"]  # indices of the validation part
    feature_names: tuple[str, ...] = ()  # names of the features, for the networks that are built after them
    weight: Float[Tensor, " events"] | None = None  # what each event counts, not negative; None: all the same
    standardise: Standardise | None = None  # what x was standardised by; None: physical units are those of x

    def class_weights(self, part: Int[Tensor, " p"]) -> Float[Tensor, " p"]:
        """Weights by which signal and background count the same in a part; their mean is one."""
        target = self.target[part]
        if self.weight is None:
            signal = target.mean()
            return target / (2 * signal) + (1 - target) / (2 * (1 - signal))
        weight = self.weight[part]
        signal, background = ((weight * of).mean() for of in (target, 1 - target))
        return weight * (target / (2 * signal) + (1 - target) / (2 * background))
