"""What the studies of rankings can be told: the schemas of their `evaluation`, importable without torch."""

from dataclasses import dataclass, field
from typing import Any

from igbaselines.common.errors import UserError
from igbaselines.common.files import check_file_name
from igbaselines.common.values import value
from igbaselines.studies.hep.experiments.settings import HepSplits

RECIPE = (
    "igbaselines.studies.hep.networks.recipe.ClassifierRecipe",
    "a classifier of events (model@evaluation.architectures.NAME=swish_dnn)",
)


@dataclass
class RankingsEvaluation(HepSplits):
    """What every study of rankings measures."""

    top: int = field(metadata=value("[1, )"))  # how many first features of two rankings are compared as sets


@dataclass
class SampleCountsEvaluation(RankingsEvaluation):
    """How many background events a baseline needs."""

    counts: list[int] = field(metadata=value("[1, )", distinct=True))  # events of each background
    draws: int = field(metadata=value("[2, 10000]"))  # independent draws of each; no event is in two of them

    def __post_init__(self) -> None:
        super().__post_init__()
        _some("evaluation.counts", self.counts, "numbers of events of each background, such as [5, 20]")

    @property
    def events_a_process(self) -> int:
        """Background events of each process that all draws take together."""
        return self.draws * (max(self.counts) + 1)  # one more: parts are equal up to one event


@dataclass
class RetrainedEvaluation(RankingsEvaluation):
    """Rankings that are also judged by networks retrained on their first features."""

    top_k: list[int] = field(metadata=value("[1, )", distinct=True))  # numbers of first features to retrain on

    def __post_init__(self) -> None:
        super().__post_init__()
        _some("evaluation.top_k", self.top_k, "numbers of features, such as [5, 12]")


@dataclass
class CombinedEvaluation(RetrainedEvaluation):
    """Rankings that are combined into one."""

    # What the Borda count gives for a first place; lower places get fewer, down to none
    points: int = field(metadata=value("[1, )"))


@dataclass
class ArchitecturesEvaluation(RankingsEvaluation):
    """Networks of several architectures under the same baselines."""

    architectures: dict[str, Any] = field(metadata=value(kind=RECIPE))  # recipes by the name of their architecture

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.architectures:
            raise UserError("evaluation.architectures is empty: give at least one model")
        for name in self.architectures:
            check_file_name("evaluation.architectures", name)


def _some(key: str, values: list[int], example: str) -> None:
    """Refuse a list that is empty."""
    if not values:
        raise UserError(f"{key} is empty: give {example}")
