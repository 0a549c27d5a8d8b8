"""Which functions there are, and what their inputs and coefficients can be told; importable without torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from igbaselines.common.errors import UserError
from igbaselines.common.values import SEED, check_values, value

TRAINING = 2000  # inputs that the mean, the ranges and the scale of a function's output are of


@dataclass(frozen=True)
class Kind:
    """What a function has beside a sum of waves, one of each feature."""

    interacts: bool = False  # products of two and of three features
    saturates: bool = False  # every third feature stops to matter once it is far enough from its mean
    irrelevant: bool = False  # more features, which do nothing; some are correlated with those that do
    correlated: bool = False  # features are correlated in blocks, which is no part of the function


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "additive": Kind(),
        "interactions": Kind(interacts=True),
        "correlated": Kind(interacts=True, correlated=True),
        "irrelevant": Kind(interacts=True, irrelevant=True),
        "saturating": Kind(saturates=True),
    }
)


@dataclass
class PlantedInputs:
    """What the inputs of the functions are drawn from: normal, with a mean for each feature and a variance of 1."""

    features: int = field(metadata=value("[4, 1000]"))  # that a function depends on
    irrelevant: int = field(metadata=value("[1, 1000]"))  # beside them, of the function `irrelevant` alone
    correlation: float = field(metadata=value("[0, 1]"))  # of features that are correlated
    examples: int = field(metadata=value(f"[20, {TRAINING}]"))  # of the background, the reference `background`
    seed: int = field(metadata=value(SEED))  # of the inputs; that of the coefficients is the run's

    def __post_init__(self) -> None:
        check_values("dataset", type(self), vars(self))

    def checksum(self) -> None:
        """None: the configuration says everything."""


@dataclass
class PlantedFunctions:
    """Which functions are explained."""

    functions: list[str] = field(metadata=value(choices=tuple(KINDS), distinct=True))  # their names, of `KINDS`

    def __post_init__(self) -> None:
        check_values("model", type(self), vars(self))
        if not self.functions:
            raise UserError(f"model.functions must name at least one of {', '.join(KINDS)}")

    def checksum(self) -> None:
        """None: no file of the user's goes in."""
