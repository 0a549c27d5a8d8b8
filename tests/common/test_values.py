"""What a field takes: types, intervals, kinds of objects, and the files of the user's."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igbaselines.common.errors import UserError
from igbaselines.common.values import LARGEST, SEED, absolute_files, check_values, value


class Draws(Protocol):
    """Has a method."""

    def draw(self) -> int: ...


@dataclass
class Source:
    """Draws."""

    count: int = field(default=1, metadata=value("[1, )"))
    path: str = field(default="", metadata=value(file=True))

    def draw(self) -> int:
        return self.count


@dataclass
class Settings:
    """A field of each sort."""

    share: float = field(metadata=value("(0, 1]"))
    size: int = field(metadata=value("[2, )"))
    seed: int = field(metadata=value(SEED))
    word: str = field(metadata=value(choices=("a", "b")))
    several: list[str] = field(metadata=value(choices=("a", "b", "c"), distinct=True))
    maybe: int | None = field(metadata=value("[1, 5]"))
    source: Any = field(metadata=value(kind=(f"{__name__}.Draws", "something that draws")))
    sources: dict[str, Any] = field(
        default_factory=dict, metadata=value(kind=(f"{__name__}.Draws", "something that draws"))
    )
    protocol: Draws = field(default_factory=Source)
    free: Any = None


NODE = {"_target_": f"{__name__}.Source"}
GOOD: dict[str, Any] = {
    "share": 0.5,
    "size": 2,
    "seed": 2**40,
    "word": "a",
    "several": ["a", "c"],
    "maybe": None,
    "source": NODE,
    "sources": {"one": NODE},
    "protocol": NODE,
    "free": [{"any": "thing"}],
}


def test_what_fits_is_taken_from_a_node_and_from_an_object() -> None:
    check_values("here", Settings, GOOD)
    check_values("here", Settings, GOOD | {"source": Source(), "protocol": Source(), "share": 1, "maybe": 5})


@pytest.mark.parametrize(
    ("key", "wrong", "words"),
    [
        ("share", 0, ["lie in (0, 1]"]),
        ("share", -1e-300, ["lie in (0, 1]"]),
        ("share", 1.0000001, ["lie in (0, 1]"]),
        *(("share", wrong, ["finite", str(wrong)]) for wrong in (math.nan, math.inf, -math.inf)),
        ("share", "0.5", ["must be a number"]),
        ("share", True, ["must be a number"]),
        ("share", None, ["must be a number"]),
        ("share", [0.5], ["must be a number"]),
        ("size", 1, ["at least 2", "got 1"]),
        ("size", 2.0, ["whole number"]),
        ("size", LARGEST + 1, [str(LARGEST)]),
        ("seed", -1, ["at least 0"]),
        ("word", "c", ["a or b"]),
        ("word", None, ["a text", "null"]),
        ("several", "a", ["a list"]),
        ("several", ["a", "a"], ["a 2 times"]),
        ("several", ["d"], ["a or b or c"]),
        ("maybe", 6, ["at most 5", "or null"]),
        ("source", None, ["something that draws"]),
        ("source", 0, ["something that draws"]),
        ("source", "zero", ["something that draws"]),
        ("source", [], ["something that draws"]),
        ("source", {}, ["something that draws"]),
        ("source", True, ["something that draws"]),
        ("source", {"_target_": f"{__name__}.Settings"}, ["something that draws", "Settings"]),
        ("sources", [NODE], ["a table"]),
        ("sources", {"one": None}, ["sources.one"]),
        ("protocol", 5, ["a Draws"]),
        ("source", NODE | {"count": 0}, ["here.source.count", "at least 1"]),
        ("free", {"deep": [NODE | {"count": "many"}]}, ["count", "whole number"]),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(key: str, wrong: Any, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        check_values("here", Settings, GOOD | {key: wrong})
    assert all(word in str(error.value) for word in [f"here.{key}", *words]), str(error.value)


@given(st.floats(-3, 3), st.sampled_from("[("), st.sampled_from("])"), st.floats(-2, 2), st.floats(0, 1))
def test_an_interval_means_what_it_says(x: float, opens: str, closes: str, least: float, width: float) -> None:
    most = least + width

    @dataclass
    class One:
        x: float = field(metadata=value(f"{opens}{least!r}, {most!r}{closes}"))

    inside = (x > least or (opens == "[" and x == least)) and (x < most or (closes == "]" and x == most))
    for number in (x, least, most):
        holds = inside if number == x else {least: opens == "[", most: closes == "]"}[number] and most >= least
        if least == most:
            holds = number == least and (opens, closes) == ("[", "]")
        try:
            check_values("here", One, {"x": number})
            assert holds
        except UserError:
            assert not holds


def test_the_users_files_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node: dict[str, Any] = {"parts": [NODE | {"path": "pics"}, NODE | {"path": "~/pics"}], "path": "no file"}
    monkeypatch.chdir(tmp_path)
    absolute_files(node)
    assert [part["path"] for part in node["parts"]] == [str(tmp_path / "pics"), str(Path("~/pics").expanduser())]
    assert node["path"] == "no file"
