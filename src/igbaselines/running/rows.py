"""Rows, one for each measured value, that every table and figure is made from; and how the names in them are printed.

What methods and metrics are called is said where they are defined, and kept in the run's names.json.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from igbaselines.common.files import read_json, replacing, write_text

if TYPE_CHECKING:
    import pandas as pd

    from igbaselines.metrics import Quantity

COLUMNS = ("experiment", "dataset", "model", "method", "metric", "unit", "seed", "value")
MOST_VALUES = 200_000_000  # of a run: rows times columns
NAMES_FILE = "names.json"
WORDS = ("label", "unit", "better", "question")  # of a metric
BETTER = ("lower", "higher")


class Rows:
    """Collects the rows of a run; experiment, dataset, model and seed are the same in every one."""

    def __init__(self, experiment: str, dataset: str, model: str, seed: int) -> None:
        self._common: dict[str, str | int] = {
            "experiment": experiment,
            "dataset": dataset,
            "model": model,
            "seed": seed,
        }
        self._rows: list[dict[str, object]] = []
        self._tables: list[pd.DataFrame] = []

    def add(self, method: str, metric: str, unit: str, value: float | int, **extra: object) -> None:
        """Add one measured value.

        Args:
            method: what was measured, such as a baseline.
            metric: how.
            unit: the paired unit, such as a network, an event fold or an image.
            value: the value; NaN where it does not exist.
            extra: columns of the experiment's own.
        """
        own = {"method": method, "metric": metric, "unit": unit, "value": float(value)}
        self._rows.append({**self._common, **own, **extra})

    def add_table(self, table: "pd.DataFrame") -> None:
        """Add many values at once, a row each: the columns method, metric, unit, value, and any of the experiment's."""
        self._tables.append(table.assign(**self._common))

    def frame(self) -> "pd.DataFrame":
        """The rows as a table: the common columns first, whole numbers as such where some rows have none."""
        import pandas as pd  # here: what only names a run loads none of it

        frame = pd.concat([*([pd.DataFrame(self._rows)] if self._rows else []), *self._tables], ignore_index=True)
        frame = frame[[*COLUMNS, *(column for column in frame if column not in COLUMNS)]]
        return frame.astype({"k": "Int64"}) if "k" in frame else frame


def write_rows(path: Path, rows: "pd.DataFrame") -> None:
    """Write rows as parquet, whole."""
    with replacing(path) as temporary:
        rows.to_parquet(temporary, index=False)


def read_rows(path: Path) -> "pd.DataFrame":
    """Read rows, where anyone could have written; a ValueError where they are too many to be any that were measured."""
    import pandas as pd
    import pyarrow.parquet as pq

    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is no file")
    described = pq.read_metadata(path)  # a constant column takes hardly any room, whatever its length
    if described.num_rows * described.num_columns > MOST_VALUES:
        raise ValueError(f"{path.name} has {described.num_rows} rows: too many to be read")
    return pd.read_parquet(path)


@dataclass
class Names:
    """The names in a run's rows.

    Args:
        methods: method -> label.
        metrics: metric -> its label, unit, the better direction and question, "" where neither is.
    """

    methods: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, dict[str, str]] = field(default_factory=dict)

    def method(self, name: str, label: str) -> None:
        """Name a method; what the configuration calls it goes first."""
        self.methods.setdefault(name, label)

    def metric(self, metric: "Quantity") -> None:
        """Name a metric; a ValueError says where its better direction is none."""
        if metric.better not in (*BETTER, None):
            raise ValueError(f"of the metric {metric.name} {' or '.join(BETTER)} is better, not {metric.better!r}")
        self.metrics[metric.name] = {word: getattr(metric, word, None) or "" for word in WORDS}

    @property
    def labels(self) -> dict[str, str]:
        """The label of every name."""
        return {name: metric["label"] for name, metric in self.metrics.items()} | self.methods

    def write(self, folder: Path) -> None:
        """Write names.json into a run's folder."""
        write_text(folder / NAMES_FILE, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def of_all(cls, runs: Iterable["Names"]) -> "Names":
        """The names of several runs; where they differ those of the last."""
        found = cls()
        for run in runs:
            found.methods |= run.methods
            found.metrics |= run.metrics
        return found

    @classmethod
    def read(cls, folder: Path) -> "Names":
        """The names of a run; none where it was made before there were any.

        Raises:
            ValueError, LookupError, TypeError, AttributeError, OSError: where the file is damaged.
        """
        path = folder / NAMES_FILE
        if not path.exists():
            return cls()
        found = read_json(path)
        methods = {name: str(label) for name, label in found["methods"].items()}
        metrics = {
            name: {"question": ""} | {key: str(of[key]) for key in WORDS if key != "question" or key in of}
            for name, of in found["metrics"].items()
        }
        if unknown := {of["better"] for of in metrics.values()} - {*BETTER, ""}:
            raise ValueError(f"{min(unknown)!r} is no better direction")
        return cls(methods, metrics)
