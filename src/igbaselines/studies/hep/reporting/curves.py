"""Curves against the number of features k, and differences of such curves."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from igbaselines.reporting.rows import POOLED, by_unit, unit_name
from igbaselines.reporting.statistics.estimates import CONFIDENCE, mean_estimate, replicate_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import Estimate, NotTestable

REPLICATE = "bootstrap_"
NUMBERED = re.compile(r"_\d+$")  # units that others stand beside, which a pooled value is of


@dataclass(frozen=True)
class Curve:
    """A metric against k, or the difference of two such curves."""

    point: "pd.Series[float]"  # the value at each k: the mean over units, or the pooled value
    samples: pd.DataFrame  # k down; units, or bootstrap replicates, across
    resampled: bool  # whether the columns of `samples` are bootstrap replicates
    pooled: str = ""  # what such replicates are of: 4 networks

    @classmethod
    def of(cls, rows: pd.DataFrame, metric: str, method: str) -> "Curve":
        """Read a curve; bootstrap replicates, where the metric has them, stand for its uncertainty.

        Raises:
            NotTestable: where the metric was not measured, or not pooled beside its replicates.
        """
        table = by_unit(rows, metric, method, "k")
        replicates = [unit for unit in table.columns if unit.startswith(REPLICATE)]
        if not replicates:
            return cls(table.mean(axis=1, skipna=False), table, resampled=False)
        if POOLED not in table.columns:
            raise NotTestable(f"the run has no pooled {metric!r} of method {method!r}")
        units = with_curves(rows)
        pooled = f"{len(units)} {unit_name(units)}s" if units else ""
        return cls(table[POOLED], table[replicates], resampled=True, pooled=pooled)

    def __sub__(self, other: "Curve") -> "Curve":
        """Subtract unit by unit, or replicate by replicate: the pairing makes small differences visible."""
        return replace(self, point=self.point - other.point, samples=self.samples - other.samples)

    def below_all_features(self, up_to_k: int) -> "Curve":
        """Keep k <= up_to_k, without the last k: with all features every ranking gives the same network."""
        used = [k for k in self.point.index[:-1] if k <= up_to_k]
        if not used:
            raise NotTestable(f"the run has no k <= {up_to_k} below all features")
        return replace(self, point=self.point.loc[used], samples=self.samples.loc[used])

    def at(self, k: int, *, threshold: float | None = None, confidence: float = CONFIDENCE) -> Estimate:
        """Estimate the value at one k."""
        values = self.samples.loc[k].to_numpy(float)
        return self._estimate(float(self.point.loc[k]), values, threshold, confidence)

    def table(self) -> pd.DataFrame:
        """Estimate the value at every k: index k, columns mean, low and high; NaN where there is no interval."""
        cells = {}
        for k, value in self.point.items():
            try:
                found = self.at(int(str(k)))
                cells[int(str(k))] = (found.value, found.low, found.high)
            except NotTestable:
                cells[int(str(k))] = (float(value), np.nan, np.nan)
        return pd.DataFrame.from_dict(cells, orient="index", columns=["mean", "low", "high"])

    def mean(self, *, threshold: float | None = None) -> Estimate:
        """Estimate the mean over all k of the curve."""
        require_finite(self.samples.to_numpy(float))
        return self._estimate(float(self.point.mean()), self.samples.mean(axis=0).to_numpy(float), threshold)

    def without(self, ks: Sequence[int]) -> "Curve":
        """Leave out some k."""
        return replace(self, point=self.point.drop(index=list(ks)), samples=self.samples.drop(index=list(ks)))

    def ties(self) -> list[int]:
        """The k at which the difference of two curves is zero in every column: both have the same networks there."""
        return [int(str(k)) for k in self.samples.index[(self.samples == 0).all(axis=1)]]

    def rise(self, to_k: int | None = None) -> Estimate:
        """Estimate the rise from the first k to another; None: to the last."""
        to_k = int(self.point.index[-1]) if to_k is None else to_k
        ends = self.samples.loc[to_k] - self.samples.iloc[0]
        return self._estimate(float(self.point.loc[to_k] - self.point.iloc[0]), ends.to_numpy(float), threshold=0.0)

    def plateau(self, tolerance: float) -> Estimate:
        """Estimate the smallest k from which the curve stays within a fraction, the tolerance, of its rise of its end.

        Where all columns agree the interval goes from the measured k before to that behind.
        """
        require_finite(self.samples.to_numpy(float))
        values = plateau_k(self.samples, tolerance).to_numpy(float)
        pooled = plateau_k(self.point.to_frame(), tolerance).iloc[0] if self.resampled else values.mean()
        found = self._estimate(float(pooled), values)
        if not found.all_agree:
            return found
        measured = self.point.index.to_numpy(float)
        place = int(np.flatnonzero(measured == values[0])[0])
        low, high = float(measured[max(place - 1, 0)]), float(measured[min(place + 1, len(measured) - 1)])
        test = f"all agree on k = {values[0]:g}: from the measured k before to that behind"
        return Estimate(found.value, min(low, found.value), max(high, found.value), found.n, None, test)

    def _estimate(
        self, value: float, values: np.ndarray, threshold: float | None = None, confidence: float = CONFIDENCE
    ) -> Estimate:
        if self.resampled:
            return replicate_estimate(value, values, threshold=threshold, confidence=confidence, of=self.pooled)
        unit = unit_name(self.samples.columns)
        return mean_estimate(values, threshold=threshold, unit=unit, confidence=confidence)


def with_curves(rows: pd.DataFrame) -> list[str]:
    """The units that were measured against k, or are pooled for what was: a run may rank with more of them."""
    measured = rows.loc[rows["k"].notna(), "unit"].unique()
    return [unit for unit in measured if NUMBERED.search(unit) and not unit.startswith(REPLICATE)]


def plateau_k(curves: pd.DataFrame, tolerance: float) -> "pd.Series[float]":
    """Find for each column the smallest k from which it stays within a fraction of its rise (first to last) of its end.

    A fraction of the end itself would call a curve level that still has most of its rise before it.
    """
    last = curves.iloc[-1]
    near = (curves - last).abs() <= tolerance * (last - curves.iloc[0]).abs()
    stays = near.iloc[::-1].cummin().iloc[::-1]
    return stays.idxmax().astype(float)
