"""The dataset: what it refuses, how it shares out events, and what its events look like."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import register
from igbaselines.running.targets import instantiate
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.data.pythia.dataset import HepPythia, PythiaShare
from igbaselines.studies.hep.data.pythia.processes import PYTHIA_PROCESSES
from tests.studies.hep.data.pythia.pythia_settings import (
    BEAM,
    DETECTOR,
    LOOSE,
    SELECTION,
    SETTINGS,
    needs_pythia,
    small_dataset,
)

SIGNAL, BACKGROUND = PythiaShare(1.0, [0.0], [1.0]), PythiaShare(1.0, [300.0], [1.0])


def share_of(name: str) -> PythiaShare:
    """The share of a process in the YAML file, where numbers may be whole."""
    values = SETTINGS["processes"][name]
    return PythiaShare(values["share"], [float(edge) for edge in values["pt_hat"]], values["pt_hat_shares"])


def column(table: EventTable, name: str) -> np.ndarray:
    return table.features[:, table.feature_names.index(name)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def events(cache: Path) -> EventTable:
    return small_dataset(shard_events=12).load(cache, workers=1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"n_events": 0}, "dataset.n_events must be at least 1, got 0"),
        ({"shard_events": 0}, "dataset.shard_events must be at least 1, got 0"),
        ({"signal_fraction": 1.0}, "dataset.signal_fraction must lie between 0 and 1, got 1"),
        ({"seed": -1}, "dataset.seed must not be negative, got -1"),
        ({"processes": {"signal": SIGNAL, "qcd": BACKGROUND}}, "unknown process 'qcd', known are signal, tt1l, wj"),
        ({"processes": {"signal": SIGNAL}}, "shares of the background processes must add up to 1, got 0"),
        ({"processes": {"tt1l": BACKGROUND}}, "shares of the signal processes must add up to 1, got 0"),
        (
            {"processes": {"signal": SIGNAL, "tt1l": BACKGROUND, "wj": BACKGROUND}},
            "shares of the background processes must add up to 1, got 2",
        ),
    ],
)
def test_impossible_values_end_in_one_line(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        small_dataset(**overrides)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, [0.0], [1.0]), "share must lie between 0 and 1, got 0"),
        ((1.2, [0.0], [1.0]), "share must lie between 0 and 1, got 1.2"),
        ((1.0, [], []), "pt_hat needs ascending edges"),
        ((1.0, [-1.0], [1.0]), "pt_hat needs ascending edges"),
        ((1.0, [200.0, 100.0], [0.5, 0.5]), "pt_hat needs ascending edges"),
        ((1.0, [100.0, 100.0], [0.5, 0.5]), "pt_hat needs ascending edges"),
        ((1.0, [100.0, 200.0], [1.0]), "needs a positive share for each of 2 ranges"),
        ((1.0, [100.0, 200.0], [1.0, 0.0]), "needs a positive share for each of 2 ranges"),
        ((1.0, [100.0, 200.0], [0.5, 0.6]), "pt_hat_shares must add up to 1, got 1.1"),
    ],
)
def test_impossible_shares(values: tuple[float, list[float], list[float]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PythiaShare(*values)


def test_ranges_follow_upon_each_other() -> None:
    assert PythiaShare(1.0, [0.0, 150.0, 300.0], [0.2, 0.3, 0.5]).ranges() == [
        (0.0, 150.0),
        (150.0, 300.0),
        (300.0, float("inf")),
    ]


def test_the_configuration_file_makes_the_dataset() -> None:
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        config = compose("config", ["experiment=hep_baselines", "dataset=hep_pythia", "dataset.n_events=1000"])
    dataset = instantiate(config.dataset)
    assert isinstance(dataset, HepPythia)
    assert dataset.n_events == 1000
    assert (dataset.beam, dataset.detector, dataset.selection) == (BEAM, DETECTOR, SELECTION)
    assert list(dataset.processes) == list(PYTHIA_PROCESSES)
    assert dataset.recipes()[0].process == "signal"


@pytest.mark.parametrize("count", [20, 333, 12_345])
@pytest.mark.parametrize("shard_events", [7, 200])
def test_shards_share_out_the_events(count: int, shard_events: int) -> None:
    processes = {name: share_of(name) for name in PYTHIA_PROCESSES}
    dataset = small_dataset(n_events=count, shard_events=shard_events, processes=processes)
    recipes = dataset.recipes()
    assert len({recipe.path(Path()) for recipe in recipes}) == len({recipe.random_key() for recipe in recipes})
    for name, expected in dataset.events_of().items():
        share = processes[name]
        for place, part in enumerate(share.pt_hat_shares):
            events = [recipe.events for recipe in recipes if (recipe.process, recipe.place) == (name, place)]
            assert sum(events) == max(1, round(expected * part))
            assert all(size == shard_events for size in events[:-1])
            assert 0 < events[-1] <= shard_events
    if count > 1000:
        assert sum(recipe.events for recipe in recipes) == pytest.approx(count, abs=len(recipes))


def test_other_parameters_are_another_folder() -> None:
    """What only chooses among shards shares the folder: it does not cost the shards that are there."""
    base = small_dataset()
    same = [
        small_dataset(n_events=1000, signal_fraction=0.1, shard_events=3),
        small_dataset(processes={"signal": SIGNAL, "wj": BACKGROUND}),
    ]
    others = [
        small_dataset(seed=1),
        small_dataset(selection=SELECTION),
        small_dataset(beam=replace(BEAM, prescale=0.3)),
        small_dataset(detector=replace(DETECTOR, jet_radius=0.5)),
    ]
    assert {dataset.folder(Path()) for dataset in same} == {base.folder(Path())}
    assert len({dataset.folder(Path()) for dataset in [base, *others]}) == 1 + len(others)


def test_the_fingerprint_of_a_shard_is_of_all_that_its_events_depend_on() -> None:
    base = small_dataset().recipes()[0]
    assert replace(base).fingerprint() == base.fingerprint()
    others = {
        "process": "wj",
        "pt_hat": (0.0, 100.0),
        "place": 1,
        "number": 1,
        "events": 5,
        "beam": replace(BEAM, mpi=True),
        "detector": replace(DETECTOR, tag_light=0.02),
        "selection": SELECTION,
        "seed": 1,
    }
    assert set(others) == {field.name for field in fields(base)}
    changed: list[dict[str, Any]] = [{name: value} for name, value in others.items()]
    prints = {base.fingerprint(), *(replace(base, **change).fingerprint() for change in changed)}
    assert len(prints) == 1 + len(others)


@needs_pythia
def test_events_are_what_was_asked_for(events: EventTable) -> None:
    assert events.feature_names == FEATURE_NAMES
    assert events.processes == ("signal", "tt1l")
    assert events.features.dtype == np.float32
    assert np.isfinite(events.features).all()
    assert events.weight is not None
    assert (events.weight > 0).all()
    np.testing.assert_array_equal(events.is_signal, events.process == 0)
    assert min(events.is_signal.sum(), (~events.is_signal).sum()) >= 12
    assert events.cross_section_error is not None
    assert set(events.cross_section_error) == {"signal", "tt1l"}
    assert all(0 < error < 0.3 for error in events.cross_section_error.values())


@needs_pythia
def test_the_selection_holds_in_the_output(events: EventTable) -> None:
    names = {"ht": "HT", "lepton_pt": "pT_l", "fat_jet_pt": "pT_J", "met": "MET"}
    for cut, name in names.items():
        assert column(events, name).min() >= np.float32(getattr(LOOSE, cut))
    assert column(events, "pT_j3").min() > DETECTOR.jet_pt
    assert (column(events, "pT_j1") >= column(events, "pT_b")).all()


@needs_pythia
def test_signal_is_as_heavy_as_it_should_be(events: EventTable) -> None:
    """A trial of 25,600 events had a mean HT of 2125 GeV in the signal."""
    signal = events.is_signal
    assert column(events, "HT")[signal].mean() == pytest.approx(2125, rel=0.2)
    assert column(events, "HT")[~signal].mean() < 1500
    assert column(events, "m_J")[signal].mean() > column(events, "m_J")[~signal].mean()


@needs_pythia
@pytest.mark.slow
def test_another_seed_gives_other_events(events: EventTable, tmp_path: Path) -> None:
    other = small_dataset(seed=1, shard_events=12).load(tmp_path, workers=1)
    assert not np.isin(column(other, "HT"), column(events, "HT")).any()


@needs_pythia
@pytest.mark.slow
def test_a_signal_and_three_backgrounds_from_nothing(tmp_path: Path) -> None:
    """2,000 signal and 500 events of each of three backgrounds at the dataset's own selection."""
    processes = {"signal": share_of("signal")}
    processes |= {name: PythiaShare(1 / 3, [450.0], [1.0]) for name in ("tt1l", "wj", "wh")}
    dataset = small_dataset(
        n_events=3500, signal_fraction=2000 / 3500, shard_events=200, selection=SELECTION, processes=processes
    )
    table = dataset.load(tmp_path, workers=2)
    counts = dict(zip(table.processes, np.bincount(table.process), strict=True))
    assert counts["signal"] >= 2000
    assert all(counts[name] >= 500 for name in ("tt1l", "wj", "wh"))
    assert len(np.unique(table.features, axis=0)) == len(table)
    table.require(200)
    assert table.cross_section_error is not None
    assert max(table.cross_section_error.values()) < 0.1
    fraction = np.mean([column(table, f"dR_{jet}_b") == 0 for jet in ("j1", "j2", "j3")], axis=1).sum()
    assert 0.8 < fraction <= 1.01
