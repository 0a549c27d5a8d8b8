"""Generators from keys: the key alone decides, streams have names, and no two names share a number."""

import ast
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from igbaselines.common.randomness import generator_for, stream

SRC = Path(__file__).parents[2] / "src"
# Numbers that two streams had before they had names; each draws in an experiment of its own.
SHARED = {"hep generators: halves": "hep: explained events", "hep generators: classifiers": "hep: baselines"}
OLD = {
    "hep: explained events": 1_000_001,
    "hep: baselines": 1_000_002,
    "hep: random rankings": 1_000_003,
    "hep: training": 1_000_004,
    "hep: pools of baselines": 1_000_005,
    "hep: splits": 1_000_006,
    "images: baselines": 2_000_001,
    "images: nodes": 2_000_002,
    "images: background": 2_000_003,
    "images: permuted weights": 2_000_011,
    "images: draws of baselines": 2_000_012,
    "images: coalitions": 2_000_021,
    "images: absent players": 2_000_022,
    "gridworld: attribution": 3_000_001,
    "gridworld: networks": 3_000_002,
    "gridworld: background": 3_000_003,
    "gridworld: slips": 3_000_004,
}


def draw(*key: int | str) -> list[int]:
    return torch.randint(2**40, (4,), generator=generator_for(*key)).tolist()


@pytest.mark.parametrize("name", OLD)
def test_a_stream_that_had_a_number_draws_what_it_always_drew(name: str) -> None:
    assert draw(3, 1, name) == draw(3, 1, OLD[name])
    assert draw(name, 7) == draw(OLD[name], 7)


def test_what_a_key_draws_stays_what_it_is() -> None:
    """Rows of earlier runs are compared with those of later ones: numpy's seed of the key and its length."""
    for key in ((0,), (1, 2), (5, 3, 1_000_002)):
        seed = np.random.SeedSequence((len(key), *key)).generate_state(1, np.uint64)[0] >> 1
        assert generator_for(*key).initial_seed() == seed
    assert stream("mine: nodes") == zlib.crc32(b"mine: nodes")


def test_every_part_of_a_key_counts() -> None:
    keys: list[tuple[int | str, ...]] = [(), (0,), (1,), (1, 2), (2, 1), (1, 2, 0), ("mine: nodes",), ("mine: draws",)]
    assert len({tuple(draw(*key)) for key in keys}) == len(keys)
    assert draw(1, "mine: nodes", 5) == draw(1, "mine: nodes", 5)


def test_global_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    draw(1, "mine: nodes")
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_where_it_is_told_to(device: torch.device) -> None:
    assert generator_for(1, device=device).device.type == device.type


def names_in_use() -> Iterator[str]:
    """The strings in calls of generator_for and stream, and the constants of modules that stand for one."""
    for file in sorted(SRC.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if called in ("generator_for", "stream") and isinstance(node, ast.Call):
                for part in node.args:
                    value = part.value if isinstance(part, ast.Constant) else constants.get(getattr(part, "id", ""))
                    if isinstance(value, str):
                        yield value


def test_no_two_streams_share_a_number() -> None:
    names = sorted({*OLD, *names_in_use()} - set(SHARED))
    assert len({stream(name) for name in names}) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z ]+: [a-z ]+", name)] == []
    assert all(stream(name) == stream(other) for name, other in SHARED.items())
