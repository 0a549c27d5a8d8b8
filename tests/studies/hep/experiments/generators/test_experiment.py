"""Two samples of events compared end to end, and pairs that cannot be compared."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from igbaselines.common.errors import UserError
from igbaselines.common.files import sha256
from igbaselines.running.run_folder import data_changed
from igbaselines.running.targets import instantiate
from igbaselines.studies.hep.data.events import EventTable
from igbaselines.studies.hep.data.features import FEATURE_NAMES
from igbaselines.studies.hep.experiments.generators.samples import one_process, with_the_features_of
from tests.commands import Command
from tests.running.test_config import composed

PROCESSES = ("signal", "tt1l")  # the smoke run compares the first
EVENTS = 300
DATASETS = ("dataset=hep_table", "dataset@evaluation.reference=hep_table")


def events(seed: int, tau_shift: float = 0.0) -> pd.DataFrame:
    """Features that share a common part, so that all of them are correlated."""
    rng = np.random.default_rng(seed)
    n = EVENTS * len(PROCESSES)
    features = 0.5 * rng.normal(size=(n, 1)) + rng.normal(size=(n, len(FEATURE_NAMES)))
    features += tau_shift * np.array([name.startswith("tau") for name in FEATURE_NAMES])
    table = pd.DataFrame(features.astype(np.float32), columns=list(FEATURE_NAMES))
    table["process"], table["label"] = np.repeat(PROCESSES, EVENTS), np.repeat([1, 0], EVENTS)
    return table.assign(weight=0.1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("samples")
    for name, table in (("sample", events(0, tau_shift=2.0)), ("reference", events(1))):
        table.to_parquet(folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in ("sample", "reference")}


@pytest.fixture(scope="module")
def arguments(files: dict[str, Path]) -> list[str]:
    paths = [f"dataset.path={files['sample']}", f"evaluation.reference.path={files['reference']}"]
    return ["experiment=hep_generators", "scale=smoke", *DATASETS, *paths]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data_root: Path, arguments: list[str]) -> Path:
    command = Command(tmp_path_factory.mktemp("hep_generators"), data_root)
    result = command(*arguments)
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "rows.parquet")


@pytest.mark.slow
def test_the_folder_holds_every_table_and_figure(folder: Path, files: dict[str, Path]) -> None:
    assert json.loads((folder / "status.json").read_text())["state"] == "complete"
    assert json.loads((folder / "claims.json").read_text()) == []
    assert folder.name.startswith("hep_table-smoke-")
    figures = {path.stem for path in (folder / "figures").iterdir()}
    shown = {"correlations", "distributions", "two_sample_auc", "worst_features"}
    assert figures == {f"figure_{name}" for name in shown}
    for path in (folder / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert "hep_table" in image.info["Description"]
    assert {path.stem for path in (folder / "tables").iterdir()} == {"distances", "processes", "two_sample_auc"}
    checksums = json.loads((folder / "provenance.json").read_text())["checksums"]
    sample, reference = sha256(files["sample"]), sha256(files["reference"])
    assert checksums["events"] == checksums["dataset"] == sample
    assert checksums["reference_events"] == checksums["reference"] == reference


@pytest.mark.slow
def test_every_process_and_feature_is_compared(rows: pd.DataFrame) -> None:
    for metric in ("distance", "mean_shift"):
        for _, found in rows[rows["metric"] == metric].groupby(["method", "process"]):
            assert set(found["feature"]) == set(FEATURE_NAMES)
            assert len(found) == len(FEATURE_NAMES)
    agreement = rows[rows["metric"] == "correlation_agreement"].set_index(["method", "process"])["value"]
    assert agreement.index.tolist() == [("sample", "signal"), ("reference_halves", "signal")]
    assert agreement.between(-1, 1).all()


def test_what_differs_is_found_and_nothing_else(rows: pd.DataFrame) -> None:
    of_sample = rows[rows["method"] == "sample"]
    shift = of_sample[of_sample["metric"] == "mean_shift"]
    is_moved = shift["feature"].str.startswith("tau")
    deviation = np.sqrt(1.25)
    assert shift.loc[is_moved, "value"].to_numpy() == pytest.approx(2 / deviation, abs=0.4)
    assert shift.loc[~is_moved, "value"].abs().max() < 0.4
    auc = rows[rows["metric"] == "two_sample_auc"].groupby(["method", "family"])["value"].mean()
    differing = {("sample", "subjettiness"), ("sample", "all")}
    for which, value in auc.items():
        assert (value > 0.85) if which in differing else abs(value - 0.5) < 0.12, (which, value)


def test_what_is_drawn_is_of_the_samples(folder: Path) -> None:
    sample, reference = events(0, tau_shift=2.0), events(1)
    with np.load(folder / "comparison.npz", allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    assert found["processes"].tolist() == ["signal"]
    for table, correlations, densities in zip(
        (sample, reference), found["correlations"], found["density"], strict=True
    ):
        signal = table.loc[table["process"] == "signal", list(FEATURE_NAMES)]
        np.testing.assert_allclose(correlations[0], signal.corr(), atol=1e-5)
        for feature, edges, density in zip(found["drawn"], found["edges"], densities[0], strict=True):
            inside = signal[feature].between(edges[0], edges[-1]).mean()
            assert (density * np.diff(edges)).sum() == pytest.approx(inside, abs=0.01)
            assert inside > 0.97
    assert dict(zip(found["feature_names"], found["family_of"], strict=True))["m_l_j1"] == "pair_and_triple_masses"


def test_a_reference_that_has_changed_makes_another_run(folder: Path, arguments: list[str], tmp_path: Path) -> None:
    config = composed(*arguments)
    settings = {name: instantiate(config[name]) for name in ("dataset", "evaluation")} | {"model": None}
    assert not data_changed(folder, settings)
    events(2).to_parquet(tmp_path / "other.parquet")
    settings["evaluation"].reference.path = str(tmp_path / "other.parquet")
    assert data_changed(folder, settings)


def small(feature_names: tuple[str, ...] = ("a", "b"), weight: np.ndarray | None = None) -> EventTable:
    process = np.repeat([0, 1], 30)
    features = np.arange(60 * len(feature_names), dtype=np.float32).reshape(60, -1)
    return EventTable(features, feature_names, process, ("s", "b"), process == 0, weight, "0")


def test_features_are_put_in_one_order() -> None:
    found = with_the_features_of(small(("a", "b")), small(("b", "a")))
    assert found.feature_names == ("a", "b")
    np.testing.assert_array_equal(found.features, small(("b", "a")).features[:, ::-1])


def test_many_features_that_differ_are_counted() -> None:
    names = tuple(f"x{i}" for i in range(8))
    with pytest.raises(UserError, match=r"only the dataset has x0, x1, x2, x3, x4 and 3 more; only .* has y$"):
        with_the_features_of(small((*names, "b")), small(("b", "y")))


def test_a_process_has_its_own_weights() -> None:
    weight = np.append(np.full(30, 5.0), np.arange(30.0))
    found = one_process(small(weight=weight), "the dataset", "b", 10)
    np.testing.assert_allclose(found.weight, np.arange(30) / np.arange(30).sum())
    np.testing.assert_array_equal(found.features, small().features[30:])


@pytest.mark.parametrize(
    ("process", "least", "words"),
    [("ww", 10, "names 'ww', which the dataset does not have: it has s, b"), ("s", 16, "30 events .* at least 32")],
)
def test_a_process_that_cannot_be_compared(process: str, least: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        one_process(small(), "the dataset", process, least)


def test_a_process_without_weight_cannot_be_compared() -> None:
    with pytest.raises(UserError, match="process 's' of the dataset: none of 30 events has a positive weight"):
        one_process(small(weight=np.repeat([0.0, 1.0], 30)), "the dataset", "s", 10)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("evaluation.folds=1", ["evaluation.folds", "at least 2"]),
        ("evaluation.bins=1", ["evaluation.bins", "at least 2"]),
        ("evaluation.classifier_events=20", ["evaluation.classifier_events", "at least 50"]),
        ("evaluation.processes=[]", ["evaluation.processes", "empty"]),
        ("evaluation.processes=[wj,wj]", ["evaluation.processes", "wj", "2 times"]),
        ("evaluation.families.scale='pT_('", ["evaluation.families.scale", "regular expression"]),
    ],
)
def test_a_setting_that_will_not_do(override: str, words: list[str]) -> None:
    config = composed("experiment=hep_generators", *DATASETS, "evaluation.reference.path=x", override)
    with pytest.raises(UserError) as error:
        instantiate(config["evaluation"])
    assert all(word in str(error.value) for word in words), error.value


def test_every_feature_of_the_paper_is_in_one_family_and_in_all() -> None:
    config = composed("experiment=hep_generators", *DATASETS, "evaluation.reference.path=x")
    families = instantiate(config["evaluation"]).members(FEATURE_NAMES)
    everything = families.pop("all")
    assert everything == sorted(place for places in families.values() for place in places) == list(range(87))
    with pytest.raises(UserError, match=r"evaluation\.families\.scale has no feature"):
        instantiate(config["evaluation"]).members(("my_own",))
