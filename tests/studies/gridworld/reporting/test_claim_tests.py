"""Each test of a claim about GridWorld against plain numpy, and each way in which it must not answer."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.rows import choose
from igbaselines.reporting.statistics.verdicts import NotTestable, Outcome, Region, Verdict
from igbaselines.studies.gridworld.reporting.claim_tests import (
    agreement_difference,
    agreement_mean,
    q_robustness,
    time_ratio,
)

POSITIVE = Region(more_than=0.0)
A, B = "shapley_ig", "ig_mean"
TWO = {"metric": "cosine", "method_a": A, "method_b": B}


def rows_of(values: dict[str, np.ndarray], metric: str = "cosine", **known: Any) -> pd.DataFrame:
    """Rows of (states, networks) values a method; the rows are shuffled, since their order must not matter."""
    frames = [
        pd.DataFrame(
            {
                "method": method,
                "metric": metric,
                "unit": [f"world_{state}" for state in range(table.shape[0]) for _ in range(table.shape[1])],
                "network": [f"network_{network}" for _ in range(table.shape[0]) for network in range(table.shape[1])],
                "value": table.ravel(),
            }
        ).assign(**known)
        for method, table in values.items()
    ]
    return pd.concat(frames).sample(frac=1, random_state=0, ignore_index=True)


def paired_values(gains: list[float], states: int = 30, spread: float = 0.02) -> dict[str, np.ndarray]:
    """Method a is better than b by `gains`, one a network; a state's own level is far larger than that."""
    rng = np.random.default_rng(0)
    level = rng.uniform(0.2, 0.8, (states, 1))
    noise = rng.normal(0, spread, (2, states, len(gains)))
    return {A: level + np.array(gains) + noise[0], B: level + noise[1]}


def test_a_difference_is_paired_by_state_and_averaged_over_networks() -> None:
    values = paired_values([0.05, 0.04, 0.06])
    found = agreement_difference(rows_of(values), POSITIVE, **TWO)
    difference = (values[A] - values[B]).mean(axis=1)
    reach = stats.t.ppf(0.975, 29) * difference.std(ddof=1) / np.sqrt(30)
    assert found.estimate.value == pytest.approx(difference.mean())
    assert (found.estimate.low, found.estimate.high) == pytest.approx(
        (difference.mean() - reach, difference.mean() + reach)
    )
    assert found.estimate.p_value == pytest.approx(
        stats.ttest_rel(values[A].mean(axis=1), values[B].mean(axis=1)).pvalue
    )
    assert found.estimate.n == 30
    assert found.verdict == Verdict.REPRODUCED
    assert f"means {values[A].mean():.4g} and {values[B].mean():.4g}" in found.note
    assert "as claimed for 3 of 3 networks" in found.note
    turned = agreement_difference(rows_of(values), POSITIVE, metric="cosine", method_a=B, method_b=A)
    assert turned.verdict == Verdict.NOT_REPRODUCED


def test_networks_are_no_units_of_their_own() -> None:
    """Ten copies of a network say no more than one."""
    one = paired_values([0.05])
    copies = {method: np.repeat(values, 10, axis=1) for method, values in one.items()}
    found = [agreement_difference(rows_of(values), POSITIVE, **TWO).estimate for values in (one, copies)]
    assert (found[0].low, found[0].high, found[0].n) == pytest.approx((found[1].low, found[1].high, found[1].n))


def test_one_network_to_the_contrary_makes_it_partly() -> None:
    values = paired_values([0.1, 0.1, -0.05])
    found = agreement_difference(rows_of(values), POSITIVE, **TWO)
    assert found.verdict == Verdict.PARTLY
    assert (
        "as claimed for 2 of 3 networks, resolved to the contrary for network_2 (Bonferroni over networks)"
        in found.note
    )


def test_the_interval_of_a_single_network_is_widened_for_their_number() -> None:
    """A network that is resolved to the contrary at 95 %, and no longer with three of them to look at."""
    values = paired_values([0.2, 0.2, 0.0])
    own = (values[A] - values[B])[:, 2]
    for widened, verdict in ((2.2, Verdict.REPRODUCED), (3.5, Verdict.PARTLY)):  # t(29) at 95 %: 2.05, of three: 2.54
        shifted = own - own.mean() - widened * own.std(ddof=1) / np.sqrt(30)
        moved = np.column_stack([values[A][:, :2], values[B][:, 2] + shifted])
        found = agreement_difference(rows_of({A: moved, B: values[B]}), POSITIVE, **TWO)
        assert found.verdict == verdict
        assert "as claimed for 2 of 3 networks" in found.note


def test_a_mean_is_that_over_states() -> None:
    values = paired_values([0.3, 0.35])
    claimed = Region(at_least=0.9)
    found = agreement_mean(rows_of(values), claimed, metric="cosine", method=A)
    own = values[A].mean(axis=1)
    assert found.estimate.value == pytest.approx(own.mean())
    assert found.estimate.p_value == pytest.approx(stats.ttest_1samp(own, 0.9).pvalue)
    below = stats.ttest_1samp(own, 0.9).confidence_interval(0.95).high < 0.9
    assert found.verdict == (Verdict.NOT_REPRODUCED if below else Verdict.INCONCLUSIVE)
    assert agreement_mean(rows_of(values), Region(at_least=0.5), metric="cosine", method=A).verdict == "reproduced"


def test_rows_of_no_network_are_one_value_a_state() -> None:
    """Stability belongs to all networks together: there is none to look at by itself."""
    values = paired_values([0.05])
    rows = rows_of(values).assign(study="stability", network=None)
    others = rows_of(paired_values([-0.5, -0.5])).assign(study="agreement")
    chosen = choose(pd.concat([rows, others], ignore_index=True), {"study": "stability"})
    found = agreement_difference(chosen, POSITIVE, **TWO)
    assert found.estimate.value == pytest.approx((values[A] - values[B]).mean())
    assert found.verdict == Verdict.REPRODUCED
    assert "networks" not in found.note
    without = agreement_difference(rows.drop(columns="network"), POSITIVE, **TWO)
    assert without.estimate == found.estimate


def of_q(low: np.ndarray, high: np.ndarray) -> pd.DataFrame:
    return pd.concat([rows_of({A: low}, q=0.1), rows_of({A: high}, q=1.0)], ignore_index=True)


def robustness(rows: pd.DataFrame, q_low: float = 0.1) -> Outcome:
    return q_robustness(rows, Region(at_least=-0.02), metric="cosine", method=A, q_low=q_low, q_high=1)


def test_robustness_is_the_paired_fall_between_two_q() -> None:
    values = paired_values([-0.01, -0.012], spread=0.004)
    found = robustness(of_q(values[A], values[B]))
    difference = (values[A] - values[B]).mean(axis=1)
    assert found.estimate.value == pytest.approx(difference.mean())
    assert found.estimate.p_value == pytest.approx(stats.ttest_1samp(difference, -0.02).pvalue)
    assert found.verdict == Verdict.REPRODUCED
    worse = paired_values([-0.1, -0.1], spread=0.004)
    assert robustness(of_q(worse[A], worse[B])).verdict == Verdict.NOT_REPRODUCED


def test_a_q_that_was_not_measured_is_named() -> None:
    values = paired_values([0.0])
    with pytest.raises(NotTestable, match=r"no q = 0\.05; it has 0\.1, 1"):
        robustness(of_q(values[A], values[B]), q_low=0.05)
    with pytest.raises(NotTestable, match="it has none"):
        robustness(rows_of(values))
    with pytest.raises(NotTestable, match="not measured with the same networks"):
        robustness(of_q(values[A], np.repeat(values[B], 2, axis=1)))
    with pytest.raises(NotTestable, match="1 of 30 values are missing"):  # a state that was not measured at one q
        robustness(of_q(values[A], values[B]).query("not (q == 1 and unit == 'world_0')"))


def times(a: list[float], b: list[float]) -> pd.DataFrame:
    values = {A: np.array([a]), B: np.array([b])}
    return rows_of(values, metric="seconds").assign(unit=lambda rows: rows["network"])


def ratio(rows: pd.DataFrame, at_most: float = 1.1) -> Outcome:
    return time_ratio(rows, Region(at_most=at_most), metric="seconds", method_a=A, method_b=B)


def test_a_ratio_of_times_is_geometric() -> None:
    a, b = [2.0, 4.4, 8.1, 2.1], [1.9, 4.1, 8.0, 2.0]
    found = ratio(times(a, b), at_most=1.2)
    logs = np.log(np.array(a) / np.array(b))
    reach = stats.t.ppf(0.975, 3) * logs.std(ddof=1) / 2
    assert found.estimate.value == pytest.approx(np.prod(np.array(a) / np.array(b)) ** 0.25)
    assert (np.log(found.estimate.low), np.log(found.estimate.high)) == pytest.approx(
        (logs.mean() - reach, logs.mean() + reach)
    )
    assert found.estimate.p_value == pytest.approx(stats.ttest_1samp(logs, np.log(1.2)).pvalue)
    assert found.verdict == Verdict.REPRODUCED
    assert "as claimed in 4 of 4 networks" in found.note
    assert ratio(times(b, [value / 2 for value in a])).verdict == Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (times([2.2], [2.0]), r"1 network \(ratio 1\.1\) gives no interval: at least two"),
        (times([1.0, 0.0], [1.0, 1.0]), "1 of 4 values are not positive"),
        (times([1.0, np.nan], [1.0, 1.0]), "1 of 4 values are missing"),
        (times([1.0, 2.0], [1.0, 1.0]).iloc[1:], "1 of 4 values are missing|no 'seconds'"),
        (pd.concat([times([1.0, 2.0], [1.0, 1.0])] * 2), "several values of 'seconds'"),
    ],
)
def test_times_that_have_no_ratio(rows: pd.DataFrame, reason: str) -> None:
    with pytest.raises(NotTestable, match=reason):
        ratio(rows)


def test_a_part_of_the_states_is_not_judged() -> None:
    values = paired_values([0.1, 0.1])
    broken = rows_of(values)
    broken.loc[0, "value"] = np.nan
    for rows, reason in (
        (broken, "1 of 120 values are missing"),
        (rows_of(values).iloc[1:], "1 of 120 values are missing"),
        (rows_of(values).query("method != @B"), "no 'cosine' of method 'ig_mean'"),
        (rows_of(values).query("method != @B or network == 'network_0'"), "same networks: one lacks network_1"),
        (pd.concat([rows_of(values)] * 2), "several values of 'cosine' in a network"),
        (rows_of({name: table[:1] for name, table in values.items()}), "1 state .* at least two"),
    ):
        with pytest.raises(NotTestable, match=reason):
            agreement_difference(rows, POSITIVE, **TWO)
