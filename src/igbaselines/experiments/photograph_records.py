"""One record a photograph: what is measured is kept as soon as it is there, and an attempt that follows goes on."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from igbaselines.datasets.photographs import Photograph
from igbaselines.experiments.context import Run
from igbaselines.experiments.photographs import Chosen
from igbaselines.files import write_text
from igbaselines.progress import bar

Record = dict[str, Any]  # "rows": arguments of Rows.add, but the unit; whatever else the experiment needs again
LONGEST_NAME = 150  # bytes
Work = Callable[[int, Chosen, Path], Record]


def for_each(run: Run, chosen: list[Chosen], kept_in: str, work: Work) -> list[Record]:
    """Work on every photograph that no earlier attempt has finished, and put all rows into the run.

    Args:
        run: where results and checkpoints go; its checksums name data and weights, so that a checkpoint of others
            is not taken for one of these.
        chosen: the photographs.
        kept_in: folder of the run's artifacts for the .npz files.
        work: measures a photograph: its place, the photograph, and where its .npz file goes, if it has one.
    """
    folder = run.checkpoints / run.fingerprint()
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    with bar("photographs", len(chosen)) as progress:
        for done, (index, one) in enumerate(run.units(list(enumerate(chosen))), start=1):
            file = folder / f"{_file_name(one.photograph)}.json"
            record = _finished(file)
            if record is None:
                record = work(index, one, file.with_suffix(".npz"))
                write_text(file, json.dumps(record))
            for row in record.pop("rows"):  # the run has them: only what else is in a record is kept
                run.rows.add(unit=one.photograph.name, **row)
            records.append(record)
            progress(done)
    for file in sorted(folder.glob("*.npz")):
        (run.artifacts / kept_in).mkdir(exist_ok=True)
        shutil.copyfile(file, run.artifacts / kept_in / file.name)
    return records


def _finished(file: Path) -> Record | None:
    """What an earlier attempt has left; the record is written last, so it vouches for the .npz beside it."""
    try:
        record: Record = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return record


def _file_name(photograph: Photograph) -> str:
    """A name for files: readable where that is unique and short, else with a checksum."""
    name = photograph.name.replace("/", "__")
    if "__" not in photograph.name and len(name.encode()) <= LONGEST_NAME:
        return name
    return f"{name[:40]}-{hashlib.sha256(photograph.name.encode()).hexdigest()[:12]}"
