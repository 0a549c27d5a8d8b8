"""Dataclasses of arrays: read as they were written, checked, and never half there."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float, Int

from igbaselines.common.arrays import Text, read_arrays, write_arrays
from igbaselines.common.errors import UserError


@dataclass(frozen=True)
class Example:
    names: Text[np.ndarray, " n"]
    values: Float[np.ndarray, "n d"]
    title: str
    share: float
    counts: Int[np.ndarray, " n"] | None = None


def example(n: int = 2) -> Example:
    return Example(np.array([f"name {place}" for place in range(n)], dtype=str), np.ones((n, 3)), "a title", 0.25)


@pytest.mark.parametrize("n", [0, 2])
def test_what_is_read_is_what_was_written(tmp_path: Path, n: int) -> None:
    write_arrays(tmp_path / "new" / "a.npz", example(n))
    found = read_arrays(Example, tmp_path / "new" / "a.npz")
    assert found.names.tolist() == example(n).names.tolist()
    assert (found.title, found.share, found.counts) == ("a title", 0.25, None)
    np.testing.assert_array_equal(found.values, np.ones((n, 3)))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.npz"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": np.ones((2, 3), dtype=int)}, r"values is int64\[2, 3\]"),
        ({"values": np.ones((3, 3))}, r"values is float64\[3, 3\]"),  # the names are two
        ({"values": np.ones(2)}, r"values is float64\[2\]"),
        ({"names": np.arange(2)}, "names is int64"),
        ({"title": np.array(["a", "b"])}, "title is"),
        ({"counts": np.ones(2)}, "counts is float64"),
        ({"share": np.array("much")}, "share is"),
        ({"names": np.array(["a", {}], dtype=object)}, "allow_pickle"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, np.ndarray], words: str) -> None:
    path = tmp_path / "a.npz"
    whole = {name: np.asarray(value) for name, value in vars(example()).items() if value is not None}
    np.savez(path, allow_pickle=True, **(whole | changes))
    with pytest.raises(UserError, match=rf"a\.npz is damaged or .*{words}"):
        read_arrays(Example, path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_arrays(path, example())
    whole = path.read_bytes()
    for damaged in (b"", b"no archive", whole[: len(whole) // 2], whole[:80] + b"\xff" * 20 + whole[100:]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a\.npz is damaged"):
            read_arrays(Example, path)
    with pytest.raises(UserError, match=r"missing\.npz"):
        read_arrays(Example, tmp_path / "missing.npz")


def test_a_field_that_is_missing_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", names=np.array(["a"]))
    with pytest.raises(UserError, match="values"):
        read_arrays(Example, tmp_path / "a.npz")
