"""A table of collision events in a parquet file: the user's own, or one that a generator has cached.

Columns: `process` (text), `label` (1 = signal, 0 = background), optionally `weight` (the cross-section [fb]
that an event stands for); every other column is a numeric feature. The file's schema metadata may hold
`cross_section_error`, a JSON text: process -> relative Monte Carlo error of its cross-section.
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

import json
import logging
import os
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Float32, Int

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path, sha256
from igbaselines.common.values import SEED, value
from igbaselines.studies.hep.data.events import EventTable

_log = logging.getLogger(__name__)
_NOT_FEATURES = ("process", "label", "weight")
CROSS_SECTION_ERROR = "cross_section_error"
BYTES_A_VALUE = 16  # of memory, while a table is read and split: events, standardised events, and what they come from


@dataclass
class HepTable:
    """Events of the user's."""

    path: str = field(metadata=value(file=True))  # a parquet file with the columns that this module describes
    n_events: int | None = None  # take a random part of at most so many; None takes all
    seed: int = field(default=0, metadata=value(SEED))  # of the random part

    def __post_init__(self) -> None:
        if self.n_events is not None and self.n_events < 1:
            raise UserError(f"dataset.n_events must be at least 1, or null for all, got {self.n_events}")

    def checksum(self) -> str:
        """The file's checksum: events that have changed make another result."""
        _open(as_path(self.path)).close()
        return sha256(as_path(self.path))

    def load(self, cache: Path, workers: int) -> EventTable:
        """Read the file; nothing is cached and no workers are needed."""
        events = read_events(as_path(self.path))
        chosen = events if self.n_events is None else events.at_most(self.n_events, self.seed)
        if self.n_events is not None and len(events) < self.n_events:
            _log.warning("%s holds only %d of the %d events asked for", self.path, len(events), self.n_events)
        if len(chosen) < len(events):
            _log.info("%s: %d of %d events taken (dataset.n_events)", self.path, len(chosen), len(events))
        return chosen


def read_events(path: Path) -> EventTable:
    """Events of a parquet file.

    Raises:
        UserError: if the file is missing, is not parquet, or its columns or errors are not what they should be.
    """
    with _read_as_parquet(path):
        return _read_events(path)


def _read_events(path: Path) -> EventTable:
    schema = _open(path).schema_arrow
    columns = schema.names
    if repeated := [name for name, count in Counter(columns).items() if count > 1]:
        raise UserError(f"{path}: column {repeated[0]!r} is there more than once, every column needs a name of its own")
    for name in ("process", "label"):
        if name not in columns:
            raise UserError(f"{path}: there is no column {name!r}; found {_some(columns)}")
    # Columns that hold pandas' row labels: after a shuffle they tell how the file was put together, no physics.
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    feature_names = tuple(name for name in columns if name not in (*_NOT_FEATURES, *index))
    if not feature_names:
        raise UserError(f"{path}: no feature columns: at least one numeric column beside process and label is needed")
    head = pq.read_table(path, columns=[name for name in _NOT_FEATURES if name in columns])
    if not len(head):
        raise UserError(f"{path}: the table has no rows, at least one event is needed")
    process, processes = _processes(path, head["process"])
    is_signal = _labels(path, head["label"])
    _check_one_label(path, process, processes, is_signal)
    return EventTable(
        features=_features(path, feature_names, len(head)),
        feature_names=feature_names,
        process=process,
        processes=processes,
        is_signal=is_signal,
        weight=_weights(path, head["weight"]) if "weight" in columns else None,
        checksum=sha256(path),
        cross_section_error=_cross_section_error(path, schema, processes),
    )


def _open(path: Path) -> pq.ParquetFile:
    if path.is_dir():
        raise UserError(f"{path}: this is a folder, dataset.path must name one parquet file")
    if not path.is_file():
        raise UserError(f"{path}: no such file, dataset.path must name a parquet file")
    with _read_as_parquet(path):
        file = pq.ParquetFile(path)
    values = file.metadata.num_rows * file.metadata.num_columns  # constant ones take hardly any room in a file
    if (needed := values * BYTES_A_VALUE) > (there := _memory()):
        size = f"{file.metadata.num_rows} rows of {file.metadata.num_columns} columns"
        raise UserError(f"{path}: {size} need {needed / 1e9:.1f} GB of memory, of {there / 1e9:.1f}: give fewer")
    return file


@contextmanager
def _read_as_parquet(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read which one it is, and why."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as parquet ({str(error).splitlines()[0]})") from error


def _memory() -> int:
    """Bytes that this process may have."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return physical if limit == resource.RLIM_INFINITY else min(limit, physical)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown}, ... ({len(names)} columns)" if len(names) > 5 else shown or "no columns"


def _processes(path: Path, column: pa.ChunkedArray) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
    """Index of each event's process; processes are in the order in which they appear."""
    value_type = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    is_text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if not any(is_kind(value_type) for is_kind in is_text):
        raise UserError(f"{path}: column 'process' must hold text, found {column.type}")
    if column.null_count:
        raise UserError(f"{path}: column 'process' has {column.null_count} missing values, every event needs a name")
    encoded = pc.dictionary_encode(column.cast(value_type).cast(pa.string())).combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), tuple(encoded.dictionary.to_pylist())


def _numbers(path: Path, name: str, column: pa.ChunkedArray, dtype: type) -> Float[np.ndarray, " n"]:
    """A column of finite numbers."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise UserError(f"{path}: column {name!r} must hold numbers, found {kind}")
    numbers = column.to_numpy().astype(dtype)  # missing values become NaN
    broken = int((~np.isfinite(numbers)).sum())
    if broken:
        raise UserError(f"{path}: column {name!r} has {broken} values that are NaN, infinite or too large")
    return numbers


def _features(path: Path, names: tuple[str, ...], count: int) -> Float32[np.ndarray, "n d"]:
    """Feature columns, read one by one: two copies of a large table would not fit."""
    features = np.empty((count, len(names)), dtype=np.float32)
    for index, name in enumerate(names):
        column = pq.read_table(path, columns=[name])[name]
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and that is reported
            features[:, index] = _numbers(path, name, column, np.float32)
    return features


def _labels(path: Path, column: pa.ChunkedArray) -> Bool[np.ndarray, " n"]:
    label = _numbers(path, "label", column, np.float64)
    wrong = label[(label != 0) & (label != 1)]
    if len(wrong):
        raise UserError(f"{path}: column 'label' must be 1 (signal) or 0, found {wrong[0]:g} ({len(wrong)} values)")
    return label == 1


def _check_one_label(
    path: Path, process: Int[np.ndarray, " n"], processes: tuple[str, ...], is_signal: Bool[np.ndarray, " n"]
) -> None:
    total = np.bincount(process, minlength=len(processes))
    signal = np.bincount(process, weights=is_signal, minlength=len(processes))
    for index in np.flatnonzero((signal > 0) & (signal < total)):
        raise UserError(
            f"{path}: process {processes[index]!r} has label 1 in {signal[index]:.0f} of {total[index]} "
            "events, a process is either signal or background"
        )


def _weights(path: Path, column: pa.ChunkedArray) -> Float[np.ndarray, " n"]:
    weight = _numbers(path, "weight", column, np.float64)
    negative = int((weight < 0).sum())
    if negative:
        raise UserError(f"{path}: column 'weight' has {negative} negative values, cross-sections [fb] are not negative")
    return weight


def _cross_section_error(path: Path, schema: pa.Schema, processes: tuple[str, ...]) -> dict[str, float] | None:
    """Relative error of each process's cross-section; the file may tell of processes that it no longer holds."""
    text = (schema.metadata or {}).get(CROSS_SECTION_ERROR.encode())
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: metadata {CROSS_SECTION_ERROR!r} is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise UserError(
            f"{path}: metadata {CROSS_SECTION_ERROR!r} must map each process to its relative error, found {found!r}"
        )
    for name in processes:
        value = found.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise UserError(
                f"{path}: metadata {CROSS_SECTION_ERROR!r} must give process {name!r} a relative error in [0, 1), "
                f"found {'none' if value is None else value}"
            )
    return {name: float(found[name]) for name in processes}
