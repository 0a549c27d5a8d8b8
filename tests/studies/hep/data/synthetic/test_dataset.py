"""The dataset: reproducible, cached whole, with the cross-sections and cuts that were asked for."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from igbaselines.common.errors import UserError
from igbaselines.common.files import sha256
from igbaselines.studies.hep.data import cache as hep_cache
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.data.synthetic import dataset as hep_synthetic
from igbaselines.studies.hep.data.synthetic.dataset import HepSynthetic, Process
from igbaselines.studies.hep.data.synthetic.processes import CHAINS
from igbaselines.studies.hep.data.table import read_events
from tests.damage import DAMAGES, damage, say_damaged

Make = Callable[..., HepSynthetic]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def events(make_dataset: Make, cache: Path) -> EventTable:
    return make_dataset().load(cache, workers=1)


def column(table: EventTable, name: str) -> np.ndarray:
    return table.features[:, table.feature_names.index(name)]


def cutflow(dataset: HepSynthetic, cache: Path) -> dict[str, dict[str, float]]:
    record = cache / f"hep_synthetic-{dataset.checksum()}.json"
    return dict(json.loads(record.read_text())["cutflow"])


def test_events_are_what_was_asked_for(events: EventTable) -> None:
    assert events.feature_names == FEATURE_NAMES
    assert events.features.shape == (300, 87)
    assert events.features.dtype == np.float32
    assert events.processes == ("signal", "tt1l")
    assert events.is_signal.sum() == 150
    np.testing.assert_array_equal(events.is_signal, events.process == 0)
    assert np.isfinite(events.features).all()


@pytest.mark.slow
def test_every_process_gives_events(make_dataset: Make, tmp_path: Path) -> None:
    dataset = make_dataset(keep=tuple(CHAINS), n_events=100, cross_section_error=0.6)
    table = dataset.load(tmp_path, workers=1)
    assert table.processes == tuple(CHAINS)
    table.require(5)
    for index, name in enumerate(table.processes):
        assert (table.process == index).sum() == dataset.events_of()[name]


def test_the_selection_holds_in_the_output(events: EventTable, make_dataset: Make) -> None:
    cuts = asdict(make_dataset().selection)
    names = {"ht": "HT", "lepton_pt": "pT_l", "fat_jet_pt": "pT_J", "met": "MET"}
    for cut, name in names.items():
        assert column(events, name).min() >= np.float32(cuts[cut])
    assert column(events, "pT_j3").min() > 30
    assert (column(events, "pT_j1") >= column(events, "pT_b")).all()


def test_signal_is_as_heavy_as_it_should_be(events: EventTable) -> None:
    """Pythia: mean HT 2125 GeV, fat jet mass 338 GeV, tau21 0.42 (after HT > 600)."""
    signal = events.is_signal
    assert column(events, "HT")[signal].mean() == pytest.approx(2125, rel=0.15)
    assert column(events, "m_J")[signal].mean() == pytest.approx(338, rel=0.25)
    assert column(events, "tau21_b1")[signal].mean() == pytest.approx(0.42, abs=0.1)
    assert column(events, "HT")[~signal].mean() < 1300


def test_the_same_seed_gives_the_same_events_and_another_seed_others(
    events: EventTable, make_dataset: Make, tmp_path: Path
) -> None:
    again = make_dataset().load(tmp_path, workers=1)
    np.testing.assert_array_equal(again.features, events.features)
    assert again.checksum == events.checksum
    other = make_dataset(seed=1).load(tmp_path, workers=1)
    assert not np.isin(column(other, "HT"), column(events, "HT")).any()


@pytest.mark.slow
def test_events_do_not_depend_on_the_workers(
    events: EventTable, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hep_synthetic, "_POOL_EVENTS", 1)
    parallel = make_dataset().load(tmp_path, workers=2)
    np.testing.assert_array_equal(parallel.features, events.features)
    np.testing.assert_array_equal(parallel.weight, events.weight)


def test_more_events_begin_with_the_same(events: EventTable, make_dataset: Make, tmp_path: Path) -> None:
    more = make_dataset(n_events=900).load(tmp_path, workers=1)
    for index in range(2):
        few, many = events.features[events.process == index], more.features[more.process == index]
        assert len(many) == 3 * len(few)
        np.testing.assert_array_equal(many[: len(few)], few)


def test_weights_add_up_to_the_cross_section(events: EventTable, make_dataset: Make, cache: Path) -> None:
    dataset = make_dataset()
    assert events.weight is not None
    for name, counts in cutflow(dataset, cache).items():
        weight = events.weight[events.process == events.processes.index(name)]
        expected = dataset.processes[name].cross_section * counts["selected"] / counts["reference"]
        assert weight.sum() == pytest.approx(expected)
        assert counts["cross_section"] == pytest.approx(expected)
        assert counts["selected"] <= counts["reference"] <= counts["collisions"]
        assert 1 / counts["selected"] - 1 / counts["reference"] <= dataset.cross_section_error**2


def test_a_tighter_selection_has_a_smaller_cross_section(make_dataset: Make, tmp_path: Path, cache: Path) -> None:
    tight = make_dataset(ht=1200.0)
    tight.load(tmp_path, workers=1)
    assert (
        cutflow(tight, tmp_path)["tt1l"]["cross_section"]
        < 0.5 * cutflow(make_dataset(), cache)["tt1l"]["cross_section"]
    )


def forbidden(*_: object) -> None:
    raise AssertionError("events were generated though they are cached")


def test_cached_events_are_not_generated_again(
    events: EventTable, make_dataset: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hep_synthetic, "event_chunk", forbidden)
    monkeypatch.setattr(hep_synthetic, "calibration_chunk", forbidden)
    again = make_dataset().load(cache, workers=1)
    np.testing.assert_array_equal(again.features, events.features)
    path = cache / f"hep_synthetic-{make_dataset().checksum()}.parquet"
    assert events.checksum == sha256(path)


def test_other_parameters_are_another_file(make_dataset: Make) -> None:
    base = make_dataset()
    others = [
        make_dataset(seed=1),
        make_dataset(n_events=301),
        make_dataset(ht=901.0),
        make_dataset(keep=("signal", "wj")),
    ]
    prints = {dataset.checksum() for dataset in [base, make_dataset(), *others]}
    assert len(prints) == 1 + len(others)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".json"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_cache_is_made_again(
    kind: str,
    suffix: str,
    events: EventTable,
    make_dataset: Make,
    cache: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset = make_dataset()
    make_dataset(seed=1).load(tmp_path, workers=1)
    (other,) = tmp_path.glob(f"[!.]*{suffix}")
    path = tmp_path / f"hep_synthetic-{dataset.checksum()}.parquet"
    for file in (path, path.with_suffix(".json")):
        shutil.copy(cache / file.name, file)
    damage(path.with_suffix(suffix), kind, other)
    again = dataset.load(tmp_path, workers=1)
    (line,) = caplog.messages
    if suffix == ".json":
        assert line == say_damaged(path.with_suffix(".json"))
    else:
        assert line.startswith(f"{path} does not have the checksum")
    np.testing.assert_array_equal(again.features, events.features)
    np.testing.assert_array_equal(again.weight, events.weight)
    assert hep_cache.is_whole(path)


def test_events_without_a_record_are_made_again_and_nothing_is_said(
    events: EventTable, make_dataset: Make, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"hep_synthetic-{make_dataset().checksum()}"
    shutil.copy(cache / f"{name}.parquet", tmp_path)
    (tmp_path / f".{name}-01234567.parquet").write_bytes(b"PAR1")  # of a process that was killed
    np.testing.assert_array_equal(make_dataset().load(tmp_path, workers=1).features, events.features)
    assert caplog.messages == []
    assert visible(tmp_path) == [f"{name}.json", f"{name}.parquet"]
    assert [path.suffix for path in tmp_path.glob(".*")] == [".lock"]


def test_a_record_of_changed_values_is_not_believed(
    events: EventTable, make_dataset: Make, cache: Path, tmp_path: Path
) -> None:
    for file in cache.glob(f"hep_synthetic-{make_dataset().checksum()}.*"):
        shutil.copy(file, tmp_path)
    (path,) = tmp_path.glob("*.json")
    record = json.loads(path.read_text())
    record["cutflow"]["tt1l"]["selected"] += 1
    path.write_text(json.dumps(record))
    assert not hep_cache.is_whole(path.with_suffix(".parquet"))


def test_two_at_once_make_the_events_once(
    events: EventTable, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = HepSynthetic._make

    def noted(self: HepSynthetic, path: Path, workers: int) -> None:
        made.append(path.name)
        make(self, path, workers)

    monkeypatch.setattr(HepSynthetic, "_make", noted)
    start = threading.Barrier(2)

    def load() -> EventTable:
        start.wait()
        return make_dataset().load(tmp_path, workers=1)

    with ThreadPoolExecutor(2) as pool:
        tables = [future.result() for future in [pool.submit(load) for _ in range(2)]]
    assert len(made) == 1
    for table in tables:
        np.testing.assert_array_equal(table.features, events.features)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("[!.]*"))


def test_an_interrupted_write_leaves_nothing(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hep_synthetic, "collect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_dataset().load(tmp_path, workers=1)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_crash_between_file_and_record_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    path = tmp_path / "events.parquet"
    move = Path.replace

    def crash(self: Path, target: Path) -> Path:
        if target.suffix == ".json":
            raise KeyboardInterrupt
        return move(self, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt), hep_cache.whole_file(path) as writer:
        writer.add("signal", 0.5, rng.random((3, 87), dtype=np.float32))
    assert not hep_cache.is_whole(path)


def test_the_writer_keeps_rows_across_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(hep_cache, "_ROW_GROUP", 4)
    parts = [rng.random((count, 87), dtype=np.float32) for count in (3, 2, 5, 1)]
    path = tmp_path / "events.parquet"
    with hep_cache.whole_file(path) as writer:
        writer.record["cutflow"] = {"wj": {"selected": 2}}
        for part in parts:
            writer.add("wj", 0.25, part)
    assert pq.ParquetFile(path).num_row_groups > 1
    table = read_events(path)
    np.testing.assert_array_equal(table.features, np.concatenate(parts))
    assert hep_cache.is_whole(path)
    assert json.loads(path.with_suffix(".json").read_text())["cutflow"] == {"wj": {"selected": 2}}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"n_events": 0}, "dataset.n_events must be at least 1, got 0"),
        ({"signal_fraction": 1.0}, "dataset.signal_fraction must lie between 0 and 1, got 1"),
        ({"seed": -1}, "dataset.seed must not be negative, got -1"),
        ({"cross_section_error": 0.0}, "dataset.cross_section_error must lie between 0 and 1"),
        ({"ht": 500.0}, "dataset.selection.ht = 500 is looser than the reference selection .600."),
        (
            {"processes": {"signal": Process(1.0, 0.0, 1.0), "qcd": Process(1.0, 0.0, 1.0)}},
            "unknown process 'qcd', known",
        ),
        (
            {"processes": {"signal": Process(1.0, 0.0, 1.0)}},
            "shares of the background processes must add up to 1, got 0",
        ),
        ({"processes": {"wj": Process(1.0, 0.0, 1.0)}}, "shares of the signal processes must add up to 1, got 0"),
    ],
)
def test_impossible_values_end_in_one_line(overrides: dict[str, object], message: str, make_dataset: Make) -> None:
    with pytest.raises(UserError, match=message) as error:
        make_dataset(**overrides)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, 0.0, 1.0), "cross_section must be positive"),
        ((1.0, -1.0, 1.0), "pt_hat_min must not be negative"),
        ((1.0, 0.0, 1.5), "share must lie between 0 and 1"),
    ],
)
def test_impossible_processes(values: tuple[float, float, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Process(*values)


@pytest.mark.parametrize("count", [1, 7, 1000, 12_345])
def test_events_are_shared_out_exactly(count: int, make_dataset: Make) -> None:
    dataset = make_dataset(keep=tuple(CHAINS), n_events=count)
    shared = dataset.events_of()
    assert sum(shared.values()) == count
    assert shared.get("signal", 0) == round(count / 2)
