"""2412.13864 end to end at smoke scale: what comes out, and that it comes out again."""

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from igbaselines.common.tensors import load_tensors
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import DNN
from tests.commands import Command

ROOT = Path(__file__).parents[4]
BASELINES = ["zero_physical", "zero_standardised", "background", "background_weighted"]


@pytest.fixture(scope="session")
def rows(smoke: Path) -> pd.DataFrame:
    return pd.read_parquet(smoke / "rows.parquet")


def values(rows: pd.DataFrame, metric: str, **columns: object) -> pd.DataFrame:
    chosen = rows[rows["metric"] == metric]
    for column, value in columns.items():
        chosen = chosen[chosen[column] == value]
    return chosen


def test_the_folder_holds_what_the_contract_lists(smoke: Path) -> None:
    files = {"config.yaml", "rows.parquet", "claims.json", "provenance.json", "run.log", "status.json"}
    assert files <= {path.name for path in smoke.iterdir()}
    assert json.loads((smoke / "status.json").read_text())["state"] == "complete"
    assert {path.suffix for path in (smoke / "tables").iterdir()} == {".csv", ".md", ".tex"}
    figures = {path.name for path in (smoke / "figures").iterdir()}
    assert figures == {f"figure_{n}.{s}" for n in ("1", "2a", "2b", "3", "4", "5") for s in ("png", "pdf", "svg")}
    config = yaml.safe_load((smoke / "config.yaml").read_text())
    assert (config["experiment"], config["scale"], config["dataset"]["n_events"]) == ("hep_baselines", "smoke", 6000)
    fields = ["id", "paper", "source", "statement", "paper_value", "value", "ci_low", "ci_high", "n", "p_value"]
    fields += ["test", "verdict", "note"]
    claims = json.loads((smoke / "claims.json").read_text())
    assert len(claims) > 20
    assert all(list(claim) == fields for claim in claims)


def test_premises_of_the_paper_are_measured(rows: pd.DataFrame) -> None:
    """One answer is known: physical zero has no momentum at all, and every event has some."""
    outside = values(rows, "share_nearer").groupby("method")["value"]
    assert set(outside.groups) == {"zero_physical", "zero_standardised"}
    assert outside.min()["zero_physical"] > 0.9 > outside.max()["zero_standardised"]
    beyond = values(rows, "features_out_of_range").groupby("method")["value"]
    assert beyond.min()["zero_physical"] >= 1  # H_T, which events are selected by
    assert beyond.max()["zero_standardised"] == 0  # a mean lies between
    higher = values(rows, "higher_in_signal").set_index(["unit", "feature"])["value"]
    best = values(rows, "feature_auc").set_index(["unit", "feature"])["value"]
    folded = 0.5 + (higher - 0.5).abs()
    assert np.allclose(folded.sort_index(), best.sort_index())  # whichever way: the better one
    agreement = values(rows, "draw_agreement").pivot(index="unit", columns="variant", values="value")
    assert (agreement["1"] < agreement["20"]).all()
    assert (agreement["20"] < agreement["200"]).all()
    raised = values(rows, "raised_attribution")
    assert raised.groupby("unit")["feature"].nunique().tolist() == [87, 87]
    assert (raised.loc[raised["feature"] == "HT", "value"] < 0).all()


def test_rows_hold_every_curve(rows: pd.DataFrame) -> None:
    methods = [
        *BASELINES,
        "single_feature_auc",
        "permutation_importance",
        "random_0",
        "background_absolute",
        "background_magnitude",
    ]
    for metric in ("accuracy", "balanced_accuracy", "roc_auc"):
        curves = values(rows, metric)
        assert set(curves["method"]) == set(methods)
        assert set(curves["k"]) == {1, 2, 5, 87}
        assert len(curves) == len(methods) * 4 * 2
        assert curves["value"].between(0, 1).all()
    pooled = values(rows, "significance", unit="pooled")
    assert len(pooled) == len(methods) * 4
    assert values(rows, "significance", unit="bootstrap_019")["method"].nunique() == len(methods)


def test_every_ranking_ranks_every_feature_once(rows: pd.DataFrame) -> None:
    ranks = values(rows, "rank")
    for (_, _), of_network in ranks.groupby(["method", "unit"]):
        assert sorted(of_network["value"]) == list(range(1, 88))
    for method in BASELINES:
        for unit in ("network_0", "network_1"):
            attribution = values(rows, "attribution", method=method, unit=unit).set_index("feature")["value"]
            place = values(rows, "rank", method=method, unit=unit).set_index("feature")["value"]
            assert place.sort_values().index.tolist() == attribution.sort_values(ascending=False).index.tolist()


def test_controls_are_other_orders_of_the_same_numbers(rows: pd.DataFrame) -> None:
    """Each feature's AUC orders its own ranking; B_bg's attributions order two more."""
    signed = values(rows, "attribution", method="background")
    of_orders = {
        "single_feature_auc": values(rows, "feature_auc"),
        "background_absolute": signed.assign(value=signed["value"].abs()),
        "background_magnitude": values(rows, "attribution_magnitude", method="background"),
    }
    for method, found in of_orders.items():
        for unit in ("network_0", "network_1"):
            worth = found[found["unit"] == unit].set_index("feature")["value"]
            place = values(rows, "rank", method=method, unit=unit).set_index("feature")["value"]
            assert len(worth) == 87
            assert worth[place.sort_values().index].is_monotonic_decreasing
    assert values(rows, "feature_auc")["value"].between(0.5, 1).all()


def test_all_features_give_every_method_the_same_network(rows: pd.DataFrame) -> None:
    accuracy = values(rows, "accuracy", k=87)
    assert (accuracy.groupby("unit")["value"].nunique() == 1).all()


def test_attributions_are_complete(rows: pd.DataFrame) -> None:
    # relative to |f(x) - f(x')|, which a background event like the signal brings near zero: hence not the maximum
    assert (values(rows, "completeness_gap_q95")["value"] < 1e-3).all()


def test_attributions_add_up_to_the_change_of_the_logit(smoke: Path, rows: pd.DataFrame) -> None:
    """Completeness from outside: the saved network, the sample's events, and the sum of the attribution's rows."""
    import torch

    events = pd.read_parquet(ROOT / "data" / "hep_pythia_sample.parquet")
    features = [name for name in events if name not in ("process", "label", "weight")]
    state = load_tensors(smoke / "networks" / "network_0.safetensors")
    assert state is not None
    network = DNN(Standardise(torch.zeros(87), torch.ones(87)), [128, 128], 0.2)
    network.load_state_dict(state)
    with torch.no_grad():
        logit = network.eval()(torch.tensor(events[features].to_numpy(np.float32)))
        blank = network(torch.zeros(1, 87))
    total = values(rows, "attribution", method="zero_physical", unit="network_0")["value"].sum()
    per_event = logit[torch.tensor(events["label"].to_numpy() == 1)] - blank
    # 100 of the signal events were explained: their mean lies within five standard errors of all
    assert abs(total - per_event.mean().item()) < 5 * per_event.std().item() / 10


def test_cross_sections_and_events_are_counted(rows: pd.DataFrame) -> None:
    assert values(rows, "selected_events")["value"].sum() == 6000
    record = json.loads((ROOT / "data" / "hep_pythia_sample.json").read_text())
    for process, ranges in record["processes"].items():
        total = sum(of_range["cross_section_fb"] for of_range in ranges)
        assert values(rows, "cross_section", process=process)["value"].item() == pytest.approx(total)
    assert values(rows, "selected_events")["process"].nunique() == 11


def test_the_second_call_finds_the_run_complete(
    smoke: Path, smoke_command: Callable[..., "CompletedProcess[str]"]
) -> None:
    written = (smoke / "rows.parquet").stat().st_mtime_ns
    start = time.monotonic()
    result = smoke_command("experiment=hep_baselines", "scale=smoke", "max_batch=64", "workers=1")
    assert result.returncode == 0
    assert "complete already" in result.stderr
    assert time.monotonic() - start < 20
    assert (smoke / "rows.parquet").stat().st_mtime_ns == written


MIXED = ("experiment=hep_baselines", "scale=smoke", "evaluation.networks=3", "evaluation.retrained_networks=2")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """Three networks that rank features, of which two are retrained: those of the smoke run."""
    command = Command(tmp_path_factory.mktemp("mixed"), data_root)
    result = command(*MIXED)
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    return folder


def test_one_network_more_ranks_features_and_changes_no_other_row(mixed: Path, rows: pd.DataFrame) -> None:
    found = pd.read_parquet(mixed / "rows.parquet")
    another = found["unit"] == "network_2"
    pd.testing.assert_frame_equal(found[~another].reset_index(drop=True), rows, check_exact=True)
    measured = {"rank", "attribution", "feature_auc", "share_nearer", "draw_agreement", "network_loss"}
    assert measured <= set(found.loc[another, "metric"])
    assert found.loc[another, "k"].isna().all()


def test_claims_and_figures_of_mixed_networks_say_how_many_they_are_of(mixed: Path) -> None:
    claims = {claim["id"].partition("/")[2]: claim for claim in json.loads((mixed / "claims.json").read_text())}
    assert claims["ranked_higher/MET/background/zero_physical"]["n"] == 3
    assert claims["averaged_beats_blank/accuracy/background/zero_physical"]["n"] == 2
    pooled = pd.read_csv(mixed / "tables" / "curves.csv")
    assert set(pooled["networks"]) == {2}
    captions = {}
    for name in ("1", "2a", "2b"):
        with Image.open(mixed / "figures" / f"figure_{name}.png") as image:
            captions[name] = image.info["Description"]
    assert "the mean over 3 networks" in captions["1"]
    assert "mean over 2 networks with its" in captions["2a"]
    assert "pooled over 2 networks with" in captions["2b"]


@pytest.mark.slow
def test_shards_of_mixed_networks_give_the_rows_of_the_whole_run(command: Command, mixed: Path) -> None:
    result = command(*MIXED, "shard.count=2", "hydra/launcher=serial")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    shared, alone = (pd.read_parquet(path / "rows.parquet") for path in (folder, mixed))
    pd.testing.assert_frame_equal(shared, alone, check_exact=True)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_rows(command: Command, rows: pd.DataFrame) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed of the moments: {seed}")
    moments = random.Random(seed)
    killed = 0
    for _ in range(3):
        process = command.start("experiment=hep_baselines", "scale=smoke")
        time.sleep(moments.uniform(2, 9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        assert all(json.loads((run / "status.json").read_text())["state"] == "complete" for run in command.runs())
    assert killed > 0
    result = command("experiment=hep_baselines", "scale=smoke")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "rows.parquet"), rows, check_exact=True)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.slow
def test_ones_own_table_without_weights_and_with_other_features(command: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = np.repeat([1, 0, 0], 1000)
    table = pd.DataFrame({f"feature {i}": rng.normal(label * (i == 2), 1 + i) for i in range(6)})
    table["process"], table["label"] = np.repeat(["new", "old", "older"], 1000), label
    table.to_parquet(tmp_path / "mine.parquet")
    result = command(
        "experiment=hep_baselines",
        "scale=smoke",
        "dataset=hep_table",
        f"dataset.path={tmp_path / 'mine.parquet'}",
        "evaluation.top_k=[1,2,all]",
        "attribution.output=probability",
        "attribution.ranking=magnitude",
    )
    assert result.returncode == 0, result.stderr
    assert "no weights" in result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    best = values(rows, "rank", method="background", feature="feature 2")["value"]
    assert (best == 1).all()
    assert "significance" not in set(rows["metric"])
    verdicts = {claim["id"]: claim["verdict"] for claim in json.loads((folder / "claims.json").read_text())}
    assert verdicts["2412.13864/weighted_beats_unweighted/significance"] == "not tested"


@pytest.mark.slow
def test_all_features_alone_need_no_retraining(command: Command, smoke: Path) -> None:
    result = command("experiment=hep_baselines", "scale=smoke", "evaluation.top_k=[all]")
    assert result.returncode == 0, result.stderr
    assert "retrained" not in result.stderr
    (folder,) = command.runs()
    assert set(values(pd.read_parquet(folder / "rows.parquet"), "accuracy")["k"]) == {87}


@pytest.mark.slow
def test_a_run_without_fast_paths_measures_the_same(smoke: Path, command: Command) -> None:
    result = command("experiment=hep_baselines", "scale=smoke", "fast_paths=false")
    assert result.returncode == 0, result.stderr
    (plain,) = command.runs()
    assert plain.name == smoke.name  # how a run is carried out does not enter its name
    fast_rows, plain_rows = (pd.read_parquet(folder / "rows.parquet") for folder in (smoke, plain))
    keys = ["method", "metric", "unit", "feature"]
    assert fast_rows[keys].equals(plain_rows[keys])
    fast, other = (rows.loc[rows["metric"].str.contains("attribution"), "value"] for rows in (fast_rows, plain_rows))
    assert len(fast) > 100
    assert (fast - other).abs().max() < 1e-4 * fast.abs().max()
    assert (fast != other).any()  # it did take the other way
