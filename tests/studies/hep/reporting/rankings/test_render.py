"""Tables of the studies of rankings on rows whose answer was put in."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from igbaselines.studies.hep.reporting.rankings.tables import feature_places, means, paired_differences


def accuracy_rows() -> pd.DataFrame:
    values = {("a", "u0"): 0.80, ("a", "u1"): 0.90, ("b", "u0"): 0.82, ("b", "u1"): 0.91}
    rows = [
        {"metric": "accuracy", "method": "m", "variant": variant, "unit": unit, "k": k, "value": value + 0.01 * (k - 5)}
        for (variant, unit), value in values.items()
        for k in (5, 12)
    ]
    return pd.DataFrame(rows).astype({"k": "Int64"})


def test_means_have_t_intervals_over_the_units() -> None:
    table = means(accuracy_rows())
    assert table[["variant", "k"]].to_numpy().tolist() == [["a", 5], ["a", 12], ["b", 5], ["b", 12]]
    first = table.iloc[0]
    assert first["mean"] == pytest.approx(0.85)
    assert (first["low"], first["high"]) == pytest.approx(stats.t.interval(0.95, 1, 0.85, stats.sem([0.8, 0.9])))
    assert "other" not in table


def test_several_values_of_a_unit_are_no_further_units() -> None:
    rows = accuracy_rows()
    table = means(pd.concat([rows, rows]))
    pd.testing.assert_frame_equal(table, means(rows))
    alone = means(rows[rows["unit"] == "u0"])
    assert alone["low"].isna().all()
    assert alone["mean"].notna().all()


def test_differences_are_paired() -> None:
    table = paired_differences(accuracy_rows(), "accuracy", "variant", "a")
    assert table["variant"].tolist() == ["b", "b"]
    assert table["mean"].to_numpy() == pytest.approx([0.015, 0.015])
    half = stats.t.ppf(0.975, 1) * stats.sem([0.02, 0.01])
    assert (table["high"] - table["mean"]).to_numpy() == pytest.approx([half, half])


def test_features_are_listed_by_their_mean_place() -> None:
    places: dict[str, tuple[float, float]] = {"x": (1, 1), "y": (3, 2), "z": (2, 3.5)}
    rows = [
        {"metric": "rank", "method": "m", "feature": feature, "unit": f"u{unit}", "value": value}
        for feature, of_units in places.items()
        for unit, value in enumerate(of_units)
    ]
    table = feature_places(pd.DataFrame(rows))
    assert table["feature"].tolist() == ["x", "y", "z"]
    expected = np.array([[1, 1, 1], [2.5, 2, 3], [2.75, 2, 3.5]])
    np.testing.assert_allclose(table[["mean", "low", "high"]].to_numpy(float), expected)
