"""Tensors on disk, as safetensors: nothing that is read back can run code."""

from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from igbaselines.files import replacing


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors as safetensors, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        # Written by us and not by safetensors, whose errors do not say that the disk is full.
        temporary.write_bytes(safetensors.torch.save({name: t.contiguous() for name, t in tensors.items()}))


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor] | None:
    """Read tensors, or return None where there is no file or a damaged one: its work is done again."""
    try:
        return safetensors.torch.load_file(path, device=str(device))
    except (FileNotFoundError, SafetensorError):
        return None
