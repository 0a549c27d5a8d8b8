"""Checks of the engine's arguments: every message names what is wrong and, for shapes, both sides."""

import torch
from torch import Tensor


def check_arguments(
    inputs: Tensor, baselines: Tensor, weights: Tensor | None, target: Tensor | None, max_batch: int | None
) -> tuple[Tensor, Tensor]:
    """Check shapes, dtypes and finiteness of what goes into the engine.

    Returns:
        The baselines as (n, k, *features) and the weights as (n, k, *features or ones), without copying.

    Raises:
        ValueError: naming the offender.
    """
    if not inputs.is_floating_point():
        raise ValueError(f"inputs must be floating point, got {inputs.dtype}")
    if len(inputs) == 0:
        raise ValueError(f"there is no input to explain: inputs have shape {tuple(inputs.shape)}")
    if max_batch is not None and max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, got {max_batch}")
    if target is not None:
        _check_target(inputs, target)
    baselines = _expand_baselines(inputs, baselines)
    weights = _expand_weights(inputs, baselines, weights)
    for name, tensor in (("inputs", inputs), ("baselines", baselines), ("weights", weights)):
        _check_finite(name, tensor)
    return baselines, weights


def check_finite_paths(completeness_gap: Tensor) -> None:
    """Refuse values and gradients that are not finite: they show up in the gap of their path."""
    bad = (~torch.isfinite(completeness_gap)).nonzero()
    if len(bad):
        i, j = bad[0].tolist()
        raise ValueError(
            f"f or its gradient is not finite on the path from baseline {j} to input {i} ({len(bad)} paths in all)"
        )


def check_output(output: Tensor, points: int, largest_target: int | None) -> None:
    """Refuse an output of f for so many points that has no value, or no class of each target, for each of them."""
    shape = tuple(output.shape)
    if largest_target is None:
        if shape != (points,):
            raise ValueError(
                f"f must return one value a point, shape ({points},), but returned {shape}; "
                "pass target= for a network with several classes"
            )
    elif output.dim() != 2 or len(output) != points:
        raise ValueError(f"with target= f must return shape ({points}, classes), but returned {shape}")
    elif largest_target >= shape[1]:
        raise ValueError(
            f"target {largest_target} does not fit f, which returned {shape}: classes go from 0 to {shape[1] - 1}"
        )


def _check_target(inputs: Tensor, target: Tensor) -> None:
    if target.shape != inputs.shape[:1]:
        raise ValueError(f"target {tuple(target.shape)} does not fit inputs {tuple(inputs.shape)}: one class an input")
    if target.is_floating_point() or int(target.min()) < 0:
        raise ValueError(f"target must hold class indices from 0 on, got {target.dtype} with least {target.min()}")


def _expand_baselines(inputs: Tensor, baselines: Tensor) -> Tensor:
    n, features = len(inputs), inputs.shape[1:]
    for name in ("dtype", "device"):
        if (mine := getattr(baselines, name)) != (wanted := getattr(inputs, name)):
            raise ValueError(f"baselines have {name} {mine}, inputs have {wanted}")
    if baselines.shape[1:] == features and len(baselines):
        return baselines.unsqueeze(0).expand(n, *baselines.shape)
    if baselines.shape[:1] == (n,) and baselines.shape[2:] == features and baselines.shape[1]:
        return baselines
    raise ValueError(
        f"baselines {tuple(baselines.shape)} do not fit inputs {tuple(inputs.shape)}: "
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


def _check_finite(name: str, tensor: Tensor) -> None:
    bad = ~torch.isfinite(tensor[:1] if tensor.stride(0) == 0 else tensor)
    if bad.any():
        first = tuple(bad.nonzero()[0].tolist())
        raise ValueError(f"{name} must be finite, but {int(bad.sum())} values are not; the first at index {first}")


def _shape(features: "tuple[int, ...] | list[int]") -> str:
    return ", ".join(map(str, features)) or "no feature dimension"
