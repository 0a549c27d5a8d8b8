"""Statistics of inputs nested in networks: scipy, sums by hand, and simulations whose truth is known."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.reporting.statistics.nested import (
    ALPHA,
    POWER,
    Nested,
    bootstrap_ranks,
    clusters,
    kendalls_w,
    times_more,
)

DRAWS = 600  # of a simulation
NOISE = 3 * math.sqrt(0.05 * 0.95 / DRAWS)  # three standard errors of a share of 5 % of them


def nested(*samples: np.ndarray) -> Nested:
    """Replicates that are laid out already: (replicates, methods) of each data set."""
    methods = tuple("abcdefghijklmnopqrstuvwxyz"[: samples[0].shape[1]])
    return Nested(methods, samples, sum(map(len, samples)), 0, tuple(map(len, samples)), True)


def table(values: np.ndarray, data: str = "d") -> pd.DataFrame:
    """Inputs down, methods across, of (networks, inputs, methods) values."""
    networks, inputs, methods = values.shape
    index = pd.MultiIndex.from_product([[data], range(networks), range(inputs)], names=["data", "network", "unit"])
    return pd.DataFrame(values.reshape(-1, methods), index, pd.Index(list("abcdefgh"[:methods])))


def share_covered(found: list[Nested], truth: float) -> float:
    """How often the interval of the first method minus the second holds the truth."""
    ends = [(low[0, 1], high[0, 1]) for low, high in (one.differences.interval() for one in found)]
    return float(np.mean([low <= truth <= high for low, high in ends]))


def clustered(rng: np.random.Generator, networks: int, inputs: int, spread: float) -> np.ndarray:
    """(networks, inputs, 2 methods): a difference of 1, that each network moves by its own, and so does each input."""
    values = rng.normal(size=(networks, inputs, 2)) + spread * rng.normal(size=(networks, 1, 2))
    values += 5 * rng.normal(size=(networks, 1, 1)) + 3 * rng.normal(size=(networks, inputs, 1))  # hard ones, for both
    return np.asarray(values + np.array([1.0, 0.0]))


def test_a_pair_is_scipys_paired_t_test() -> None:
    values = np.random.default_rng(0).lognormal(size=(12, 3))
    found = nested(values).differences
    for one, other in itertools.permutations(range(3), 2):
        expected = stats.ttest_rel(values[:, one], values[:, other])
        ends = expected.confidence_interval(0.95)
        assert found.p_values[one, other] == pytest.approx(expected.pvalue)
        assert (found.interval()[0][one, other], found.interval()[1][one, other]) == pytest.approx(
            (ends.low, ends.high)
        )
        assert found.value[one, other] == pytest.approx(values[:, one].mean() - values[:, other].mean())


def test_two_data_sets_are_scipys_welch_test() -> None:
    """With the second data set's difference turned round, their mean is half of Welch's difference of two samples."""
    a, b = np.random.default_rng(1).normal(size=(7, 1)), 4 * np.random.default_rng(2).normal(size=(15, 1)) + 1
    found = nested(np.hstack([a, 0 * a]), np.hstack([-b, 0 * b])).differences
    expected = stats.ttest_ind(a[:, 0], b[:, 0], equal_var=False)
    assert found.p_values[0, 1] == pytest.approx(expected.pvalue)
    assert found.freedom[0, 1] == pytest.approx(expected.df)
    assert 2 * found.value[0, 1] == pytest.approx(a.mean() - b.mean())


def test_intervals_over_networks_cover_and_those_over_inputs_would_not() -> None:
    rng = np.random.default_rng(3)
    values = [clustered(rng, 8, 25, 0.7) for _ in range(DRAWS)]
    by_network = [nested(one.mean(axis=1)) for one in values]
    assert share_covered(by_network, 1) == pytest.approx(0.95, abs=NOISE)
    assert share_covered([nested(one.reshape(-1, 2)) for one in values], 1) < 0.6
    of_rows = Nested.of_table(table(values[0]))  # and it is the networks that are taken from rows
    assert of_rows is not None
    np.testing.assert_allclose(of_rows.samples[0], by_network[0].samples[0])
    assert (of_rows.inputs, of_rows.networks, of_rows.replicates) == (200, (8,), 8)


def test_intervals_over_inputs_of_the_only_network_cover_what_is_true_of_it() -> None:
    rng = np.random.default_rng(4)
    values = [clustered(rng, 1, 60, 0.0) for _ in range(DRAWS)]
    assert share_covered([nested(one[0]) for one in values], 1) == pytest.approx(0.95, abs=NOISE)
    of_rows = Nested.of_table(table(values[0]))
    assert of_rows is not None
    np.testing.assert_allclose(of_rows.samples[0], values[0][0])


@pytest.mark.parametrize("sizes", [(5, 5, 5), (3, 12, 40), (2, 2, 2, 2)])
def test_intervals_cover_over_data_sets_of_different_spread(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    drawn = [nested(*(rng.normal(size=(n, 2)) * 3**at + [at, 0] for at, n in enumerate(sizes))) for _ in range(DRAWS)]
    # Satterthwaite's degrees of freedom are not exact: at 2 replicates each he says too much, and so too wide ones.
    assert 0.95 - NOISE - 0.02 <= share_covered(drawn, (len(sizes) - 1) / 2) <= 0.99


@pytest.mark.parametrize(("networks", "methods"), [(5, 6), (20, 6), (40, 3)])
def test_all_pairs_are_wrong_together_as_often_as_one_test(networks: int, methods: int) -> None:
    """Family-wise: how often any pair of methods that are all the same is told apart."""
    rng = np.random.default_rng(6)
    level = rng.normal(size=(DRAWS, networks, 1))
    values = level + rng.normal(size=(DRAWS, networks, methods)) * np.linspace(1, 2, methods)
    wrong = [bool((nested(one).differences.corrected < ALPHA).any()) for one in values]
    assert np.mean(wrong) <= ALPHA + NOISE
    uncorrected = [bool((nested(one).differences.p_values < ALPHA).any()) for one in values[:300]]
    assert np.mean(uncorrected) > 2 * ALPHA  # there is something to correct


@pytest.mark.parametrize(
    ("inputs", "methods", "metrics"), [(3, 2, 1), (4, 2, 1), (6, 2, 1), (30, 5, 1), (3, 6, 3), (5, 6, 3), (12, 4, 3)]
)
def test_ranks_are_wrong_no_more_often(inputs: int, methods: int, metrics: int) -> None:
    """Ranks of two methods on a few inputs are often all the same by chance, and that is no proof."""
    drawn = np.random.default_rng(7).random((DRAWS, inputs, metrics, methods))
    ranks = stats.rankdata(drawn, axis=3).mean(axis=2)
    wrong = [bool((nested(one).differences.corrected < ALPHA).any()) for one in ranks]
    assert np.mean(wrong) <= ALPHA + NOISE


@pytest.mark.parametrize("truth", [(0.0,) * 6, (0.2, 0.1, 0.1, 0.1, 0.1, 0.0)])
def test_the_true_best_is_among_those_that_may_be(truth: tuple[float, ...]) -> None:
    """Whichever the data choose: one that is no worse than any other falls out once in twenty at most."""
    rng = np.random.default_rng(8)
    drawn = [nested(rng.normal(size=(15, 6)) + truth) for _ in range(DRAWS)]
    assert np.mean(["a" not in found.may_be_best(1, found.methods) for found in drawn]) <= ALPHA + NOISE
    for found in drawn[:50]:
        order = found.order(1)
        sure = [one for one in order if not found.told_apart(order[0], one)]
        assert order[0] in found.may_be_best(1, order)
        assert set(found.may_be_best(1, order)) <= set(sure)  # tests of all pairs leave no fewer


def test_what_may_be_the_best_depends_on_direction_and_on_whom_it_is_compared_with() -> None:
    found = nested(np.random.default_rng(17).normal(size=(30, 3)) * 0.1 + [0, 1, 2])
    assert found.may_be_best(1, "abc") == ["c"]
    assert found.may_be_best(-1, "abc") == ["a"]
    assert found.may_be_best(1, "ab") == ["b"]
    assert found.may_be_best(1, "a") == ["a"]
    assert nested(found.samples[0][:1]).may_be_best(1, "abc") == ["a", "b", "c"]


@pytest.mark.parametrize(("replicates", "tests", "effect"), [(10, 1.0, 0.3), (30, 9.5, 0.2), (6, 45.0, 0.5)])
def test_as_many_times_more_replicates_tell_them_apart_four_times_of_five(
    replicates: int, tests: float, effect: float
) -> None:
    factor = times_more(effect, 1 / math.sqrt(replicates), replicates - 1.0, tests)
    assert factor > 1
    more = round(factor * replicates)
    drawn = np.random.default_rng(9).normal(effect, 1, size=(4000, more))
    p_values = stats.ttest_1samp(drawn, 0, axis=1).pvalue
    assert np.mean(p_values < ALPHA / tests) == pytest.approx(POWER, abs=0.03)


def test_what_no_number_of_replicates_tells_apart() -> None:
    assert times_more(0.0, 1.0, 5.0, 1.0) == math.inf
    assert times_more(0.0, 0.0, 5.0, 1.0) == math.inf
    assert math.isnan(times_more(1.0, math.nan, math.nan, 1.0))
    assert math.isnan(times_more(1.0, 0.0, 5.0, 1.0))  # without spread there is nothing to reckon with
    assert times_more(9.0, 0.1, 50.0, 1.0) == 1


def test_kendalls_w_by_hand() -> None:
    """Three judges, four methods: sums 4, 6, 8, 12 and mean 7.5; S = 35, of at most 9 * (64 - 4) / 12 = 45."""
    ranks = np.array([[1.0, 2, 3, 4], [2, 1, 3, 4], [1, 3, 2, 4]])
    assert kendalls_w(ranks) == pytest.approx(35 / 45)
    assert kendalls_w(np.tile(ranks[0], (3, 1))) == pytest.approx(1)
    assert kendalls_w(np.array([[1.0, 2, 3], [3, 2, 1]])) == pytest.approx(0)


@pytest.mark.parametrize("levels", [3, 1000])  # with ties, and without
def test_kendalls_w_is_friedmans_chi_square(levels: int) -> None:
    values = np.random.default_rng(10).integers(levels, size=(7, 5))
    chi2 = stats.friedmanchisquare(*values.T).statistic
    assert kendalls_w(stats.rankdata(values, axis=1)) == pytest.approx(chi2 / (7 * 4))


def test_agreement_of_no_two() -> None:
    assert math.isnan(kendalls_w(np.ones((1, 3))))
    assert math.isnan(kendalls_w(np.ones((3, 1))))
    assert math.isnan(kendalls_w(np.full((3, 3), 2.0)))  # every judge finds all equal


def test_bootstrapped_ranks_are_of_replicates_drawn_anew() -> None:
    """Two replicates and two methods: a is ahead unless the second is drawn twice, where both are equal if not one."""
    sample = np.array([[3.0, 0.0], [0.0, 1.0]])
    ranks = bootstrap_ranks(nested(sample), 1, 4000, np.random.default_rng(11))
    assert ranks.shape == (4000, 2)
    np.testing.assert_array_equal(ranks.sum(axis=1), 3)
    assert (ranks[:, 0] == 1).mean() == pytest.approx(0.75, abs=0.03)
    less = bootstrap_ranks(nested(sample), -1, 4000, np.random.default_rng(11))
    np.testing.assert_array_equal(less, 3 - ranks)
    same = bootstrap_ranks(nested(sample[:1]), 1, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(same, [[1, 2]] * 5)
    of_two = bootstrap_ranks(nested(sample, np.array([[0.0, 9.0]])), 1, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(of_two, [[2, 1]] * 50)  # the data set of one replicate has as much say


def test_clusters_are_the_neighbours_that_no_test_tells_apart() -> None:
    rng = np.random.default_rng(12)
    found = nested(rng.normal(size=(30, 5)) * 0.3 + np.array([0, 0.1, 0.35, 2, 2.05]))
    order = found.order(-1)
    runs = clusters(order, found)
    assert runs[-1] == ["d", "e"]
    assert all(not found.told_apart(a, b) for run in runs for a, b in itertools.combinations(run, 2))
    assert all(run == order[order.index(run[0]) : order.index(run[-1]) + 1] for run in runs)
    pairs = {pair for run in runs for pair in itertools.combinations(run, 2)}
    neighbours = set(itertools.pairwise(order))
    assert {pair for pair in neighbours if not found.told_apart(*pair)} <= pairs
    assert clusters(order[:1], found) == []
    assert clusters(order, nested(found.samples[0][:1])) == [order]  # a single replicate tells nothing apart


def test_clusters_are_the_largest_cliques_of_neighbours() -> None:
    """All groups that no test tells apart, as scikit-posthocs finds them, less those with a method between them."""
    rng = np.random.default_rng(16)
    for _ in range(20):
        found = nested(rng.normal(size=(20, 7)) * rng.uniform(0.3, 2, 7) + 0.6 * rng.normal(size=7))
        order = found.order(-1)
        alike = [
            set(some)
            for size in range(2, 8)
            for some in itertools.combinations(order, size)
            if not any(found.told_apart(*pair) for pair in itertools.combinations(some, 2))
        ]
        runs = [some for some in alike if any(set(order[at : at + len(some)]) == some for at in range(7))]
        largest = [run for run in runs if not any(run < other for other in runs)]
        assert sorted(map(sorted, largest)) == sorted(map(sorted, clusters(order, found)))


def test_a_single_replicate_has_means_and_nothing_else() -> None:
    found = nested(np.array([[1.0, 2.0, 2.0]]))
    np.testing.assert_array_equal(found.ranks(1), [3, 1.5, 1.5])
    assert np.isnan(found.differences.error).all()
    assert np.isnan(found.differences.corrected[0, 1])
    assert not found.told_apart("a", "b")
    mixed = nested(np.array([[1.0, 2.0]]), np.random.default_rng(0).normal(size=(9, 2)))
    assert np.isnan(mixed.differences.p_values).all() or np.isnan(mixed.differences.error).all()
    assert not mixed.told_apart("a", "b")


def test_identical_methods_are_never_told_apart() -> None:
    column = np.random.default_rng(0).lognormal(size=(20, 1))
    found = nested(np.hstack([column, column, column + 0.1 + 0.2 - 0.3]))  # but for rounding
    np.testing.assert_array_equal(found.differences.corrected, np.ones((3, 3)))
    np.testing.assert_array_equal(found.differences.interval()[0], np.zeros((3, 3)))
    assert found.order(1) == found.order(-1) == ["a", "b", "c"]


@pytest.mark.parametrize(("replicates", "apart"), [(2, False), (5, False), (6, True), (20, True)])
def test_replicates_that_all_differ_by_the_same_count_as_signs(replicates: int, apart: bool) -> None:
    column = np.random.default_rng(0).lognormal(size=(replicates, 1))
    found = nested(np.hstack([column, column + 0.7]))
    assert found.differences.error[0, 1] == 0
    assert found.differences.p_values[0, 1] == 2.0 ** (1 - replicates)  # of a sign test
    assert found.told_apart("a", "b") == apart


def test_many_inputs_and_methods_far_from_zero_keep_their_digits() -> None:
    values = np.random.default_rng(13).normal(size=(300, 4))
    near, far = nested(values).differences, nested(values + 1e6).differences
    np.testing.assert_allclose(far.error, near.error, rtol=1e-6)
    np.testing.assert_allclose(far.p_values, near.p_values, rtol=1e-6)


def test_missing_values_leave_out_inputs_and_methods_without_any() -> None:
    values = np.random.default_rng(14).normal(size=(2, 5, 3))
    values[..., 2] = np.nan
    values[0, 1, 0] = np.inf
    values[1, 2] = np.nan  # of which nobody has one
    found = Nested.of_table(table(values))
    assert found is not None
    assert (found.methods, found.inputs, found.left_out, found.networks) == (("a", "b"), 8, 1, (2,))
    np.testing.assert_allclose(found.samples[0], values[0][[0, 2, 3, 4], :2])  # of two networks, which are fixed
    as_rows = table(values).reset_index().melt(id_vars=["data", "network", "unit"], var_name="method")
    of_rows = Nested.of(as_rows)
    assert of_rows is not None
    assert (of_rows.methods, of_rows.inputs, of_rows.left_out) == (("a", "b"), 8, 1)


def test_a_network_without_a_whole_input_is_none() -> None:
    values = np.random.default_rng(15).normal(size=(2, 4, 2))
    values[1, :, 0] = np.nan
    found = Nested.of_table(table(values))
    assert found is not None
    assert (found.networks, found.replicates, found.left_out) == ((1,), 4, 4)  # the inputs of the one that is left


def test_no_rows_are_no_replicates() -> None:
    empty = pd.DataFrame({name: [] for name in ("data", "network", "unit", "method")} | {"value": np.zeros(0)})
    assert Nested.of(empty) is None
    nowhere_both = np.array([[[1.0, np.nan], [np.nan, 1.0]]])
    assert Nested.of_table(table(nowhere_both)) is None
    assert Nested.of_table(table(np.full((2, 2, 2), np.nan))) is None
