"""What differs between configurations: named, in order, and never two settings under one name."""

from typing import Any

from igbaselines.studies.images.reporting.weighted.factors import (
    NOT_SET,
    Factor,
    combinations_run,
    describe,
    varied_factors,
)


def config(**attribution: Any) -> dict[str, Any]:
    known = {"_target_": "x.ImageAttribution", "ranking": "signed", "baselines": {"black": {"_target_": "x.Black"}}}
    return {"scale": "demo", "seed": 0, "attribution": known | attribution, "evaluation": {"examples": 3}}


def test_an_object_is_described_by_class_and_arguments() -> None:
    assert describe({"_target_": "a.b.GaussLegendre", "n_steps": 32}) == "GaussLegendre(n_steps=32)"
    assert describe({"_target_": "a.Black"}) == "Black"
    assert describe({"black": {"_target_": "a.Black"}, "white": {}}) == "black, white"
    assert describe([1, None, 0.5]) == "1, none, 0.5"


def test_equal_configurations_differ_in_nothing() -> None:
    assert varied_factors([config(), config()]) == []
    assert varied_factors([]) == []


def test_what_changes_no_number_is_no_factor() -> None:
    other = config() | {"evaluation": {"examples": 9}, "seed": 5}
    assert varied_factors([config(), other]) == []


def test_levels_stand_for_each_run() -> None:
    black = {"black": {"_target_": "x.Black"}, "white": {"_target_": "x.White"}}
    found = varied_factors([config(), config(ranking="magnitude"), config(baselines=black)])
    assert found == [
        Factor("baselines", ("black", "black", "black, white")),
        Factor("fitness ranking", ("signed", "magnitude", "signed")),
    ]


def test_settings_that_always_differ_together_are_one_factor() -> None:
    released = config(protocol="released_code", ranking="magnitude", alpha=0.5)
    (found,) = varied_factors([config(protocol="paper"), released])
    assert (found.name, found.levels) == ("protocol", ("paper", "released_code"))
    assert found.also == ("fitness ranking", "attribution.alpha")


def test_different_settings_never_share_a_name() -> None:
    blurred = [config(baselines={"blur": {"_target_": "x.Blur", "sigma": sigma}}) for sigma in (5, 10)]
    (found,) = varied_factors(blurred)
    assert found.levels == ("blur: Blur(sigma=5)", "blur: Blur(sigma=10)")


def test_a_key_that_one_run_lacks_is_said_to_be_not_set() -> None:
    (found,) = varied_factors([config(), config(alpha=0.5)])
    assert found.levels == (NOT_SET, "0.5")
    assert varied_factors([{}, {"attribution": None}]) == []


def test_the_combinations_of_a_full_factorial_are_all_there() -> None:
    columns = [["a", "a", "b", "b"], ["x", "y", "x", "y"]]
    assert combinations_run(columns, range(4)) == (4, 4)
    assert combinations_run(columns, [0, 1, 2]) == (3, 4)
    assert combinations_run(columns, [0, 1]) == (2, 2)  # of b nothing was measured
