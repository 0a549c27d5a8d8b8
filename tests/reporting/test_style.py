"""Looks of any number of names."""

import pytest

from igbaselines.reporting.style import COLOURS, looks, style_of


@pytest.mark.parametrize("count", [1, 6, 7, 36])
def test_looks_can_be_told_apart(count: int) -> None:
    found = looks([f"method {place}" for place in range(count)])
    assert len({(look["color"], look["marker"]) for look in found.values()}) == count


def test_any_number_has_a_look() -> None:
    assert len(looks(map(str, range(100)))) == 100


def test_what_is_known_keeps_its_look_and_nobody_else_has_it() -> None:
    known = {"a": style_of(0), "b": style_of(2)}
    found = looks(["mine", "b", "yours"], known)
    assert list(found) == ["mine", "b", "yours"]
    assert found["b"] == known["b"]
    assert [found["mine"]["color"], found["yours"]["color"]] == [COLOURS[1], COLOURS[3]]
