"""What a metric is: a value for each input of a task, with a name, a label, a unit, and a direction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.tasks import Imputer, Task

Direction = Literal["lower", "higher"]
Maps: TypeAlias = Float[Tensor, "n *features"]
Scores: TypeAlias = Float[Tensor, " n"]


@dataclass(frozen=True)
class Quantity:
    """What is measured, for whoever prints it.

    Args:
        name: in the rows.
        label: in tables and figures.
        unit: of a value; 1 where it has none.
        better: the direction in which it is better; None where it is neither.
        question: what it asks of an explanation, in a few words that metrics of the same question share.
    """

    name: str
    label: str
    unit: str = "1"
    better: Direction | None = None
    question: str = ""


# The questions of the suite's metrics.
MOVES, KNOWN, STABLE, ASKS, OBJECT = (
    "finds what moves the output",
    "agrees with known values",
    "stays the same",
    "depends on the network",
    "lies on the object",
)


def undirected(*names: str) -> tuple[Quantity, ...]:
    """Quantities by their names, in neither direction better."""
    return tuple(Quantity(name, name.replace("_", " ")) for name in names)


def why_no_imputer(imputer: Imputer | str, task: Task) -> str | None:
    """Say in words why a task has no use for an imputer, or no imputer of a name; None where it has."""
    if isinstance(imputer, str):
        return None if imputer in task.imputers else f"the task has no imputer {imputer!r}"
    pictures = getattr(imputer, "pictures_only", False) and not task.is_picture
    return f"its imputer {type(imputer).__name__} is of pictures" if pictures else None


@runtime_checkable
class Metric(Protocol):
    """Judges attributions by the task that they explain; it knows neither the method nor the study."""

    @property
    def quantity(self) -> Quantity:
        """What is measured."""
        ...

    def why_not(self, task: Task) -> str | None:
        """Say in words why a task cannot be judged, or None where it can."""
        ...

    def score(self, task: Task, attributions: Maps, generator: torch.Generator) -> Scores:
        """Return a value for the attributions of each input, float64; NaN where it has no meaning.

        The generator, on the CPU, is of everything random.
        """
        ...


@runtime_checkable
class Together(Protocol):
    """A metric that can judge any number of attributions of an input at once, in fewer and larger batches."""

    def score_of(
        self,
        task: Task,
        attributions: Float[Tensor, "r *features"],
        explained: Int[Tensor, " r"],
        generator: torch.Generator,
    ) -> Float[Tensor, " r"]:
        """Return what `score` would for attributions of the inputs `explained`; all meet the same random numbers."""
        ...


def judged(
    metric: Metric, task: Task, maps: Mapping[str, Maps], generator: Callable[[], torch.Generator]
) -> dict[str, Scores]:
    """Judge several attributions of each input, which all meet the random numbers of the same generator, made anew."""
    if not isinstance(metric, Together) or not maps or _overrides_score(metric):
        return {name: metric.score(task, each, generator()) for name, each in maps.items()}
    inputs = len(task.inputs)
    explained = torch.arange(inputs).repeat(len(maps))
    scores = metric.score_of(task, torch.cat(list(maps.values())), explained, generator())
    return dict(zip(maps, scores.split(inputs), strict=True))


def _overrides_score(metric: Metric) -> bool:
    """Whether its class has a `score` of its own, and its `score_of` from a class that knows nothing of that."""
    first = next((kind for kind in type(metric).__mro__ if {"score", "score_of"} & vars(kind).keys()), None)
    return first is not None and "score_of" not in vars(first)


@runtime_checkable
class PairedMetric(Protocol):
    """Compares attributions with what the same method gives for a variant of the task; it never sees the method.

    A variant has as many inputs as the task, or k for each of them, those of an input behind one another.
    """

    @property
    def quantity(self) -> Quantity:
        """What is measured."""
        ...

    @property
    def redraws(self) -> bool:
        """Whether the method draws anew for the variant; else it starts from the same state of its generator."""
        ...

    def why_not(self, task: Task) -> str | None:
        """Say in words why a task has no such variant, or None where it has."""
        ...

    def variant(self, task: Task, generator: torch.Generator) -> Task:
        """What the same method shall explain beside the task."""
        ...

    def compare(self, task: Task, attributions: Maps, others: Float[Tensor, "nk *features"]) -> Scores:
        """Return a value for each input of the task, float64, from its attributions and those of the variant."""
        ...
