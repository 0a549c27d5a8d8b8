"""Dataclasses of arrays as .npz files: whole or not there, and checked when they are read; nothing in a file is run.

A field of the dataclass is an array of the file by the same name: jaxtyping says its type and shape, and a dimension
that several fields name is the same in all of them. Texts and numbers are arrays without dimensions; a field that is
None is left out.
"""

import types
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import numpy as np
from jaxtyping import AbstractDtype, jaxtyped

from igbaselines.common.errors import UserError
from igbaselines.common.files import replacing

__all__ = ["Text", "read_arrays", "write_arrays"]

if TYPE_CHECKING:
    from jaxtyping import Shaped as Text
else:

    class Text(AbstractDtype):
        """Arrays of texts, as jaxtyping has arrays of numbers: `Text[np.ndarray, " names"]`."""

        dtypes: tuple[str, ...] = ("str_",)


Kind = TypeVar("Kind")


def write_arrays(path: Path, content: Any) -> None:  # noqa: ANN401 (any dataclass of arrays)
    """Write a dataclass of arrays, compressed, in place of any earlier file."""
    arrays = {field.name: getattr(content, field.name) for field in fields(content)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        known = {name: np.asarray(value) for name, value in arrays.items() if value is not None}
        np.savez_compressed(file, allow_pickle=False, **known)


def read_arrays(kind: type[Kind], path: Path) -> Kind:
    """Read what `write_arrays` wrote.

    Args:
        kind: the dataclass; arrays of the file that it does not name are not read.
        path: the file.

    Raises:
        UserError: naming the file, where it is damaged or does not hold what the dataclass says.
    """
    try:
        with np.load(path, allow_pickle=False) as file, jaxtyped("context"):
            return kind(**{field.name: _checked(field.name, field.type, file) for field in fields(kind)})  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged or was written by another version: {error}") from error


def _checked(name: str, kind: Any, file: Any) -> Any:  # noqa: ANN401 (a type, and what numpy opened)
    """Take a field's value from the file, as its type asks."""
    if isinstance(kind, types.UnionType):
        if name not in file:
            return None
        kind = get_args(kind)[0]
    value = file[name]
    if kind in (str, float) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {getattr(value, 'dtype', type(value).__name__)}{list(np.shape(value))}")
    return value
