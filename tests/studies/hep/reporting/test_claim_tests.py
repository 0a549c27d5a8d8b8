"""Each test of a claim on rows whose answer was put in, and each way in which it must not answer."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.statistics.verdicts import NotTestable, Region, Undecided, Verdict
from igbaselines.studies.hep.reporting.claim_tests import (
    chance_of_rank,
    chance_rank,
    curve_difference,
    curve_rise,
    discrimination_difference,
    feature_rank,
    first_feature,
    largest_of_features,
    plateau,
    rank_difference,
)
from tests.hep_rows import K, as_rows, curve_rows, series

POSITIVE = Region(more_than=0.0)
AROUND_12 = Region(at_least=8.0, at_most=16.0)


def rank_rows(**ranks: list[float]) -> pd.DataFrame:
    """Ranks of features A and B by method: those of A for all networks, then those of B."""
    return as_rows(
        [
            row
            for method, both in ranks.items()
            for feature, values in (("A", both[: len(both) // 2]), ("B", both[len(both) // 2 :]))
            for row in series(
                "rank", method, {f"network_{number}": rank for number, rank in enumerate(values)}, feature=feature
            )
        ]
    )


def test_first_feature_is_the_lead_over_the_best_other(rows: pd.DataFrame) -> None:
    found = first_feature(rows, POSITIVE, feature="HT", method="background", metric="attribution")
    table = rows[(rows["metric"] == "attribution") & (rows["method"] == "background")]
    table = table.pivot(index="unit", columns="feature", values="value")
    lead = table["HT"] - table.drop(columns="HT").max(axis=1)
    assert found.estimate.value == pytest.approx(lead.mean())
    assert found.estimate.p_value == pytest.approx(stats.ttest_1samp(lead, 0).pvalue)
    assert found.verdict == Verdict.REPRODUCED
    assert "leads in 5 of 5 networks" in found.note


def test_first_feature_that_is_second(rows: pd.DataFrame) -> None:
    found = first_feature(rows, POSITIVE, feature="Kurt_j1", method="background", metric="attribution")
    assert found.verdict == Verdict.NOT_REPRODUCED
    assert "leads in 0 of 5" in found.note


def test_rank_of_the_best_of_several() -> None:
    rows = rank_rows(m=[9, 1, 2, 8])
    found = feature_rank(rows, Region(at_most=3.0), features=["A", "B"], method="m")
    assert found.estimate.value == 1.5  # best of (9, 2) and of (1, 8)
    assert "holds in 2 of 2 networks" in found.note


def test_rank_of_the_second_best_of_several() -> None:
    rows = rank_rows(m=[9, 1, 2, 8])
    found = feature_rank(rows, Region(at_most=3.0), features=["A", "B"], method="m", place=2)
    assert found.estimate.value == 8.5  # of (9, 2) and of (1, 8)
    assert "mean rank of place 2 of A, B" in found.note


def test_ranks_that_agree_decide_by_a_shrunk_interval() -> None:
    rows = rank_rows(m=[4, 4, 4, 9, 9, 9])
    found = feature_rank(rows, Region(at_most=5.0), features=["A"], method="m")
    assert found.verdict == Verdict.REPRODUCED
    assert 3 < found.estimate.low < 4 < found.estimate.high < 5
    assert feature_rank(rows, Region(more_than=5.0), features=["A"], method="m").verdict == Verdict.NOT_REPRODUCED
    assert feature_rank(rows, Region(at_most=4.0), features=["A"], method="m").verdict == Verdict.INCONCLUSIVE


def test_a_rank_stands_beside_its_chance(rows: pd.DataFrame) -> None:
    """Four of thirty in a random order, by counting: none of them in the top 5 in C(25, 4) of C(30, 4) orders."""
    best = Region(at_most=5.0)
    features = ["m_j1", "m_j2", "m_j3", "m_b"]
    note = feature_rank(rows, best, features=features, method="background").note
    assert f"with {1 - math.comb(25, 4) / math.comb(30, 4):.0%}" in note
    assert "it is 6.2 on average" in note
    shuffled = np.array([np.random.default_rng(seed).permutation(30)[:4].min() + 1 for seed in range(2000)])
    assert np.mean(shuffled) == pytest.approx(chance_rank(30, 4), rel=0.05)
    assert np.mean(shuffled <= 5) == pytest.approx(chance_of_rank(30, 4, best), rel=0.1)
    second = np.array([np.sort(np.random.default_rng(seed).permutation(30)[:4])[1] + 1 for seed in range(2000)])
    assert np.mean(second) == pytest.approx(chance_rank(30, 4, place=2), rel=0.05)
    assert np.mean(second <= 5) == pytest.approx(chance_of_rank(30, 4, best, place=2), rel=0.2)


def test_features_are_worth_what_they_separate_alone() -> None:
    ranks = rank_rows(good=[1, 1, 1, 2, 2, 2], bad=[2, 2, 2, 1, 1, 1])
    worth = [
        row
        for feature, values in (("A", (0.9, 0.91, 0.92)), ("B", (0.6, 0.62, 0.61)))
        for row in series("auc", "alone", {f"network_{n}": v for n, v in enumerate(values)}, feature=feature)
    ]
    rows = pd.concat([ranks, as_rows(worth)])
    found = discrimination_difference(rows, POSITIVE, metric="auc", of="alone", method_a="good", method_b="bad", top=1)
    assert found.estimate.value == pytest.approx(0.3)
    assert found.verdict == Verdict.REPRODUCED
    largest = largest_of_features(rows, Region(at_most=0.6), features=["B", "A"], method="alone", metric="auc")
    assert largest.estimate.value == pytest.approx(0.91)
    assert largest.verdict == Verdict.NOT_REPRODUCED


def test_ranks_that_straddle_the_threshold_decide_nothing() -> None:
    found = feature_rank(rank_rows(m=[4, 7, 9, 9]), Region(at_most=5.0), features=["A"], method="m")
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "holds in 1 of 2" in found.note


def test_rank_difference_is_paired() -> None:
    rows = rank_rows(a=[2, 12, 3, 30, 30, 30], b=[7, 17, 8, 30, 30, 30])
    gained = rank_difference(rows, POSITIVE, features=["A"], method_a="a", method_b="b")
    assert gained.estimate.value == 5
    assert gained.verdict == Verdict.REPRODUCED
    lost = rank_difference(rows, POSITIVE, features=["A"], method_a="b", method_b="a")
    assert lost.verdict == Verdict.NOT_REPRODUCED


def test_unknown_features_and_methods_are_not_testable(rows: pd.DataFrame) -> None:
    with pytest.raises(NotTestable, match="no feature Z"):
        feature_rank(rows, POSITIVE, features=["Z"], method="background")
    with pytest.raises(NotTestable, match="no feature Z"):
        first_feature(rows, POSITIVE, feature="Z", method="background", metric="attribution")
    with pytest.raises(NotTestable, match="of method 'nobody'"):
        rank_difference(rows, POSITIVE, features=["HT"], method_a="background", method_b="nobody")


def test_a_unit_that_one_method_lacks_is_not_dropped_in_silence(rows: pd.DataFrame) -> None:
    lacks = rows[(rows["method"] != "background") | (rows["unit"] != "network_2")]
    with pytest.raises(NotTestable, match="not finite"):
        curve_difference(
            lacks, POSITIVE, metric="accuracy", method_a="background", method_b="zero_physical", up_to_k=15
        )
    with pytest.raises(NotTestable, match="not finite"):
        rank_difference(lacks, POSITIVE, features=["HT"], method_a="background", method_b="zero_physical")


def test_curve_difference_over_networks(rows: pd.DataFrame) -> None:
    found = curve_difference(
        rows, POSITIVE, metric="accuracy", method_a="background", method_b="zero_physical", up_to_k=15
    )
    table = rows[(rows["metric"] == "accuracy") & (rows["k"] <= 15)]
    means = table.pivot_table(index="unit", columns="method", values="value")
    difference = means["background"] - means["zero_physical"]
    assert found.estimate.value == pytest.approx(difference.mean())
    assert found.estimate.p_value == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)
    assert found.verdict == Verdict.PARTLY  # near the plateau the two come together
    until_6 = curve_difference(
        rows, POSITIVE, metric="accuracy", method_a="background", method_b="zero_physical", up_to_k=6
    )
    assert until_6.verdict == Verdict.REPRODUCED
    reversed_claim = curve_difference(
        rows, POSITIVE, metric="accuracy", method_a="zero_physical", method_b="background", up_to_k=15
    )
    assert reversed_claim.verdict == Verdict.NOT_REPRODUCED


def two_curves(a: list[list[float]], b: list[list[float]]) -> pd.DataFrame:
    ks = tuple(range(1, len(a[0]) + 1))
    curves = {
        method: {f"network_{place}": curve for place, curve in enumerate(values)}
        for method, values in (("a", a), ("b", b))
    }
    return pd.concat([curve_rows("accuracy", method, units, ks) for method, units in curves.items()])


def test_a_single_k_to_the_contrary_makes_it_partly() -> None:
    jitter = np.random.default_rng(0).normal(0, 1e-3, (5, 4))
    flat = np.zeros((5, 4))
    rows = two_curves((np.array([0.5, -0.1, 0.5, 0.0]) + jitter).tolist(), flat.tolist())
    found = curve_difference(rows, POSITIVE, metric="accuracy", method_a="a", method_b="b", up_to_k=15)
    assert found.verdict == Verdict.PARTLY
    assert "for 2 of 3 k, resolved for 2, resolved to the contrary for k = 2" in found.note


def test_a_tie_at_a_single_k_does_not_speak_against() -> None:
    jitter = np.random.default_rng(0).normal(0, 1e-3, (5, 4))
    jitter[:, 0] = 0  # the same first feature, hence the same network
    rows = two_curves((np.array([0.0, 0.1, 0.5, 0.0]) + jitter).tolist(), np.zeros((5, 4)).tolist())
    found = curve_difference(rows, POSITIVE, metric="accuracy", method_a="a", method_b="b", up_to_k=15)
    assert found.verdict == Verdict.REPRODUCED
    assert "over k = 2, 3; tied by construction at k = 1" in found.note
    assert found.estimate.value == pytest.approx(0.3, abs=0.01)


def test_for_all_k_means_each_of_them() -> None:
    """On average resolved, at one k not: partly; and a k to the contrary refutes what is open on average."""
    noise = np.random.default_rng(0).normal(0, 1, (6, 4)) * [1e-3, 1e-3, 0.2, 1e-3]
    flat = np.zeros((6, 4)).tolist()
    open_at_3 = two_curves((np.array([0.5, 0.5, 0.0, 0.0]) + noise).tolist(), flat)
    found = curve_difference(open_at_3, POSITIVE, metric="accuracy", method_a="a", method_b="b", up_to_k=15)
    assert found.verdict == Verdict.PARTLY
    assert "resolved for 2" in found.note
    mean = curve_difference(
        open_at_3, POSITIVE, metric="accuracy", method_a="a", method_b="b", up_to_k=15, every_k=False
    )
    assert (mean.verdict, mean.estimate) == (Verdict.REPRODUCED, found.estimate)
    mixed = two_curves((np.array([-0.02, 0.01, 0.0, 0.0]) + noise).tolist(), flat)
    found = curve_difference(mixed, POSITIVE, metric="accuracy", method_a="a", method_b="b", up_to_k=15)
    assert found.verdict == Verdict.NOT_REPRODUCED
    assert found.estimate.low < 0 < found.estimate.high


def test_identical_curves_say_nothing() -> None:
    same = np.random.default_rng(0).uniform(0, 1, (3, 4)).tolist()
    rows = two_curves(same, same)
    with pytest.raises(Undecided, match="the same networks at every k = 1, 2, 3"):
        curve_difference(rows, POSITIVE, metric="accuracy", method_a="a", method_b="b", up_to_k=15)


def test_too_little_background_leaves_it_undecided(rows: pd.DataFrame) -> None:
    def test(min_n_eff: int) -> tuple[Verdict, str]:
        found = curve_difference(
            rows,
            POSITIVE,
            metric="significance",
            method_a="background",
            method_b="zero_physical",
            up_to_k=6,
            min_n_eff=min_n_eff,
        )
        return found.verdict, found.note

    assert test(4)[0] == Verdict.REPRODUCED
    with pytest.raises(Undecided, match=r"fewer than 10 effective background events .* at k = 1 \(least 5\.0\)"):
        test(10)


def test_without_n_eff_there_is_no_significance_to_judge(rows: pd.DataFrame) -> None:
    rows = rows[rows["metric"] != "background_n_eff"]
    with pytest.raises(NotTestable, match="background_n_eff"):
        plateau(
            rows,
            Region(at_least=8.0, at_most=16.0),
            metric="significance",
            method="background",
            tolerance=0.1,
            around=12,
            min_n_eff=10,
        )


@pytest.mark.parametrize(
    ("place", "low", "high", "verdict"),
    [
        (2, 2, 4, Verdict.NOT_REPRODUCED),
        (8, 10, 15, Verdict.REPRODUCED),
        (10, 15, 30, Verdict.INCONCLUSIVE),  # 16 was not measured: it may begin there
        (11, 20, 30, Verdict.NOT_REPRODUCED),
    ],
)
def test_plateau_where_it_was_put(place: int, low: int, high: int, verdict: Verdict) -> None:
    curve = [0.5] * place + [0.9] * (len(K) - place)
    rows = curve_rows("accuracy", "a", {f"network_{number}": curve for number in range(3)})
    found = plateau(rows, AROUND_12, metric="accuracy", method="a", tolerance=0.1, around=12)
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == (K[place], low, high)
    assert found.verdict == verdict


def test_a_plateau_that_begins_early_is_good_enough() -> None:
    for place, verdict in ((2, Verdict.REPRODUCED), (10, Verdict.NOT_REPRODUCED)):
        curve = [0.5] * place + [0.9] * (len(K) - place)
        rows = curve_rows("accuracy", "a", {f"network_{number}": curve for number in range(3)})
        found = plateau(rows, Region(at_most=12.0), metric="accuracy", method="a", tolerance=0.1, around=12)
        assert found.verdict == verdict


def test_a_rise_goes_from_the_first_k_to_another() -> None:
    jitter = np.random.default_rng(0).normal(0, 1e-3, (4, len(K)))
    curves = {f"network_{n}": (0.01 * np.array(K) + jitter[n]).tolist() for n in range(4)}
    found = curve_rise(curve_rows("accuracy", "a", curves), POSITIVE, metric="accuracy", method="a", to_k=12)
    assert found.estimate.value == pytest.approx(0.11, abs=2e-3)
    assert found.estimate.p_value is not None
    assert found.verdict == Verdict.REPRODUCED
    with pytest.raises(NotTestable, match="the run has no k = 13"):
        curve_rise(curve_rows("accuracy", "a", curves), POSITIVE, metric="accuracy", method="a", to_k=13)


def test_a_plateau_is_of_the_rise_not_of_the_value() -> None:
    """One percent of 0.9 is as much as the whole rise: level from the first k on, by the older reading."""
    rise = 0.009 * np.array([0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.88, 0.93, 0.96, 1])
    jitter = np.random.default_rng(0).normal(0, 1e-5, (4, 1))
    rows = curve_rows("accuracy", "a", {f"network_{n}": (0.891 + rise + jitter[n]).tolist() for n in range(4)})
    found = plateau(
        rows, AROUND_12, metric="accuracy", method="a", tolerance=0.1, other_tolerances=[0.05, 0.25], around=12
    )
    assert (found.estimate.value, found.verdict) == (15, Verdict.INCONCLUSIVE)  # between 12 and 20
    assert "within 5%: 20 (15 to 30), inconclusive; within 25%: 8 (6 to 10), inconclusive" in found.note


def test_without_a_rise_there_is_no_plateau() -> None:
    noise = np.random.default_rng(0).normal(0.9, 0.01, (4, len(K)))
    rows = curve_rows("accuracy", "a", {f"network_{n}": noise[n].tolist() for n in range(4)})
    with pytest.raises(Undecided, match="no rise from k = 1 to all features is resolved"):
        plateau(rows, AROUND_12, metric="accuracy", method="a", tolerance=0.1, around=12)


@pytest.mark.parametrize(
    ("ks", "why"),
    [
        ((20,), "not all measured: only k = 20"),
        ((1, 5, 20), "not all measured"),
        ((1, 5, 7, 17, 20), "not all measured"),
        ((1, 5, 8, 12, 20), "not all measured"),  # it may begin beyond 16, before all 20
        ((1, 8, 12, 18, 20), "not all measured"),  # it may begin below 8
        ((5, 8, 12, 18, 20), "not all measured"),  # where does it rise from?
        ((1, 4, 8, 12), "all 12 features are in the claimed range"),
        (tuple(range(1, 13)), "all 12 features are in the claimed range"),
    ],
)
@pytest.mark.parametrize("rises", [True, False])
def test_a_plateau_needs_k_that_could_say_either(ks: tuple[int, ...], why: str, rises: bool) -> None:
    curves = {f"network_{number}": [k / 20 if rises else 0.9 for k in ks] for number in range(5)}
    rows = curve_rows("accuracy", "a", curves, ks)
    with pytest.raises(NotTestable, match=why):
        plateau(rows, AROUND_12, metric="accuracy", method="a", tolerance=0.1, around=12)
