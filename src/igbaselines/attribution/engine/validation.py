"""Checks of the engine's arguments: every message names what is wrong and, for shapes, both sides."""

import math
import warnings
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from igbaselines.attribution.engine.quadrature import QuadratureRule
from igbaselines.attribution.engine.refusals import refuse_where
from igbaselines.tasks.outputs import Target, check_dense, described, read_classes


class Arguments(NamedTuple):
    """What the engine takes, as it needs it; nothing is copied."""

    inputs: Float[Tensor, "n *features"]
    baselines: Float[Tensor, "n k *features"]
    weights: Float[Tensor, "n k ..."]  # *features, or ones
    target: Int[Tensor, " n"] | None
    largest_target: int | None


def read_arguments(
    f: object,
    inputs: object,
    baselines: object,
    weights: object = None,
    target: Target | None = None,
    max_batch: object = None,
    called: str = "baselines",
) -> Arguments:
    """Read, once a call, what goes into the engine; `called` is the name that the caller has for its baselines.

    Raises:
        ValueError: naming the argument, what came and what would do.
    """
    if not callable(f):
        raise ValueError(f"f must be a function of a tensor (m, *features), got {described(f)}")
    inputs = read_tensor("inputs", inputs)
    if not inputs.is_floating_point():
        raise ValueError(f"inputs must be floating point, got {inputs.dtype}")
    if inputs.dim() == 0 or len(inputs) == 0:
        raise ValueError(f"there is no input to explain: inputs have shape {tuple(inputs.shape)}")
    if max_batch is not None and (isinstance(max_batch, bool) or not isinstance(max_batch, Integral) or max_batch < 1):
        raise ValueError(f"max_batch must be a whole number of at least 1, got {described(max_batch)}")
    classes, largest = read_classes(inputs, target)
    if isinstance(baselines, Real) and not isinstance(baselines, bool):
        baselines = _filled(inputs, baselines, called)
    starts = _expand_baselines(inputs, read_tensor(called, baselines, ", or one number for all features"), called)
    shares = _expand_weights(inputs, starts, None if weights is None else read_weights(weights))
    for name, values in (("inputs", inputs), (called, starts), ("weights", shares)):
        _check_finite(name, values)
    return Arguments(inputs.detach(), starts.detach(), shares.detach(), classes, largest)


def check_options(rule: object, progress: object, generator: object) -> None:
    """Refuse what is no quadrature rule, such as a bare number of steps, no function, or no generator."""
    if isinstance(rule, type) or not isinstance(rule, QuadratureRule):
        raise ValueError(f"rule must be a quadrature rule, such as GaussLegendre(32), got {described(rule)}")
    if progress is not None and not callable(progress):
        raise ValueError(f"progress must be a function of the points done, such as print, got {described(progress)}")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(
            f"generator must be a torch.Generator, such as torch.Generator().manual_seed(0), got {described(generator)}"
        )


def check_graph(output: Tensor, gradient: Tensor | None) -> Tensor:
    """Return the gradient, or refuse an output that has none with respect to f's points."""
    if gradient is None:
        raise ValueError(
            f"f returned values ({output.dtype}) without a gradient with respect to its points: it is constant or a "
            "step, or it leaves autograd on the way (torch.no_grad, detach, argmax, numpy)"
        )
    return gradient


def tolerance_of_values(f_inputs: Float[Tensor, " n"], f_baselines: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """By how much the values of a point may differ through rounding, which follows the number of points beside it."""
    largest = torch.maximum(f_inputs.abs().amax(), f_baselines.abs().amax())
    return largest * math.sqrt(torch.finfo(f_baselines.dtype).eps)


def check_paths(completeness_gap: Float[Tensor, "n k"]) -> None:
    """Refuse values and gradients that are not finite: they show up in the gap of their path."""
    baselines = completeness_gap.shape[1]

    def refuse(count: int, first: int) -> None:
        i, j = divmod(first, baselines)
        raise ValueError(
            f"f or its gradient is not finite on the path from baseline {j} to input {i} ({count} paths in all)"
        )

    refuse_where(~torch.isfinite(completeness_gap), refuse)


def read_tensor(name: str, value: object, or_else: str = "") -> Tensor:
    """Return a dense tensor that holds values, or refuse what came: naming what would do."""
    if isinstance(value, Tensor):
        check_dense(f"{name} must be a dense tensor", value)
        return value
    cure = f": torch.from_numpy({name}) makes one" if isinstance(value, np.ndarray) else ""
    if isinstance(value, list) and not any(isinstance(part, Tensor) for part in value):
        cure = f": torch.tensor({name}) makes one"
    if isinstance(value, tuple | list) and any(isinstance(part, Tensor) for part in value):
        cure = "; of several tensors fix all but one: lambda x: f(x, other)"
    raise ValueError(f"{name} must be a tensor{or_else}, got {described(value)}{cure}")


def read_weights(weights: object) -> Tensor:
    """Return weights as they are, or refuse what are none."""
    weights = read_tensor("weights", weights)
    if weights.is_complex():
        raise ValueError(f"weights must be real numbers, got {weights.dtype}")
    return weights


def _filled(inputs: Tensor, number: Real, called: str) -> Float[Tensor, "1 *features"]:
    try:
        return inputs.new_full((1, *inputs.shape[1:]), float(number))
    except (OverflowError, RuntimeError):
        raise ValueError(f"{called} must be finite, got a number that is too large for {inputs.dtype}") from None


def _expand_baselines(inputs: Tensor, baselines: Tensor, called: str) -> Tensor:
    n, features = len(inputs), inputs.shape[1:]
    for name in ("dtype", "device"):
        if (mine := getattr(baselines, name)) != (wanted := getattr(inputs, name)):
            raise ValueError(f"{called} have {name} {mine}, inputs have {wanted}")
    if baselines.dim() and baselines.shape[1:] == features and len(baselines):
        if len(baselines) == n > 1:
            warnings.warn(
                f"{called} of the inputs' shape are {called} that all inputs share, not one for each as in Captum: "
                f"say {called}[:, None] for one each, {called}.expand(len(inputs), *{called}.shape) for shared ones",
                stacklevel=5,
            )
        return baselines.unsqueeze(0).expand(n, *baselines.shape)
    if baselines.shape[:1] == (n,) and baselines.shape[2:] == features and baselines.shape[1]:
        return baselines
    raise ValueError(
        f"{called} {tuple(baselines.shape)} do not fit inputs {tuple(inputs.shape)}: "
        f"expected (k, {_shape(features)}) or ({n}, k, {_shape(features)}) with k at least 1"
    )


def _expand_weights(inputs: Tensor, baselines: Tensor, weights: Tensor | None) -> Tensor:
    n, k, *features = baselines.shape
    ones = [1] * len(features)
    if weights is None:
        return inputs.new_full((1, k, *ones), 1 / k).expand(n, k, *ones)
    weights = weights.to(inputs)
    if weights.shape == (k,):
        return weights.reshape(1, k, *ones).expand(n, k, *ones)
    if weights.shape == (n, k):
        return weights.reshape(n, k, *ones)
    if weights.shape == baselines.shape:
        return weights
    raise ValueError(
        f"weights {tuple(weights.shape)} do not fit {n} inputs and {k} baselines: "
        f"expected ({k},), ({n}, {k}) or ({n}, {k}, {_shape(features)})"
    )


def _check_finite(name: str, values: Tensor) -> None:
    some = values[:1] if values.stride(0) == 0 else values
    shape = tuple(some.shape)

    def refuse(count: int, first: int) -> None:
        index = tuple(map(int, np.unravel_index(first, shape)))
        raise ValueError(f"{name} must be finite, but {count} values are not; the first at index {index}")

    refuse_where(~torch.isfinite(some), refuse)


def _shape(features: "tuple[int, ...] | list[int]") -> str:
    return ", ".join(map(str, features)) or "no feature dimension"
