"""What every attribution can be told, whichever study it is used in; importable without torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from igbaselines.common.checks import at_least, one_of

if TYPE_CHECKING:
    from igbaselines.attribution.methods import Method

OUTPUTS = ("logit", "probability")
RANKINGS = ("signed", "magnitude")


@dataclass(kw_only=True)
class AttributionSettings:
    """A set of methods, and how their attributions are made and ranked.

    Args:
        output: the explained output, logit or probability.
        ranking: how features are ranked: by signed attributions, or by magnitudes.
        signal_events: events of a task of collisions that are explained.
        reference_images: photographs that baselines of photographs are made of.
        labels: of the methods, by name, as tables and figures print them.
    """

    output: str = "probability"
    ranking: str = "signed"
    signal_events: int = 1000
    reference_images: int = 32
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of("attribution.output", self.output, OUTPUTS)
        one_of("attribution.ranking", self.ranking, RANKINGS)
        at_least("attribution.signal_events", self.signal_events, 1)
        at_least("attribution.reference_images", self.reference_images, 2)

    def methods(self) -> "dict[str, Method]":
        """The methods, by name."""
        raise NotImplementedError
