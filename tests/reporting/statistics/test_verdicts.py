"""An interval and a region: every way they can lie to each other."""

import math

import pytest

from igbaselines.reporting.statistics.verdicts import Estimate, NotTestable, Region, Verdict, contradicts, decide


def estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 5, None, "by hand")


@pytest.mark.parametrize(
    ("region", "low", "high", "verdict"),
    [
        (Region(more_than=0.0), 0.1, 0.2, Verdict.REPRODUCED),
        (Region(more_than=0.0), -0.1, 0.2, Verdict.INCONCLUSIVE),
        (Region(more_than=0.0), -0.2, -0.1, Verdict.NOT_REPRODUCED),
        (Region(more_than=0.0), 0.0, 0.2, Verdict.INCONCLUSIVE),  # more than zero: the edge is outside
        (Region(more_than=0.0), 0.0, 0.0, Verdict.NOT_REPRODUCED),
        (Region(at_most=5.0), 4.0, 5.0, Verdict.REPRODUCED),  # at most five: the edge is inside
        (Region(at_most=5.0), 4.0, 5.1, Verdict.INCONCLUSIVE),
        (Region(at_most=5.0), 5.1, 6.0, Verdict.NOT_REPRODUCED),
        (Region(at_most=5.0), 5.0, 5.0, Verdict.REPRODUCED),
        (Region(at_least=8.0, at_most=16.0), 8.0, 16.0, Verdict.REPRODUCED),
        (Region(at_least=8.0, at_most=16.0), 7.0, 17.0, Verdict.INCONCLUSIVE),
        (Region(at_least=8.0, at_most=16.0), 1.0, 7.9, Verdict.NOT_REPRODUCED),
        (Region(at_least=8.0, at_most=16.0), 16.1, 20.0, Verdict.NOT_REPRODUCED),
    ],
)
def test_verdict_of_an_interval(region: Region, low: float, high: float, verdict: Verdict) -> None:
    assert decide(estimate(low, high), region) == verdict


def test_a_tie_does_not_contradict() -> None:
    assert not contradicts(estimate(0.0, 0.0), Region(more_than=0.0))
    assert contradicts(estimate(-2.0, -1.0), Region(more_than=0.0))
    assert contradicts(estimate(6.0, 7.0), Region(at_most=5.0))
    assert not contradicts(estimate(4.0, 7.0), Region(at_most=5.0))


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_an_estimate_that_is_not_finite_is_no_estimate(number: float) -> None:
    with pytest.raises(NotTestable, match="not finite"):
        estimate(0.0, number)


@pytest.mark.parametrize("edges", [{}, {"at_least": 3.0, "at_most": 2.0}, {"more_than": math.nan}])
def test_refuses_a_region_without_edges_or_without_room(edges: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a claim needs"):
        Region(**edges)


def test_a_range_has_no_single_threshold() -> None:
    assert Region(more_than=2.0).threshold == 2
    assert Region(at_most=5.0).threshold == 5
    assert Region(at_least=8.0, at_most=16.0).threshold is None


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_units_that_all_agree_decide_nothing(value: float) -> None:
    region = Region(more_than=0.0)
    alike = Estimate(value, value, value, 50, None, "all agree", all_agree=True)
    assert decide(alike, region) == Verdict.INCONCLUSIVE
    assert not contradicts(alike, region)
