"""The domain in a comparison: end to end at smoke scale, and what it refuses."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from igbaselines.common.errors import UserError
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.study import Domain
from igbaselines.studies.planted.comparison import comparison_tasks
from igbaselines.studies.planted.settings import KINDS, PlantedFunctions, PlantedInputs
from tests.commands import Command

COMPARISON = ("experiment=comparison", "scale=smoke", "tasks=[planted]")
MODEL, DATASET = "evaluation.domains.planted.model", "evaluation.domains.planted.dataset"


@pytest.mark.slow
def test_every_function_is_compared(command: Command) -> None:
    few = ("methods=[ig_zero,ig_mean,weighted_gradients,shapley_sampling]", "metrics=[deletion_mean,known_cosine]")
    result = command(*COMPARISON, *few, "evaluation.networks=2", "evaluation.inputs=8")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(zip(rows["data"], rows["network"], strict=True)) == {
        (kind, draw) for kind in KINDS for draw in ("draw_0", "draw_1")
    }
    assert set(rows["task"]) == set("planted " + rows["data"] + " " + rows["network"])
    assert (rows.groupby("task")["unit"].nunique() == 8).all()
    assert rows["value"].notna().all()
    cosine = rows[(rows["metric"] == "cosine") & (rows["data"] == "additive")].groupby("method")["value"].min()
    right, wrong = ["ig_mean", "shapley_sampling"], ["ig_zero", "weighted_gradients"]
    assert (cosine[right] > 1 - 1e-9).all()
    assert (cosine[wrong] < 0.99).all()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (f"{MODEL}.functions=[additive,aditive]", f"{MODEL}.functions=aditive is unknown: additive or interactions"),
        (f"{DATASET}.correlation=1.5", f"{DATASET}.correlation must lie in [0, 1], got 1.5"),
    ],
)
def test_what_cannot_work_ends_in_one_line(override: str, words: str, command: Command) -> None:
    result = command(*COMPARISON, override)
    assert result.returncode != 0
    assert words in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("features", 3, "dataset.features must be at least 4, got 3"),
        ("irrelevant", 0, "dataset.irrelevant must be at least 1, got 0"),
        ("examples", 2001, "dataset.examples must be at most 2000, got 2001"),
        ("seed", -1, "dataset.seed must be at least 0, got -1"),
    ],
)
def test_settings_have_bounds(field: str, value: int, words: str) -> None:
    settings = PlantedInputs(features=4, irrelevant=1, correlation=0.0, examples=20, seed=0)
    with pytest.raises(UserError, match=words):
        replace(settings, **{field: value})


@pytest.mark.parametrize(
    ("names", "words"), [(["additive", "additive"], "additive 2 times"), ([], "must name at least one of additive")]
)
def test_functions_are_named_once(names: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        PlantedFunctions(names)


def test_data_of_another_domain_are_refused(tmp_path: Path) -> None:
    rows, cpu, names = Rows("comparison", "", "", 0), torch.device("cpu"), PlantedFunctions(["additive"])
    run = Run(rows, tmp_path, tmp_path, tmp_path, device=cpu, seed=0, max_batch=None, workers=1)
    with pytest.raises(UserError, match="tasks=planted needs a dataset of planted inputs"):
        comparison_tasks(run, Domain(object(), names, networks=1, inputs=1))
