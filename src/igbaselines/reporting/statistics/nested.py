"""Many methods compared on inputs that are nested in networks, and networks in data sets.

Inputs of a network are not independent: what they have in common is the network. So where every data set has enough
networks, its replicates are the networks' means, and an answer holds for networks like these. Where one has fewer,
networks are fixed as data sets are: replicates are the inputs of each network, and an answer is one about these
networks. In either case it is an average over data sets, and about these data sets. Intervals are Student's, with
degrees of freedom after Satterthwaite where several strata share in the variance. They hold for means that are
about normal: simulated false positives of all pairs stay at 5 %, but for bare ranks by one metric of fewer than about
ten inputs, where they are 7 to 24 %; averaged over three metrics they are 5 % from three inputs on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import stats

from igbaselines.reporting.statistics.estimates import ENOUGH
from igbaselines.reporting.statistics.paired import holm

Values = Float[np.ndarray, "_ methods"]  # of replicates, of which data sets have different numbers
INPUT = ["data", "network", "unit"]
ALPHA, POWER = 0.05, 0.8
ROUNDING = 1e-12  # of the largest value: less is no difference, and no spread


def _codes(table: pd.DataFrame, *levels: str) -> Int[np.ndarray, " rows"]:
    """A number for each row that tells apart what its index says at some levels."""
    codes = np.zeros(len(table), int)
    for level in levels:
        found, names = pd.factorize(table.index.get_level_values(level))
        codes = codes * len(names) + found
    return codes


@dataclass(frozen=True)
class Nested:
    """Values of methods in replicates of several strata."""

    methods: tuple[str, ...]
    samples: tuple[Values, ...]  # of each stratum: a data set, or a network
    inputs: int  # behind them, of which all methods have a value
    left_out: int  # inputs without one
    networks: tuple[int, ...]  # of each data set
    of_networks: bool  # whether replicates are networks, or the inputs of these ones
    gone: tuple[str, ...] = ()  # methods without a value of a whole data set

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Nested | None":
        """Read rows of one metric: the columns data, network, unit, method and value.

        A method that has no finite value of a whole data set is left out, and so is an input that any of the others has
        none of; None where nothing is left.
        """
        return cls.of_table(rows.pivot_table(index=INPUT, columns="method", values="value", sort=False))

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> "Nested | None":
        """The same of a table: inputs down, by data, network and unit, methods across."""
        values = table.to_numpy(float)
        there = np.isfinite(values)
        data = _codes(table, "data")
        in_every = np.array([there[data == each].any(axis=0) for each in np.unique(data[there.any(axis=1)])])
        whole = in_every.all(axis=0) if len(in_every) else np.zeros(there.shape[1], bool)
        gone = tuple(map(str, table.columns[np.flatnonzero(there.any(axis=0) & ~whole)]))
        some, kept = there[:, whole].any(axis=1), there[:, whole].all(axis=1)
        if not some.any() or not kept.any():
            return None
        values, data, network = values[kept][:, whole], data[kept], _codes(table, "data", "network")[kept]
        by_network = {int(each): values[network == each] for each in pd.unique(network)}
        networks = [pd.unique(network[data == each]) for each in pd.unique(data)]
        of_networks = min(map(len, networks)) >= ENOUGH
        samples = tuple(by_network.values())
        if of_networks:
            samples = tuple(np.array([by_network[int(one)].mean(axis=0) for one in of_data]) for of_data in networks)
        methods, left_out = tuple(map(str, table.columns[np.flatnonzero(whole)])), int(some.sum() - kept.sum())
        return cls(methods, samples, len(values), left_out, tuple(map(len, networks)), of_networks, gone)

    @cached_property
    def means(self) -> Float[np.ndarray, " methods"]:
        """Average over strata, each of its replicates."""
        return np.asarray(np.mean([sample.mean(axis=0) for sample in self.samples], axis=0))

    @cached_property
    def differences(self) -> "Pairs":
        """What each method has more than each other: row minus column."""
        value = self.means[:, None] - self.means
        value[np.abs(value) <= ROUNDING * max(np.abs(sample).max() for sample in self.samples)] = 0
        if self.replicates < 2:  # a single replicate has no spread
            return Pairs(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
        freedom = np.array([len(sample) - 1 for sample in self.samples], dtype=float)
        each = np.stack([_spreads(sample) / len(sample) for sample in self.samples]) / len(self.samples) ** 2
        total = each.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = each / total
            degrees = np.where(total > 0, 1 / (shares**2 / freedom[:, None, None]).sum(axis=0), freedom.min())
        return Pairs(value, np.sqrt(total), degrees)

    def ranks(self, sign: int) -> Float[np.ndarray, " methods"]:
        """The rank of each method's mean, 1 for the best; `sign` is 1 where more is better, -1 where less is."""
        return np.asarray(stats.rankdata(-sign * self.means))

    def order(self, sign: int) -> list[str]:
        """The methods from the best mean to the worst."""
        return [self.methods[at] for at in np.argsort(-sign * self.means, kind="stable")]

    def told_apart(self, one: str, other: str) -> bool:
        """Whether the test of two methods, corrected by Holm for all pairs, tells them apart."""
        places = self.methods.index(one), self.methods.index(other)
        return bool(self.differences.corrected[places] < ALPHA)

    def may_be_best(self, sign: int, among: Sequence[str]) -> list[str]:
        """Those of some methods that no other of them is shown to be better than, in their order.

        A 95 % confidence set of the best (Hsu 1984; Horrace and Schmidt 2000): one-sided tests against each of the
        others at the level that Bonferroni leaves. That the truly best falls out takes an error in one of its own
        tests, so these alone are corrected for, however the data choose the best; all pairs need not be.
        """
        places = [self.methods.index(method) for method in among]
        square = np.ix_(places, places)
        one_sided = np.where(sign * self.differences.value[square] > 0, self.differences.p_values[square] / 2, 1.0)
        beaten = np.any(one_sided < ALPHA / max(len(places) - 1, 1), axis=0).tolist()
        return [method for method, out in zip(among, beaten, strict=True) if not out]

    @property
    def replicates(self) -> int:
        """The fewest that a stratum has."""
        return min(map(len, self.samples))


@dataclass(frozen=True)
class Pairs:
    """Differences of all pairs of methods, (methods, methods), row minus column."""

    value: np.ndarray
    error: np.ndarray  # standard error; NaN where a stratum has a single replicate
    freedom: np.ndarray  # degrees of freedom

    @cached_property
    def p_values(self) -> np.ndarray:
        """Two-sided, of Student's t; 1 where both methods give the same, NaN where nothing can be tested.

        Where all replicates differ by the same there is no spread to test against, and the p-value is the least that
        the sign test has: 2^(1 - n). Ranks of few methods are so often equal by chance that it may not count as zero.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            found = 2 * stats.t.sf(np.abs(self.value) / self.error, self.freedom)
        found = np.where(self.error == 0, 2.0**-self.freedom, found)
        return np.where((self.value == 0) & ~np.isnan(self.error), 1.0, found)

    @cached_property
    def corrected(self) -> np.ndarray:
        """The p-values, corrected by Holm for all pairs."""
        upper = np.triu_indices(len(self.value), 1)
        found = np.ones_like(self.value)
        found[upper] = holm(self.p_values[upper].tolist())
        found.T[upper] = found[upper]
        return found

    def interval(self, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end, each (methods, methods)."""
        width = stats.t.ppf((1 + confidence) / 2, self.freedom) * self.error
        return self.value - width, self.value + width


@lru_cache(maxsize=4096)
def times_more(value: float, error: float, freedom: float, tests: float) -> float:
    """By what factor there would have to be more replicates to tell two methods apart, if they differ as it seems.

    With 80 % power at the level that Bonferroni leaves of so many two-sided tests, one-sided ones a half each; NaN
    where nothing is known of the spread, or there is none, and infinite where they do not differ.
    """
    if not (np.isfinite(error) and freedom > 0):
        return float("nan")
    if not value or not error:
        return float("nan") if value else float("inf")
    factors = np.geomspace(1, 1e6, 200)
    degrees = freedom * factors
    needed = stats.t.ppf(1 - ALPHA / 2 / tests, degrees) + stats.t.ppf(POWER, degrees)
    enough = abs(value) * np.sqrt(factors) >= needed * error
    return float(factors[enough.argmax()]) if enough.any() else float("inf")


def bootstrap_ranks(
    nested: Nested, sign: int, draws: int, generator: np.random.Generator
) -> Float[np.ndarray, "draws methods"]:
    """Ranks of the methods in data drawn anew: replicates with replacement within each stratum."""
    means = np.zeros((draws, len(nested.methods)))
    for sample in nested.samples:
        drawn = generator.integers(len(sample), size=(draws, len(sample)))
        counts = np.stack([np.bincount(row, minlength=len(sample)) for row in drawn])
        means += counts @ sample / len(sample)
    return np.asarray(stats.rankdata(-sign * means, axis=1))


def kendalls_w(ranks: Float[np.ndarray, "judges methods"]) -> float:
    """How much judges agree on the order of methods: Kendall's W, 0 to 1, with the correction for ties.

    NaN for fewer than two judges or methods, or where every judge finds all methods equal.
    """
    judges, methods = ranks.shape
    if judges < 2 or methods < 2:
        return float("nan")
    spread = float(((ranks.sum(axis=0) - judges * (methods + 1) / 2) ** 2).sum())
    ties = sum(float((counts**3 - counts).sum()) for counts in _ties(ranks))
    most = judges**2 * (methods**3 - methods) - judges * ties
    return 12 * spread / most if most else float("nan")


def _ties(ranks: np.ndarray) -> Iterator[np.ndarray]:
    for row in ranks:
        yield np.unique(row, return_counts=True)[1].astype(float)


def _spreads(sample: Values) -> Float[np.ndarray, "methods methods"]:
    """Variances over replicates of the differences of all pairs of methods."""
    found = np.stack([(sample - column[:, None]).var(axis=0, ddof=1) for column in sample.T])
    found[found <= (ROUNDING * np.abs(sample).max()) ** 2] = 0
    return found


def clusters(order: Sequence[str], nested: Nested) -> list[list[str]]:
    """Runs of neighbours in an order of methods within which no test tells any two apart, none within another.

    They are the bars of a critical-difference diagram. Each pair has its own spread here, not a common one as in
    Demsar (2006), so methods that are no neighbours may be alike while one between them is told from both: such groups,
    of which there are many, have no bar.
    """
    found: list[list[str]] = []
    for start in range(len(order)):
        some = [order[start]]
        for method in order[start + 1 :]:
            if any(nested.told_apart(method, other) for other in some):
                break
            some.append(method)
        if len(some) > 1 and not (found and set(some) <= set(found[-1])):
            found.append(some)
    return found
