"""Rows laid out by state."""

import numpy as np
import pandas as pd
import pytest

from igbaselines.reporting.statistics.verdicts import NotTestable
from igbaselines.studies.gridworld.reporting.rows import budgets, state_means


def test_a_state_without_a_finite_value_in_every_network_has_no_mean() -> None:
    rows = pd.DataFrame(
        {
            "method": ["m"] * 5 + ["of one network"],
            "unit": ["a", "a", "b", "b", "c", "a"],
            "network": ["network_0", "network_1"] * 2 + ["network_0"] * 2,
            "value": [1.0, 2.0, np.inf, 4.0, 5.0, 7.0],
        }
    )
    found = state_means(rows, ["method"]).set_index(["method", "unit"])
    assert found["value"].dropna().to_dict() == {("m", "a"): 1.5, ("of one network", "a"): 7.0}
    assert found["networks"].to_dict()["m", "c"] == 2
    assert len(found) == 4
    with pytest.raises(NotTestable, match="'a' has several values"):
        state_means(rows.assign(network=None), ["method"])
    of_none = state_means(rows.drop_duplicates(["method", "unit"]).drop(columns="network"), ["method"])
    assert of_none["networks"].isna().all()
    assert list(of_none["value"].isna()) == [False, True, False, False]


def test_budgets_are_told_apart_by_their_place() -> None:
    """A sampler spends more in one state than in another, and a path that has converged the same again."""
    spent = {"shapley_sampling": [[10.0, 21.0, 39.0], [11.0, 19.0, 41.0]], "ig_mean": [[16.0, 64.0, 64.0]] * 2}
    rows = pd.DataFrame(
        [
            {"method": method, "metric": "cosine", "unit": f"world_{state}", "evaluations": value, "place": place}
            for method, states in spent.items()
            for state, values in enumerate(states)
            for place, value in enumerate(values, start=1)
        ]
    )
    assert budgets(rows).tolist() == rows["place"].tolist()
