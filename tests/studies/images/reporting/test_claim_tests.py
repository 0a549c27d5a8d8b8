"""Each test of a claim about images on rows whose answer was put in, and each way in which it must not answer."""

import pandas as pd
import pytest

from igbaselines.reporting.statistics.verdicts import NotTestable, Region, Verdict
from igbaselines.studies.images.reporting.claim_tests import (
    relative_improvement,
    share_of_baselines_dropped,
)
from tests.studies.images.reporting.weighted_rows import EG, FILTERED, WG, make_rows

POSITIVE = Region(more_than=0.0)


def test_the_share_that_the_filter_drops(weighted: pd.DataFrame) -> None:
    found = share_of_baselines_dropped(weighted, Region(at_least=0.4, at_most=0.5))
    of_baselines = weighted[weighted["metric"] == "filtered_weight"]
    assert found.estimate.value == pytest.approx((of_baselines["value"] == 0).mean())
    assert "share of the 6 baselines" in found.note


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [(0.24, Verdict.REPRODUCED), (0.05, Verdict.NOT_REPRODUCED), (0.6, Verdict.NOT_REPRODUCED)],
)
def test_an_improvement_lies_in_a_range_or_not(gain: float, verdict: Verdict) -> None:
    claimed = Region(at_least=9.5, at_most=35.5)
    found = relative_improvement(make_rows(gain=gain), claimed, metric="deletion_auc", reference=EG, method=WG)
    assert found.verdict == verdict
    assert found.estimate.value == pytest.approx(100 * gain, abs=4)
    assert ("more than claimed" in found.note) == (gain == 0.6)
    assert found.estimate.p_value is None  # a range has no single threshold


def test_an_improvement_knows_which_way_is_better(weighted: pd.DataFrame) -> None:
    found = relative_improvement(weighted, POSITIVE, metric="overlap_auc", reference=EG, method=WG)
    assert found.estimate.value == pytest.approx(10, abs=3)


def test_a_match_within_the_margin_holds(weighted: pd.DataFrame) -> None:
    margin = Region(at_least=-2.0)
    many = make_rows(images=100)  # a margin of 2 % is finer than 40 images resolve
    filtered = relative_improvement(many, margin, metric="deletion_auc", reference=WG, method=FILTERED)
    assert filtered.verdict == Verdict.REPRODUCED
    fewer = relative_improvement(weighted, margin, metric="deletion_auc", reference="removed_3", method="removed_5")
    assert fewer.verdict == Verdict.NOT_REPRODUCED


def test_one_image_settles_nothing() -> None:
    rows = make_rows(images=1)
    for test, parameters in (
        (relative_improvement, {"metric": "deletion_auc", "reference": EG, "method": WG}),
        (share_of_baselines_dropped, {}),
    ):
        with pytest.raises(NotTestable, match="at least two"):
            test(rows, POSITIVE, **parameters)
