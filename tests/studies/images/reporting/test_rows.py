"""Values by image: what is laid out, and what is refused rather than dropped."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.studies.images.reporting.rows import by_baseline, by_image, methods_of, removals
from tests.studies.images.reporting.weighted_rows import BASELINES, EG, WG, make_rows


def test_values_stand_by_image_and_method(weighted: pd.DataFrame) -> None:
    table = by_image(weighted, "deletion_auc", (EG, WG))
    assert list(table.columns) == [EG, WG]
    assert len(table) == 40
    row = weighted[(weighted["metric"] == "deletion_auc") & (weighted["method"] == WG)].iloc[7]
    assert table.loc[row["unit"], WG] == row["value"]


def test_nothing_is_dropped_in_silence(weighted: pd.DataFrame) -> None:
    values = weighted[weighted["metric"] == "deletion_auc"]
    with pytest.raises(NotTestable, match="no 'deletion_auc' of method 'nobody'"):
        by_image(values, "deletion_auc", (EG, "nobody"))
    with pytest.raises(NotTestable, match="1 of 80 values"):
        by_image(values.drop(values[values["method"] == WG].index[3]), "deletion_auc", (EG, WG))
    with pytest.raises(NotTestable, match="several values"):
        by_image(pd.concat([values, values.head(1)]), "deletion_auc", (EG, WG))


def test_baselines_keep_their_order(weighted: pd.DataFrame) -> None:
    table = by_baseline(weighted, "weight")
    assert list(table.columns) == list(BASELINES)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    with pytest.raises(NotTestable, match="by image and baseline"):
        by_baseline(weighted.drop(columns="baseline"), "weight")
    with pytest.raises(NotTestable, match="'guess' of method 'ig'"):
        by_baseline(weighted, "guess")


def test_removals_are_counted_by_their_number(weighted: pd.DataFrame) -> None:
    assert list(removals(weighted, "deletion_auc")) == [0, 1, 2, 3, 4, 5]
    assert list(removals(make_rows(images=3, baselines=3), "deletion_auc")) == [0, 1, 2]
    assert removals(weighted, "insertion_auc") == {}
    assert methods_of(weighted, "insertion_auc") == [EG, WG]
