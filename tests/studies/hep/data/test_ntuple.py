"""An analyst's ntuples: what is read against what was written, and one line with a key for what cannot be."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from igbaselines.common.errors import UserError
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.data.ntuple.dataset import HepNtuple
from igbaselines.studies.hep.data.ntuple.settings import NtupleProcess
from igbaselines.studies.hep.data.table import HepTable
from tests.analyst import LUMINOSITY, PROCESSES, branches, write_root


@pytest.fixture(scope="module")
def events(folder: Path) -> EventTable:
    return load(ntuple(folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ntuples")
    write_root(folder, scale=0.05)
    return folder


def processes(suffix: str = "root") -> dict[str, NtupleProcess]:
    return {
        name: NtupleProcess([f"{name}*.{suffix}"], name == "signal", cross_section=cross_section)
        for name, (_, cross_section, *_) in PROCESSES.items()
    }


def ntuple(folder: Path, **more: Any) -> HepNtuple:
    known: dict[str, Any] = {
        "processes": processes(),
        "weight": "mc_weight",
        "jagged": {"jet_*": 2},
        "categories": ["lep_type"],
        "missing": "impute",
        "exclude": ["njet_*"],  # what uproot writes beside lists
    }
    return HepNtuple(str(folder), **(known | more))


def load(dataset: HepNtuple) -> EventTable:
    return dataset.load(Path("unused"), workers=1)


def column(events: EventTable, name: str) -> np.ndarray:
    return events.features[:, events.feature_names.index(name)]


def of_process(events: EventTable, values: np.ndarray, name: str) -> np.ndarray:
    return np.asarray(values[events.process == events.processes.index(name)])


def test_features_are_those_that_were_written(events: EventTable) -> None:
    written = branches("ttbar", 300, 0)
    assert events.processes == tuple(PROCESSES)
    assert events.is_signal.tolist() == (events.process == 3).tolist()
    for name in ("meff", "met", "lep_eta", "n_vertices", "is_tight", "dphi"):
        np.testing.assert_allclose(of_process(events, column(events, name), "ttbar"), written[name], rtol=1e-6)
    expected = {"lep_type_11", "lep_type_13", "tau_score_missing", "jet_pt_1", "jet_btag_2", "jet_2_missing"}
    assert expected <= set(events.feature_names)
    np.testing.assert_array_equal(of_process(events, column(events, "lep_type_13"), "ttbar"), written["lep_type"] == 13)


def test_the_columns_of_a_category_are_one_player(events: EventTable) -> None:
    assert events.players.count("lep_type") == 1
    assert len(events.players) == len(events.feature_names) - 1
    some = events.of_features(["met", "lep_type_13", "meff", "lep_type_11"])
    assert some.players == ("met", "lep_type", "meff")
    assert some.player_of.tolist() == [0, 1, 2, 1]


def test_lists_become_slots_with_one_mask(events: EventTable) -> None:
    written = branches("wjets", 250, 0)
    jets = ak.num(written["jet_pt"])
    second = of_process(events, column(events, "jet_pt_2"), "wjets")
    there = np.asarray(jets > 1)
    np.testing.assert_array_equal(of_process(events, column(events, "jet_2_missing"), "wjets"), ~there)
    np.testing.assert_allclose(second[there], ak.to_numpy(written["jet_pt"][there][:, 1]))
    assert len(np.unique(second[~there])) == 1, "what is not there is the mean"
    assert sum(name.endswith("_missing") for name in events.feature_names) == 2, "jets have one mask, the tau another"


def test_yields_are_those_of_numpy(folder: Path) -> None:
    """Cross-section times what the selection keeps of the generator's weight, negative events among them."""
    events = load(ntuple(folder, select="met > 100000"))
    assert events.weight is not None
    for name, (count, cross_section, *_) in PROCESSES.items():
        written = branches(name, round(count * 0.05), 0)
        weight = written["mc_weight"]
        kept = weight[written["met"] > 100_000]
        expected = LUMINOSITY * cross_section * kept.sum() / weight.sum()
        of = of_process(events, events.weight, name)
        assert LUMINOSITY * of.sum() == pytest.approx(expected, rel=1e-9)
        assert (of < 0).sum() == (kept < 0).sum()


def test_sums_of_weights_and_luminosities_are_the_users(folder: Path) -> None:
    own = processes()
    own["ttbar"] = replace(own["ttbar"], sum_of_weights=1e6)
    own["signal"] = NtupleProcess(["signal.root"], True, luminosity=LUMINOSITY)
    events = load(ntuple(folder, processes=own))
    assert events.weight is not None
    ttbar, signal = branches("ttbar", 300, 0)["mc_weight"], branches("signal", 300, 0)["mc_weight"]
    assert of_process(events, events.weight, "ttbar").sum() == pytest.approx(450 * ttbar.sum() / 1e6)
    assert of_process(events, events.weight, "signal").sum() == pytest.approx(signal.sum() / LUMINOSITY)


def test_numbers_of_events_and_weights_are_never_features(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        events = load(ntuple(folder))
    assert not {"eventNumber", "runNumber", "mc_weight"} & set(events.feature_names)
    assert "never features: mc_weight, eventNumber, runNumber (dataset.never)" in caplog.text


def test_all_kinds_of_files_say_the_same(events: EventTable, folder: Path, tmp_path: Path) -> None:
    import uproot

    for name, (count, *_) in PROCESSES.items():
        written = branches(name, round(count * 0.05), 0)
        pq.write_table(
            pa.table({k: v if isinstance(v, np.ndarray) else ak.to_arrow(v) for k, v in written.items()}),
            tmp_path / f"{name}.parquet",
        )
        flat = {name: values for name, values in written.items() if isinstance(values, np.ndarray)}
        pd.DataFrame(flat).to_csv(tmp_path / f"{name}.csv", index=False)
        with uproot.recreate(tmp_path / f"{name}.root") as file:
            file.mkrntuple("events", written)
    for suffix in ("parquet", "root"):
        other = load(ntuple(tmp_path, processes=processes(suffix)))
        assert set(other.feature_names) == set(events.feature_names)  # in the order of the file, as in ROOT's
        other = other.of_features(events.feature_names)
        np.testing.assert_array_equal(other.features, events.features)
        np.testing.assert_array_equal(other.weight, events.weight)
    flat_events = load(ntuple(folder, exclude=["*jet_*"], jagged={}))
    other = load(ntuple(tmp_path, processes=processes("csv"), jagged={}))
    assert other.feature_names == flat_events.feature_names
    np.testing.assert_allclose(other.features, flat_events.features, rtol=1e-6)


def test_derived_columns_are_those_of_numpy(folder: Path) -> None:
    derived = {"ratio": "met / meff", "ht": "sum(jet_pt)", "jets": "count(jet_pt)", "hard": "where(met > 1e5, 1, 0)"}
    events, written = load(ntuple(folder, derived=derived)), branches("signal", 300, 0)
    expected = {
        "ratio": written["met"] / written["meff"],
        "ht": ak.to_numpy(ak.sum(written["jet_pt"], axis=1)),
        "jets": ak.to_numpy(ak.num(written["jet_pt"])),
        "hard": written["met"] > 1e5,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(of_process(events, column(events, name), "signal"), values, rtol=1e-5)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "met.__class__",
        "open('/etc/passwd')",
        "(lambda: 1)()",
        "[met][0]",
        "met; met",
        "exec('1')",
        "sum(met * 2)",  # numexpr's is over all events
        "sum(met)",
        "prod(met)",
        "0 < met < 1",
        "met > 1 and met < 2",
    ],
)
def test_an_expression_runs_no_python(expression: str, folder: Path) -> None:
    with pytest.raises(UserError, match=r"^dataset\.derived\.x="):
        load(ntuple(folder, derived={"x": expression}))


def test_what_is_missing_is_refused_imputed_or_dropped(events: EventTable, folder: Path) -> None:
    with pytest.raises(
        UserError, match=r"tau_score \(\d+\.\d%\): dataset.missing=impute .* dataset.missing=drop_event"
    ):
        load(ntuple(folder, missing="refuse"))
    written = {name: branches(name, round(count * 0.05), 0) for name, (count, *_) in PROCESSES.items()}
    score = np.concatenate([one["tau_score"] for one in written.values()])
    there = score != -999
    np.testing.assert_allclose(column(events, "tau_score"), np.where(there, score, score[there].mean(dtype=float)))
    np.testing.assert_array_equal(column(events, "tau_score_missing"), ~there)
    dropped = load(ntuple(folder, missing="drop_event"))
    np.testing.assert_allclose(column(dropped, "tau_score"), score[there])
    assert "jet_2_missing" in dropped.feature_names, "a short list is no flaw of an event"
    assert "tau_score_missing" not in dropped.feature_names


def test_a_value_that_repeats_is_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(ntuple(folder, sentinels=[]))
    assert "branch 'tau_score' is -999 in 3" in caplog.text
    assert caplog.text.count("far more often") == 1


@pytest.mark.parametrize("policy", ["absolute", "drop", "pairwise"])
def test_negative_weights_train_by_policy(policy: str, folder: Path) -> None:
    events = load(ntuple(folder, negative_weights=policy))
    assert events.weight is not None
    assert events.training_weight is not None
    assert (events.training_weight >= 0).all()
    for name in PROCESSES:
        weight, trained = (of_process(events, of, name) for of in (events.weight, events.training_weight))
        assert trained.mean() == pytest.approx(1)
        if policy == "absolute":
            np.testing.assert_allclose(trained, np.abs(weight) / np.abs(weight).mean())
        else:
            assert (trained[weight < 0] == 0).all()
        if policy == "pairwise":  # nothing is lost: each positive weight is at most what it was
            scaled = trained * weight.sum() / len(weight)
            assert (scaled <= np.maximum(weight, 0) + 1e-9).all()
            assert scaled.sum() == pytest.approx(weight.sum())


def test_one_set_of_files_can_hold_all_processes(folder: Path, tmp_path: Path) -> None:
    """With the branches that say which is which it is what `hep_table` reads."""
    written = {name: branches(name, 100, 0) for name in PROCESSES}
    table = pd.concat(
        pd.DataFrame(
            {
                "process": name,
                "label": int(name == "signal"),
                "weight": one["mc_weight"].clip(0),
                "a": one["meff"],
                "b": one["dphi"],
            }
        )
        for name, one in written.items()
    )
    table.to_parquet(tmp_path / "all.parquet", index=False)
    own = load(HepNtuple(str(tmp_path), files=["*.parquet"], process="process", label="label", weight="weight"))
    simple = HepTable(str(tmp_path / "all.parquet")).load(tmp_path, 1)
    np.testing.assert_array_equal(own.features, simple.features)
    assert (own.feature_names, own.processes) == (simple.feature_names, simple.processes)
    np.testing.assert_array_equal(own.weight, simple.weight)
    np.testing.assert_array_equal(own.is_signal, simple.is_signal)
    several = HepNtuple(
        str(tmp_path),
        {"ttbar": NtupleProcess(), "new": NtupleProcess(select="meff > 0", files=["*.parquet"], signal=True)},
        files=["*.parquet"],
        process="process",
    )
    with pytest.raises(UserError, match="meff is no branch"):
        load(several)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"jagged": {}},
            r"branch jet_pt has a list an event \(3 such branches\): \+dataset.jagged.jet_pt=3 takes .*dataset.exclude",
        ),
        ({"categories": []}, None),
        ({"categories": ["nothing"]}, "no branch that is a feature is called 'nothing'"),
        ({"categories": ["lep_type", "dphi"]}, r"dataset.categories: branch 'dphi' has \d+ values"),
        ({"tree": "other"}, "dataset.tree=other is not there"),
        ({"select": "met"}, "dataset.select=met is a number: a condition is needed"),
        ({"select": "met > 1e9"}, "process 'ttbar' is empty: none of its 300 events is left; see dataset.select"),
        ({"weight": "mc_wait"}, "dataset.weight=mc_wait: mc_wait is no branch"),
        ({"derived": {"x": "jet_pt / 2"}}, r"jet_pt is a list an event: jet_pt_1, sum\(jet_pt\)"),
        ({"derived": {"met": "meff"}}, "dataset.derived.met: there is a branch of this name"),
        ({"include": ["runNumber"], "jagged": {}, "categories": []}, "no feature"),
    ],
)
def test_each_refusal_names_its_key(changes: dict[str, Any], line: str | None, folder: Path) -> None:
    if line is None:
        assert "lep_type" in load(ntuple(folder, **changes)).feature_names
        return
    with pytest.raises(UserError, match=line) as refused:
        load(ntuple(folder, **changes))
    assert "\n" not in str(refused.value)


def test_files_that_are_not_there_are_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"dataset.processes.zjets.files: there is no file .*zjets.root"):
        load(ntuple(folder, processes={"zjets": NtupleProcess(["zjets.root"])}))
    with pytest.raises(UserError, match=r"dataset.processes names no process"):
        HepNtuple()
    with pytest.raises(UserError, match=r"scaled to a luminosity or by a cross_section"):
        HepNtuple(processes={"a": NtupleProcess(["a.root"], cross_section=1.0, luminosity=1.0)})


@pytest.mark.parametrize(
    ("process", "line"),
    [
        ({"fils": ["a.root"]}, "unknown key dataset.processes.a.fils: a process has files, signal, select"),
        (["a.root"], "dataset.processes.a must be a table"),
        ({"files": ["a.root"], "cross_section": -1.0}, "dataset.processes.a.cross_section must be positive"),
        ({"files": ["a.root"], "signal": "yes"}, "dataset.processes.a.signal must be true or false"),
    ],
)
def test_a_process_of_a_configuration_is_checked(process: Any, line: str) -> None:
    with pytest.raises(UserError, match=line):
        HepNtuple(processes={"a": process})
    assert HepNtuple(processes={"a": {"files": ["a.root"]}}).processes["a"] == NtupleProcess(["a.root"])
