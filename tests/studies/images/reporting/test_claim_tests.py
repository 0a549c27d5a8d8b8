"""Each test of a claim about images on rows whose answer was put in, and each way in which it must not answer."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.statistics.verdicts import NotTestable, Region, Verdict
from igbaselines.studies.images.reporting.claim_tests import (
    lowest_of,
    paired_difference,
    paired_differences,
    relative_improvement,
    share_of_baselines_dropped,
    spread_difference,
    unit_median,
)
from igbaselines.studies.images.reporting.rows import by_image
from tests.studies.images.reporting.weighted_rows import EG, FILTERED, PERMUTED, WG, make_rows

POSITIVE = Region(more_than=0.0)
REMOVED = [f"removed_{m}" for m in range(1, 6)]


def test_a_difference_is_paired_by_image(weighted: pd.DataFrame) -> None:
    found = paired_difference(weighted, POSITIVE, metric="deletion_auc", method_a=EG, method_b=WG)
    table = by_image(weighted, "deletion_auc", (EG, WG))
    assert found.estimate.value == pytest.approx((table[EG] - table[WG]).mean())
    assert found.estimate.p_value == pytest.approx(stats.ttest_rel(table[EG], table[WG]).pvalue)
    assert found.verdict == Verdict.REPRODUCED
    welch = stats.ttest_ind(table[EG], table[WG], equal_var=False).pvalue
    assert f"unpaired (Welch) p = {welch:.2g}" in found.note
    assert "for 40 of 40 images" in found.note
    contrary = paired_difference(weighted, POSITIVE, metric="deletion_auc", method_a=WG, method_b=EG)
    assert contrary.verdict == Verdict.NOT_REPRODUCED


def test_the_control_improves_on_nothing(weighted: pd.DataFrame) -> None:
    found = paired_difference(weighted, POSITIVE, metric="overlap_auc", method_a=PERMUTED, method_b=EG)
    assert found.verdict == Verdict.INCONCLUSIVE


def test_differences_on_average_and_one_by_one(weighted: pd.DataFrame) -> None:
    found = paired_differences(weighted, POSITIVE, metric="deletion_auc", method=EG, others=REMOVED)
    table = by_image(weighted, "deletion_auc", [EG, *REMOVED])
    assert found.estimate.value == pytest.approx(table[EG].mean() - table[REMOVED].mean().mean())
    assert found.verdict == Verdict.REPRODUCED
    assert "as claimed for 5 of 5" in found.note


def test_a_single_one_to_the_contrary_makes_it_partly(weighted: pd.DataFrame) -> None:
    rows = weighted.copy()
    worse = (rows["metric"] == "deletion_auc") & (rows["method"] == "removed_4")
    rows.loc[worse, "value"] *= 1.8
    found = paired_differences(rows, POSITIVE, metric="deletion_auc", method=EG, others=REMOVED)
    assert found.verdict == Verdict.PARTLY
    assert "resolved to the contrary for removed_4 (Bonferroni)" in found.note


def test_removals_that_the_run_could_not_have_are_left_out() -> None:
    rows = make_rows(images=20, baselines=3)
    found = paired_differences(rows, POSITIVE, metric="deletion_auc", method=EG, others=REMOVED)
    assert "removed_1, removed_2 in" in found.note
    with pytest.raises(NotTestable, match="of method 'removed_1'"):
        paired_differences(make_rows(images=5, baselines=1), POSITIVE, metric="deletion_auc", method=EG, others=REMOVED)


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


def test_spread_is_that_over_images(weighted: pd.DataFrame) -> None:
    found = spread_difference(weighted, POSITIVE, metric="deletion_auc", method_a=EG, method_b=WG)
    table = by_image(weighted, "deletion_auc", (EG, WG))
    assert found.estimate.value == pytest.approx(table[EG].std() - table[WG].std())
    assert found.verdict == Verdict.REPRODUCED


def test_the_minimum_is_where_it_was_put(weighted: pd.DataFrame) -> None:
    methods = [WG, *REMOVED]
    found = lowest_of(weighted, Region(at_least=2.0, at_most=4.0), metric="deletion_auc", methods=methods)
    assert (found.estimate.value, found.verdict) == (3, Verdict.REPRODUCED)
    wrong = lowest_of(weighted, Region(at_least=0.0, at_most=1.0), metric="deletion_auc", methods=methods)
    assert wrong.verdict == Verdict.NOT_REPRODUCED


def test_the_share_that_the_filter_drops(weighted: pd.DataFrame) -> None:
    found = share_of_baselines_dropped(weighted, Region(at_least=0.4, at_most=0.5))
    of_baselines = weighted[weighted["metric"] == "filtered_weight"]
    assert found.estimate.value == pytest.approx((of_baselines["value"] == 0).mean())
    assert "share of the 6 baselines" in found.note


def median_rows(values: np.ndarray) -> pd.DataFrame:
    units = [f"image_{place}" for place in range(len(values))]
    return pd.DataFrame({"method": WG, "metric": "completeness_gap", "unit": units, "value": values})


def test_a_median_is_not_moved_by_one_wild_image() -> None:
    values = np.append(np.linspace(0.01, 0.02, 19), 1e6)
    found = unit_median(median_rows(values), Region(at_most=0.05), metric="completeness_gap", method=WG)
    assert found.estimate.value == np.median(values)
    assert found.verdict == Verdict.REPRODUCED
    # 20 values: the 6th smallest and the 6th largest (any table of the sign test).
    assert (found.estimate.low, found.estimate.high) == (np.sort(values)[5], np.sort(values)[14])
    assert "largest 1e+06" in found.note


def test_the_interval_of_a_median_covers_it() -> None:
    covered = []
    for seed in range(400):
        values = np.random.default_rng(seed).lognormal(0, 1, 31)
        found = unit_median(median_rows(values), POSITIVE, metric="completeness_gap", method=WG).estimate
        covered.append(found.low <= 1 <= found.high)
    assert 0.92 <= np.mean(covered) <= 0.99


def test_one_image_settles_nothing() -> None:
    rows = make_rows(images=1)
    two = {"metric": "deletion_auc", "method_a": EG, "method_b": WG}
    for test, parameters in (
        (paired_difference, two),
        (spread_difference, two),
        (relative_improvement, {"metric": "deletion_auc", "reference": EG, "method": WG}),
        (lowest_of, {"metric": "deletion_auc", "methods": [WG, *REMOVED]}),
        (unit_median, {"metric": "completeness_gap", "method": WG}),
        (share_of_baselines_dropped, {}),
    ):
        with pytest.raises(NotTestable, match="at least two"):
            test(rows, POSITIVE, **parameters)
