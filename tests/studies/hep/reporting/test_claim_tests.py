"""Each test of a claim on rows whose answer was put in, and each way in which it must not answer."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.statistics.verdicts import NotTestable, Region, Undecided, Verdict
from igbaselines.studies.hep.reporting.claim_tests import (
    curve_difference,
    feature_rank,
    first_feature,
    plateau,
    rank_difference,
)
from tests.hep_rows import K, as_rows, curve_rows, series

POSITIVE = Region(more_than=0.0)


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


def test_ranks_that_agree_decide_without_a_p_value() -> None:
    rows = rank_rows(m=[4, 4, 4, 9, 9, 9])
    found = feature_rank(rows, Region(at_most=5.0), features=["A"], method="m")
    assert (found.verdict, found.estimate.p_value) == (Verdict.REPRODUCED, None)
    assert feature_rank(rows, Region(more_than=5.0), features=["A"], method="m").verdict == Verdict.NOT_REPRODUCED


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
    assert found.verdict == Verdict.REPRODUCED
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
    assert "for 2 of 3 k, resolved to the contrary for k = 2" in found.note


def test_a_tie_at_a_single_k_does_not_speak_against() -> None:
    jitter = np.random.default_rng(0).normal(0, 1e-3, (5, 4))
    jitter[:, 0] = 0  # the same first feature, hence the same network
    rows = two_curves((np.array([0.0, 0.1, 0.5, 0.0]) + jitter).tolist(), np.zeros((5, 4)).tolist())
    found = curve_difference(rows, POSITIVE, metric="accuracy", method_a="a", method_b="b", up_to_k=15)
    assert found.verdict == Verdict.REPRODUCED


def test_identical_curves_beat_nobody() -> None:
    same = np.random.default_rng(0).uniform(0, 1, (3, 4)).tolist()
    found = curve_difference(
        two_curves(same, same), POSITIVE, metric="accuracy", method_a="a", method_b="b", up_to_k=15
    )
    assert (found.verdict, found.estimate.value) == (Verdict.NOT_REPRODUCED, 0)


def test_too_little_background_leaves_it_undecided(rows: pd.DataFrame) -> None:
    def test(min_n_eff: int) -> tuple[Verdict, str]:
        found = curve_difference(
            rows,
            POSITIVE,
            metric="significance",
            method_a="background",
            method_b="zero_physical",
            up_to_k=15,
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
            min_n_eff=10,
        )


@pytest.mark.parametrize(
    ("place", "verdict"), [(2, Verdict.NOT_REPRODUCED), (8, Verdict.REPRODUCED), (10, Verdict.NOT_REPRODUCED)]
)
def test_plateau_where_it_was_put(place: int, verdict: Verdict) -> None:
    curve = [0.5] * place + [0.9] * (len(K) - place)
    rows = curve_rows("accuracy", "a", {f"network_{number}": curve for number in range(3)})
    found = plateau(rows, Region(at_least=8.0, at_most=16.0), metric="accuracy", method="a", tolerance=0.01)
    assert found.estimate.value == K[place]
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("ks", "why"),
    [
        ((20,), "was measured: only k = 20"),
        ((1, 5, 20), "was measured"),
        ((1, 5, 7, 17, 20), "was measured"),
        ((8, 10, 12, 20), "was measured"),  # it may begin below 8
        ((12, 20), "was measured"),
        ((1, 4, 8, 12), "all 12 features are in the claimed range"),
        (tuple(range(1, 13)), "all 12 features are in the claimed range"),
    ],
)
@pytest.mark.parametrize("rises", [True, False])
def test_a_plateau_needs_k_that_could_say_either(ks: tuple[int, ...], why: str, rises: bool) -> None:
    curves = {f"network_{number}": [k / 20 if rises else 0.9 for k in ks] for number in range(5)}
    rows = curve_rows("accuracy", "a", curves, ks)
    with pytest.raises(NotTestable, match=why):
        plateau(rows, Region(at_least=8.0, at_most=16.0), metric="accuracy", method="a", tolerance=0.01)
