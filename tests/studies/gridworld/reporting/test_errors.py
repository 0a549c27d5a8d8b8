"""Tables of shapley_errors on rows whose answer was put in."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from igbaselines.studies.gridworld.reporting.errors import crossed_table, crossing, guideline_table, run_tables
from igbaselines.studies.gridworld.reporting.errors_figures import guideline_words

COUNTS = (4, 8, 16, 32, 64, 128)
STATES, NETWORKS = 20, 6


def rows_of(method: str, metric: str, mean: float, rng: np.random.Generator, **known: Any) -> pd.DataFrame:
    """Values of states and networks about a mean."""
    keys = itertools.product(range(STATES), range(NETWORKS))
    lines = [(f"world_{state}", f"network_{network}", mean + rng.normal(0, 0.02)) for state, network in keys]
    found = pd.DataFrame(lines, columns=["unit", "network", "value"])
    return found.assign(method=method, metric=metric, **known)


def players_rows(paths: float = 0.25, noise: float = 1.0) -> pd.DataFrame:
    """Sampling that falls with the root of the number of coalitions, for 8 and 12 players."""
    rng, tables = np.random.default_rng(0), []
    for players, count in itertools.product((8, 12), COUNTS):
        known: dict[str, Any] = {"study": "players", "players": players, "coalitions": count}
        tables.append(rows_of("paths", "relative_l2", paths, rng, **known))
        tables.append(rows_of("sampling", "relative_l2", noise / np.sqrt(count), rng, **known))
        tables.append(rows_of("sampling", "cosine", 1 - 0.4 / count, rng, **known))
    return pd.concat(tables, ignore_index=True)


def test_the_guideline_finds_where_sampling_falls_below_the_paths() -> None:
    """1 / sqrt(m) is 1/4 at m = 16, and 1 - 0.4 / m is 0.95 at m = 8."""
    table = guideline_table(players_rows())
    assert table["players"].tolist() == [8, 12]
    assert table["all_coalitions"].tolist() == [256, 4096]
    for name, expected in (("below_paths", 16), ("near_limit", 8)):
        assert table[name].to_numpy() == pytest.approx([expected] * 2, rel=0.1)
        assert (table[f"{name}_low"] < table[name]).all()
        assert (table[name] < table[f"{name}_high"]).all()
        assert table[f"{name}_share"].to_numpy() == pytest.approx(table[name] / table["all_coalitions"])
    words = guideline_words(table)
    for line in table.to_dict("records"):
        assert f"{line['players']} players {np.ceil(line['below_paths']):.0f} (" in words
    assert "0.95" in words


def test_sampling_that_never_falls_below_the_paths_has_no_number() -> None:
    table = guideline_table(players_rows(paths=0.01))
    assert np.isinf(table["below_paths"]).all()
    assert "more than were sampled" in guideline_words(table)


@pytest.mark.parametrize(
    ("excess", "expected"),
    [
        ([-1, -2, -3], 4),  # never above
        ([1, -1, -2], 8),  # halfway between 4 and 16, by the logarithm
        ([1, 3, -1], 16 * 4**0.75),
        ([1, -1, 1], np.inf),
        ([-1, 1, -1], 32),  # the last time counts
        ([np.nan, np.nan, np.nan], np.inf),
    ],
)
def test_crossing(excess: list[float], expected: float) -> None:
    assert crossing([4, 16, 64], [float(value) for value in excess]) == pytest.approx(expected)


def test_states_without_a_value_are_left_out_and_counted() -> None:
    rows = rows_of("paths", "cosine", 0.9, np.random.default_rng(0))
    rows.loc[0, "value"] = np.nan
    (line,) = crossed_table(rows, ["method"]).to_dict("records")
    whole = rows[rows["unit"] != "world_0"]["value"]
    assert (line["states"], line["networks"], line["not_finite"]) == (STATES - 1, NETWORKS, 1)
    assert line["mean"] == pytest.approx(whole.mean())
    assert line["low"] < line["mean"] < line["high"]


def test_parts_stand_side_by_side() -> None:
    rng = np.random.default_rng(0)
    known = {"study": "parts", "architecture": "swish", "reference": "mean"}
    tables = [rows_of(part, "relative_l2", value, rng, **known) for part, value in (("paths", 0.4), ("imputer", 0.8))]
    tables.append(rows_of("bound", "share_of_bound", 0.2, rng, **known))
    found = run_tables(pd.concat([*tables, players_rows()], ignore_index=True))
    (line,) = found["parts_summary"].to_dict("records")
    assert list(line) == ["architecture", "reference", "imputer", "paths"]
    assert line["paths"].startswith("0.4") or line["paths"].startswith("0.39")
    (loose,) = found["bound"].to_dict("records")
    assert loose["median_share"] == pytest.approx(0.2, abs=0.01)
    assert (loose["states"], loose["networks"]) == (STATES, NETWORKS)
    assert {"players", "guideline"} <= set(found)
