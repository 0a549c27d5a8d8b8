"""Files that are whole or not there: what is written goes through a temporary name and one rename."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from igbaselines.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path that takes the place of `path` once the block has ended without an error."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")  # unlike a pid, no other node has it
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


def check_writable(key: str, folder: Path) -> None:
    """Make a folder if need be, and say in one line if nothing can be written there.

    Args:
        key: the configuration's name for it.
        folder: the folder.

    Raises:
        UserError: where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{key}={folder} cannot be written: {error.strerror}") from error
