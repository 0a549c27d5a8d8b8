"""Each general test of a claim on rows whose answer was put in, and each way in which it must not answer."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.claim_tests import (
    difference_over_units,
    lowest_of,
    mean_over_units,
    paired_difference,
    paired_differences,
    share_of_units,
    spread_difference,
    unit_median,
)
from igbaselines.reporting.rows import by_method
from igbaselines.reporting.statistics.verdicts import NotTestable, Region, Verdict
from tests.hep_rows import as_rows, series
from tests.studies.images.reporting.weighted_rows import EG, PERMUTED, WG, make_rows

POSITIVE = Region(more_than=0.0)
REMOVED = [f"removed_{m}" for m in range(1, 6)]


def two_methods(a: list[float], b: list[float]) -> pd.DataFrame:
    units = [f"block_{place}" for place in range(len(a))]
    found = [
        series("spearman", method, dict(zip(units, values, strict=True)))
        for method, values in zip("ab", (a, b), strict=True)
    ]
    return as_rows([row for rows in found for row in rows])


def test_the_mean_over_units() -> None:
    values = [0.91, 0.95, 0.93]
    found = mean_over_units(two_methods(values, values), Region(at_least=0.9), metric="spearman", method="a")
    assert found.estimate.value == pytest.approx(0.93)
    interval = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.estimate.low, found.estimate.high) == pytest.approx(interval)
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "holds in 3 of 3 blocks" in found.note


def test_counts_that_agree_decide_by_their_step() -> None:
    rows = two_methods([3.0] * 6, [3.0] * 6)
    found = mean_over_units(rows, Region(at_least=1.0), metric="spearman", method="a", step=1.0)
    assert found.verdict == Verdict.REPRODUCED
    assert found.estimate.low > 2


def test_the_share_of_units_has_an_exact_interval() -> None:
    rows = two_methods([0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.1], [0.0] * 8)
    found = share_of_units(rows, Region(at_least=0.05), metric="spearman", method="a", at_least=0.8)
    assert found.estimate.value == 0.75
    exact = stats.beta.ppf(0.025, 6, 3), stats.beta.ppf(0.975, 7, 2)
    assert (found.estimate.low, found.estimate.high) == pytest.approx(exact)
    assert found.verdict == Verdict.REPRODUCED


def test_the_difference_over_units_is_paired() -> None:
    rows = two_methods([0.5, 0.81, 0.19], [0.4, 0.7, 0.1])
    found = difference_over_units(rows, POSITIVE, metric="spearman", a={"method": "a"}, b={"method": "b"})
    assert found.estimate.value == pytest.approx(0.1)
    assert found.verdict == Verdict.REPRODUCED
    opposite = difference_over_units(rows, POSITIVE, metric="spearman", a={"method": "b"}, b={"method": "a"})
    assert opposite.verdict == Verdict.NOT_REPRODUCED


def test_units_need_one_value_each() -> None:
    rows = two_methods([0.5, 0.8], [0.4, 0.7])
    with pytest.raises(NotTestable, match="no rows with metric=spearman, method=c"):
        mean_over_units(rows, POSITIVE, metric="spearman", method="c")
    with pytest.raises(NotTestable, match="a block has several values"):
        mean_over_units(pd.concat([rows, rows]), POSITIVE, metric="spearman", method="a")
    with pytest.raises(NotTestable, match="not finite"):
        difference_over_units(rows.iloc[:3], POSITIVE, metric="spearman", a={"method": "a"}, b={"method": "b"})


def test_a_difference_is_paired_by_method(weighted: pd.DataFrame) -> None:
    found = paired_difference(weighted, POSITIVE, metric="deletion_auc", method_a=EG, method_b=WG)
    table = by_method(weighted, "deletion_auc", (EG, WG))
    assert found.estimate.value == pytest.approx((table[EG] - table[WG]).mean())
    assert found.estimate.p_value == pytest.approx(stats.ttest_rel(table[EG], table[WG]).pvalue)
    assert found.verdict == Verdict.REPRODUCED
    welch = stats.ttest_ind(table[EG], table[WG], equal_var=False).pvalue
    assert f"unpaired (Welch) p = {welch:.2g}" in found.note
    assert "in 40 of 40 units" in found.note
    contrary = paired_difference(weighted, POSITIVE, metric="deletion_auc", method_a=WG, method_b=EG)
    assert contrary.verdict == Verdict.NOT_REPRODUCED


def test_the_control_improves_on_nothing(weighted: pd.DataFrame) -> None:
    found = paired_difference(weighted, POSITIVE, metric="overlap_auc", method_a=PERMUTED, method_b=EG)
    assert found.verdict == Verdict.INCONCLUSIVE


def test_differences_on_average_and_one_by_one(weighted: pd.DataFrame) -> None:
    found = paired_differences(weighted, POSITIVE, metric="deletion_auc", method=EG, others=REMOVED)
    table = by_method(weighted, "deletion_auc", [EG, *REMOVED])
    assert found.estimate.value == pytest.approx(table[EG].mean() - table[REMOVED].mean().mean())
    assert found.verdict == Verdict.REPRODUCED
    assert "as claimed for 5 of 5" in found.note


def test_a_single_one_to_the_contrary_makes_it_partly(weighted: pd.DataFrame) -> None:
    rows = weighted.copy()
    worse = (rows["metric"] == "deletion_auc") & (rows["method"] == "removed_4")
    rows.loc[worse, "value"] *= 1.8
    found = paired_differences(rows, POSITIVE, metric="deletion_auc", method=EG, others=REMOVED)
    assert found.verdict == Verdict.PARTLY
    assert "resolved to the contrary for removed_4 (Bonferroni over methods)" in found.note


def test_removals_that_the_run_could_not_have_are_left_out() -> None:
    rows = make_rows(images=20, baselines=3)
    found = paired_differences(rows, POSITIVE, metric="deletion_auc", method=EG, others=REMOVED)
    assert "removed_1, removed_2 in" in found.note
    with pytest.raises(NotTestable, match="of method 'removed_1'"):
        paired_differences(make_rows(images=5, baselines=1), POSITIVE, metric="deletion_auc", method=EG, others=REMOVED)


def test_spread_is_that_over_images(weighted: pd.DataFrame) -> None:
    found = spread_difference(weighted, POSITIVE, metric="deletion_auc", method_a=EG, method_b=WG)
    table = by_method(weighted, "deletion_auc", (EG, WG))
    assert found.estimate.value == pytest.approx(table[EG].std() - table[WG].std())
    assert found.verdict == Verdict.REPRODUCED


def test_a_spread_that_the_interval_alone_tells_apart_is_not_decided() -> None:
    """One unit has it: no bootstrap of so few is without it often enough, and the test of equal spread has p = 0.25."""
    a = [0.082, 0.063, -0.04, 0.005, -0.047, 0.025, -0.036, 0.012, 0.026, 0.033, -0.018, 0.006]
    b = [0.065, -0.027, -0.027, -0.007, -0.046, -0.004, -0.019, 0.018, 0.019, 0.028, 0.015, -0.001]
    found = spread_difference(two_methods(a, b), POSITIVE, metric="spearman", method_a="a", method_b="b")
    assert found.estimate.low > 0
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "reproduced by the interval alone: the test of equal spread has p = 0.25" in found.note


def test_the_minimum_is_where_it_was_put(weighted: pd.DataFrame) -> None:
    methods = [WG, *REMOVED]
    found = lowest_of(weighted, Region(at_least=2.0, at_most=4.0), metric="deletion_auc", methods=methods)
    assert (found.estimate.value, found.verdict) == (3, Verdict.REPRODUCED)
    wrong = lowest_of(weighted, Region(at_least=0.0, at_most=1.0), metric="deletion_auc", methods=methods)
    assert wrong.verdict == Verdict.NOT_REPRODUCED


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
    assert found.estimate.p_value == pytest.approx(2 * (1 + 20) / 2**20)  # the sign test's: 19 of 20 are below
    assert found.estimate.test == "sign test, order statistics of 20 images"


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
        (lowest_of, {"metric": "deletion_auc", "methods": [WG, *REMOVED]}),
        (unit_median, {"metric": "completeness_gap", "method": WG}),
    ):
        with pytest.raises(NotTestable, match="at least two"):
            test(rows, POSITIVE, **parameters)
