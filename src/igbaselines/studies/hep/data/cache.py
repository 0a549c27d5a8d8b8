"""A cached table of events: a parquet file that is written whole or not at all, and a record beside it.

The record holds the file's sha256 and how the events came about. It is written last: a file without it does not count.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Float32

from igbaselines.common.files import read_record, sha256, write_record
from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.data.generated import SIGNAL

_ROW_GROUP = 50_000  # events: large enough for parquet to be fast, small enough for the memory
_SCHEMA = pa.schema(
    [
        ("process", pa.string()),
        ("label", pa.int8()),
        ("weight", pa.float64()),
        *((name, pa.float32()) for name in FEATURE_NAMES),
    ]
)
_log = logging.getLogger(__name__)


class EventWriter:
    """Writes events in row groups; `record` is what else the record beside the file says."""

    def __init__(self, file: Path) -> None:
        self._writer = pq.ParquetWriter(file, _SCHEMA, use_dictionary=["process"])
        self._tables: list[pa.Table] = []
        self._rows = 0
        self.record: dict[str, Any] = {}

    def add(self, process: str, weight: float | Float[np.ndarray, " n"], features: Float32[np.ndarray, "n 87"]) -> None:
        """Append events of a process, each standing for `weight` fb."""
        count = len(features)
        columns = [
            pa.array([process] * count, pa.string()),
            pa.array(np.full(count, process == SIGNAL, dtype=np.int8)),
            pa.array(np.broadcast_to(weight, count).astype(np.float64)),
            *(pa.array(column) for column in np.ascontiguousarray(features.T)),
        ]
        self._tables.append(pa.Table.from_arrays(columns, schema=_SCHEMA))
        self._rows += count
        if self._rows >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._tables:
            self._writer.write_table(pa.concat_tables(self._tables), row_group_size=2 * _ROW_GROUP)
        self._tables, self._rows = [], 0

    def close(self, *, complete: bool) -> None:
        """Close the file; what is buffered is only worth writing if nothing went wrong."""
        if complete:
            self._flush()
        self._writer.close()


@contextmanager
def whole_file(path: Path) -> Iterator[EventWriter]:
    """A writer whose file appears at `path` once it is complete; on an error nothing is left."""
    file, record = path.with_name(f".{path.stem}-{uuid4().hex[:8]}.parquet"), path.with_suffix(".json")
    complete = False
    try:
        writer = EventWriter(file)
        try:
            yield writer
            complete = True
        finally:
            writer.close(complete=complete)
        checksum = sha256(file)
        record.unlink(missing_ok=True)  # an old record must not vouch for the new file
        file.replace(path)
        write_record(record, {"sha256": checksum} | writer.record)
    finally:
        file.unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """Whether the file is there and is the one that was written; says in the log if it has changed since."""
    if not path.is_file():
        return False
    record = path.with_suffix(".json")
    if (known := read_record(record)) is None:
        return False
    if known["sha256"] == sha256(path):
        return True
    _log.warning("%s does not have the checksum in %s: the events are generated again", path, record.name)
    return False
