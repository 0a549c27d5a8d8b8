"""The bootstrap over units: every quantity that is resampled is made of means, so a replicate is a row of counts.

A block of replicates is then one product of counts and values.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from igbaselines.reporting.statistics.estimates import CONFIDENCE

REPLICATES = 4000
SEED = 0
LEAST = 6  # with fewer units even the range of all replicates covers less than 95 %
BLOCK = 4_000_000  # counts held at a time: a run may have tens of thousands of images


def resampled_means(values: np.ndarray, replicates: int = REPLICATES, seed: int = SEED) -> np.ndarray:
    """Means of the columns over units drawn with replacement: (replicates, m) from (n, m)."""
    generator = np.random.default_rng(seed)
    n = len(values)
    equal = np.full(n, 1 / n)
    block = max(1, BLOCK // n)
    sizes = [min(block, replicates - start) for start in range(0, replicates, block)]
    return np.concatenate([generator.multinomial(n, equal, size=size) @ values for size in sizes]) / n


def expanded_confidence(n: int) -> float:
    """The coverage to ask of bootstrap quantiles for an interval over n units to cover 95 %.

    Plain quantiles are too narrow for few units, as a normal interval is beside Student's t, and as a standard
    deviation over n is beside one over n - 1: the expanded percentile interval (Hesterberg 2015, arXiv:1411.5279) makes
    up for both.
    """
    reach = np.sqrt(n / (n - 1)) * stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)
    return float(1 - 2 * stats.norm.sf(reach))


def interval_of(replicates: np.ndarray, n: int) -> np.ndarray:
    """95 % intervals from replicates.

    Args:
        replicates: (b, ...); those that are NaN are left out.
        n: number of units behind them.

    Returns:
        (2, ...), the lower and upper ends; NaN for fewer than LEAST units.
    """
    if n < LEAST or np.isnan(replicates).all(axis=0).any():
        return np.full((2, *replicates.shape[1:]), np.nan)
    confidence = expanded_confidence(n)
    return np.asarray(np.nanquantile(replicates, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0))


def joint_means(tables: Sequence[pd.DataFrame], replicates: int = REPLICATES, seed: int = SEED) -> list[np.ndarray]:
    """Means of the columns of several tables over units drawn with replacement, the same draws for all of them.

    Tables of the same images stay paired: what an image brings to two of them cancels in their difference.

    Args:
        tables: units down (by name, each once), values across; a table may lack units of another.
        replicates: number of draws.
        seed: of the draws.

    Returns:
        For each table (replicates, m); NaN where none of its units was drawn, and everywhere for a single unit.
    """
    units = pd.Index(sorted(set().union(*(table.index for table in tables))))
    places = [units.get_indexer(table.index) for table in tables]
    generator = np.random.default_rng(seed)
    equal = np.full(len(units), 1 / len(units))
    block = max(1, BLOCK // len(units))
    found: list[list[np.ndarray]] = [[] for _ in tables]
    for start in range(0, replicates, block):
        counts = generator.multinomial(len(units), equal, size=min(block, replicates - start)).astype(float)
        for means, table, place in zip(found, tables, places, strict=True):
            drawn = counts[:, place]
            total = drawn.sum(axis=1, keepdims=True)
            total[total == 0] = np.nan
            means.append(drawn @ table.to_numpy(float) / total)
    spread = [1 if len(table) > 1 else np.nan for table in tables]  # one unit drawn again and again varies in nothing
    return [np.concatenate(means) * known for means, known in zip(found, spread, strict=True)]
