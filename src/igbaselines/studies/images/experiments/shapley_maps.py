"""Maps of one photograph by every method, each from random numbers of its own, and timed."""

import zlib
from dataclasses import dataclass, replace

from igbaselines.attribution import Attribution
from igbaselines.attribution.methods import Method
from igbaselines.attribution.shapley.estimators import ShapleyIG
from igbaselines.common.clock import timed
from igbaselines.common.randomness import generator_for
from igbaselines.studies.images.experiments.settings import SHAPLEY_IG
from igbaselines.studies.images.experiments.study import PhotographStudy
from igbaselines.studies.images.experiments.tasks import image_key, task_of
from igbaselines.tasks import Task

FEW_PLAYERS = 10  # up to here the share of all coalitions is worth a number


@dataclass(frozen=True)
class Sampling:
    """How coalitions of a square photograph's patches are sampled."""

    side: int  # of the photograph [px]
    patch: int  # side of a patch [px]
    coalitions: int  # how many are drawn

    def map(self, study: PhotographStudy, task: Task) -> "TimedMap":
        """Shapley Integrated Gradients of a photograph in this setting."""
        method = study.methods_of(study.drawn(task))[SHAPLEY_IG]
        assert isinstance(method, ShapleyIG)
        method = replace(method, coalitions=self.coalitions)
        return TimedMap.make(SHAPLEY_IG, method, task_of(method, task, self.patch), study.run.seed)

    def columns(self) -> dict[str, int | float]:
        """What a row says of it; `q` is the share of all coalitions, where there are few players."""
        players = (-(-self.side // self.patch)) ** 2
        known: dict[str, int | float] = {"patch": self.patch, "coalitions": self.coalitions, "players": players}
        few = players <= FEW_PLAYERS and self.coalitions <= 2**players  # more than all would be no share
        return known | ({"q": self.coalitions / 2**players} if few else {})


@dataclass(frozen=True)
class TimedMap:
    """What a method gives of a photograph."""

    method: str  # its name
    found: Attribution  # the attribution, n = 1
    seconds: float  # wall time of the attribution

    @classmethod
    def make(cls, name: str, method: Method, task: Task, seed: int) -> "TimedMap":
        """Explain a photograph from the method's own random numbers, to its end on the device."""
        photograph = image_key(task.units[0])
        key: tuple[str | int, ...] = "images: baselines", photograph, zlib.crc32(name.encode())
        if isinstance(method, ShapleyIG):  # whatever its setting
            key = "images: coalitions", photograph
        _ = task.player_map  # once a photograph, and not in the time of its first method
        found, seconds = timed(lambda: method.attribute(task, generator_for(seed, *key)), task.inputs.device)
        return cls(name, found, seconds)


def every_map(study: PhotographStudy, task: Task, most: int | None = None) -> list[TimedMap]:
    """Explain a photograph by every method of a study, or by the first ones."""
    methods = list(study.methods_of(study.drawn(task)).items())[:most]
    return [TimedMap.make(name, method, task_of(method, task, study.patch), study.run.seed) for name, method in methods]
