"""Tensors on disk, as safetensors: nothing that is read back can run code, or is other than what was written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from igbaselines.common.devices import fetched
from igbaselines.common.files import replacing, say_damaged


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, whole, with a checksum among the metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in fetched(tensors).items()}
    with replacing(path) as temporary:
        # Written by us and not by safetensors, whose errors do not say that the disk is full.
        temporary.write_bytes(safetensors.torch.save(tensors, {"checksum": _checksum(path, tensors)}))


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor] | None:
    """Read what `save_tensors` wrote, or return None where there is no file or a damaged one: it is made again."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        is_whole = metadata.get("checksum") == _checksum(path, tensors)
    except FileNotFoundError:
        return None
    except SafetensorError:
        is_whole = False
    if not is_whole:
        say_damaged(path)
        return None
    return {name: tensor.to(device) for name, tensor in tensors.items()}


def _checksum(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Of names, types, shapes and values; and of the file's name, or another file's content would be believed."""
    digest = hashlib.sha256(path.name.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
