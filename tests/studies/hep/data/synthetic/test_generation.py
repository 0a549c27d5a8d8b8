"""Chunks, calibration and the bookkeeping of cross-sections."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.synthetic.dataset import HepSynthetic
from igbaselines.studies.hep.data.synthetic.generation import (
    Recipe,
    calibrate,
    calibration_chunk,
    collect,
    event_chunk,
    in_order,
)
from igbaselines.studies.hep.data.synthetic.processes import CHAINS


@pytest.fixture
def recipe(make_dataset: Callable[..., HepSynthetic]) -> Recipe:
    return make_dataset().recipe("signal")


def test_streams_differ_between_purposes_chunks_processes_and_seeds(
    make_dataset: Callable[..., HepSynthetic],
) -> None:
    recipes = [make_dataset(seed=seed).recipe(name) for seed in (0, 1) for name in ("signal", "tt1l")]
    draws = {r.stream(purpose, chunk).random() for r in recipes for purpose in (0, 1) for chunk in (0, 1)}
    assert len(draws) == len(recipes) * 4


def test_calibration_counts_until_the_error_is_small(recipe: Recipe) -> None:
    counts = [(50, 10), (60, 12), (55, 9), (1000, 200)]
    cutflow = calibrate(recipe, 2.0, 0.2, iter(counts))
    # 1/22 - 1/110 = 0.19^2
    assert (cutflow.reference, cutflow.selected) == (110, 22)
    assert cutflow.collisions == 2 * CHAINS["signal"].batch
    assert cutflow.cross_section == pytest.approx(2.0 * 22 / 110)


def test_equal_selections_leave_the_cross_section_as_it_is(
    make_dataset: Callable[..., HepSynthetic],
) -> None:
    dataset = make_dataset()
    recipe = Recipe("tt1l", 250.0, dataset.detector, dataset.reference_selection, dataset.reference_selection, 0)
    reference, selected = calibration_chunk(recipe, 0)
    assert reference == selected > 0


def test_calibration_and_events_agree_on_the_acceptance(make_dataset: Callable[..., HepSynthetic]) -> None:
    """Vetoing for the tight selection from the start must not change how many events pass it."""
    recipe = make_dataset().recipe("tt1l")
    events = sum(len(event_chunk(recipe, chunk)) for chunk in range(3))
    counted = sum(calibration_chunk(recipe, chunk)[1] for chunk in range(3))
    assert abs(events - counted) < 4.5 * np.sqrt(events + counted)
    assert events > 500


def test_collect_stops_at_the_number_of_events(recipe: Recipe) -> None:
    chunks = [np.full((n, 87), n, dtype=np.float32) for n in (3, 0, 4, 9)]
    parts = list(collect(recipe, 6, iter(chunks)))
    assert [len(part) for part in parts] == [3, 3]


def test_a_hopeless_selection_ends_in_one_line(recipe: Recipe) -> None:
    def nothing() -> Iterator[tuple[int, int]]:
        while True:
            yield 5, 0

    with pytest.raises(UserError, match=r"process 'signal': none of .* collisions passes, loosen"):
        calibrate(recipe, 1.0, 0.1, nothing())
    empty = (np.zeros((0, 87), dtype=np.float32) for _ in range(10**6))
    with pytest.raises(UserError, match="process 'signal': none of"):
        list(collect(recipe, 10, empty))


def test_a_pool_keeps_the_order_and_its_work_ahead_is_dropped(recipe: Recipe) -> None:
    def number(_: Recipe, chunk: int) -> int:
        return chunk * chunk

    with ThreadPoolExecutor(2) as pool:
        found = list(islice(in_order(number, recipe, pool, 2), 7))
    assert found == list(islice(in_order(number, recipe, None, 1), 7)) == [n * n for n in range(7)]


def test_a_pool_works_ahead_no_further_than_it_has_come(recipe: Recipe) -> None:
    begun: list[int] = []

    def number(_: Recipe, chunk: int) -> int:
        begun.append(chunk)
        return chunk

    with ThreadPoolExecutor(2) as pool:
        numbers = in_order(number, recipe, pool, 2)
        assert next(numbers) == 0
        assert max(begun) <= 1
        assert next(numbers) == 1
        assert max(begun) <= 3


def test_workers_start_without_torch() -> None:
    code = "import igbaselines.studies.hep.data.synthetic.dataset, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
