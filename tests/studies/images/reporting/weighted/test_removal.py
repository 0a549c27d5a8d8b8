"""Figure 2: means and paired changes by the number of removed baselines."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.rows import by_method
from igbaselines.studies.images.reporting.weighted.removal import Removal, removal_figure, removal_table
from tests.studies.images.reporting.weighted_rows import EG, PERMUTED, REMOVAL, WG, make_rows


def test_means_and_changes_are_those_of_the_rows(weighted: pd.DataFrame) -> None:
    found = Removal.of_run(weighted)
    assert found is not None
    table = by_method(weighted, "deletion_auc", (WG, "removed_3", EG))
    assert found.auc["mean"][3] == pytest.approx(table["removed_3"].mean())
    assert found.change["mean"][3] == pytest.approx(100 * (table["removed_3"].mean() / table[WG].mean() - 1))
    assert found.beside["mean"][EG] == pytest.approx(table[EG].mean())
    assert found.change["mean"].to_list() == pytest.approx([100 * (part - 1) for part in REMOVAL], abs=2)
    assert found.change.to_numpy()[0].tolist() == pytest.approx([0, 0, 0], abs=1e-9)


def test_the_paired_interval_is_far_smaller_than_that_of_the_mean(weighted: pd.DataFrame) -> None:
    found = Removal.of_run(weighted)
    assert found is not None
    relative = (found.auc["high"] - found.auc["low"])[3] / found.auc["mean"][3] * 100
    assert (found.change["high"] - found.change["low"])[3] < relative / 5


def test_networks_count_alike() -> None:
    runs = [make_rows(images=20, seed=seed, gain=gain) for seed, gain in ((1, 0.1), (2, 0.3))]
    tables = [table for rows in runs if (table := removal_table(rows)) is not None]
    found = Removal.of_tables(tables, "2 networks")
    assert found.auc["mean"][0] == pytest.approx(np.mean([table[0].mean() for table in tables]))
    assert "mean of 2 networks" in found.caption


def test_runs_with_fewer_removals_are_averaged_over_what_they_share() -> None:
    tables = [removal_table(make_rows(images=9, baselines=count)) for count in (6, 3)]
    found = Removal.of_tables([table for table in tables if table is not None], "2 networks")
    assert list(found.auc.index) == [0, 1, 2]


def test_without_removals_or_values_there_is_no_figure(weighted: pd.DataFrame) -> None:
    assert Removal.of_run(make_rows(images=5, baselines=1)) is None
    broken = weighted.copy()
    broken.loc[broken[broken["method"] == "removed_2"].index[0], "value"] = np.nan
    assert Removal.of_run(broken) is None
    assert Removal.of_run(weighted.iloc[:0]) is None


def test_a_single_image_has_points_and_no_band() -> None:
    found = Removal.of_run(make_rows(images=1))
    assert found is not None
    assert found.auc["mean"].notna().all()
    assert found.auc["low"].isna().all()
    assert removal_figure(found, {}) is not None


def test_the_papers_numbers_are_marked_as_changes(weighted: pd.DataFrame) -> None:
    found = Removal.of_run(weighted)
    assert found is not None
    upper, lower = removal_figure(found, {0: 1.6872, 3: 1.4, 5: 1.5}).axes
    names = [text.get_text() for text in upper.get_legend().get_texts()]  # type: ignore[union-attr]
    assert names == ["WG", "EG", "WG, weights permuted"]
    (marks,) = [line for line in lower.lines if line.get_label() == "paper"]
    assert list(np.asarray(marks.get_xdata())) == [3, 5]
    np.testing.assert_allclose(np.asarray(marks.get_ydata(), float), [-17.02, -11.09], atol=0.01)
    assert PERMUTED in found.beside.index
