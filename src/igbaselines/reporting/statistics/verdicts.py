"""From an estimate with its interval to a verdict: the one place where the suite says yes or no."""

import math
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a run says of a claim."""

    REPRODUCED = "reproduced"
    PARTLY = "partly reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"


class NotTestable(Exception):  # noqa: N818 - not an error: the rows do not settle the question, and this says why
    """The rows cannot answer the claim's question; the message is the reason."""


class Undecided(NotTestable):
    """There are rows, and they are known to be too few to decide: the verdict is `inconclusive`."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval.

    Args:
        value: the point estimate.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of units, or of bootstrap replicates, behind the interval.
        p_value: of the null hypothesis that the value sits at the claim's threshold; None: no test.
        test: how interval and p-value were made.
        all_agree: whether the interval has no width because all units, or replicates, agree. That says nothing of
            others, and decides nothing.
    """

    value: float
    low: float
    high: float
    n: int
    p_value: float | None
    test: str
    all_agree: bool = False

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise NotTestable(f"the estimate is not finite: {self.value:g} [{self.low:g}, {self.high:g}]")


@dataclass(frozen=True)
class Region:
    """The values for which a claim holds: one side of a threshold, or a range.

    Args:
        more_than: values at or below it contradict the claim.
        at_least: values below it contradict the claim.
        at_most: values above it contradict the claim.
    """

    more_than: float = -math.inf
    at_least: float = -math.inf
    at_most: float = math.inf

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold or 0.0) or (self.lower > self.at_most):
            raise ValueError("a claim needs more_than, at_least or at_most, and a range that is not empty")

    @property
    def lower(self) -> float:
        """The lower edge, whether or not it belongs to the region."""
        return max(self.more_than, self.at_least)

    @property
    def threshold(self) -> float | None:
        """The one edge that a test can take as its null hypothesis; None for a range, which has two."""
        if math.isfinite(self.lower) and math.isfinite(self.at_most):
            return None
        return self.lower if math.isfinite(self.lower) else self.at_most

    def holds(self, value: float) -> bool:
        """Whether the claim holds at this value."""
        return self.more_than < value and self.at_least <= value <= self.at_most


@dataclass(frozen=True)
class Outcome:
    """What a test of a claim found: an estimate, the verdict, and what a reader should know beside them."""

    estimate: Estimate
    verdict: Verdict
    note: str


def decide(estimate: Estimate, claimed: Region) -> Verdict:
    """Compare an interval with the claimed region.

    Returns:
        `reproduced` where the whole interval lies inside, `not reproduced` where it lies wholly outside,
        `inconclusive` where it holds both, or has no width because all units agree: that says nothing of others.
    """
    if estimate.all_agree:
        return Verdict.INCONCLUSIVE
    if claimed.holds(estimate.low) and claimed.holds(estimate.high):
        return Verdict.REPRODUCED
    below = estimate.high <= claimed.more_than or estimate.high < claimed.at_least
    return Verdict.NOT_REPRODUCED if below or estimate.low > claimed.at_most else Verdict.INCONCLUSIVE


def contradicts(estimate: Estimate, claimed: Region) -> bool:
    """Whether the interval lies strictly on the other side; unlike in `decide`, an exact tie does not."""
    return not estimate.all_agree and (estimate.high < claimed.lower or estimate.low > claimed.at_most)
