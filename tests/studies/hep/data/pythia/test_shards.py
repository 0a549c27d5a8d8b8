"""Shards: made once, whole, the same however often generation is broken off, and weighted by their luminosity."""

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.cache import whole_file
from igbaselines.studies.hep.data.pythia import shards as pythia_shards
from igbaselines.studies.hep.data.pythia.dataset import HepPythia, cross_section_errors, stitched
from igbaselines.studies.hep.data.pythia.shards import EXTRA, Shard, ShardRecipe, make_shard, read_shard, shard_weights
from igbaselines.studies.hep.data.table import CROSS_SECTION_ERROR, read_events
from tests.damage import damage, say_damaged
from tests.running.faults import expect_nobody_left, there, until
from tests.studies.hep.data.pythia.pythia_settings import BEAM, LOOSE, needs_pythia, small_dataset

ROOT = Path(__file__).parents[5]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that was filled without any trouble."""
    cache = tmp_path_factory.mktemp("whole")
    small_dataset().events_file(cache, workers=1)
    return cache


@pytest.fixture
def cache(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    shutil.copytree(whole, tmp_path / "cache")
    return tmp_path / "cache"


def folder_of(cache: Path, dataset: HepPythia | None = None) -> Path:
    return (dataset or small_dataset()).folder(cache)


def contents(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.rglob("*.parquet")}


def modified(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the shards that are generated."""
    names: list[str] = []

    def noted(recipe: ShardRecipe, folder: Path) -> None:
        names.append(recipe.path(folder).name)
        make_shard(recipe, folder)

    monkeypatch.setattr(pythia_shards, "make_shard", noted)
    return names


@needs_pythia
def test_a_whole_cache_is_not_made_again(cache: Path, whole: Path, made: list[str]) -> None:
    before = modified(folder_of(cache))
    small_dataset().events_file(cache, workers=1)
    assert made == []
    assert modified(folder_of(cache)) == before
    assert contents(cache) == contents(whole)


@needs_pythia
def test_what_is_missing_is_made_again_to_the_byte(
    cache: Path, whole: Path, made: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = folder_of(cache)
    untouched, without_record, truncated, without_file = sorted(folder.glob("*-*-*-*.parquet"))
    without_record.with_suffix(".json").unlink()
    truncated.write_bytes(truncated.read_bytes()[:-100])
    without_file.unlink()
    (folder / f".{without_file.stem}-0123abcd.parquet").write_bytes(b"PAR1")  # unfinished
    before = modified(folder)[untouched.name]
    with caplog.at_level(logging.WARNING):
        path = small_dataset().events_file(cache, workers=1)
    assert set(made) == {without_record.name, truncated.name, without_file.name}
    assert modified(folder)[untouched.name] == before
    assert contents(cache) == contents(whole)
    assert [f"{truncated} does not have the checksum" in record.message for record in caplog.records] == [True]
    assert len(np.unique(read_events(path).features, axis=0)) == len(read_events(path))


@needs_pythia
def test_damaged_events_are_put_together_again(
    cache: Path, whole: Path, made: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = folder_of(cache).glob("events-*.parquet")
    damage(path, "bit in the middle", path)
    small_dataset().events_file(cache, workers=1)
    assert made == []
    assert caplog.messages == [say_damaged(path)]
    assert contents(cache) == contents(whole)


@needs_pythia
def test_a_shard_of_another_configuration_ends_in_one_line(cache: Path, tmp_path: Path, made: list[str]) -> None:
    other = small_dataset(seed=1)
    folder = folder_of(tmp_path / "other", other)
    shutil.copytree(folder_of(cache), folder)
    with pytest.raises(UserError, match=r"this shard is of another configuration .*: remove it") as error:
        other.events_file(tmp_path / "other", workers=1)
    assert "\n" not in str(error.value)
    assert made == []


@needs_pythia
def test_more_events_keep_the_full_shards(cache: Path, made: list[str]) -> None:
    folder = folder_of(cache)
    before, few = modified(folder), read_events(small_dataset().events_file(cache, workers=1))
    more = read_events(small_dataset(n_events=30).events_file(cache, workers=1))
    assert sorted(made) == ["signal-0-inf-0002-3.parquet", "tt1l-300-500-0001-2.parquet", "tt1l-500-inf-0001-2.parquet"]
    assert {name: modified(folder)[name] for name in before} == before
    assert np.isin(few.features[:, 0], more.features[:, 0]).all()
    assert len(np.unique(more.features, axis=0)) == len(more)


@needs_pythia
def test_two_generators_at_once_make_each_shard_once(tmp_path: Path, whole: Path, made: list[str]) -> None:
    paths: list[Path] = []
    start = threading.Barrier(2)

    def generate() -> None:
        start.wait()
        paths.append(small_dataset().events_file(tmp_path, workers=1))

    threads = [threading.Thread(target=generate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths[0] == paths[1]
    assert len(made) == len(set(made)) == len(small_dataset().recipes())
    assert contents(tmp_path) == contents(whole)


@needs_pythia
def test_the_cross_section_of_a_process_is_the_sum_over_its_ranges(whole: Path) -> None:
    path = small_dataset().events_file(whole, workers=1)
    table = pq.read_table(path)
    process, weight = np.array(table["process"].to_pylist()), table["weight"].to_numpy()
    files = [file for file in folder_of(whole).glob("*.json") if not file.name.startswith("events-")]
    records = [(file.name, json.loads(file.read_text())) for file in files]
    ranges: dict[str, list[tuple[float, float]]] = {}
    for name, record in records:
        luminosity = record["accepted"] / record["cross_section"]
        kind, low, *_ = name.split("-")
        ranges.setdefault(f"{kind}-{low}", []).append((record["cutflow"]["selected"], luminosity))
        assert record["accepted"] == record["cutflow"]["vetoes"]
    assert sorted(ranges) == ["signal-0", "tt1l-300", "tt1l-500"]
    for kind in ("signal", "tt1l"):
        expected = sum(
            sum(selected for selected, _ in shards) / sum(luminosity for _, luminosity in shards)
            for name, shards in ranges.items()
            if name.startswith(kind)
        )
        assert weight[process == kind].sum() == pytest.approx(expected)
    assert 0.05 < weight[process == "signal"].sum() < 1  # fb; 0.24 at a similar selection
    assert weight[process == "tt1l"].sum() > 500


def shard_of(folder: Path, number: int, weights: list[float], **values: Any) -> Shard:
    """A shard made by hand: events of the given weights."""
    dataset = small_dataset()
    place = values.pop("place")
    pt_hat = (100.0 * place, 100.0 * (place + 1))
    recipe = replace(dataset.recipes()[-1], process=values.pop("process"), pt_hat=pt_hat, place=place, number=number)
    rng = np.random.default_rng(number)
    with whole_file(recipe.path(folder)) as writer:
        features = rng.random((len(weights), 87), dtype=np.float32)
        writer.add(recipe.process, np.array(weights), features)
        writer.record |= {"cutflow": {"selected": len(weights)}, "cpu_seconds": 1.0} | values
    return read_shard(recipe, folder)


@pytest.fixture
def by_hand(tmp_path: Path) -> list[Shard]:
    first = {"process": "wj", "place": 0}
    return [
        shard_of(tmp_path, 0, [1.0, 1.0, 2.0], accepted=100, cross_section=50.0, cross_section_error=5.0, **first),
        shard_of(tmp_path, 1, [1.5], accepted=200, cross_section=40.0, cross_section_error=2.0, **first),
        shard_of(
            tmp_path, 0, [1.0] * 5, accepted=50, cross_section=5.0, cross_section_error=0.5, process="wj", place=1
        ),
        shard_of(
            tmp_path, 0, [1.0], accepted=10, cross_section=0.1, cross_section_error=0.003, process="signal", place=0
        ),
    ]


def test_weights_are_cross_sections_over_luminosity(by_hand: list[Shard]) -> None:
    luminosity = 100 / 50 + 200 / 40  # of the first range: its shards add up
    expected = [[1 / luminosity, 1 / luminosity, 2 / luminosity], [1.5 / luminosity], [0.1] * 5, [0.01]]
    for found, values in zip(shard_weights(by_hand), expected, strict=True):
        np.testing.assert_allclose(found, values)


def test_errors_of_cross_sections_by_propagation(by_hand: list[Shard]) -> None:
    """Derivatives of the selected cross-section by each shard's own cross-section, by finite differences."""

    def selected(shards: list[Shard], process: str) -> float:
        weights = zip(shards, shard_weights(shards), strict=True)
        return float(sum(weight.sum() for shard, weight in weights if shard.recipe.process == process))

    for process, error in cross_section_errors(by_hand).items():
        variance = 0.0
        for place, shard in enumerate(by_hand):
            step = 1e-6 * shard.cross_section
            moved = [*by_hand[:place], replace(shard, cross_section=shard.cross_section + step), *by_hand[place + 1 :]]
            slope = (selected(moved, process) - selected(by_hand, process)) / step
            variance += (slope * shard.cross_section_error) ** 2
        assert error == pytest.approx(np.sqrt(variance) / selected(by_hand, process), rel=1e-4)
    assert cross_section_errors(by_hand)["signal"] == pytest.approx(0.03)


def test_stitched_events_carry_weights_and_errors(by_hand: list[Shard]) -> None:
    table = stitched(by_hand)
    np.testing.assert_allclose(table["weight"].to_numpy(), np.concatenate(shard_weights(by_hand)))
    assert table["process"].to_pylist() == ["wj"] * 9 + ["signal"]
    assert table["label"].to_pylist() == [0] * 9 + [1]
    assert json.loads(table.schema.metadata[CROSS_SECTION_ERROR.encode()]) == cross_section_errors(by_hand)


@needs_pythia
@pytest.mark.parametrize(
    ("limit", "value", "selection"),
    [
        ("igbaselines.studies.hep.data.pythia.collisions._HOPELESS", 200, {"ht": 9000.0}),  # no partons are so hard
        ("igbaselines.studies.hep.data.pythia.shards._FRUITLESS", 20, {"met": 5000.0}),  # partons cannot tell
    ],
)
def test_a_hopeless_selection_ends_in_one_line(
    limit: str, value: int, selection: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, value)
    assert_hopeless(small_dataset(selection=replace(LOOSE, **selection)), tmp_path, workers=1)


@pytest.mark.slow
@needs_pythia
def test_a_hopeless_selection_ends_in_time(tmp_path: Path) -> None:
    assert_hopeless(small_dataset(selection=replace(LOOSE, ht=9000.0), n_events=4), tmp_path, workers=2)


def assert_hopeless(dataset: HepPythia, cache: Path, workers: int) -> None:
    message = r"process '(signal|tt1l)', pTHat .* GeV: no event passes the selection"
    with pytest.raises(UserError, match=message) as error:
        dataset.events_file(cache, workers=workers)
    assert "\n" not in str(error.value)
    assert list(cache.rglob("*.parquet")) == []


@pytest.mark.parametrize("missing", [("fastjet",), EXTRA])
def test_a_missing_extra_ends_in_one_line(
    missing: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in missing else object())
    message = rf"dataset=hep_pythia needs {' and '.join(missing)}: pip install -e '.\[pythia\]'"
    with pytest.raises(UserError, match=message) as error:
        small_dataset().events_file(tmp_path, workers=1)
    assert "\n" not in str(error.value)


@needs_pythia
def test_made_events_need_no_extra(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert len(small_dataset().load(whole, workers=1)) >= 24


@pytest.fixture
def generator(tmp_path: Path) -> Iterator[Any]:
    """Starts processes that generate the small dataset; what is left of them is ended."""
    started: list[subprocess.Popen[bytes]] = []
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.studies.hep.data.pythia.pythia_settings import small_dataset\n"
        "if __name__ == '__main__': small_dataset().events_file(Path(sys.argv[1]), int(sys.argv[2]))\n"
    )
    script = tmp_path / "generate.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}

    def start(workers: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(script), str(tmp_path / "cache"), str(workers)]
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
@needs_pythia
def test_a_kill_leaves_no_workers_and_costs_no_event(generator: Any, tmp_path: Path, whole: Path) -> None:
    killed = generator(2)
    shard_there = there(tmp_path / "cache", "**/[!.]*.json")
    until(lambda: shard_there() or killed.poll() is not None, "the first shard", 240)
    killed.kill()
    expect_nobody_left(killed.pid)
    small_dataset().events_file(tmp_path / "cache", workers=1)
    assert contents(tmp_path / "cache") == contents(whole)


@pytest.mark.slow
@needs_pythia
def test_kills_at_any_time_cost_no_event(generator: Any, tmp_path: Path, whole: Path) -> None:
    rng = np.random.default_rng(0)
    for workers in (1, 2, 1, 2):
        process = generator(workers)
        time.sleep(float(rng.uniform(1, 6)))
        process.kill()
        process.wait()
    assert generator(2).wait() == 0  # the workers of the last one may still be there
    assert contents(tmp_path / "cache") == contents(whole)


@pytest.mark.slow
@needs_pythia
def test_events_do_not_depend_on_the_workers(tmp_path: Path, whole: Path) -> None:
    small_dataset().events_file(tmp_path, workers=2)
    assert contents(tmp_path) == contents(whole)


@pytest.mark.slow
@needs_pythia
def test_multiple_parton_interactions_change_the_cross_section_little(tmp_path: Path) -> None:
    cross_sections = []
    for mpi in (False, True):
        dataset = small_dataset(beam=replace(BEAM, mpi=mpi), n_events=200, shard_events=50)
        table = dataset.load(tmp_path, workers=2)
        assert table.weight is not None
        cross_sections.append(table.weight[~table.is_signal].sum())
    assert cross_sections[0] == pytest.approx(cross_sections[1], rel=0.5)
