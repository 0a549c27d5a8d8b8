"""Anyone's table: a parquet or CSV file with a column of classes and numeric features."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from jaxtyping import Float32, Int

from igbaselines.common.columns import (
    check_distinct,
    check_is_file,
    delimiter,
    is_numeric,
    is_text,
    numbers,
    open_parquet,
    reading_as,
    row_labels,
    some,
)
from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path, sha256
from igbaselines.common.values import value
from igbaselines.studies.tables.data.labelled import LabelledTable, TableDataset

log = logging.getLogger(__name__)

KINDS = {".parquet": "parquet", ".csv": "CSV", ".tsv": "CSV"}


@dataclass
class TableFile(TableDataset):
    """A table of the user's."""

    path: str = field(metadata=value(file=True))  # a .parquet, .csv or .tsv file; every column is a feature
    target: str  # but this one, of classes: text, whole numbers or booleans
    leave_out: list[str] = field(default_factory=list)  # and these, such as numbers of rows

    def checksum(self) -> str:
        """The file's checksum: rows that have changed make another result."""
        check_is_file(as_path(self.path), "parquet or CSV")
        return sha256(as_path(self.path))

    def tables(self) -> list[LabelledTable]:
        """Read the file.

        Raises:
            UserError: where it, its target or one of its columns is not what it should be.
        """
        path, checksum = as_path(self.path), self.checksum()
        columns = _read(path)
        left_out = {*self._left_out(path, columns.column_names), *row_labels(columns.schema), ""}
        names = [name for name in columns.column_names if name not in {self.target, *left_out}]
        if not names:
            raise UserError(f"{path}: no feature columns: at least one beside {self.target!r} is needed")
        classes, class_names = _classes(path, self.target, columns[self.target])
        features = np.stack([_feature(path, name, columns[name]) for name in names], axis=1)
        _check_constant(path, names, features)
        log.info("%s: %d rows, %d features, %d classes", path, *features.shape, len(class_names))
        name = re.sub(r"[^\w.+-]+", "_", path.stem) or "table"
        return [LabelledTable(name, features, classes, class_names, checksum)]

    def _left_out(self, path: Path, columns: Sequence[str]) -> list[str]:
        if self.target not in columns:
            raise UserError(f"{path}: there is no column dataset.target={self.target!r}; found {some(columns)}")
        for name in self.leave_out:
            if name not in columns or name == self.target:
                found = "is the target" if name == self.target else f"is no column; found {some(columns)}"
                raise UserError(f"{path}: dataset.leave_out: {name!r} {found}")
        return self.leave_out


def _read(path: Path) -> pa.Table:
    """All columns, as the file has them; each has a name of its own, and there are rows."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: dataset.path must name a file {', '.join(KINDS)}")
    with reading_as(kind, path):
        if kind == "parquet":
            with open_parquet(path) as file:
                check_distinct(path, file.schema_arrow.names)
                table = file.read()
        else:
            table = pyarrow.csv.read_csv(
                path,
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter(path)),
                convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True),
            )
            check_distinct(path, table.column_names)
    if not len(table):
        raise UserError(f"{path}: the table has no rows")
    return table


def _classes(path: Path, name: str, column: pa.ChunkedArray) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
    """Number of each row's class, and their names: in order, of numbers by size."""
    said = f"{path}: target {name!r}"
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if missing := _missing(column):
        raise UserError(f"{said} has {missing} missing values, every row needs a class")
    if not (is_text(column.type) or is_numeric(column.type)):
        raise UserError(f"{said} must hold classes, as text, whole numbers or booleans, found {column.type}")
    values = column.cast(pa.string()).to_numpy().astype(str) if is_text(column.type) else column.to_numpy()
    if values.dtype.kind == "f":
        if (broken := values[~(np.isfinite(values) & (values == np.round(values)))]).size:
            raise UserError(f"{said} must hold classes, found {broken[0]:g}: a quantity is nothing to classify")
        values = values.astype(np.int64)
    found, index = np.unique(values, return_inverse=True)
    return index.astype(np.int64), tuple(map(str, found))


def _feature(path: Path, name: str, column: pa.ChunkedArray) -> Float32[np.ndarray, " n"]:
    """A column of numbers, or one line that says what to do about it."""
    leave_out = f"dataset.leave_out=[{name}] leaves it out"
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if not is_numeric(column.type):
        what = "nothing at all" if pa.types.is_null(column.type) else str(column.type)
        raise UserError(f"{path}: column {name!r} must hold numbers, found {what}: encode it, or {leave_out}")
    if missing := _missing(column):
        raise UserError(f"{path}: column {name!r} has {missing} missing values: fill them, or {leave_out}")
    if pa.types.is_integer(column.type) and pc.count_distinct(column).as_py() == len(column):
        log.warning("%s: column %r has another whole number in every row: if it names rows, %s", path, name, leave_out)
    return numbers(path, name, column, np.float32)


def _missing(column: pa.ChunkedArray) -> int:
    """How many values there are not: null or NaN."""
    return int(pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0)


def _check_constant(path: Path, names: Sequence[str], features: Float32[np.ndarray, "n d"]) -> None:
    """Refuse what no network can learn from, and yet would have attributions from a baseline of zero."""
    constant = [name for name, column in zip(names, features.T, strict=True) if (column == column[0]).all()]
    if constant:
        more = f", and so have {len(constant) - 1} others" if len(constant) > 1 else ""
        by = ",".join(constant[:5]) + (",..." if len(constant) > 5 else "")
        raise UserError(
            f"{path}: column {constant[0]!r} has the same value in every row{more}: dataset.leave_out=[{by}]"
        )
