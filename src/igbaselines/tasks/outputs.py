"""What a function returns, and which of its classes is followed: read in one place, or refused in one line."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from igbaselines.common.devices import sent

# Class of each input, or one for all of them.
Target: TypeAlias = Int[Tensor, " n"] | Int[Tensor, ""] | Sequence[int] | np.ndarray | int


def read_target(inputs: Float[Tensor, "n *features"], target: Target | None) -> Int[Tensor, " n"] | None:
    """Return the class of each input, int64 and on its device; a tuple is refused, as it is one index to Captum.

    Raises:
        ValueError: naming what came and what would do.
    """
    return read_classes(inputs, target)[0]


def read_classes(
    inputs: Float[Tensor, "n *features"], target: Target | None
) -> tuple[Int[Tensor, " n"] | None, int | None]:
    """Return what `read_target` does, and the largest class."""
    if target is None:
        return None, None
    wanted = f"target must be a class index, or {len(inputs)} of them, one an input, in a list or a tensor"
    if isinstance(target, tuple | str | bytes | Mapping):
        raise ValueError(f"{wanted}; got {described(target)}")
    if isinstance(target, Tensor):
        check_dense("target must be a dense tensor", target)
    try:
        classes = torch.as_tensor(target)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{wanted}; got {described(target)}") from None
    if classes.shape not in ((), inputs.shape[:1]):
        raise ValueError(f"target {tuple(classes.shape)} does not fit inputs {tuple(inputs.shape)}: one class an input")
    whole = not (classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool)
    # Not all that torch does, it does with uint16 to uint64; what is too large for int64 is below zero there.
    least, largest = _range(classes) if whole else (None, None)
    if least is None or least < 0:
        found = "" if least is None else f" with least {least}"
        raise ValueError(f"target must hold class indices from 0 on, got {classes.dtype}{found}")
    return sent(classes.to(torch.int64), inputs.device).expand(len(inputs)), largest


# Of classes that a GPU has, which the host waits for: of the same tensor once, as long as nobody writes into it.
_RANGES = WeakTensorKeyDictionary()


def _range(classes: Int[Tensor, "*shape"]) -> tuple[int, int]:
    known = classes.is_cuda and not classes.is_inference()
    if known and (found := _RANGES.get(classes)) is not None and found[0] == classes._version:
        least, largest = found[1:]
    else:
        least, largest = torch.stack(classes.to(torch.int64).aminmax()).tolist()
        if known:
            _RANGES[classes] = (classes._version, least, largest)
    return least, largest


def check_output(output: object, points: Float[Tensor, "m *features"], largest_target: int | None) -> None:
    """Refuse what f returned for these points unless it is a value, or one of each target's class, for each of them.

    Raises:
        ValueError: naming what came and what would do.
    """
    if not isinstance(output, Tensor):
        raise ValueError(f"f must return a tensor, but returned {described(output)}{_cure(output)}")
    if output.device == points.device:
        check_dense("f must return a dense tensor", output)
    shape = tuple(output.shape)
    if largest_target is None:
        if shape != (len(points),):
            raise ValueError(
                f"f must return one value a point, shape ({len(points)},), but returned {shape}; "
                "pass target= for a network with several classes, target=0 for one of shape (points, 1)"
            )
    elif output.dim() != 2 or len(output) != len(points):
        raise ValueError(f"with target= f must return shape ({len(points)}, classes), but returned {shape}")
    elif largest_target >= shape[1]:
        raise ValueError(
            f"target {largest_target} does not fit f, which returned {shape}: classes go from 0 to {shape[1] - 1}"
        )
    if output.is_complex():
        raise ValueError(f"f must return real numbers, but returned {output.dtype}: explain their real part, or .abs()")
    if output.dtype == torch.bool:
        raise ValueError("f must return real numbers, but returned torch.bool: explain the score behind the decision")
    if output.device != points.device:
        raise ValueError(f"f must return values where its points are, {points.device}, but returned {output.device}")


def check_dense(wanted: str, tensor: Tensor) -> None:
    """Refuse a tensor that does not hold a value for each of its places."""
    if tensor.is_nested:
        raise ValueError(f"{wanted}, got a nested one: .to_padded_tensor(0) makes one")
    if tensor.layout != torch.strided:
        raise ValueError(f"{wanted}, got {tensor.layout}: .to_dense() makes one")
    if tensor.is_meta:
        raise ValueError(f"{wanted}, got one on the device meta, which holds no values")


def described(value: object) -> str:
    """Say in a few words what came in the place of something else."""
    kind = type(value)
    name = (
        kind.__name__
        if kind.__module__ in ("builtins", "torch")
        else f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    )
    if isinstance(value, Mapping):
        return f"a {name} of {', '.join(map(repr, list(value)[:4])) or 'nothing'}"
    if (shape := getattr(value, "shape", None)) is not None:
        return f"a {name} of shape {tuple(shape)}"
    if isinstance(value, list | tuple):
        return f"a {name} of {len(value)}"
    return f"{value!r}" if isinstance(value, bool | int | float | str | type(None)) else f"a {name}"


def _cure(output: object) -> str:
    """How to take the first tensor of an object."""
    if isinstance(output, Mapping):
        names = {f"[{key!r}]": value for key, value in output.items()}
    elif isinstance(output, list | tuple):
        names = {f"[{index}]": value for index, value in enumerate(output)}
    else:
        names = {f".{key}": value for key, value in getattr(output, "__dict__", {}).items()}
    first = next((name for name, value in names.items() if isinstance(value, Tensor)), None)
    return f"; explain one tensor of it, such as lambda x: f(x){first}" if first else ""
