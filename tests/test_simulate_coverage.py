"""The simulation behind docs/statistics.md: it draws units with all their rows, and sees short intervals."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from igbaselines.common.errors import UserError
from igbaselines.reporting import claim_tests
from igbaselines.reporting.claims import Claim
from igbaselines.reporting.statistics.verdicts import Outcome, Region, decide
from tests.commands import load_script

ROOT = Path(__file__).parents[1]
CLAIM = Claim(
    "p/better", "p", "", "It is better.", "", "mean_over_units", Region(more_than=0.0), {"metric": "m", "method": "a"}
)
CURVE = replace(CLAIM, test="curve_difference")  # of networks that are retrained, which are fewer


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("simulate_coverage")


def of_networks(count: int = 60, mean: float = 0.5) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(mean, 1.0, count)
    known: dict[str, Any] = {"experiment": "hep_baselines", "dataset": "d", "model": "n", "metric": "m"}
    networks = [known | {"method": "a", "unit": f"network_{i}", "value": value} for i, value in enumerate(values)]
    doubled = [row | {"method": "twice", "value": 2 * row["value"]} for row in networks]
    return pd.DataFrame([known | {"method": "data", "unit": "all", "value": 7.0}, *networks, *doubled])


def test_a_run_is_drawn_with_all_rows_of_a_unit(script: ModuleType) -> None:
    population = script.Population(of_networks(), script.AXES["hep_baselines"])
    drawn = population.draw((4,), np.random.default_rng(1))
    assert sorted(drawn["unit"].unique()) == ["all", *(f"network_{i}" for i in range(4))]
    table = drawn[drawn["unit"] != "all"].pivot(index="unit", columns="method", values="value")
    assert np.allclose(table["twice"], 2 * table["a"])
    assert set(table["a"]) <= set(of_networks()["value"])


def test_states_and_networks_are_drawn_as_they_are_crossed(script: ModuleType) -> None:
    states, networks = 30, 8
    rows = pd.DataFrame(
        [
            {"unit": f"world_{s}_state_0", "network": f"network_{n}", "value": 100 * s + n}
            for s in range(states)
            for n in range(networks)
        ]
    )
    timed = pd.DataFrame([{"unit": f"network_{n}", "network": f"network_{n}", "value": -n} for n in range(networks)])
    drawn = script.Population(pd.concat([rows, timed], ignore_index=True), script.AXES["shapley_gridworld"]).draw(
        (5, 12), np.random.default_rng(0)
    )
    of_states = drawn[drawn["unit"].str.startswith("state")]
    table = of_states.pivot(index="unit", columns="network", values="value")
    assert table.shape == (12, 5)
    assert (table.to_numpy() // 100 == table.to_numpy()[:, :1] // 100).all()  # a line is a state, a column a network
    assert (table.to_numpy() % 100 == table.to_numpy()[:1] % 100).all()
    own = drawn[~drawn["unit"].str.startswith("state")]
    assert (own["unit"] == own["network"]).all()
    assert (own.set_index("unit")["value"] == -table.iloc[0] % -100).all()


def test_the_t_interval_holds_and_a_short_one_is_seen(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    population = script.Population(of_networks(), script.AXES["hep_baselines"])
    found = script.simulate(CLAIM, population, (10,), 200)
    assert 0.9 <= found.coverage <= 0.98
    assert found.falsely("reproduced") < 0.07
    assert found.falsely("not reproduced") < 0.07
    assert 0.1 < np.mean(found.decided) < 0.6

    def short(rows: pd.DataFrame, claimed: Region, **words: Any) -> Outcome:
        right = claim_tests.mean_over_units(rows, claimed, **words)
        value, reach = right.estimate.value, (right.estimate.high - right.estimate.value) / 2
        estimate = replace(right.estimate, low=value - reach, high=value + reach)
        return Outcome(estimate, decide(estimate, claimed), right.note)

    monkeypatch.setitem(claim_tests.TESTS, "mean_over_units", short)
    wrong = script.simulate(CLAIM, population, (10,), 200)
    assert wrong.coverage < 0.8
    assert wrong.falsely("reproduced", "not reproduced") > 0.2


def test_collision_networks_are_as_many_as_the_scales_have(script: ModuleType) -> None:
    (axis,) = script.AXES["hep_baselines"]
    for place, scale in enumerate(script.SCALES):
        sizes = yaml.safe_load((ROOT / "conf" / "scale" / "sizes" / "hep_baselines" / f"{scale}.yaml").read_text())
        networks = sizes["evaluation"]["networks"]
        retrained = sizes["evaluation"].get("retrained_networks", networks)
        assert (axis.sizes_for(CLAIM)[place], axis.sizes_for(CURVE)[place]) == (networks, retrained)


def test_of_networks_of_several_seeds_comes_one_population(script: ModuleType, tmp_path: Path) -> None:
    for seed in (0, 1):
        (tmp_path / f"run_{seed}").mkdir()
        of_networks(6, mean=seed).to_parquet(tmp_path / f"run_{seed}" / "rows.parquet")
    ((key, rows),) = script.populations([tmp_path / "run_0", tmp_path / "run_1"]).items()
    assert key == ("hep_baselines", "d", "n")
    assert rows["unit"].nunique() == 13
    assert (rows["unit"] == "all").sum() == 1
    with pytest.raises(UserError, match="no complete run"):
        script.populations([tmp_path])


def test_the_page_keeps_what_is_written_by_hand(script: ModuleType, tmp_path: Path) -> None:
    tables = {("hep_baselines", "d", "n"): script.simulated("hep_baselines", of_networks(), [CLAIM], 20)}
    text = script.page(tables, ["python run.py x"], 20)
    networks, retrained = (script.AXES["hep_baselines"][0].sizes_for(claim)[0] for claim in (CLAIM, CURVE))
    assert networks > retrained
    assert f"| `mean_over_units` | demo: {networks} networks | 1 |" in text
    assert "| `mean_over_units` | full: 10 networks | 1 |" in text
    assert text.endswith("    python run.py x\n")
    assert script.MARK in (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
