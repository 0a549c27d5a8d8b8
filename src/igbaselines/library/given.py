"""What users give: networks that return more than a tensor, several inputs at once, baselines as Captum takes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.tasks import Background
from igbaselines.tasks.outputs import described

Array: TypeAlias = Tensor | np.ndarray | Sequence[Any]
Arrays: TypeAlias = Array | tuple[Array, ...]  # a tuple: one for each input of the network
Output: TypeAlias = str | int | Callable[[Any], Tensor]
NEEDED = "examples of the data are needed here: give background=, a tensor (m, *features)"


@dataclass(frozen=True)
class Inputs:
    """Where each of a network's inputs lies, when all are one tensor: a path is straight in each as in all of them.

    Args:
        shapes: of one example of each input; with a single input its own shape is kept.
    """

    shapes: tuple[torch.Size, ...] = ()

    def join(self, arrays: Arrays) -> Tensor:
        """Make one tensor of what is given for each input, (m, *features) or (m, all features)."""
        if len(self.shapes) == 1:
            return as_tensor(arrays[0] if isinstance(arrays, tuple) else arrays)
        if not isinstance(arrays, tuple) or len(arrays) != len(self.shapes):
            raise ValueError(f"the network has {len(self.shapes)} inputs: a tuple of so many is needed here")
        return torch.cat([as_tensor(one).flatten(1) for one in arrays], dim=1)

    def split(self, joined: Tensor) -> tuple[Tensor, ...]:
        """The part of each input, (m, *its features)."""
        if len(self.shapes) == 1:
            return (joined,)
        ends = np.cumsum([0, *(shape.numel() for shape in self.shapes)]).tolist()
        parts = (joined[:, start:end] for start, end in pairwise(ends))
        return tuple(part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True))


@dataclass(frozen=True)
class Function:
    """A network as the engine takes it: a function of one tensor that gives one.

    Args:
        network: a function of the inputs.
        inputs: where each lies in the tensor.
        output: which part of what the network returns is explained: the key of a dict or the attribute of an object,
            the index of a tuple, or a function of it; None: all of it, a tensor.
        progress: told how many points the network has seen by now.
        seen: their number.
    """

    network: Callable[..., Any]
    inputs: Inputs
    output: Output | None
    progress: Callable[[int], object] | None = None
    seen: list[int] = field(default_factory=lambda: [0])

    def __call__(self, points: Tensor) -> Tensor:
        """Return (m,) or (m, classes)."""
        if self.progress is not None:
            self.seen[0] += len(points)
            self.progress(self.seen[0])
        returned = self.network(*self.inputs.split(points))
        if self.output is None:
            return returned  # type: ignore[no-any-return]  # the engine looks what it is
        if callable(self.output):
            return self.output(returned)
        if isinstance(self.output, str) and not isinstance(returned, Mapping):
            return getattr(returned, self.output)  # type: ignore[no-any-return]
        return returned[self.output]  # type: ignore[no-any-return]


class BackgroundNeededError(ValueError):
    """Somebody asks for examples, or the features' ranges, and there is no background."""


class NoBackground(Background):
    """That of a task whose user gave none: whatever asks for examples, or the features' ranges, says so."""

    def __init__(self) -> None:
        """Know nothing."""

    def asked_of(self, network: Callable[[Tensor], Tensor], targets: Tensor | None) -> Background:
        """Know no more for that."""
        return self

    @property
    def examples(self) -> Tensor:
        """There are none."""
        raise BackgroundNeededError(NEEDED)

    @property
    def centre(self) -> Tensor:
        """There is none."""
        raise BackgroundNeededError(NEEDED)


def background_of(examples: Float[Tensor, "m *features"]) -> Background:
    """What baselines may be made of, where nothing is known beside examples: their mean, and the features' ranges."""
    return Background(examples, examples.mean(dim=0), low=examples.amin(dim=0), high=examples.amax(dim=0))


def baselines_of(given: Arrays | float, inputs: Float[Tensor, "n *features"], parts: Inputs) -> Tensor:
    """Baselines as Captum takes them, (1, *features) for all inputs or (n, 1, *features) for each of them.

    Raises:
        ValueError: where there is neither one for all nor one each.
    """
    if isinstance(given, int | float):
        return torch.full_like(inputs[:1], float(given))
    found = parts.join(given).to(inputs)
    if found.shape[1:] != inputs.shape[1:] or len(found) not in (1, len(inputs)):
        raise ValueError(
            f"baselines {tuple(found.shape)} do not fit inputs {tuple(inputs.shape)}: a number, one for all "
            "(1, *features) or one for each; several for each input are a method's: AveragedGradients(Given(...))"
        )
    return found if len(found) == 1 else found.unsqueeze(1)


def as_tensor(array: Array) -> Tensor:
    """A tensor as it is; of numbers one of torch's own precision."""
    if isinstance(array, Tensor):
        return array
    try:
        return torch.as_tensor(array, dtype=torch.get_default_dtype())
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"a tensor or an array of numbers is needed, got {described(array)}") from None
