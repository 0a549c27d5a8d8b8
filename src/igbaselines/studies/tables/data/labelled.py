"""Rows of numeric features, each of a class; and the datasets that give them, importable without torch."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Int

from igbaselines.common.errors import UserError
from igbaselines.common.values import value

LEAST_ROWS = 10  # of a class: they are split three ways


@dataclass(frozen=True)
class LabelledTable:
    """A table.

    Raises:
        UserError: for a single class, and one of too few rows.
    """

    name: str
    features: Float32[np.ndarray, "n d"]  # in their own units
    classes: Int[np.ndarray, " n"]  # of each row, from 0 on
    class_names: tuple[str, ...]  # in the order of their numbers
    checksum: str | None = None  # of the user's file

    def __post_init__(self) -> None:
        if len(self.class_names) < 2:
            raise UserError(f"table {self.name}: every row is of class {self.class_names[0]}, two classes are needed")
        count = np.bincount(self.classes, minlength=len(self.class_names))
        if (fewest := int(count.min())) < LEAST_ROWS:
            found = f"class {self.class_names[int(count.argmin())]} has {fewest} rows"
            wanted = f"at least {LEAST_ROWS} of each class are needed, for training, validation and test"
            kinds = f" ({len(count)} classes: is the target a quantity?)" if len(count) > len(self.classes) / 5 else ""
            raise UserError(f"table {self.name}: {found}, {wanted}{kinds}")


@dataclass
class TableDataset:
    """A dataset of the domain `tables`: one table, or several."""

    def domain(self) -> str:
        """The domain whose dataset it can be (`igbaselines.running.study.OfDomain`)."""
        return "tables"

    def tables(self) -> list[LabelledTable]:
        """Load them.

        Raises:
            UserError: for what the user can mend.
        """
        raise NotImplementedError


@dataclass
class Tables(TableDataset):
    """Several tables: each has networks of its own."""

    sources: dict[str, Any] = field(
        metadata=value(kind=("igbaselines.studies.tables.data.labelled.TableDataset", "a table (dataset=wine)"))
    )

    def tables(self) -> list[LabelledTable]:
        """Load all of them."""
        found = [table for source in self.sources.values() for table in source.tables()]
        names = [table.name for table in found]
        if not found or len(set(names)) < len(names):
            raise UserError(f"tables need names of their own, got {', '.join(names) or 'no tables'}")
        return found
