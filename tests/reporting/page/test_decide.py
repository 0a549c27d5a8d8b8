"""How many more units would decide: against the power of a t-test, and with a command that asks for them."""

import json
import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

from igbaselines.reporting.claims import Claim
from igbaselines.reporting.page.by_seed import FLIPS
from igbaselines.reporting.page.decide import HOPELESS, more_units, what_decides
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.statistics.estimates import crossed_estimate, mean_estimate
from igbaselines.reporting.statistics.paired import relative_improvement
from igbaselines.reporting.statistics.verdicts import Region

BETTER = Region(more_than=0.0)
CLAIM = Claim("p/a", "p", "", "It is better.", "", "test", BETTER, {}, sentence=["s"])


def record_of(values: np.ndarray, verdict: str = "inconclusive") -> dict[str, Any]:
    found = mean_estimate(values, threshold=0.0)
    known = {"value": found.value, "ci_low": found.low, "ci_high": found.high, "n": found.n}
    return known | {"id": "p/a", "verdict": verdict, "p_value": found.p_value, "test": found.test, "note": ""}


def values_of(n: int, mean: float) -> np.ndarray:
    """Values with exactly this mean and a standard deviation of 1."""
    drawn = np.random.default_rng(0).normal(size=n)
    return np.asarray((drawn - drawn.mean()) / drawn.std(ddof=1) + mean)


@pytest.mark.parametrize(
    ("mean", "claimed", "tests"), [(0.3, BETTER, 1), (-0.2, BETTER, 4), (0.3, Region(at_least=-2.0, at_most=0.5), 1)]
)
def test_so_many_units_have_the_power(mean: float, claimed: Region, tests: int) -> None:
    factor = more_units(record_of(values_of(20, mean)), claimed, tests)
    assert factor is not None
    needed = 20 * factor
    distance = min(abs(mean - edge) for edge in (claimed.lower, claimed.at_most) if np.isfinite(edge))
    critical = stats.t.ppf(1 - 0.025 / tests, needed - 1)
    power = stats.nct.sf(critical, needed - 1, distance * np.sqrt(needed))
    assert power == pytest.approx(0.8, abs=0.03)


def test_more_readings_of_a_sentence_need_more_units() -> None:
    record = record_of(values_of(20, 0.3))
    found = [more_units(record, BETTER, tests) or 0.0 for tests in (1, 2, 8)]
    assert found == sorted(found)
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"value": None, "ci_low": None, "ci_high": None},
        {"ci_low": 0.2, "ci_high": 0.2},
        {"test": "bootstrap quantiles over 4000 replicates"},
        {"test": None},
    ],
)
def test_an_interval_that_is_not_one_over_units_tells_nothing(changed: dict[str, Any]) -> None:
    assert more_units(record_of(values_of(20, 0.3)) | changed, BETTER, 1) is None


def test_of_pooled_networks_more_of_both_would_tell() -> None:
    """Replicates are as good as a normal distribution: the units that a t-test of many would need."""
    record = record_of(values_of(1000, 0.05)) | {"test": "bootstrap quantiles over 1000 replicates of 4 networks"}
    factor = more_units(record, BETTER, 1)
    assert factor is not None
    assert factor == pytest.approx(((1.96 + 0.84) / (0.05 * 1000**0.5)) ** 2, rel=0.08)
    said = what_decides({"p/a": CLAIM}, run_with(record))["p/a"]
    assert said.startswith(f"About {factor:.2g} times as many networks, and events in them, would decide it")
    enough = record_of(values_of(1000, 0.2)) | {"test": record["test"]}
    assert what_decides({"p/a": CLAIM}, run_with(enough))["p/a"].startswith("Hardly more networks, and events")


def test_a_bootstrap_over_photographs_asks_for_photographs() -> None:
    """They hold no events: the one sentence for pooled networks was once said of them, too."""
    found = relative_improvement(np.ones(18), values_of(18, 1.1), 1)
    record = record_of(values_of(18, 1.1)) | {
        "value": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "n": found.n,
        "p_value": found.p_value,
        "test": found.test,
    }
    said = what_decides({"p/a": CLAIM}, run_with(record))["p/a"]
    assert re.match(r"About \d+ units in the place of 18 would decide it", said)


def run_with(
    record: dict[str, Any], config: str = "dataset: {n_images: 20}", experiment: str = "shapley_images"
) -> ReportedRun:
    provenance = json.dumps({"command": f"python run.py experiment={experiment} dataset.n_images=20 shard.index=1"})
    return ReportedRun(experiment, "demo-1", "complete", config=config, provenance=provenance, claims=[record])


def test_of_units_that_share_others_more_of_both_would_tell() -> None:
    """The spread behind the interval is that of the few networks: the degrees of freedom are theirs."""
    rng = np.random.default_rng(0)
    values = 0.1 + rng.normal(size=(100, 1)) + rng.normal(size=(1, 6))
    found = crossed_estimate(values, threshold=0.0)
    record = record_of(values[:, 0]) | {
        "value": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "p_value": found.p_value,
        "test": found.test,
    }
    (said,) = what_decides({"p/a": CLAIM}, run_with(record)).values()
    assert re.match(r"About [\d.]+ times as many states, and as many times the networks, would decide it", said)
    over_states = record | {"test": "t-test, t-interval over 100 states"}
    factors = [more_units(one, BETTER, 1) or 0.0 for one in (record, over_states)]
    assert 0 < factors[0] < factors[1]  # an interval as wide, of few degrees of freedom, gains more from units


def test_the_command_asks_for_as_many() -> None:
    said = what_decides({"p/a": CLAIM}, run_with(record_of(values_of(20, 0.3))))["p/a"]
    needed = int(said.split()[1])
    assert 80 < needed < 100
    assert said.endswith(f": python run.py experiment=shapley_images dataset.n_images={needed}")


@pytest.mark.parametrize(
    ("n", "mean", "retrained", "asked"),
    [
        (12, 0.6, "4", "evaluation.networks={}"),
        (4, 1.2, "4", "evaluation.retrained_networks={}"),
        (4, 0.6, "4", "evaluation.retrained_networks={0} evaluation.networks={0}"),
        (12, 0.6, "12", "evaluation.retrained_networks={0} evaluation.networks={0}"),
        (12, 0.6, "null", "evaluation.networks={}"),
    ],
)
def test_of_networks_that_are_retrained_more_are_asked_for(n: int, mean: float, retrained: str, asked: str) -> None:
    config = f"evaluation: {{networks: 12, retrained_networks: {retrained}}}"
    said = what_decides({"p/a": CLAIM}, run_with(record_of(values_of(n, mean)), config, "hep_baselines"))["p/a"]
    needed = said.split()[1]
    assert said.endswith(f" dataset.n_images=20 {asked.format(needed)}")


def test_where_a_run_took_all_there_is_a_larger_data_set_is_asked_for() -> None:
    said = what_decides({"p/a": CLAIM}, run_with(record_of(values_of(20, 0.3)), config="dataset: {n_images: null}"))[
        "p/a"
    ]
    assert "larger data set" in said


def test_an_experiment_without_such_a_key_says_the_number_alone() -> None:
    said = what_decides({"p/a": CLAIM}, run_with(record_of(values_of(20, 0.3)), experiment="comparison"))["p/a"]
    assert said.endswith("stay).")


def test_hardly_any_difference_is_said_to_be_none() -> None:
    said = what_decides({"p/a": CLAIM}, run_with(record_of(values_of(20, 1e-4))))["p/a"]
    assert said.startswith(f"More than {HOPELESS} times as many")


def test_of_what_flips_with_the_seed_nothing_is_said() -> None:
    flipped = record_of(values_of(20, 0.3)) | {"note": f"value: 0.3; {FLIPS}: reproduced with seed 0"}
    assert what_decides({"p/a": CLAIM}, run_with(flipped)) == {}


def test_what_is_decided_needs_nothing() -> None:
    assert what_decides({"p/a": CLAIM}, run_with(record_of(values_of(20, 3.0), "reproduced"))) == {}
    assert what_decides({}, run_with(record_of(values_of(20, 0.3)))) == {}
