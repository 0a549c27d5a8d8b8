"""A table of collision events in a parquet file: the user's own, or one that a generator has cached.

Columns: `process` (text), `label` (1 = signal, 0 = background), optionally `weight` (the cross-section [fb]
that an event stands for); every other column is a numeric feature. The file's schema metadata may hold
`cross_section_error`, a JSON text: process -> relative Monte Carlo error of its cross-section.
"""

# Arithmetic on arrays of undeclared dtype is Any to mypy.
# mypy: disable-error-code="no-any-return"

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Float32, Int

from igbaselines.common.columns import check_distinct, is_text, numbers, open_parquet, reading_as, row_labels, some
from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path, sha256
from igbaselines.common.values import SEED, value
from igbaselines.studies.hep.data.events import EventTable

_log = logging.getLogger(__name__)
_NOT_FEATURES = ("process", "label", "weight")
CROSS_SECTION_ERROR = "cross_section_error"


@dataclass
class HepTable:
    """Events of the user's."""

    path: str = field(metadata=value(file=True))  # a parquet file with the columns that this module describes
    n_events: int | None = None  # take a random part of at most so many; None takes all
    seed: int = field(default=0, metadata=value(SEED))  # of the random part

    def __post_init__(self) -> None:
        if self.n_events is not None and self.n_events < 1:
            raise UserError(f"dataset.n_events must be at least 1, or null for all, got {self.n_events}")

    def domain(self) -> str:
        """The domain whose dataset it can be (`igbaselines.running.study.OfDomain`)."""
        return "hep"

    def checksum(self) -> str:
        """The file's checksum: events that have changed make another result."""
        open_parquet(as_path(self.path)).close()
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
    with reading_as("parquet", path):
        return _read_events(path)


def _read_events(path: Path) -> EventTable:
    schema = open_parquet(path).schema_arrow
    columns = schema.names
    check_distinct(path, columns)
    for name in ("process", "label"):
        if name not in columns:
            raise UserError(f"{path}: there is no column {name!r}; found {some(columns)}")
    feature_names = tuple(name for name in columns if name not in (*_NOT_FEATURES, *row_labels(schema)))
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


def _processes(path: Path, column: pa.ChunkedArray) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
    """Index of each event's process; processes are in the order in which they appear."""
    if not is_text(column.type):
        raise UserError(f"{path}: column 'process' must hold text, found {column.type}")
    if column.null_count:
        raise UserError(f"{path}: column 'process' has {column.null_count} missing values, every event needs a name")
    value_type = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    encoded = pc.dictionary_encode(column.cast(value_type).cast(pa.string())).combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), tuple(encoded.dictionary.to_pylist())


def _features(path: Path, names: tuple[str, ...], count: int) -> Float32[np.ndarray, "n d"]:
    """Feature columns, read one by one: two copies of a large table would not fit."""
    features = np.empty((count, len(names)), dtype=np.float32)
    for index, name in enumerate(names):
        features[:, index] = numbers(path, name, pq.read_table(path, columns=[name])[name], np.float32)
    return features


def _labels(path: Path, column: pa.ChunkedArray) -> Bool[np.ndarray, " n"]:
    label = numbers(path, "label", column, np.float64)
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
    weight = numbers(path, "weight", column, np.float64)
    negative = int((weight < 0).sum())
    if negative:
        raise UserError(
            f"{path}: column 'weight' has {negative} negative values, cross-sections [fb] are not negative; a "
            "generator's are kept by dataset=hep_ntuple (docs/ntuple.md)"
        )
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
