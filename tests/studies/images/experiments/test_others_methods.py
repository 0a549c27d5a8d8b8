"""Methods and metrics that are not of the papers, and attributions of other studies, on photographs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from jaxtyping import Bool
from PIL import Image
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, Midpoint
from igbaselines.attribution.baselines import Examples, PerStratum, TrainingMean, UniformNoise, ZeroBaseline
from igbaselines.attribution.fitness import BinarySearch, Fitness
from igbaselines.attribution.image_baselines import Constant, CornerMean
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.attribution.weighting import ByStratum, InverseFitness
from igbaselines.common.arrays import read_arrays
from igbaselines.common.errors import UserError
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import DeletionAUC, KnownAgreement, Metric, Quantity
from igbaselines.metrics.perturbation_curves import ShareGrid
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from igbaselines.studies.images.data.photographs import Photograph, Photographs
from igbaselines.studies.images.experiments import explain, shapley_images, weighted_gradients
from igbaselines.studies.images.experiments.settings import (
    ExplainEvaluation,
    ImageAttribution,
    ShapleyImagesAttribution,
    ShapleyImagesEvaluation,
    WeightedGradientsEvaluation,
)
from igbaselines.studies.images.networks.recipe import ImageModel
from igbaselines.tasks import Task
from tests.small_tasks import task_of

pytestmark = pytest.mark.usefixtures("one_thread", "unchecked_shapes")

SIDE = 32
GRID = ShareGrid(4)
WEIGHTED = ImageAttribution(
    method="weighted_gradients",
    protocol=None,
    rule=Midpoint(2),
    baselines={"black": ZeroBaseline(), "white": Constant(1.0), "noise": UniformNoise(2)},
    reference_images=4,
    search=BinarySearch(),
    fitness_mask=CornerMean(),
    filter_below=0.25,
    scored="normalised",
    same_draws=False,
    precision="float32",
)
SHAPLEY = ShapleyImagesAttribution(
    gradient_points=4,
    absent=TrainingMean(),
    patch=16,
    shapley_nodes=2,
    paired=False,
    baselines={"ig_black": ZeroBaseline()},
    example_baselines=2,
    reference_images=4,
)
EXAMPLES = AveragedGradients(Examples(2), GaussLegendre(2))
OTHERS: dict[str, Method] = {
    "examples": EXAMPLES,
    "weighted_examples": AveragedGradients(Examples(2), GaussLegendre(2), InverseFitness(), Fitness(mask="mean")),
    "sampling": ShapleySampling("zero", coalitions=2),
    "by_class": AveragedGradients(PerStratum(1, ByStratum())),  # of photographs without labels
}


@dataclass(frozen=True)
class Sum:
    """A metric of one's own: the sum of a map, with a random number that every map is given alike."""

    @property
    def quantity(self) -> Quantity:
        return Quantity("sum", "sum", better="higher")

    def why_not(self, task: Task) -> str | None:
        return None if task.is_picture else "it sums pixels"

    def score(self, task: Task, attributions: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.rand(1, generator=generator).double()
        return attributions.double().flatten(1).sum(dim=1) * 0 + noise


METRICS: dict[str, Metric] = {
    "sum": Sum(),
    "known": KnownAgreement(),
    "deletion": DeletionAUC("zero", GRID, name="zero"),
}


class Classes(nn.Module):
    """Three classes of blurred colours."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 5, stride=3), nn.SiLU(), nn.Flatten(), nn.Linear(400, 3))

    def forward(self, z: Tensor) -> Tensor:
        logits: Tensor = self.layers(z)
        return logits


@dataclass
class SmallModel(ImageModel):
    """A network of 32 pixels a side, whose weights are no file."""

    architecture: str = "small"
    size: int = SIDE
    short_side: int | None = None
    seed: int = 1

    def build(self) -> nn.Module:
        return Classes(self.seed)


class LeftHalf:
    """The object of every photograph."""

    def mask(self, photograph: object, predicted: int) -> Bool[np.ndarray, "h w"]:
        return np.arange(SIDE)[None] < np.full((SIDE, 1), SIDE // 2)


@dataclass(frozen=True)
class InMemory:
    """Photographs without a file."""

    count: int = 3
    labels: tuple[int | None, ...] = (None,) * 3
    outlined: bool = True

    def checksum(self) -> None:
        return None

    def photographs(self) -> Photographs:
        noise = np.random.default_rng(1).integers(0, 256, (self.count, SIDE, SIDE, 3), dtype=np.uint8)
        found = [
            Photograph(f"p{i}", Image.fromarray(noise[i]), self.labels[i], LeftHalf() if self.outlined else None)
            for i in range(self.count)
        ]
        return Photographs(found, None, only_correct=False, mask_required=False)


def carry_out(
    experiment: Callable[..., None],
    folder: Path,
    attribution: AttributionSettings,
    evaluation: object,
    dataset: InMemory | None = None,
    **named: Any,
) -> pd.DataFrame:
    rows, device = Rows("e", "d", "m", 0), torch.device("cpu")
    this = Run(rows, folder / "checkpoints", folder, folder, device, 0, 8, 1, **named)
    experiment(this, dataset or InMemory(), SmallModel(), attribution, evaluation)
    return rows.frame()


def compare_weights(folder: Path, **named: Any) -> pd.DataFrame:
    insertion = ["expected_gradients"]
    evaluation = WeightedGradientsEvaluation(
        TrainingMean(), GRID, "signed", "paper", 1, insertion, [1, 9], 5, [], 0, "tables"
    )
    return carry_out(weighted_gradients.run, folder, WEIGHTED, evaluation, **named)


def compare_shapley(folder: Path, attribution: AttributionSettings = SHAPLEY, **named: Any) -> pd.DataFrame:
    other = SmallModel("other", seed=2)
    evaluation = ShapleyImagesEvaluation(CornerMean(), GRID, "signed", "paper", 1, other, 4, [8], [3])
    return carry_out(shapley_images.run, folder, attribution, evaluation, **named)


def explain_by(folder: Path, attribution: AttributionSettings, **named: Any) -> pd.DataFrame:
    return carry_out(explain.run, folder, attribution, ExplainEvaluation(), **named)


def table(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Metrics across; refuses two values of one."""
    chosen = rows[rows["unit"].str.startswith("p")]
    return chosen.pivot(index=["unit", "method", *columns], columns="metric", values="value")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if " is left out: " in message]


LEFT_OUT = [
    "method by_class is left out: its weighting ByStratum needs the weight of each stratum, such as a cross-section",
    "metric known is left out: no player values are known",
]


def test_beside_the_weights_of_the_paper(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    plain, rows = compare_weights(tmp_path / "1"), compare_weights(tmp_path / "2", methods=OTHERS, metrics=METRICS)
    assert said(caplog) == LEFT_OUT
    others = rows["method"].isin(OTHERS) | rows["metric"].isin(["sum", "zero"])
    pd.testing.assert_frame_equal(rows[~others].reset_index(drop=True), plain, check_exact=True)
    maps = table(rows[rows["method"].isin(["weighted_gradients", "permuted_weights", "removed_1", *OTHERS])])
    assert set(maps.index.get_level_values("method")) >= {"examples", "weighted_examples", "sampling", "removed_1"}
    assert maps[["deletion_auc", "overlap_auc", "pointing_game", "sum", "zero"]].notna().all(axis=None)
    assert (maps.groupby("unit")["sum"].nunique() == 1).all()  # the same random number for every map
    assert maps["sum"].nunique() == 3  # each photograph's own
    assert maps["weight_sum_gap"].unstack()[["examples", "sampling"]].isna().all(axis=None)
    assert "removed_9" not in set(rows["method"])


def test_beside_the_methods_of_equal_cost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    plain, rows = compare_shapley(tmp_path / "1"), compare_shapley(tmp_path / "2", methods=OTHERS, metrics=METRICS)
    assert said(caplog) == LEFT_OUT
    others = rows["method"].isin(OTHERS) | rows["metric"].isin(["sum", "zero"])
    same = [one[one["metric"] != "seconds"].reset_index(drop=True) for one in (rows[~others], plain)]
    pd.testing.assert_frame_equal(same[0], same[1], check_exact=True)
    maps = table(rows[rows["study"] == "methods"])
    judged = [
        "deletion_auc",
        "insertion_auc",
        "overlap_auc",
        "consistency",
        "seconds",
        "gradient_points",
        "sum",
        "zero",
    ]
    assert set(maps.index.get_level_values("method")) == {
        "shapley_ig",
        "ig_absent",
        "ig_black",
        "expected_gradients",
        *(name for name in OTHERS if name != "by_class"),
    }
    assert maps[judged].notna().all(axis=None)
    assert (maps["gradient_points"].unstack()["weighted_examples"] == 4).all()
    assert "sum" not in set(rows.loc[rows["study"].isin(["patch", "coalitions"]), "metric"])


@pytest.mark.parametrize("attribution", [WEIGHTED, SHAPLEY])
def test_beside_an_explanation(
    attribution: AttributionSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    plain = explain_by(tmp_path / "1", attribution)
    rows = explain_by(tmp_path / "2", attribution, methods=OTHERS, metrics=METRICS)
    assert said(caplog) == LEFT_OUT
    others = rows["method"].isin(OTHERS) | rows["metric"].isin(["sum", "zero"])
    pd.testing.assert_frame_equal(rows[~others].reset_index(drop=True), plain, check_exact=True)
    own = {"weighted_gradients"} if attribution is WEIGHTED else {"shapley_ig", "ig_absent"}
    maps = table(rows[rows["method"] != "ig"])
    methods = own | {"examples", "weighted_examples", "sampling"}
    assert set(maps.index.get_level_values("method")) == methods
    assert maps[["gradient_points", "sum", "zero"]].notna().all(axis=None)
    found = read_arrays(ExplainedPhotograph, tmp_path / "2" / "explanations" / "p0.npz")
    assert set(found.methods) == methods
    assert len(found.baseline_names) == (4 if attribution is WEIGHTED else 0)
    assert found.patches is not None
    told = np.isfinite(found.patches).all(axis=(1, 2))
    of_patches = {method for method, each in zip(found.methods, told, strict=True) if each}
    assert of_patches == {"sampling"} | ({"shapley_ig"} if attribution is SHAPLEY else set())


def test_coalitions_are_of_patches_and_of_what_else_counts_pixels(tmp_path: Path) -> None:
    methods = {"sampled": ShapleyIG("zero", coalitions=2, rule=GaussLegendre(2))}
    rows = table(explain_by(tmp_path, SHAPLEY, methods=methods)).reset_index()
    completeness = rows.set_index(["unit", "method"])["completeness_gap"].unstack()
    assert completeness["sampled"].isna().all()  # what its attributions should sum to nobody says
    assert completeness["shapley_ig"].notna().all()
    patches = read_arrays(ExplainedPhotograph, tmp_path / "explanations" / "p0.npz").patches
    assert patches is not None
    assert patches.shape == (len(set(rows["method"])), 2, 2)


@dataclass(kw_only=True)
class OfEvents(AttributionSettings):
    """An attribution of another study, which draws of every stratum."""

    count: int = 1

    def methods(self) -> dict[str, Method]:
        rule = GaussLegendre(2)
        return {
            "zero": AveragedGradients(ZeroBaseline(), rule),
            "background": AveragedGradients(PerStratum(self.count), rule),
            "background_weighted": AveragedGradients(PerStratum(self.count, ByStratum()), rule),
        }


def test_an_attribution_of_another_study_draws_from_the_labels(tmp_path: Path) -> None:
    labelled = InMemory(count=5, labels=(0, 1, 1, 2, 1))
    explained = table(explain_by(tmp_path / "1", OfEvents(), dataset=labelled))
    points = explained["gradient_points"].unstack()
    assert points.drop_duplicates().to_dict("records") == [{"zero": 2, "background": 6, "background_weighted": 6}]
    gaps = explained["completeness_gap"].unstack()
    assert (gaps["background"] != gaps["background_weighted"]).all()  # the same photographs, other weights
    compared = compare_shapley(tmp_path / "2", OfEvents(), dataset=labelled)
    assert set(compared["study"].dropna()) == {"methods"}  # nothing of Shapley Integrated Gradients is varied
    assert set(table(compared)["consistency"].dropna().index.get_level_values("method")) == set(OfEvents().methods())


@pytest.mark.parametrize("compare", [explain_by, compare_shapley])
def test_too_few_photographs_of_a_label_name_the_key(compare: Callable[..., object], tmp_path: Path) -> None:
    words = (
        r"too few photographs: stratum 0 has 3 examples, 20 are needed; choose .*attribution.baselines.*reference_im"
    )
    with pytest.raises(UserError, match=words) as error:
        compare(tmp_path, OfEvents(count=20))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("carry", [compare_weights, compare_shapley])
def test_a_name_that_is_taken_is_refused(carry: Callable[..., object], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="methods=expected_gradients: the attribution has a method of this name"):
        carry(tmp_path, methods={"expected_gradients": EXAMPLES})


def test_methods_of_photographs_explain_a_table() -> None:
    torch.manual_seed(2)
    network = nn.Sequential(nn.Linear(5, 8), nn.SiLU(), nn.Linear(8, 3), nn.Softmax(dim=1)).eval()
    inputs, targets = torch.rand(4, 5, generator=generator_for(1)), torch.tensor([0, 2, 1, 1])
    task = task_of(network, inputs, targets=targets)
    weighted = replace(
        WEIGHTED,
        baselines={"black": ZeroBaseline(), "noise": UniformNoise(2), "example": Examples(1)},
        fitness_mask=TrainingMean(),
        search=BinarySearch(tolerance=0.0),
    )
    found = weighted.methods()["weighted_gradients"].attribute(task, generator_for(3))
    assert found.weights is not None
    assert found.fitness is not None
    d_alpha = found.fitness.d_alpha.view(4, 4)
    assert ((d_alpha >= 1) & (d_alpha <= 5)).all()  # columns of the table
    inverse = 1 / d_alpha.double()
    torch.testing.assert_close(found.weights, inverse / inverse.sum(dim=1, keepdim=True))
    for name, method in SHAPLEY.methods().items():
        result = method.attribute(task, generator_for(3))
        assert result.players is not None
        assert result.players.shape == (4, 5), name
        assert (result.gradient_points == 4).all(), name
