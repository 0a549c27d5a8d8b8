"""What GPUs ask for: tensors that are sent without a wait, float32 that is float32, and sums in the same order."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

CONVOLUTIONS, PRODUCTS = torch.backends.cudnn, torch.backends.cuda.matmul
# Where torch keeps whether float32 is computed as TF32, what says no, and what yes; by default convolutions are.
# Versions from 2.9 on have a word for each of them, and do not read the flags where both were used.
TF32: tuple[tuple[Any, str, str | bool, str | bool], ...] = (
    ((CONVOLUTIONS.conv, "fp32_precision", "ieee", "tf32"), (PRODUCTS, "fp32_precision", "ieee", "tf32"))
    if hasattr(CONVOLUTIONS, "conv")
    else ((CONVOLUTIONS, "allow_tf32", False, True), (PRODUCTS, "allow_tf32", False, True))
)
TF32_SINCE = (8, 0)  # the compute capability: Ampere


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; of what goes from the host to a GPU nobody waits for the arrival."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def fetched(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the host; those of a GPU come in one piece a type, since the host waits for each piece."""
    found = {name: tensor.detach() for name, tensor in tensors.items()}
    for kind in {tensor.dtype for tensor in found.values() if tensor.is_cuda}:
        names = [name for name, tensor in found.items() if tensor.is_cuda and tensor.dtype == kind]
        pieces = [found[name] for name in names]
        whole = torch.cat([piece.flatten() for piece in pieces]).cpu()
        parts = whole.split([piece.numel() for piece in pieces])
        found |= {name: part.view(piece.shape).clone() for name, part, piece in zip(names, parts, pieces, strict=True)}
    return found


@contextmanager
def float32_proper() -> Iterator[None]:
    """While the block lasts a GPU computes float32 as such and not as TF32, which has 10 bits of the 23."""
    with _flags_put_back():
        _set_float32_proper()
        yield


@contextmanager
def tf32() -> Iterator[None]:
    """While the block lasts a GPU rounds the factors of convolutions and products to TF32; sums stay float32."""
    with _flags_put_back():
        for of, name, _, yes in TF32:
            setattr(of, name, yes)
        yield


def has_tf32(device: torch.device) -> bool:
    """Whether a device computes in TF32 where it is allowed to; others ignore the flags."""
    nvidia = device.type == "cuda" and torch.version.hip is None
    return nvidia and torch.cuda.get_device_capability(device) >= TF32_SINCE


def make_exact() -> None:
    """For the rest of the process: float32 as such, and the same sums in every run.

    By default a GPU's convolutions do neither, and scattered sums (index_add, scatter_add) come in any order. The
    workspace is what cuBLAS wants for it.
    """
    _set_float32_proper()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)


@contextmanager
def _flags_put_back() -> Iterator[None]:
    before = [getattr(of, name) for of, name, *_ in TF32]
    try:
        yield
    finally:
        for (of, name, *_), was in zip(TF32, before, strict=True):
            setattr(of, name, was)


def _set_float32_proper() -> None:
    for of, name, no, _ in TF32:
        setattr(of, name, no)
