"""Fitness with each mask, judged with each mask, and D_alpha by its definition: of photographs in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution.baselines import TrainingMean, ZeroBaseline
from igbaselines.attribution.engine.result import MinimalDeletion
from igbaselines.attribution.fitness import BinarySearch
from igbaselines.attribution.image_baselines import CornerMean
from igbaselines.attribution.perturbation import Perturbed
from igbaselines.common.errors import UserError
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.studies.images.experiments import weighted_gradients
from igbaselines.studies.images.experiments.settings import ImageAttribution, WeightedGradientsEvaluation
from igbaselines.studies.images.reporting.weighted.masks import Crossed
from igbaselines.tasks import Imputer
from tests.studies.images.experiments.test_others_methods import GRID, WEIGHTED, Classes, InMemory, SmallModel

pytestmark = pytest.mark.usefixtures("one_thread", "unchecked_shapes")

EG, WG = "expected_gradients", "weighted_gradients"
MASKS: dict[str, Imputer] = {"corner_mean": CornerMean(), "black": ZeroBaseline()}
EXACT = replace(WEIGHTED, search=BinarySearch(tolerance=0.0))


class Steep(nn.Module):
    """A network that is sure of itself, whose scores halve on the way."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.classes = Classes(seed)

    def forward(self, z: Tensor) -> Tensor:
        logits: Tensor = 12 * self.classes(z)
        return logits


@dataclass
class SteepModel(SmallModel):
    """Its weights are no file."""

    def build(self) -> nn.Module:
        return Steep(self.seed)


def run(
    folder: Path,
    attribution: ImageAttribution = EXACT,
    masks: dict[str, Imputer] | None = None,
    first_crossing: int = 0,
    mask: Imputer | None = None,
    outlined: bool = True,
    insertion: Sequence[str] = (EG, WG),
) -> pd.DataFrame:
    judge, inserted, more = mask or TrainingMean(), list(insertion), (masks or {}, first_crossing)
    evaluation = WeightedGradientsEvaluation(judge, GRID, "signed", "paper", 0, inserted, [], 5, [], 0, "tables", *more)
    rows = Rows("e", "d", "m", 0)
    this = Run(rows, folder / "checkpoints", folder, folder, torch.device("cpu"), 0, 8, 1)
    weighted_gradients.run(this, InMemory(outlined=outlined), SteepModel(), attribution, evaluation)
    return rows.frame()


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Up to rounding: a batch of pictures is another where more of them are scored."""
    found, expected = found.reset_index(drop=True), expected.reset_index(drop=True)
    pd.testing.assert_frame_equal(found.drop(columns="value"), expected.drop(columns="value"))
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-4, atol=1e-6)


def areas(rows: pd.DataFrame, metric: str, method: str) -> "pd.Series[float]":
    chosen = rows[(rows["metric"] == metric) & (rows["method"] == method)]
    return chosen.set_index("unit")["value"].sort_index()


def test_each_cell_is_what_a_run_with_those_two_masks_measures(tmp_path: Path) -> None:
    crossed = run(tmp_path / "crossed", masks=MASKS)
    of = {name: Crossed.of(crossed, f"{name}_by_mask") for name in ("deletion_auc", "insertion_auc", "overlap_auc")}
    for fitness, metric in (("corner_mean", "black"), ("black", "black")):
        attribution = replace(EXACT, fitness_mask=MASKS[fitness])
        own = run(tmp_path / f"{fitness} {metric}", attribution, mask=MASKS[metric])
        for name in ("deletion_auc", "insertion_auc"):
            expected = areas(own, name, WG)
            found = of[name].wg[fitness, metric].sort_index()
            np.testing.assert_allclose(found, expected, rtol=1e-5)
            np.testing.assert_allclose(of[name].eg[metric].sort_index(), areas(own, name, EG), rtol=1e-5)
        overlap = of["overlap_auc"].wg[fitness, "nothing"].sort_index()
        np.testing.assert_allclose(overlap, areas(own, "overlap_auc", WG), rtol=1e-5)
        d_alpha = crossed[(crossed["metric"] == "d_alpha_by_mask") & (crossed["fitness_mask"] == fitness)]
        of_run = own[own["metric"] == "d_alpha"]
        assert d_alpha[["baseline", "value"]].to_numpy().tolist() == of_run[["baseline", "value"]].to_numpy().tolist()
    assert of["deletion_auc"].wg["black", "black"].tolist() != of["deletion_auc"].wg["corner_mean", "black"].tolist()


def test_masks_change_nothing_else_and_need_no_outline(tmp_path: Path) -> None:
    plain, crossed = run(tmp_path / "1", outlined=False), run(tmp_path / "2", masks=MASKS, outlined=False)
    beside = crossed["metric"].str.endswith("_by_mask")
    assert_same(crossed[~beside].drop(columns=["fitness_mask", "metric_mask"]), plain)
    assert not (crossed["metric"] == "overlap_auc_by_mask").any()
    assert (crossed["metric"] == "deletion_auc_by_mask").sum() == 3 * 2 * 3


def test_insertion_can_be_left_out(tmp_path: Path) -> None:
    """As the ablation does."""
    plain, without = run(tmp_path / "1"), run(tmp_path / "2", insertion=())
    of_insertion = plain["metric"].str.startswith("insertion")
    assert of_insertion.any()
    assert_same(without, plain[~of_insertion])


def test_the_first_crossing_is_one_more_method_of_the_same_gradients(tmp_path: Path) -> None:
    plain, rows = run(tmp_path / "1"), run(tmp_path / "2", first_crossing=1)
    beside = (rows["method"] == "first_crossing") | rows["metric"].str.startswith("first_")
    pd.testing.assert_frame_equal(rows[~beside].reset_index(drop=True), plain, check_exact=True)
    assert {"deletion_auc", "overlap_auc", "completeness_gap"} <= set(
        rows.loc[rows["method"] == "first_crossing", "metric"]
    )
    table = rows[rows["baseline"].notna()].pivot(index=["unit", "baseline"], columns="metric", values="value")
    assert (table["first_d_alpha"] >= 1).all()
    assert (table["first_d_alpha"] <= table["d_alpha"]).all()
    assert table["d_alpha"].nunique() > 5
    inverse = (1 / table["first_d_alpha"]).groupby("unit")
    np.testing.assert_allclose(table["first_weight"], (1 / table["first_d_alpha"]) / inverse.transform("sum"))


@dataclass(frozen=True)
class AllPlayers:
    """A search of one's own, which crosses nothing."""

    def minimal_deletion(self, perturbed: Perturbed) -> MinimalDeletion:
        raise AssertionError("nothing is searched before this is refused")

    def most_scored(self, players: int) -> int:
        return 0


def test_a_search_that_nothing_crosses_is_refused_before_work_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"evaluation.first_crossing=1: attribution.search is AllPlayers"):
        run(tmp_path, replace(WEIGHTED, search=AllPlayers()), first_crossing=1)
    with pytest.raises(UserError, match="first_crossing must be at least 0, got -1"):
        run(tmp_path, first_crossing=-1)
    with pytest.raises(UserError, match=r"masks.nothing: this is what the rows call no mask"):
        run(tmp_path, masks={"nothing": CornerMean()})
    with pytest.raises(UserError, match=r"masks.black must be a node"):
        run(tmp_path, masks={"black": 3})  # type: ignore[dict-item]
