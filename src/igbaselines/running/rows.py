"""Rows: one for each measured value, in a parquet file that every table, figure and verdict is made from."""

from pathlib import Path

import pandas as pd

from igbaselines.common.files import replacing

COLUMNS = ("experiment", "dataset", "model", "method", "metric", "unit", "seed", "value")


class Rows:
    """Collects the rows of a run.

    Args:
        experiment, dataset, model, seed: the same in every row.
    """

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
        self._rows.append(
            {**self._common, "method": method, "metric": metric, "unit": unit, "value": float(value), **extra}
        )

    def add_table(self, table: pd.DataFrame) -> None:
        """Add many measured values at once.

        Args:
            table: a row a value, with the columns method, metric, unit, value, and any of the experiment's own.
        """
        self._tables.append(table.assign(**self._common))

    def frame(self) -> pd.DataFrame:
        """The rows as a table: the common columns first, whole numbers as such where some rows have none."""
        frame = pd.concat([*([pd.DataFrame(self._rows)] if self._rows else []), *self._tables], ignore_index=True)
        frame = frame[[*COLUMNS, *(column for column in frame if column not in COLUMNS)]]
        return frame.astype({"k": "Int64"}) if "k" in frame else frame


def write_rows(path: Path, rows: pd.DataFrame) -> None:
    """Write rows as parquet, whole."""
    with replacing(path) as temporary:
        rows.to_parquet(temporary, index=False)
