"""What the studies of rankings can be told: the schemas of their `evaluation`, importable without torch."""

from dataclasses import dataclass
from typing import Any

from igbaselines.common.checks import at_least, distinct
from igbaselines.common.errors import UserError
from igbaselines.common.files import check_file_name
from igbaselines.studies.hep.experiments.settings import HepSplits


@dataclass
class RankingsEvaluation(HepSplits):
    """What every study of rankings measures."""

    top: int  # how many first features of two rankings are compared as sets

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("evaluation.top", self.top, 1)


@dataclass
class SampleCountsEvaluation(RankingsEvaluation):
    """How many background events a baseline needs."""

    counts: list[int]  # events of each background
    draws: int  # independent draws of each; no event is in two of them

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("evaluation.draws", self.draws, 2)
        if not self.counts:
            raise UserError("evaluation.counts is empty: give numbers of events of each background, such as [5, 20]")
        distinct("evaluation.counts", self.counts)
        for count in self.counts:
            at_least("evaluation.counts", count, 1)


@dataclass
class RetrainedEvaluation(RankingsEvaluation):
    """Rankings that are also judged by networks retrained on their first features."""

    top_k: list[int]  # numbers of first features to retrain on

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.top_k:
            raise UserError("evaluation.top_k is empty: give numbers of features, such as [5, 12]")
        distinct("evaluation.top_k", self.top_k)
        for k in self.top_k:
            at_least("evaluation.top_k", k, 1)


@dataclass
class CombinedEvaluation(RetrainedEvaluation):
    """Rankings that are combined into one."""

    points: int  # what the Borda count gives for a first place; lower places get fewer, down to none

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("evaluation.points", self.points, 1)


@dataclass
class ArchitecturesEvaluation(RankingsEvaluation):
    """Networks of several architectures under the same baselines."""

    architectures: dict[str, Any]  # recipes by the name of their architecture

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.architectures:
            raise UserError("evaluation.architectures is empty: give at least one model")
        for name in self.architectures:
            check_file_name("evaluation.architectures", name)
