"""Dataclasses of arrays as .npz files: whole or not there, and checked when they are read; nothing in a file is run.

A field of the dataclass is an array of the file by the same name: jaxtyping says its type and shape, and a dimension
that several fields name is the same in all of them. Texts and numbers are arrays without dimensions; a field that is
None is left out.
"""

import types
from dataclasses import Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import numpy as np
from jaxtyping import AbstractDtype, jaxtyped
from numpy.lib.npyio import NpzFile

from igbaselines.common.errors import UserError
from igbaselines.common.files import replacing

__all__ = ["Text", "read_arrays", "read_folder", "write_arrays"]

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
    """Read what `write_arrays` wrote; arrays of the file that the dataclass does not name are not read.

    Raises:
        UserError: naming the file, where it is damaged or does not hold what the dataclass says.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file, jaxtyped("context"):
            content = {}
            for field in fields(kind):  # type: ignore[arg-type]
                content[field.name], expected = _value(field, file)
                if not isinstance(content[field.name], expected):  # here, where dimensions are bound field by field
                    raise ValueError(f"{field.name} is {_describe(content[field.name])}")
    except Exception as error:  # damaged files break their readers in any way
        raise UserError(f"{path} is damaged or was written by another version: {error}") from error
    return kind(**content)


def read_folder(kind: type[Kind], folder: Path) -> dict[str, Kind]:
    """Read all that `write_arrays` wrote into a folder, by the names of the files, in their order."""
    return {path.stem: read_arrays(kind, path) for path in sorted(folder.glob("*.npz"))}


def _value(field: Field[Any], file: NpzFile) -> tuple[Any, Any]:
    """What a file holds of a field, and the type that it should have."""
    kind: Any = field.type
    if isinstance(kind, types.UnionType):
        if field.name not in file:
            return None, types.NoneType
        kind = get_args(kind)[0]
    value = file[field.name]
    return (value.item() if kind in (str, float) and value.ndim == 0 else value), kind


def _describe(value: Any) -> str:  # noqa: ANN401 (whatever a file holds)
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
