"""Files that are whole or not there: what is written goes through a temporary name and one rename."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path that takes the place of `path` once the block has ended without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
