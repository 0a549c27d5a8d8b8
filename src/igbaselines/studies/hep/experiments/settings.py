"""What `hep_baselines` can be told: the schemas of its `attribution` and `evaluation`, importable without torch."""

from dataclasses import dataclass, field
from typing import Any

from igbaselines.common.checks import at_least, one_of
from igbaselines.common.errors import UserError

OUTPUTS = ("logit", "probability")
RANKINGS = ("signed", "magnitude")


@dataclass
class HepAttribution:
    """The attributions of a run.

    Args:
        output: the explained output, logit or probability.
        ranking: how features are ranked: by the signed mean over the signal events, or by the mean magnitude.
        signal_events: signal events of the test part that are explained with each ranking network.
        rule: the quadrature rule.
        baselines: sources of baselines by the name of their method.
        labels: how methods are printed, by name; no part of the run's hash.
    """

    output: str
    ranking: str
    signal_events: int
    rule: Any
    baselines: dict[str, Any]
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of("attribution.output", self.output, OUTPUTS)
        one_of("attribution.ranking", self.ranking, RANKINGS)
        at_least("attribution.signal_events", self.signal_events, 1)


@dataclass
class HepSplits:
    """The ranking networks of a run.

    Args:
        networks: ranking networks, each with its own split of the events.
        train_fraction: share of the events on which networks are trained.
        validation_fraction: share on which early stopping decides; the rest is the test part.
    """

    networks: int
    train_fraction: float
    validation_fraction: float

    def __post_init__(self) -> None:
        at_least("evaluation.networks", self.networks, 1)
        if min(self.train_fraction, self.validation_fraction, self.test_fraction) <= 0:
            raise UserError(
                "evaluation.train_fraction and evaluation.validation_fraction must be positive and leave a test "
                f"part, got {self.train_fraction} and {self.validation_fraction}"
            )

    @property
    def test_fraction(self) -> float:
        """Share of the test part."""
        return 1 - self.train_fraction - self.validation_fraction


@dataclass
class HepEvaluation(HepSplits):
    """The retrainings and the significance of a run.

    Args:
        top_k: numbers of best-ranked features to retrain on; "all" for all of them.
        random_rankings: random rankings as a control.
        luminosity: integrated luminosity of the significance [1/fb].
        signal_efficiency: share of the selected signal behind the cut on the network's output.
        bootstrap: replicates of the significance for its intervals.
    """

    top_k: list[Any]
    random_rankings: int
    luminosity: float
    signal_efficiency: float
    bootstrap: int

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("evaluation.bootstrap", self.bootstrap, 2)
        at_least("evaluation.random_rankings", self.random_rankings, 0)
        if not 0 < self.signal_efficiency < 1:
            raise UserError(f"evaluation.signal_efficiency must lie in (0, 1), got {self.signal_efficiency}")
        if self.luminosity <= 0:
            raise UserError(f"evaluation.luminosity must be positive, got {self.luminosity}")
        for k in self.top_k:
            if k != "all" and not (isinstance(k, int) and k >= 1):
                raise UserError(f"evaluation.top_k holds {k!r}: positive whole numbers or all")
        if not self.top_k:
            raise UserError("evaluation.top_k is empty: give numbers of features, such as [1, 2, 5, all]")

    def sizes(self, features: int) -> list[int]:
        """The numbers of features to retrain on, ascending; all of them stands last in any case.

        More than there are, as in a table of the user's, are left out.
        """
        return sorted({int(k) for k in self.top_k if k != "all" and k < features} | {features})
