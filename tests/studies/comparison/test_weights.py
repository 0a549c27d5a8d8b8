"""Weighted Gradients taken apart, from rows made by hand: what is told of weights, mask and choice, and what is not."""

from collections.abc import Mapping
from typing import Any

import pytest

from igbaselines.studies.comparison.reporting.judged import Domain, domains
from igbaselines.studies.comparison.reporting.weights import (
    Weighted,
    circularity_table,
    parts_table,
    read_config,
    words_of_parts,
)
from tests.compared_rows import NAMES, Worth, rows_of

AVERAGED = "igbaselines.attribution.methods.AveragedGradients"
SETS = [Weighted(("wg", "equal", "next"), "mean", "equal")]
PLAIN = ("one", "other")
FAMILIES = [{"deletion": "mean", "insertion": "zero"}]


def domain_of(worth: Worth, noise: float = 0.3) -> Domain:
    (found,) = domains(rows_of(worth, noise=noise), NAMES.metrics)
    return found


def words(worth: Worth, noise: float = 0.3) -> str:
    every = [domain_of(worth, noise)]
    return words_of_parts(parts_table(every, SETS, PLAIN, FAMILIES), SETS, "tables")


def worth(own: Mapping[str, float], others: Mapping[str, float]) -> Worth:
    """Of each method how good it is by the mask of the fitness, and by another; known values follow neither."""
    return {name: {"deletion": -own[name], "insertion": others[name], "cosine": 0.0} for name in own}


def test_a_lead_by_its_own_mask_is_its_masks() -> None:
    own = {"wg": 3.0, "equal": 1.0, "next": 0.0, "one": 1.0, "other": 1.0}
    others = {"wg": 1.0, "equal": 1.0, "next": 1.0, "one": 2.0, "other": 0.0}
    found = words(worth(own, others))
    assert (
        "The weights of wg, against equal ones of the same baselines, are shown to gain by their own mask alone"
        in found
    )
    assert "its mean rank moves by -1." in found
    assert "rank before 1 of the 2 averages over baselines without a fitness and behind one, by metrics with" in found


def test_weights_that_change_nothing_are_not_said_to_gain_nothing() -> None:
    same = {"wg": 1.0, "equal": 1.0, "next": 0.0, "one": 0.0, "other": 0.0}
    found = words({name: {"deletion": -value, "insertion": value} for name, value in same.items()}, noise=0.0)
    assert found.startswith("The weights of wg change nothing here: equal ones give the same ranks throughout.")
    assert "not shown to gain" not in found


def test_a_lead_by_any_mask_is_its_weights() -> None:
    better = {"wg": 3.0, "equal": 1.0, "next": 0.0, "one": 0.0, "other": 0.0}
    found = words(worth(better, better))
    assert "gain by any mask, and not shown to be more by their own" in found
    assert "rank before 2 of the 2 averages over baselines without a fitness and behind none" in found


def test_more_by_its_own_mask_is_said() -> None:
    own = {"wg": 3.0, "equal": -1.0, "next": 0.0, "one": 1.0, "other": 1.0}
    others = {"wg": 2.0, "equal": 1.0, "next": 0.0, "one": -1.0, "other": -1.0}
    assert "gain by any mask, more by their own" in words(worth(own, others))


def test_no_lead_is_said_to_be_none() -> None:
    alike = dict.fromkeys(("wg", "equal", "next", "one", "other"), 1.0)
    assert "are not shown to gain: its mean rank moves by " in words(worth(alike, alike))


def test_losses_are_no_gain() -> None:
    worse = {"wg": 0.0, "equal": 3.0, "next": 1.0, "one": 1.0, "other": 1.0}
    assert "are not shown to gain: its mean rank moves by +" in words(worth(worse, worse))


def test_the_masks_part_is_the_difference_of_differences() -> None:
    own = {"wg": 3.0, "equal": 1.0, "next": 0.0}
    others = {"wg": 1.0, "equal": 3.0, "next": 0.0}
    parts = parts_table([domain_of(worth(own, others), noise=0.0)], SETS, (), FAMILIES)
    ranks = parts.set_index(["against", "metrics"])["difference"]
    assert ranks["equal", "own mask"] == -1
    assert ranks["equal", "other masks"] == 1
    assert ranks["equal", "own less other masks"] == -2
    assert ranks["next", "known values"] == 0
    assert set(parts["method"]) == {"wg"}  # there is no average over other baselines


def test_nothing_is_said_where_parts_are_missing() -> None:
    alike = dict.fromkeys(("wg", "next", "one"), 1.0)
    assert words(worth(alike, alike)) == ""
    assert words_of_parts(parts_table([], SETS, PLAIN, FAMILIES), SETS, "tables") == ""
    only = {name: {"deletion": at} for name, at in (("wg", 1.0), ("equal", 2.0), ("one", 0.0))}
    assert words(only) == ""  # no metric with another mask


def test_own_masks_are_held_against_the_same_metric_with_others() -> None:
    """Third by its own mask's deletion and first by the other's; insertion has no other, and says nothing."""
    of = {
        "wg": {"deletion": 0.0, "cosine": 0.0, "insertion": 0.0},
        "b": {"deletion": 1.0, "cosine": 1.0, "insertion": 1.0},
        "c": {"deletion": 2.0, "cosine": 2.0, "insertion": 2.0},
    }
    families = [{"deletion": "mean", "cosine": "zero"}, {"insertion": "mean"}]
    every, sets = [domain_of(of, noise=0.0)], [Weighted(("wg", "absent"), "mean")]
    (line,) = circularity_table(every, sets, families).to_dict("records")
    assert (line["method"], line["mask"], line["methods"], line["metrics"]) == ("wg", "mean", 3, 1)
    assert (line["rank_own_mask"], line["rank_other_masks"]) == (1, 3)
    assert circularity_table(every, sets, families[1:]).empty
    assert circularity_table(every, [Weighted(("wg",), "blur")], families).empty
    assert circularity_table([], sets, families).empty


def weighted(baselines: object, weighting: str) -> dict[str, Any]:
    return {
        "_target_": AVERAGED,
        "baselines": baselines,
        "weighting": {"_target_": f"igbaselines.attribution.weighting.{weighting}"},
        "fitness": {"mask": "mean"},
    }


def test_families_are_read_from_the_configuration() -> None:
    methods = {
        "wg": weighted({"count": 6}, "InverseFitness"),
        "mean": {"_target_": AVERAGED, "baselines": "mean"},
        "kinds": weighted({"sources": {}}, "InverseFitness"),
        "equal": weighted({"count": 6}, "EqualFitness"),
        "sig": {"_target_": "igbaselines.attribution.shapley.estimators.ShapleyIG"},
    }
    metrics = {
        "deletion_mean": {"_target_": "Deletion", "imputer": "mean", "name": "a"},
        "deletion_zero": {"_target_": "Deletion", "imputer": "zero", "name": "b"},
        "infidelity": {"_target_": "Infidelity", "imputer": "mean"},
        "road": {"_target_": "ROAD"},
    }
    sets, plain, families = read_config({"methods": methods, "metrics": metrics})
    assert sets == [Weighted(("wg", "equal"), "mean", "equal"), Weighted(("kinds",), "mean", None)]
    assert plain == ("mean",)
    assert families == [{"a": "mean", "b": "zero"}, {"infidelity": "mean"}]
    assert read_config({}) == ([], (), [])


@pytest.mark.parametrize("group", ["own mask", "other masks", "own less other masks", "known values"])
def test_every_group_has_every_pair(group: str) -> None:
    better = {"wg": 3.0, "equal": 1.0, "next": 0.0, "one": 0.0, "other": 0.0}
    parts = parts_table([domain_of(worth(better, better))], SETS, PLAIN, FAMILIES)
    pairs = parts[parts["metrics"] == group]
    found = set(zip(pairs["method"], pairs["against"], strict=True))
    assert found == {("wg", "equal"), ("wg", "next"), ("equal", "one"), ("equal", "other")}
