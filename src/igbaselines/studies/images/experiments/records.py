"""One record a photograph: what is measured is kept as soon as it is there, and an attempt that follows goes on.

On a GPU photographs are worked on side by side, a batch after another, and each still has a record of its own.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from igbaselines.attribution.engine.chunking import halved, unless_memory_runs_out
from igbaselines.common.files import file_name_of, read_record, write_record
from igbaselines.common.progress import bar
from igbaselines.running.context import Run
from igbaselines.studies.images.experiments.selection import Chosen

Row = dict[str, Any]  # arguments of Rows.add, but the unit
Record = dict[str, Any]  # "rows"; whatever else the experiment needs again
Unit = tuple[int, Chosen, Path]  # its number among all, what is explained, and the .npz file that may be written
Work = Callable[[Sequence[Unit]], list[Record]]  # a record for each of these photographs


def for_each(run: Run, chosen: list[Chosen], kept_in: str, work: Work, at_once: int = 1) -> list[Record]:
    """Work on every photograph that no earlier attempt has finished, and put all rows into the run.

    The run's checksums name data and weights: a checkpoint of others is not taken for one of these. The .npz files that
    the work writes go into the folder `kept_in` of the run's artifacts. Where memory runs out with several photographs
    at once, half of them are.
    """
    folder = run.checkpoints / run.fingerprint()
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    with bar("photographs", len(chosen)) as progress:
        for batch in run.batches(list(enumerate(chosen)), at_once):
            units = [(index, one, folder / f"{file_name_of(one.photograph.name)}.npz") for index, one in batch]
            found = {index: read_record(npz.with_suffix(".json")) for index, _, npz in units}
            known = {index: record for index, record in found.items() if record is not None}
            todo = [unit for unit in units if unit[0] not in known]
            while todo:
                measured = unless_memory_runs_out(work, todo[:at_once]) if at_once > 1 else work(todo[:1])
                if measured is None:
                    at_once = halved(len(todo[:at_once]), "photograph")
                    continue
                for (index, _, npz), record in zip(todo[:at_once], measured, strict=True):
                    write_record(npz.with_suffix(".json"), record, vouched_for=[npz] if npz.exists() else [])
                    known[index] = record
                todo = todo[at_once:]
            for index, one, _ in units:
                record = known[index]
                for row in record.pop("rows"):  # the run has them: only what else is in a record is kept
                    run.rows.add(unit=one.photograph.name, **row)
                records.append(record)
            progress(len(records))
    for file in sorted(folder.glob("*.npz")):
        (run.artifacts / kept_in).mkdir(exist_ok=True)
        shutil.copyfile(file, run.artifacts / kept_in / file.name)
    return records


def one_by_one(work: Callable[[int, Chosen, Path], Record]) -> Work:
    """What works on single photographs, for `for_each`."""
    return lambda units: [work(*unit) for unit in units]


def rows_of(method: str, values: Mapping[str, float], **known: str | float) -> list[Row]:
    """The rows of a method's metrics, with the columns that are known beside."""
    return [{"method": method, "metric": metric, "value": value, **known} for metric, value in values.items()]


def baseline_rows(values: Mapping[str, Tensor], names: Sequence[str]) -> list[Row]:
    """The rows of what single baselines are worth, metric -> a value for each."""
    return [
        row
        for metric, of_baselines in values.items()
        for name, value in zip(names, of_baselines.tolist(), strict=True)
        for row in rows_of("ig", {metric: value}, baseline=name)
    ]
