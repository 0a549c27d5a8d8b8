"""Columns of a user's table, and one line for whatever is wrong with its file; importable without torch."""

import os
import resource
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from igbaselines.common.errors import UserError

DELIMITERS = ",;\t|"  # of a CSV file: the one that its header has most of
BYTES_A_VALUE = 16  # of memory, while a table is read and split: features, standardised, and what they come from


def check_is_file(path: Path, kind: str = "parquet") -> None:
    """Refuse what is no file, `dataset.path` in the configuration."""
    if path.is_dir():
        raise UserError(f"{path}: this is a folder, dataset.path must name one {kind} file")
    if not path.is_file():
        raise UserError(f"{path}: no such file, dataset.path must name a {kind} file")


@contextmanager
def reading_as(kind: str, path: Path) -> Iterator[None]:
    """Say of a file that cannot be read which one it is, and why."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as {kind} ({str(error).splitlines()[0]})") from error


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a parquet file that fits into memory.

    Raises:
        UserError: where it is missing, no parquet, or too large.
    """
    check_is_file(path)
    with reading_as("parquet", path):
        file = pq.ParquetFile(path)
    values = file.metadata.num_rows * file.metadata.num_columns  # constant ones take hardly any room in a file
    if (needed := values * BYTES_A_VALUE) > (there := _memory()):
        size = f"{file.metadata.num_rows} rows of {file.metadata.num_columns} columns"
        raise UserError(f"{path}: {size} need {needed / 1e9:.1f} GB of memory, of {there / 1e9:.1f}: give fewer")
    return file


def delimiter(path: Path) -> str:
    """What stands between the values of a CSV file."""
    with path.open("rb") as file:
        header = file.readline(2**20).decode(errors="replace")
    return max(DELIMITERS, key=header.count)


def _memory() -> int:
    """Bytes that this process may have."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return physical if limit == resource.RLIM_INFINITY else min(limit, physical)


def check_distinct(path: Path, columns: Sequence[str]) -> None:
    """Refuse two columns of one name."""
    if repeated := [name for name, count in Counter(columns).items() if count > 1]:
        raise UserError(f"{path}: column {repeated[0]!r} is there more than once, every column needs a name of its own")


def row_labels(schema: pa.Schema) -> list[str]:
    """Columns that hold pandas' row labels: after a shuffle they tell how the file was put together, no more."""
    labels = (schema.pandas_metadata or {}).get("index_columns", [])
    return [label for label in labels if isinstance(label, str)]  # a range is no column


def is_text(kind: pa.DataType) -> bool:
    """Whether a column's type is text, or categories of text."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column's type is of numbers, or of booleans."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def numbers(path: Path, name: str, column: pa.ChunkedArray, dtype: type) -> Float[np.ndarray, " n"]:
    """A column of finite numbers."""
    if not is_numeric(column.type):
        raise UserError(f"{path}: column {name!r} must hold numbers, found {column.type}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and that is reported
        found: Float[np.ndarray, " n"] = column.to_numpy().astype(dtype)  # missing values become NaN
    if broken := int((~np.isfinite(found)).sum()):
        raise UserError(f"{path}: column {name!r} has {broken} values that are NaN, infinite or too large")
    return found


def some(names: Sequence[str]) -> str:
    """A few of many columns."""
    shown = ", ".join(names[:5])
    return f"{shown}, ... ({len(names)} columns)" if len(names) > 5 else shown or "no columns"
