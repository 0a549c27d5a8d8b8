"""Reading measured rows: values of paired units, and curves against the number of features k."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from igbaselines.reporting.statistics.estimates import CONFIDENCE, mean_estimate, replicate_estimate, require_finite
from igbaselines.reporting.statistics.verdicts import Estimate, NotTestable

POOLED = "pooled"
REPLICATE = "bootstrap_"


def select(rows: pd.DataFrame, metric: str, method: str) -> pd.DataFrame:
    """Take the rows of one metric and method.

    Raises:
        NotTestable: where there are none.
    """
    found = rows[(rows["metric"] == metric) & (rows["method"] == method)]
    if found.empty:
        raise NotTestable(f"the run has no {metric!r} of method {method!r}")
    return found


def by_unit(rows: pd.DataFrame, metric: str, method: str, index: str) -> pd.DataFrame:
    """Lay out one metric and method as a table: `index` (feature or k) down, units across.

    Raises:
        NotTestable: where there are no rows.
    """
    return select(rows, metric, method).pivot(index=index, columns="unit", values="value").sort_index()


def unit_name(units: "pd.Index[str]") -> str:
    """Name what a unit is: `network` for network_0, network_1, ..."""
    return re.sub(r"_\d+$", "", str(units[0])) if len(units) else "unit"


@dataclass(frozen=True)
class Curve:
    """A metric against k, or the difference of two such curves.

    Args:
        point: the value at each k: the mean over units, or the pooled value.
        samples: k down; units, or bootstrap replicates, across.
        resampled: whether the columns of `samples` are bootstrap replicates.
    """

    point: "pd.Series[float]"
    samples: pd.DataFrame
    resampled: bool

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
        return cls(table[POOLED], table[replicates], resampled=True)

    def __sub__(self, other: "Curve") -> "Curve":
        """Subtract unit by unit, or replicate by replicate: the pairing makes small differences visible."""
        return Curve(self.point - other.point, self.samples - other.samples, self.resampled)

    def below_all_features(self, up_to_k: int) -> "Curve":
        """Keep k <= up_to_k, without the last k: with all features every ranking gives the same network.

        Raises:
            NotTestable: where nothing is left.
        """
        used = [k for k in self.point.index[:-1] if k <= up_to_k]
        if not used:
            raise NotTestable(f"the run has no k <= {up_to_k} below all features")
        return Curve(self.point.loc[used], self.samples.loc[used], self.resampled)

    def at(self, k: int, *, threshold: float | None = None, confidence: float = CONFIDENCE) -> Estimate:
        """Estimate the value at one k."""
        return self._estimate(
            float(self.point.loc[k]),
            self.samples.loc[k].to_numpy(float),
            threshold=threshold,
            confidence=confidence,
        )

    def mean(self, *, threshold: float | None = None) -> Estimate:
        """Estimate the mean over all k of the curve."""
        require_finite(self.samples.to_numpy(float))
        values = self.samples.mean(axis=0).to_numpy(float)
        return self._estimate(float(self.point.mean()), values, threshold=threshold)

    def plateau(self, tolerance: float) -> Estimate:
        """Estimate the smallest k from which the curve stays near its last value.

        Args:
            tolerance: how near, as a fraction of the last value.
        """
        require_finite(self.samples.to_numpy(float))
        values = plateau_k(self.samples, tolerance).to_numpy(float)
        pooled = plateau_k(self.point.to_frame(), tolerance).iloc[0] if self.resampled else values.mean()
        return self._estimate(float(pooled), values)

    def _estimate(
        self,
        value: float,
        values: np.ndarray,
        *,
        threshold: float | None = None,
        confidence: float = CONFIDENCE,
    ) -> Estimate:
        if self.resampled:
            return replicate_estimate(value, values, threshold=threshold, confidence=confidence)
        unit = unit_name(self.samples.columns)
        return mean_estimate(values, threshold=threshold, unit=unit, confidence=confidence)


def plateau_k(curves: pd.DataFrame, tolerance: float) -> "pd.Series[float]":
    """Find for each column the smallest k from which it stays within a fraction of its last value."""
    last = curves.iloc[-1]
    near = (curves - last).abs() <= tolerance * last.abs()
    stays = near.iloc[::-1].cummin().iloc[::-1]
    return stays.idxmax().astype(float)
