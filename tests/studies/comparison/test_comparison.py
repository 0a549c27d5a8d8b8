"""Tasks x methods x metrics, end to end at smoke scale: what the rows, the table and the checkpoints say."""

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from igbaselines.common.errors import UserError
from igbaselines.running.study import Domain, look_up, schemas, task_makers
from igbaselines.studies.comparison.settings import ComparisonEvaluation, domains_with
from tests.commands import ROOT, Command

SMALL = (
    *("experiment=comparison", "scale=smoke", "tasks=[gridworld]", "evaluation.inputs=6"),
    *("evaluation.domains.gridworld.dataset.n_worlds=40", "evaluation.domains.gridworld.dataset.held_out=10"),
    "evaluation.domains.gridworld.model.epochs=4",
)
METHODS = ("ig_zero", "expected_gradients", "weighted_gradients", "shapley_ig", "shapley_sampling", "random_map")
METRICS = ("deletion_zero", "deletion_mean", "insertion_mean", "known_cosine", "draw_stability", "overlap")
MEASURED = {
    *("deletion_auc_zero", "deletion_auc_mean", "insertion_auc_mean", "cosine", "draw_stability"),
    *("cost", "seconds", "completeness_gap"),
}
CHOSEN = (f"methods=[{','.join(METHODS)}]", f"metrics=[{','.join(METRICS)}]")


def test_every_method_by_every_metric_that_has_a_meaning(command: Command) -> None:
    result = command(*SMALL, *CHOSEN, "evaluation.networks=2", "evaluation.budgets=[48,96]")
    assert result.returncode == 0, result.stderr
    assert "metric overlap is left out: no object is outlined" in result.stderr
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(rows["domain"]) == {"gridworld"}
    assert set(rows["task"]) == {"gridworld network_0", "gridworld network_1"}
    keys = ["task", "budget", "method", "metric", "unit"]
    fitness = rows["metric"] == "fitness_reached"
    assert len(rows[~fitness]) == 2 * 2 * len(METHODS) * len(MEASURED) * 6 == len(rows[~fitness].drop_duplicates(keys))
    assert set(itertools.product(METHODS, MEASURED)) == set(
        zip(rows["method"][~fitness], rows["metric"][~fitness], strict=True)
    )
    assert set(rows["method"][fitness]) == {"weighted_gradients"}
    spent = rows[rows["metric"] == "cost"].groupby(["budget", "method"])["value"]
    for budget in (48, 96):  # which the sampler keeps on average: how many players join a coalition is drawn
        assert (spent.mean().loc[budget] <= budget).all()
        assert (spent.mean().loc[budget].drop("random_map") > budget / 2).all()
    assert (spent.max()[:, "random_map"] == 0).all()
    tables = {path.stem: pd.read_csv(path) for path in (folder / "tables").glob("*.csv")}
    compared = tables["comparison"]
    assert len(compared.dropna(subset="question")) == 2 * len(METHODS) * 5
    assert set(compared.loc[compared["question"].isna(), "metric"]) == {"completeness_gap"}
    (answer,) = tables["answer"]["answer"]
    assert "at a budget of 96 evaluations an input" in answer
    assert "How sure: 12 inputs of 2 networks" in answer
    with Image.open(folder / "figures" / "figure_answer.png") as figure:
        assert "gridworld: 12 inputs, 2 networks" in figure.info["Description"]
    assert "gridworld network_1" not in json.loads((folder / "names.json").read_text())["methods"]


@pytest.mark.slow
def test_shards_share_the_tasks(command: Command) -> None:
    few = ("methods=[ig_zero]", "metrics=[known_cosine]", "evaluation.networks=2")
    shards = [command(*SMALL, *few, "shard.count=2", f"shard.index={index}") for index in (1, 0)]
    assert [shard.returncode for shard in shards] == [0, 0], shards[-1].stderr
    assert "network_0: trained" not in shards[0].stderr
    assert "network_1: trained" not in shards[1].stderr  # its checkpoint is there
    (folder,) = command.runs()
    assert set(pd.read_parquet(folder / "rows.parquet")["task"]) == {"gridworld network_0", "gridworld network_1"}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tasks=[gridwold]", "tasks=[gridwold] is unknown"),
        ("tasks=[]", "choose what is explained: tasks=["),
        ("methods=[]", "choose what is compared: methods=["),
        ("evaluation.networks=0", "evaluation.networks must be at least 1"),
        ("dataset@evaluation.domains.gridworld.dataset=hep_synthetic", "HepSynthetic does not fit this experiment"),
    ],
)
def test_what_cannot_work_ends_in_one_line(override: str, words: str, command: Command) -> None:
    result = command("experiment=comparison", "scale=smoke", override)
    assert result.returncode != 0
    assert words in result.stderr.splitlines()[-1]


def test_every_registered_domain_has_a_file_and_a_maker() -> None:
    files = {path.stem for path in (Path(__file__).parents[3] / "conf" / "tasks").glob("*.yaml")}
    assert files == set(task_makers())
    assert all(callable(look_up(maker)) for maker in task_makers().values())


def test_a_domain_that_no_study_makes() -> None:
    with pytest.raises(UserError, match="text is no domain"):
        ComparisonEvaluation(1, 2, 1, 96, domains={"text": Domain(None, None, 1, 1)})


@dataclass
class Given:
    """A dataset or a model of a domain."""

    name: str

    def domain(self) -> str:
        return self.name


def test_a_dataset_or_a_model_takes_the_place_of_its_domain_s() -> None:
    domains = {name: Domain(None, None, 1, 1) for name in ("hep", "tables")}
    given = Given("tables")
    assert domains_with(domains, {"dataset": None, "model": None}) == domains
    assert domains_with(domains, {"dataset": given, "model": None}) == {"tables": Domain(given, None, 1, 1)}
    assert domains_with(domains, {"dataset": given, "model": given}) == {"tables": Domain(given, given, 1, 1)}
    with pytest.raises(UserError, match=r"model=Given: of the domain maps, which is not among the tasks: tasks=\[maps"):
        domains_with(domains, {"dataset": None, "model": Given("maps")})
    with pytest.raises(UserError, match="dataset=Given and model=Given are of different domains, hep and tables"):
        domains_with(domains, {"dataset": given, "model": Given("hep")})


@pytest.mark.slow
def test_maps_are_compared_with_those_of_variants(command: Command) -> None:
    domain = [f"evaluation.domains.hep.model.{key}" for key in ("max_epochs=1", "epoch_events=1000", "hidden=[8]")]
    small = ["scale=smoke", "evaluation.inputs=4", "methods=[ig_zero,expected_gradients]", "tasks=[hep]", *domain]
    measured = ("model_randomisation", "twin_stability", "draw_stability", "max_sensitivity")
    result = command("experiment=comparison", f"metrics=[{','.join(measured)}]", *small)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("validation loss") == 2  # of the network and its twin
    (folder,) = command.runs()
    rows = pd.read_parquet(folder / "rows.parquet")
    assert set(rows["metric"]) == {*measured, "cost", "seconds", "completeness_gap"}
    assert (set(rows["data"]), set(rows["network"])) == ({"hep"}, {"hep network_0"})
    means = rows.groupby(["method", "metric"])["value"].mean()
    assert np.isfinite(means).all()
    assert means["ig_zero", "draw_stability"] == pytest.approx(1)
    assert means["expected_gradients", "draw_stability"] < 1
    assert means["ig_zero", "twin_stability"] < 1


def test_budgets_that_pay_for_no_method_are_refused_in_one_line(command: Command) -> None:
    result = command(*SMALL, "methods=[shapley_sampling]", "metrics=[deletion_mean]", "evaluation.budgets=[1]")
    assert result.returncode == 2
    assert "no method can do with 1 evaluations an input, give larger budgets" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("group", ["dataset", "model"])
def test_every_dataset_and_model_has_a_domain(group: str) -> None:
    """`experiment=comparison dataset=image_folder model=resnet50` puts them in the place of the domain's own."""
    known = schemas()
    for file in sorted((ROOT / "conf" / group).glob("*.yaml")):
        (schema,) = re.findall(r"^  - /schema/(\w+)@_here_$", file.read_text(), re.MULTILINE) or [None]
        if schema is not None:  # or it is a variant of one
            kind = look_up(known[schema])
            assert kind.domain(kind) in task_makers(), file
