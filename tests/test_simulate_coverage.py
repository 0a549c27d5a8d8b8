"""The simulation behind docs/statistics.md: it draws units with all their rows, and sees short intervals."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from igbaselines.common.errors import UserError
from igbaselines.reporting import claim_tests
from igbaselines.reporting.claims import Claim
from igbaselines.reporting.statistics.drawn import Normal, Resampled
from igbaselines.reporting.statistics.estimates import replicate_estimate
from igbaselines.reporting.statistics.verdicts import NotTestable, Outcome, Region, decide
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
    population = Resampled(of_networks(), script.UNITS["hep_baselines"].axes)
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
    drawn = Resampled(pd.concat([rows, timed], ignore_index=True), script.UNITS["shapley_gridworld"].axes).draw(
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
    population = Resampled(of_networks(), script.UNITS["hep_baselines"].axes)
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


def test_normal_units_have_the_means_and_the_covariance_of_the_rows(script: ModuleType) -> None:
    """Skewed values of the rows, and of two methods the same ones: what is drawn has their moments and no tail."""
    rows = of_networks()
    rows.loc[rows["method"] != "data", "value"] = np.exp(rows.loc[rows["method"] != "data", "value"])
    lacks = {"method": "some", "metric": "m", "unit": "network_0", "value": 1.0}
    (axis,) = script.UNITS["hep_baselines"].axes
    population = Normal(pd.concat([rows, pd.DataFrame([lacks])], ignore_index=True), axis)
    drawn = population.draw((4000,), np.random.default_rng(0))
    assert set(drawn["method"]) == {"data", "a", "twice"}  # not what one network alone has
    for found, closer in ((drawn, 0.1), (population.whole, 1e-9)):
        table, known = (
            some[some["unit"] != "all"].pivot(index="unit", columns="method", values="value") for some in (found, rows)
        )
        assert np.allclose(table.mean(), known.mean(), rtol=closer)
        assert np.allclose(table.cov(), known.cov(), rtol=0.15)
        assert abs(float(stats.skew(table["a"]))) < 0.2 < 1 < float(stats.skew(known["a"]))
    with pytest.raises(NotTestable, match="nothing in common"):
        Normal(of_networks(1), axis)


def test_collision_networks_are_as_many_as_the_scales_have(script: ModuleType) -> None:
    units = script.UNITS["hep_baselines"]
    for place, scale in enumerate(script.SCALES):
        sizes = yaml.safe_load((ROOT / "conf" / "scale" / "sizes" / "hep_baselines" / f"{scale}.yaml").read_text())
        networks = sizes["evaluation"]["networks"]
        retrained = sizes["evaluation"].get("retrained_networks", networks)
        assert (units.sizes_for(CLAIM)[place], units.sizes_for(CURVE)[place]) == ((networks,), (retrained,))


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


def test_bootstraps_over_units_are_simulated_and_what_a_run_has_pooled_is_not(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    spread = replace(CLAIM, test="spread_difference", parameters={"metric": "m", "method_a": "twice", "method_b": "a"})
    found = script.simulated("hep_baselines", of_networks(), [spread], 3)
    assert set(found["test"]) == {"spread_difference"}
    assert set(found["how"]) == {script.RESAMPLED, script.NORMAL}

    def pooled(rows: pd.DataFrame, claimed: Region, **words: Any) -> Outcome:
        values = rows.loc[rows["method"] == "a", "value"].to_numpy()
        estimate = replicate_estimate(0.5, values, of="6 networks")
        return Outcome(estimate, decide(estimate, claimed), "")

    monkeypatch.setitem(claim_tests.TESTS, "mean_over_units", pooled)
    assert script.simulated("hep_baselines", of_networks(), [CLAIM], 3).empty


def test_the_page_keeps_what_is_written_by_hand(script: ModuleType, tmp_path: Path) -> None:
    tables = {("hep_baselines", "d", "n"): script.simulated("hep_baselines", of_networks(), [CLAIM], 20)}
    text = script.page(tables, ["python run.py x"], 20)
    (networks,), (retrained,) = (script.UNITS["hep_baselines"].sizes_for(claim)[0] for claim in (CLAIM, CURVE))
    assert networks > retrained
    assert f"| `mean_over_units` | demo: {networks} networks | 1 |" in text
    assert "| `mean_over_units` | full: 10 networks | 1 |" in text
    assert text.index("### hep_baselines: d, n, the rows themselves") < text.index(
        "n, normal values of their covariance"
    )
    assert text.endswith("    python run.py x\n")
    assert script.MARK in (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
