"""2505.03201 end to end at smoke scale: what comes out of real photographs, and that it comes out again."""

import json
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from igbaselines.attribution.weighting import EqualFitness, FitnessWeighting, InverseFitness, WithoutLeastFit
from igbaselines.studies.images.experiments.weighted_measures import distinct_weights, half_shares, largest_rises
from tests.commands import ROOT, Command

SMOKE = ("experiment=weighted_gradients", "scale=smoke")
METHODS = {"expected_gradients", "weighted_gradients", "filtered_weighted_gradients", "permuted_weights"}
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def rows(weighted_smoke: Path) -> pd.DataFrame:
    return pd.read_parquet(weighted_smoke / "rows.parquet")


def wide(rows: pd.DataFrame, metric: str, columns: str = "method") -> pd.DataFrame:
    """One metric: images down, methods or baselines across."""
    of_baselines = rows["method"] == "ig"
    chosen = of_baselines if columns == "baseline" else ~of_baselines
    return rows[(rows["metric"] == metric) & chosen].pivot(index="unit", columns=columns, values="value")


@pytest.mark.slow
def test_the_folder_holds_what_the_contract_lists(weighted_smoke: Path) -> None:
    files = {"config.yaml", "rows.parquet", "claims.json", "provenance.json", "run.log", "status.json"}
    assert files <= {path.name for path in weighted_smoke.iterdir()}
    tables = {path.stem for path in (weighted_smoke / "tables").glob("*.csv")}
    assert {"table_1", "table_2", "selection"} <= tables
    figures = {path.name for path in (weighted_smoke / "figures").glob("*.png")}
    assert {"figure_1_1.png", "figure_2.png"} <= figures
    for figure in figures:
        with Image.open(weighted_smoke / "figures" / figure) as picture:
            assert np.asarray(picture.convert("L")).std() > 5  # something is drawn
    config = yaml.safe_load((weighted_smoke / "config.yaml").read_text())
    assert (config["attribution"]["protocol"], config["scale"]) == ("paper", "smoke")
    assert len(json.loads((weighted_smoke / "provenance.json").read_text())["checksums"]["weights"]) == 64
    assert all(claim["paper"] == "2505.03201" for claim in json.loads((weighted_smoke / "claims.json").read_text()))


def test_every_photograph_is_judged_by_every_method(rows: pd.DataFrame) -> None:
    assert rows.loc[rows["metric"] == "images_used", "value"].item() == 3
    for metric in ("deletion_auc", "overlap_auc", "pointing_game", "completeness_gap"):
        table = wide(rows, metric)
        assert len(table) == 3
        assert set(table) == METHODS | {"removed_1", "removed_3"}
        assert table.notna().all(axis=None)
    assert rows.loc[rows["metric"] == "deletion_auc", "value"].between(0, 1).all()
    assert set(wide(rows, "insertion_auc")) == {"expected_gradients", "weighted_gradients"}


def test_the_first_photographs_are_explained_at_several_numbers_of_nodes(rows: pd.DataFrame) -> None:
    gaps = rows[rows["metric"] == "gap_at_nodes"].pivot(index="unit", columns="k", values="value")
    assert gaps.shape == (2, 2)
    assert list(gaps) == [2, 4]
    own = wide(rows, "completeness_gap")["weighted_gradients"]  # smoke's own rule has 4 nodes
    np.testing.assert_allclose(gaps[4], own[gaps.index], rtol=1e-4)
    shift = rows[rows["metric"] == "weight_shift_at_nodes"].pivot(index="unit", columns="k", values="value")
    assert (shift[4] == 0).all()
    assert shift[2].between(0, 2, inclusive="right").all()


def test_single_baselines_are_judged_by_themselves(rows: pd.DataFrame) -> None:
    for metric in ("deletion_auc", "overlap_auc"):
        single = wide(rows, metric, "baseline")
        assert single.shape == (3, 6)
        assert single.nunique(axis=1).min() > 1
        assert list(single) == list(wide(rows, "d_alpha", "baseline"))


def test_curves_that_rise_and_halves_that_come_back(rows: pd.DataFrame) -> None:
    """By hand, and of a run: what was written down of it lies where it can."""
    curves = torch.tensor([[1.0, 0.5, 0.7, 0.1], [2.0, 1.5, 1.0, 0.5]])
    assert largest_rises(curves).tolist() == pytest.approx([0.2, 0.0])
    shares = torch.tensor([0.0, 0.3, 0.6, 1.0])
    assert half_shares(torch.tensor([[0.0, 0.1, 0.6, 1.0], [0.9, 0.2, 0.1, 1.0]]), shares).tolist() == [
        pytest.approx(0.6),
        0.0,
    ]
    assert (rows.loc[rows["metric"] == "largest_rise", "value"] >= 0).all()
    assert rows.loc[rows["metric"] == "insertion_half_share", "value"].between(0, 1).all()
    assert rows.groupby("metric")["unit"].nunique()[["largest_rise", "insertion_half_share"]].tolist() == [3, 3]


def test_weights_are_those_of_equation_8(rows: pd.DataFrame) -> None:
    d_alpha, weight = wide(rows, "d_alpha", "baseline"), wide(rows, "weight", "baseline")
    assert list(d_alpha) == sorted(["black", "white", "grey", "uniform_1", "uniform_2", "photograph"])
    assert rows.loc[rows["metric"] == "d_alpha", "value"].between(1, 224 * 224).all()
    inverse = 1 / d_alpha
    expected = inverse.div(inverse.sum(axis=1), axis=0)
    pd.testing.assert_frame_equal(weight, expected, check_exact=False, rtol=1e-12)
    kept = expected.where(expected >= 0.25 / 6, 0)
    filtered = kept.div(kept.sum(axis=1), axis=0)
    pd.testing.assert_frame_equal(wide(rows, "filtered_weight", "baseline"), filtered, check_exact=False, rtol=1e-12)


def test_curves_start_at_the_probability_and_end_masked(rows: pd.DataFrame) -> None:
    probability = rows.loc[rows["metric"] == "probability", "value"].mean()
    deletion = rows[(rows["metric"] == "deletion_curve") & (rows["method"] == "weighted_gradients")]
    assert deletion["share"].tolist() == pytest.approx([k * k / 100 for k in range(11)])
    curve = deletion.set_index("k")["value"]
    assert curve.loc[0] == pytest.approx(probability, rel=1e-4)
    insertion = rows[(rows["metric"] == "insertion_curve") & (rows["method"] == "weighted_gradients")]
    insertion_curve = insertion.set_index("k")["value"]
    assert insertion_curve.loc[10] == pytest.approx(probability, rel=1e-4)
    assert insertion_curve.loc[0] == pytest.approx(curve.loc[10], rel=1e-4)


def test_the_area_of_the_mean_curve_is_the_mean_area(rows: pd.DataFrame) -> None:
    for method in ("expected_gradients", "weighted_gradients"):
        curve = rows[(rows["metric"] == "deletion_curve") & (rows["method"] == method)]
        area = np.trapezoid(curve["value"], (np.arange(11) / 10) ** 2)
        assert area == pytest.approx(wide(rows, "deletion_auc")[method].mean(), rel=1e-6)


def test_examples_hold_maps_that_are_averages_of_the_baselines(weighted_smoke: Path) -> None:
    (file,) = (weighted_smoke / "examples").glob("*.npz")
    with np.load(file, allow_pickle=False) as example:
        of_method = dict(zip(example["methods"].tolist(), example["maps"], strict=True))
        maps, weights = example["baseline_maps"], example["weights"]
        assert example["image"].shape == (224, 224, 3)
        assert example["mask"].shape == (224, 224)
        np.testing.assert_allclose(of_method["expected_gradients"], maps.mean(axis=0), atol=1e-6)
        expected = np.tensordot(weights, maps, axes=1)
        np.testing.assert_allclose(of_method["weighted_gradients"], expected, atol=1e-6)


def test_the_filtered_method_is_always_measured_with_another() -> None:
    d_alpha = torch.randint(1, 50_000, (300, 1, 6), generator=torch.Generator().manual_seed(1))
    saved = 0
    for row in d_alpha:
        weightings: list[FitnessWeighting] = [
            EqualFitness(),
            InverseFitness(),
            *(WithoutLeastFit(m) for m in range(1, 6)),
            InverseFitness(0.25),
        ]
        weights = torch.cat([weighting.of_fitness(row) for weighting in weightings])
        first, inverse = distinct_weights(weights)
        torch.testing.assert_close(weights[first][inverse], weights, rtol=0, atol=1e-11)
        assert len(first) == len(set(first)) == 7
        saved += len(torch.unique(weights, dim=0)) - len(first)
    assert saved > 0  # what an exact comparison takes for different


@pytest.mark.slow
def test_killed_half_way_it_ends_with_the_same_rows(command: Command, rows: pd.DataFrame) -> None:
    process = command.start(*SMOKE)
    deadline = time.monotonic() + 120
    while not list(command.outputs.rglob("checkpoints/*/*.json")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert command.runs() == []
    kept = {path.name for path in command.outputs.rglob("checkpoints/*/*.json")}
    result = command(*SMOKE)
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    assert 1 <= len(kept) < 3
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "rows.parquet"), rows, check_exact=True)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.slow
def test_what_is_explained_beside_a_photograph_does_not_change_it(command: Command, rows: pd.DataFrame) -> None:
    result = command(*SMOKE, "dataset.n_images=1", "max_batch=16")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    alone = pd.read_parquet(folder / "rows.parquet")
    (name,) = alone.loc[alone["metric"] == "d_alpha", "unit"].unique()
    columns = ["method", "metric", "baseline", "value"]
    same = [frame.loc[frame["unit"] == name, columns].reset_index(drop=True) for frame in (alone, rows)]
    pd.testing.assert_frame_equal(same[0], same[1], check_exact=True)


@pytest.mark.slow
def test_the_released_code_takes_one_gradient_a_baseline(command: Command) -> None:
    result = command(*SMOKE, "protocol=released_code", "dataset.n_images=1", "evaluation.removed=[]")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(wide(rows, "deletion_auc")) >= METHODS
    curve = rows[(rows["metric"] == "deletion_curve") & (rows["method"] == "weighted_gradients")]
    assert sorted(curve["k"]) == list(range(100))
    assert curve["share"].min() == pytest.approx(0.01, rel=1e-3)  # no point without a masked pixel
    gaps = wide(rows, "completeness_gap", "baseline")
    assert float(gaps.to_numpy().max()) > 0.1  # one point is no integral


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the real photographs and weights are not beside the checkout")
@pytest.mark.parametrize("dataset", ["imagenet", "coco"])
def test_the_papers_data_and_a_network_of_the_papers(command: Command, dataset: str) -> None:
    root = SHARED / f"{dataset}_photos"
    checkpoint = SHARED / "weights" / "mobilenet_v2_rot180.pth"
    result = command(
        *SMOKE,
        f"dataset={dataset}",
        f"dataset.root={root}",
        "model=mobilenet_v2",
        f"model.checkpoint={checkpoint}",
        "model.rotated=true",
        "dataset.n_images=1",
        "evaluation.removed=[]",
    )
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    assert rows.loc[rows["metric"] == "images_used", "value"].item() == 1
    assert set(json.loads((folder / "provenance.json").read_text())["checksums"]) >= {
        "dataset",
        "checkpoint",
        "weights",
    }
    overlap = rows[rows["metric"] == "overlap_auc"]
    assert overlap.empty if dataset == "imagenet" else len(overlap.dropna(subset="baseline")) == len(overlap) - 4
    records = {claim["id"]: claim for claim in json.loads((folder / "claims.json").read_text())}
    assert "0.021" in str(records["2505.03201/better/deletion_auc"]["paper_value"])


def test_larger_scales_sweep_over_networks(command: Command) -> None:
    for scale, networks in {"full": 3, "paper": 6}.items():
        result = command("experiment=weighted_gradients", f"scale={scale}", "--cfg", "hydra")
        hydra = yaml.safe_load(result.stdout)["hydra"]
        assert hydra["mode"] == "MULTIRUN"
        assert len(hydra["sweeper"]["params"]["model"].split(",")) == networks
