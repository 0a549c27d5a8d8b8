"""Methods and metrics that are not of the paper, on the states of grid worlds."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch

from igbaselines.attribution.baselines import PerStratum, TrainingMean, ZeroBaseline
from igbaselines.attribution.fitness import Fitness
from igbaselines.attribution.image_baselines import Blurred
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.attribution.weighting import ByStratum, InverseFitness
from igbaselines.common.errors import UserError
from igbaselines.metrics import DeletionAUC, Metric, OverlapAUC
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.settings import AttributionSettings
from igbaselines.studies.gridworld.data.dataset import GridWorld
from igbaselines.studies.gridworld.experiments.experiment import run
from igbaselines.studies.gridworld.experiments.settings import GridworldAttribution, GridworldEvaluation
from igbaselines.studies.gridworld.networks.recipe import GridValueRecipe

pytestmark = pytest.mark.usefixtures("one_thread", "unchecked_shapes")

WEIGHTED = AveragedGradients(PerStratum(3, ByStratum()), weighting=InverseFitness(), fitness=Fitness(mask="mean"))
BLUR = AveragedGradients(Blurred(1.0))
OWN = GridworldAttribution(background=4, steps=2, most_nodes=4, baselines={"zero": ZeroBaseline()})


@dataclass(kw_only=True)
class Foreign(AttributionSettings):
    """An attribution of another study, which knows nothing of budgets."""

    def methods(self) -> dict[str, Method]:
        return {"zero_physical": AveragedGradients(ZeroBaseline()), "blur": BLUR, "centre": AveragedGradients("mean")}


def rows_of(
    folder: Path,
    attribution: AttributionSettings,
    methods: dict[str, Method] | None = None,
    metrics: dict[str, Metric] | None = None,
) -> pd.DataFrame:
    rows, device = Rows("e", "d", "m", 0), torch.device("cpu")
    folders = folder / "checkpoints", folder, folder
    worlds = GridWorld(size=5, n_worlds=12, held_out=4, traps=1, walls=1, features=["goal_row", "key_row", "has_key"])
    recipe = GridValueRecipe([8], True, 0.01, 0.0, 256, epochs=1)
    evaluation = GridworldEvaluation(2, 3, 24, [8, 24], ["mean"], [0.5], [4], False, 1, True, 1)
    this = Run(rows, *folders, device, 0, None, 1, methods=methods or {}, metrics=metrics or {})
    run(this, worlds, recipe, attribution, evaluation)
    return rows.frame()


def test_a_method_of_the_command_line_joins_where_all_methods_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    metrics: dict[str, Metric] = {"deletion": DeletionAUC("mean"), "overlap": OverlapAUC()}
    rows = rows_of(tmp_path, OWN, {"weighted": WEIGHTED, "blur": BLUR}, metrics)
    assert [message for message in caplog.messages if "left out" in message] == [
        "method blur is left out: its baselines Blurred is of pictures",
        "metric overlap is left out: no object is outlined",
    ]
    of_weighted = rows[rows["method"] == "weighted"]
    assert set(of_weighted["study"]) == {"agreement", "cost", "stability"}
    assert (of_weighted["evaluations"].dropna() > 32 * 3).all()  # its own cost: gradients, and what judged baselines
    assert not of_weighted.duplicated(["study", "metric", "unit", "reference", "network"]).any()
    deletion = rows[rows["metric"] == "deletion_auc"]
    assert set(deletion["study"]) == {"agreement", "players"}
    main = deletion[deletion["study"] == "agreement"]
    assert set(main["method"]) == set(rows.loc[rows["study"] == "agreement", "method"])
    assert set(main["reference"]) == {"zero", "mean", "background"}
    assert main["value"].notna().all()


def test_an_attribution_of_another_study(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = rows_of(tmp_path, Foreign(), {"again": AveragedGradients(TrainingMean())})
    assert "cost and q are left out: they need methods that can be made for any budget" in caplog.messages
    assert set(rows["study"]) == {"agreement", "time", "players", "network", "stability"}
    for study in ("agreement", "time", "players"):
        assert set(rows.loc[rows["study"] == study, "method"]) == {"zero_physical", "centre", "again"}
    cosine = rows[(rows["study"] == "agreement") & (rows["metric"] == "cosine")]
    both = cosine.pivot_table(index=["unit", "network", "reference"], columns="method", values="value")
    assert both["centre"].to_numpy() == pytest.approx(both["again"].to_numpy())
    assert len(list((tmp_path / "examples").glob("*.npz"))) == 1


@pytest.mark.parametrize("name", ["ig_zero", "kernel_shap"])
def test_a_name_that_is_taken(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"methods={name}"):
        rows_of(tmp_path, OWN, {name: WEIGHTED}, {})
