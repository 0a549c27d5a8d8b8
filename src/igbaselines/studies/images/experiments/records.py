"""One record a photograph: what is measured is kept as soon as it is there, and an attempt that follows goes on."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from igbaselines.common.files import file_name_of, read_record, write_record
from igbaselines.common.progress import bar
from igbaselines.running.context import Run
from igbaselines.studies.images.experiments.selection import Chosen

Row = dict[str, Any]  # arguments of Rows.add, but the unit
Record = dict[str, Any]  # "rows"; whatever else the experiment needs again
Work = Callable[[int, Chosen, Path], Record]


def for_each(run: Run, chosen: list[Chosen], kept_in: str, work: Work) -> list[Record]:
    """Work on every photograph that no earlier attempt has finished, and put all rows into the run.

    The run's checksums name data and weights: a checkpoint of others is not taken for one of these. The .npz files that
    the work writes go into the folder `kept_in` of the run's artifacts.
    """
    folder = run.checkpoints / run.fingerprint()
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    with bar("photographs", len(chosen)) as progress:
        for done, (index, one) in enumerate(run.units(list(enumerate(chosen))), start=1):
            file = folder / f"{file_name_of(one.photograph.name)}.json"
            record = read_record(file)
            if record is None:
                npz = file.with_suffix(".npz")
                record = work(index, one, npz)
                write_record(file, record, vouched_for=[npz] if npz.exists() else [])
            for row in record.pop("rows"):  # the run has them: only what else is in a record is kept
                run.rows.add(unit=one.photograph.name, **row)
            records.append(record)
            progress(done)
    for file in sorted(folder.glob("*.npz")):
        (run.artifacts / kept_in).mkdir(exist_ok=True)
        shutil.copyfile(file, run.artifacts / kept_in / file.name)
    return records


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
