"""What `hep_generators` can be told: the schema of its `evaluation`, importable without torch."""

import re
from dataclasses import dataclass, field
from typing import Any

from igbaselines.common.checks import at_least
from igbaselines.common.errors import UserError
from igbaselines.common.values import check_values, value

DATASET = (
    "igbaselines.studies.hep.data.events.EventDataset",
    "a dataset of events (dataset@evaluation.reference=hep_pythia_sample)",
)


@dataclass
class HepGeneratorsEvaluation:
    """The comparison of a sample of events with a reference."""

    reference: Any = field(metadata=value(kind=DATASET))  # the dataset that the sample is compared with
    processes: list[str] = field(metadata=value(distinct=True))  # processes that are compared, each by itself
    # families of features that a classifier is given; a regular expression for the names of each
    families: dict[str, str]
    figure_features: list[str] = field(metadata=value(distinct=True))  # features whose distributions are drawn
    bins: int = field(metadata=value("[2, 10000]"))  # of a drawn distribution
    folds: int = field(metadata=value("[2, 1000]"))  # of the events that a classifier is trained and judged on
    trees: int = field(metadata=value("[1, 100000]"))  # of a classifier
    classifier_events: int  # events of a process that a classifier is given of each sample, at most

    def __post_init__(self) -> None:
        check_values("evaluation", type(self), vars(self))
        at_least("evaluation.classifier_events", self.classifier_events, self.least_events)
        for key in ("processes", "figure_features"):
            if not getattr(self, key):
                raise UserError(f"evaluation.{key} is empty: name at least one")
        for family, pattern in self.families.items():
            try:
                re.compile(pattern)
            except re.error as error:
                # no cause: `instantiate` tells the user the innermost one
                line = f"evaluation.families.{family} is no regular expression ({error}): {pattern}"
                raise UserError(line) from None

    @property
    def least_events(self) -> int:
        """Events of a process without which a fold says nothing."""
        return 10 * self.folds

    def members(self, feature_names: tuple[str, ...]) -> dict[str, list[int]]:
        """Places of each family's features; a UserError for a family that has none."""
        found = {
            family: [place for place, name in enumerate(feature_names) if re.fullmatch(pattern, name)]
            for family, pattern in self.families.items()
        }
        for family, places in found.items():
            if not places:
                raise UserError(f"evaluation.families.{family} has no feature: none is named {self.families[family]}")
        return found
