"""Tables of a run of shapley_gridworld against sums over its rows, and with pieces missing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.statistics.paired import holm
from igbaselines.studies.gridworld.reporting.tables import against_plain_ig, run_tables, states_table
from tests.studies.gridworld.reporting.shapley_rows import MAIN, METRICS, make_rows, small_run, small_tables


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return small_run()


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return small_tables()


def by_state(rows: pd.DataFrame, method: str, metric: str = "cosine", reference: str = "mean") -> np.ndarray:
    """Plainly: the mean over the networks of each state, in the order of their names."""
    known = (rows["study"] == "agreement") & (rows["reference"] == reference)
    chosen = rows[known & (rows["method"] == method) & (rows["metric"] == metric)]
    return np.array([chosen.loc[chosen["unit"] == unit, "value"].mean() for unit in sorted(set(chosen["unit"]))])


def line_of(table: pd.DataFrame, **known: str) -> dict[str, Any]:
    """The one line of a table that has these values."""
    chosen = table
    for column, value in known.items():
        chosen = chosen[chosen[column] == value]
    (line,) = chosen.to_dict("records")
    return {str(column): value for column, value in line.items()}


def test_every_study_has_its_table(tables: dict[str, pd.DataFrame]) -> None:
    studies = {"agreement", "against_plain_ig", "cost", "q", "players", "interactions", "stability", "networks", "time"}
    assert set(tables) == studies | {"agreement_summary"}
    assert len(tables["agreement"]) == 3 * 12 * len(METRICS)
    assert list(tables["agreement"]["reference"].unique()) == ["zero", "mean", "background"]


def test_means_are_over_states(rows: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> None:
    line = line_of(tables["agreement"], reference="mean", method="shapley_ig", metric="spearman")
    own = by_state(rows, "shapley_ig", "spearman")
    assert line["mean"] == pytest.approx(own.mean())
    interval = stats.ttest_1samp(own, 0).confidence_interval()
    assert (line["low"], line["high"]) == pytest.approx((interval.low, interval.high))
    assert (line["states"], line["networks"], line["evaluations"], line["not_finite"]) == (10, 3, MAIN, 0)
    summary = line_of(tables["agreement_summary"], reference="mean", method="shapley_ig")
    half = (interval.high - interval.low) / 2
    assert summary["Spearman correlation"] == f"{own.mean():.3f} ± {half:.3f}"


def test_sig_is_compared_with_plain_ig_from_the_same_reference(
    rows: pd.DataFrame, tables: dict[str, pd.DataFrame]
) -> None:
    table = tables["against_plain_ig"]
    assert len(table) == 2 * 3 * 2
    assert dict(zip(table["reference"], table["plain"], strict=True)) == {
        "zero": "IG, zero",
        "mean": "IG, mean",
        "background": "EG",
    }
    line = line_of(table, metric="cosine similarity", reference="zero", method="shapley_ig")
    sig, plain = (by_state(rows, method, reference="zero") for method in ("shapley_ig", "ig_zero"))
    assert line["difference"] == pytest.approx((sig - plain).mean())
    assert line["p_paired_t"] == pytest.approx(stats.ttest_rel(sig, plain).pvalue)
    assert set(table["result"]) == {"IG better"}  # that is how the rows were made, by similarity and by distance
    np.testing.assert_allclose(table["p_paired_t_holm"], holm(list(table["p_paired_t"])))


def test_the_result_is_said_in_words(rows: pd.DataFrame) -> None:
    swapped = rows.replace({"method": {"shapley_ig": "ig_mean", "ig_mean": "shapley_ig"}})
    same = rows[rows["method"] != "shapley_ig"].copy()
    same = pd.concat([same, same[same["method"] == "ig_mean"].assign(method="shapley_ig")])
    for changed, words in ((swapped, "SIG better"), (same, "not resolved")):
        table = against_plain_ig(changed)
        chosen = table[(table["reference"] == "mean") & (table["method"] == "shapley_ig")]
        assert list(chosen["result"]) == [words] * 2


def test_values_that_are_not_finite_are_left_out_and_counted(rows: pd.DataFrame) -> None:
    broken = rows.copy()
    of_sig = (rows["study"] == "agreement") & (rows["method"] == "shapley_ig") & (rows["metric"] == "cosine")
    place = rows[of_sig & (rows["reference"] == "mean")].index[0]
    broken.loc[place, "value"] = np.nan
    of_mean = broken[(broken["study"] == "agreement") & (broken["reference"] == "mean")]
    line = line_of(states_table(of_mean, ["reference"]), method="shapley_ig", metric="cosine")
    assert (line["states"], line["not_finite"]) == (9, 1)
    kept = rows[rows["unit"] != rows.loc[place, "unit"]]
    assert line["mean"] == pytest.approx(by_state(kept, "shapley_ig").mean())
    against = against_plain_ig(broken)
    compared = line_of(against, metric="cosine similarity", reference="mean", method="shapley_ig")
    assert (compared["states"], compared["not_finite"]) == (9, 1)
    assert compared["mean_plain"] == pytest.approx(by_state(kept, "ig_mean").mean())


def test_a_budget_that_is_not_used_up_is_told_once(tables: dict[str, pd.DataFrame]) -> None:
    cost = tables["cost"]
    spent = cost[(cost["reference"] == "mean") & (cost["metric"] == "cosine")].groupby("method")["evaluations"]
    assert spent.apply(list)["ig_mean"] == [16, 32, 64]
    assert spent.apply(list)["shapley_ig"] == [16, 32, 64, 128, 256, 512, 1024]


def test_studies_of_other_networks_stand_beside_the_main_ones(tables: dict[str, pd.DataFrame]) -> None:
    players = tables["players"]
    assert sorted(players["players"].unique()) == [8, 10, 12, 14]
    assert set(players["method"]) == {"ig_zero", "ig_mean", "shapley_ig", "shapley_sampling"}
    interactions = tables["interactions"]
    cosine = interactions[(interactions["metric"] == "cosine") & (interactions["method"] == "shapley_ig")]
    assert list(cosine["interactions"]) == [False, True]
    assert list(cosine["mean"] > 0.999) == [True, False]
    assert "networks" not in tables["stability"]
    assert len(tables["networks"]) == 3 + 2 + 2


def test_times_have_their_ratio_to_plain_ig(rows: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> None:
    line = line_of(tables["time"], metric="seconds", method="shapley_ig")
    taken = rows[(rows["study"] == "time") & (rows["metric"] == "seconds")].pivot(
        index="unit", columns="method", values="value"
    )
    assert line["mean"] == pytest.approx(taken["shapley_ig"].mean())
    assert line["ratio"] == pytest.approx(stats.gmean(taken["shapley_ig"] / taken["ig_uniform"]))
    assert line["ratio_low"] < line["ratio"] < line["ratio_high"]


def test_one_state_and_one_network_have_means_and_no_intervals() -> None:
    tables = run_tables(make_rows(states=1, networks=1))
    assert tables["agreement"]["mean"].notna().all()
    assert tables["agreement"]["low"].isna().all()
    assert set(tables["against_plain_ig"]["result"]) == {"not resolved"}
    assert "±" not in tables["agreement_summary"].to_csv()
    assert "ratio" not in tables["time"]


def test_without_rows_there_are_no_tables(rows: pd.DataFrame) -> None:
    assert run_tables(rows.iloc[:0]) == {}
    only = run_tables(rows[rows["study"] == "q"])
    assert set(only) == {"q"}
