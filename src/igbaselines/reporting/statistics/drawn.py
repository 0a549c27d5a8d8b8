"""Runs drawn from the rows of a larger one, of which the value that a claim is about is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from igbaselines.reporting.statistics.estimates import ENOUGH
from igbaselines.reporting.statistics.verdicts import NotTestable

MANY = 2000  # units that stand for all there could be, where values are normal


@dataclass(frozen=True)
class Axis:
    """What is drawn: the names in a column that match; names that stand in the same column are units of their own."""

    column: str
    names: str  # a regular expression
    called: str = "unit"

    def codes(self, rows: pd.DataFrame) -> tuple[np.ndarray, int]:
        """Of each row the number of its name, -1 where it has none, and how many names there are."""
        values = rows[self.column] if self.column in rows else pd.Series(pd.NA, index=rows.index)
        there = values.notna() & values.astype(str).str.match(self.names)
        codes, names = pd.factorize(values.where(there), sort=True)
        return codes, len(names)


class Resampled:
    """Names of each axis with replacement, all rows of a name together: covariance, steps and tails are the rows' own.

    Few networks, such as those of a study beside, are fixed, as they are for the tests.
    """

    def __init__(self, rows: pd.DataFrame, axes: Sequence[Axis]) -> None:
        self.whole, self.axes = rows, axes  # the rows stand for all there could be
        self.codes: list[np.ndarray] = []
        for axis in axes:
            codes, count = axis.codes(rows)
            self.codes.append(codes if count >= ENOUGH else np.full(len(rows), -1))
        self.own = [  # rows that are named by the unit, too
            np.asarray(rows["unit"] == rows[axis.column]) if axis.column in rows else np.zeros(len(rows), bool)
            for axis in axes
        ]

    def draw(self, sizes: Sequence[int], rng: np.random.Generator) -> pd.DataFrame:
        """A run with so many names of each axis."""
        places, labels = np.arange(len(self.whole)), list[tuple[str, np.ndarray]]()
        for axis, codes, own, size in zip(self.axes, self.codes, self.own, sizes, strict=True):
            here = codes[places]
            if (here < 0).all():
                continue
            groups = np.split(
                np.argsort(here, kind="stable"), np.searchsorted(np.sort(here), np.arange(here.max() + 1))
            )
            drawn = [groups[0], *(groups[1 + name] for name in rng.integers(here.max() + 1, size=size))]
            kept = np.concatenate(drawn)
            names = np.array(["", *(f"{axis.called}_{i}" for i in range(size))], object)
            labels = [(column, label[kept]) for column, label in labels]
            labels.append((axis.column, np.repeat(names, [len(part) for part in drawn])))
            labels.append(("unit", np.where(own[places[kept]], labels[-1][1], "")))
            places = places[kept]
        found = self.whole.iloc[places].reset_index(drop=True)
        for column, label in labels:
            found[column] = np.where(label == "", found[column].astype(object), label)
        return found


class Normal:
    """Units whose values are normal, with the means and the covariance that the rows of an axis' units have.

    What a formula for intervals promises of few units it promises of these: whatever it misses here is its own fault,
    and what it misses of `Resampled` alone that of tails. Quantities that some units lack are left out.
    """

    def __init__(self, rows: pd.DataFrame, axis: Axis) -> None:
        """Take the means and the covariance.

        Raises:
            NotTestable: where there are fewer than two units, or nothing that all have.
        """
        codes, count = axis.codes(rows)
        keys = [column for column in rows.columns if column not in ("unit", "value", "seed")]
        known = rows[keys].astype(object).where(rows[keys].notna(), None)
        quantity = pd.factorize(pd.MultiIndex.from_frame(known))[0] if keys else np.zeros(len(rows), int)
        of_unit = codes >= 0
        table = (
            pd.DataFrame({"quantity": quantity, "unit": codes, "value": rows["value"]})[of_unit]
            .pivot_table(index="quantity", columns="unit", values="value")
            .dropna()
        )
        if count < 2 or table.empty:
            raise NotTestable(f"{count} {axis.called}s have nothing in common to take a covariance of")
        first = pd.Series(np.arange(len(rows)), index=quantity)[of_unit].groupby(level=0).first()
        self.axis, self.keys, self.rest = axis, rows.iloc[first.loc[table.index]], rows[~of_unit]
        values = table.to_numpy(float)
        self.mean = values.mean(axis=1, keepdims=True)
        self.deviations = (values - self.mean) / np.sqrt(count - 1)
        self.whole = self._of(self._normal(MANY, np.random.default_rng(0), centred=True))

    def draw(self, sizes: Sequence[int], rng: np.random.Generator) -> pd.DataFrame:
        """A run with so many units."""
        (size,) = sizes
        return self._of(self._normal(size, rng))

    def _normal(self, size: int, rng: np.random.Generator, *, centred: bool = False) -> np.ndarray:
        drawn = rng.standard_normal((self.deviations.shape[1], size))
        drawn -= drawn.mean(axis=1, keepdims=True) if centred else 0.0  # so many have the very means
        return np.asarray(self.mean + self.deviations @ drawn)

    def _of(self, values: np.ndarray) -> pd.DataFrame:
        """Rows of values, quantities down and units across."""
        found = self.keys.iloc[np.tile(np.arange(len(self.keys)), values.shape[1])].copy()
        found["unit"] = np.repeat([f"{self.axis.called}_{i}" for i in range(values.shape[1])], len(self.keys))
        found["value"] = values.T.ravel()
        return pd.concat([self.rest, found], ignore_index=True)
