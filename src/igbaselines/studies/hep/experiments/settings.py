"""What `hep_baselines` can be told: the schemas of its `attribution` and `evaluation`, importable without torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from igbaselines.common.errors import UserError
from igbaselines.common.values import LARGEST, check_values, value
from igbaselines.running.settings import RULE, SOURCE, AttributionSettings

if TYPE_CHECKING:
    from igbaselines.attribution.methods import Method


@dataclass(kw_only=True)
class HepAttribution(AttributionSettings):
    """Integrated Gradients averaged over weighted baselines, all by one quadrature rule."""

    rule: Any = field(metadata=value(kind=RULE))
    baselines: dict[str, Any] = field(metadata=value(kind=SOURCE))  # sources of baselines by the name of their method

    def methods(self) -> "dict[str, Method]":
        """One for each source of baselines."""
        from igbaselines.attribution.methods import AveragedGradients

        return {name: AveragedGradients(source, self.rule) for name, source in self.baselines.items()}


@dataclass
class HepSplits:
    """The ranking networks of a run."""

    networks: int = field(metadata=value("[1, 10000]"))  # ranking networks, each with its own split of the events
    train_fraction: float  # share of the events on which networks are trained
    validation_fraction: float  # share on which early stopping decides; the rest is the test part

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))
        if min(self.train_fraction, self.validation_fraction, self.test_fraction) <= 0:
            raise UserError(
                "evaluation.train_fraction and evaluation.validation_fraction must be positive and leave a test "
                f"part, got {self.train_fraction} and {self.validation_fraction}"
            )

    @property
    def events_a_process(self) -> int | None:
        """Background events of each process that a training part has to hold; None: the most that a method draws."""
        return None

    @property
    def test_fraction(self) -> float:
        """Share of the test part."""
        return 1 - self.train_fraction - self.validation_fraction

    def turn(self, network: int) -> float:
        """By which part of a circle the split of one of the networks is turned."""
        return network / self.networks


@dataclass
class HepEvaluation(HepSplits):
    """The retrainings and the significance of a run."""

    top_k: list[Any]  # numbers of best-ranked features to retrain on; "all" for all of them
    random_rankings: int = field(metadata=value("[0, 10000]"))  # random rankings as a control
    luminosity: float = field(metadata=value("(0, )"))  # integrated luminosity of the significance [1/fb]
    # Share of the selected signal behind the cut on the network's output
    signal_efficiency: float = field(metadata=value("(0, 1)"))
    bootstrap: int = field(metadata=value("[2, 1000000]"))  # replicates of the significance for its intervals
    # What is not known of the background, as a share of it, beside its simulation and its cross-sections
    background_error: float = field(default=0.0, metadata=value("[0, 10]"))
    # Of the ranking networks so many, the first, are retrained on their first features; None: all
    retrained_networks: int | None = field(default=None, metadata=value("[1, 10000]"))

    def __post_init__(self) -> None:
        super().__post_init__()
        for k in self.top_k:
            if k != "all" and (not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= LARGEST):
                raise UserError(f"evaluation.top_k holds {k!r}: positive whole numbers or all")
        if not self.top_k:
            raise UserError("evaluation.top_k is empty: give numbers of features, such as [1, 2, 5, all]")
        if self.retrained > self.networks:
            raise UserError(
                f"evaluation.retrained_networks={self.retrained} of evaluation.networks={self.networks}: take at most "
                "as many, or null for all"
            )

    @property
    def retrained(self) -> int:
        """How many of the networks, the first, are retrained."""
        return self.networks if self.retrained_networks is None else self.retrained_networks

    def turn(self, network: int) -> float:
        """By which part of a circle the split of one of the networks is turned.

        Those that are retrained stand evenly around it, as if there were no others: their test parts cover every event
        equally often. The others follow in rounds, each between those of the rounds before.
        """
        rounds = -(-self.networks // self.retrained)
        place, later = network % self.retrained, network // self.retrained
        return (place + later / rounds) / self.retrained

    def sizes(self, features: int) -> list[int]:
        """The numbers of features to retrain on, ascending; all of them stands last in any case.

        More than there are, as in a table of the user's, are left out.
        """
        return sorted({int(k) for k in self.top_k if k != "all" and k < features} | {features})
