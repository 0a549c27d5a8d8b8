"""What every attribution can be told, whichever study it is used in; importable without torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from igbaselines.common.values import check_values, value

if TYPE_CHECKING:
    from igbaselines.attribution.methods import Method

OUTPUTS = ("logit", "probability")
RANKINGS = ("signed", "magnitude")
# Kinds of objects in a configuration, and what gives one.
RULE = (
    "igbaselines.attribution.engine.quadrature.QuadratureRule",
    "a quadrature rule (attribution/rule=gauss_legendre)",
)
SOURCE = ("igbaselines.tasks.imputers.Imputer", "a source of baselines (attribution/baselines=black)")
MASK = ("igbaselines.tasks.imputers.Imputer", "a source of baselines (mask@evaluation.mask=black)")
GRID = ("igbaselines.metrics.perturbation_curves.PerturbationGrid", "a grid (evaluation/grid=shares)")
SEARCH = ("igbaselines.attribution.fitness.DeletionSearch", "a search (attribution/search=binary)")


@dataclass(kw_only=True)
class AttributionSettings:
    """A set of methods, and how their attributions are made and ranked.

    Args:
        output: the explained output, logit or probability.
        ranking: how features are ranked: by signed attributions, or by magnitudes.
        signal_events: events of a task of collisions that are explained.
        reference_images: photographs that baselines of photographs are made of, at most; all where a dataset has fewer.
        labels: of the methods, by name, as tables and figures print them.
    """

    output: str = field(default="probability", metadata=value(choices=OUTPUTS))
    ranking: str = field(default="signed", metadata=value(choices=RANKINGS))
    signal_events: int = field(default=1000, metadata=value("[1, )"))
    reference_images: int = field(default=32, metadata=value("[2, 10000]"))
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_values("attribution", type(self), vars(self))

    def methods(self) -> "dict[str, Method]":
        """The methods, by name."""
        raise NotImplementedError
