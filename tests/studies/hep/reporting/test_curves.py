"""Curves against k: pairing, pooling, and plateaus that were drawn by hand."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.rows import by_unit
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.studies.hep.reporting.curves import Curve, plateau_k
from tests.hep_rows import K, curve_rows, of_which_retrained


def test_a_curve_over_units_is_their_mean(rows: pd.DataFrame) -> None:
    curve = Curve.of(rows, "accuracy", "background")
    table = by_unit(rows, "accuracy", "background", "k")
    assert list(curve.point.index) == list(K)
    np.testing.assert_allclose(curve.point, table.mean(axis=1))
    assert not curve.resampled


def test_a_pooled_curve_takes_its_replicates_as_sample(rows: pd.DataFrame) -> None:
    curve = Curve.of(rows, "significance", "background")
    assert curve.resampled
    assert "pooled" not in curve.samples
    assert curve.samples.shape == (len(K), 40)
    assert (curve - curve).at(2).test == "bootstrap quantiles over 40 replicates of 5 networks"


def test_a_pooled_curve_is_of_the_networks_that_were_retrained(rows: pd.DataFrame) -> None:
    mixed = of_which_retrained(rows, 3)
    assert len(by_unit(mixed, "rank", "background", "feature").columns) == 5
    assert Curve.of(mixed, "accuracy", "background").at(2).n == 3
    assert Curve.of(mixed, "significance", "background").pooled == "3 networks"


def test_pairing_sees_what_the_shared_noise_hides(rows: pd.DataFrame) -> None:
    for metric in ("accuracy", "significance"):
        a, b = (Curve.of(rows, metric, method) for method in ("background", "zero_physical"))
        alone, paired = a.at(2), (a - b).at(2, threshold=0.0)
        assert paired.high - paired.low < 0.2 * (alone.high - alone.low)
        assert paired.low > 0
        mean = (a - b).below_all_features(15).mean()
        expected = (a.point - b.point).loc[:15].mean()
        assert mean.value == pytest.approx(expected)


def test_the_last_k_never_counts() -> None:
    rows = curve_rows("accuracy", "a", {"network_0": [0.8, 0.9, 1.0], "network_1": [0.8, 0.9, 1.0]}, (1, 2, 3))
    assert list(Curve.of(rows, "accuracy", "a").below_all_features(15).point.index) == [1, 2]
    with pytest.raises(NotTestable, match="no k <= 0"):
        Curve.of(rows, "accuracy", "a").below_all_features(0)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.5, 0.8, 0.996, 1.0], 3),
        ([0.98, 0.98, 0.98, 1.0], 4),  # the whole rise is small, and still to come
        ([1.0, 1.0, 1.0, 1.0], 1),
        ([0.5, 0.996, 0.5, 1.0], 4),  # it left the band again
        ([0.5, 1.02, 1.004, 1.0], 3),  # too high is outside as well
        ([0.5, 0.5, 0.5, 1.0], 4),
    ],
)
def test_plateau_of_a_curve(curve: list[float], expected: int) -> None:
    assert plateau_k(pd.DataFrame({"network_0": curve}, index=[1, 2, 3, 4]), 0.01).tolist() == [expected]


def test_plateau_over_units_and_over_replicates() -> None:
    early, late = [0.0, 0.995, 1.0], [0.0, 0.5, 1.0]
    over_units = curve_rows("accuracy", "a", {"network_0": early, "network_1": late}, (4, 8, 16))
    found = Curve.of(over_units, "accuracy", "a").plateau(0.01)
    assert found.value == 12
    assert found.low < 8
    replicates = {"pooled": late, "bootstrap_000": early, "bootstrap_001": late}
    found = Curve.of(curve_rows("z", "a", replicates, (4, 8, 16)), "z", "a").plateau(0.01)
    assert found.value == 16
    assert 8 <= found.low < found.high <= 16


def test_what_was_not_measured_is_not_testable(rows: pd.DataFrame) -> None:
    with pytest.raises(NotTestable, match="no 'accuracy' of method 'nobody'"):
        Curve.of(rows, "accuracy", "nobody")
    with pytest.raises(NotTestable, match="no pooled"):
        Curve.of(curve_rows("z", "a", {"bootstrap_000": [1.0, 2.0]}, (1, 2)), "z", "a")
