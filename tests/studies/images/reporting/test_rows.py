"""Values by baseline, and the methods without some of them."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.rows import methods_of
from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.studies.images.reporting.rows import by_baseline, removals
from tests.studies.images.reporting.weighted_rows import BASELINES, EG, WG, make_rows


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
