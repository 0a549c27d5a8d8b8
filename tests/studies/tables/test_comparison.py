"""Tables as tasks: networks that learn, rows that they never saw, what stands beside them; and a user's command."""

import json
import logging
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from torch import Tensor, nn

from igbaselines.common.errors import UserError
from igbaselines.common.files import sha256
from igbaselines.models.mlp import MLP
from igbaselines.models.standardise import Standardise
from igbaselines.running.config import explanation, resolve
from igbaselines.running.context import Run
from igbaselines.running.rows import Rows
from igbaselines.running.study import Domain
from igbaselines.running.targets import instantiate
from igbaselines.studies.tables.comparison import comparison_tasks
from igbaselines.studies.tables.data.labelled import Tables
from igbaselines.studies.tables.data.sklearn_table import NAMES, SklearnTable
from igbaselines.studies.tables.networks.recipe import TableMLPRecipe, TableRecipe
from igbaselines.studies.tables.networks.training import TrainingRows
from igbaselines.tasks import Task, draw
from tests import prepared
from tests.commands import ROOT, Command
from tests.running.test_config import composed

SHAPES = {"breast_cancer": (569, 30, 2), "wine": (178, 13, 3), "digits": (1797, 64, 10)}
PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
COMMANDS: list[str] = re.findall(r"^    (python run\.py .*)$", PAGE, re.MULTILINE)


def recipe(**changes: float) -> TableMLPRecipe:
    values = {"learning_rate": 3e-3, "weight_decay": 1e-2, "batch_size": 32, "epoch_rows": 2000, "patience": 10}
    return TableMLPRecipe(hidden=[64, 64], **(values | {"max_epochs": 100} | changes))  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path, device: torch.device, one_thread: None) -> Run:
    return Run(Rows("", "", "", 0), tmp_path, tmp_path, tmp_path, device, seed=0, max_batch=None, workers=1)


def wine(run: Run, networks: int = 1, inputs: int = 20, **changes: float) -> list[Task]:
    planned = comparison_tasks(run, Domain(SklearnTable("wine"), recipe(**changes), networks, inputs))
    return [make() for make in planned.values()]


@pytest.mark.parametrize("name", NAMES)
def test_tables_of_scikit_learn(name: str) -> None:
    (table,) = SklearnTable(name).tables()
    assert (*table.features.shape, len(table.class_names)) == SHAPES[name]
    assert set(table.classes.tolist()) == set(range(SHAPES[name][2]))
    assert table.name == name


def test_several_tables_need_names_of_their_own() -> None:
    both = Tables({"a": SklearnTable("wine"), "b": SklearnTable("digits")})
    assert [table.name for table in both.tables()] == ["wine", "digits"]
    for sources in ({}, {"a": SklearnTable("wine"), "b": SklearnTable("wine")}):
        with pytest.raises(UserError, match="tables need names of their own"):
            Tables(sources).tables()


def test_learns_wine_and_says_how_well(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        wine(run)
    said = re.search(r"wine network_0: trained in (\S+) s, accuracy (\S+) on 53 test rows .*: 0.396\)", caplog.text)
    assert said is not None
    assert float(said[2]) > 0.85


def test_a_task_explains_rows_that_the_network_never_saw(run: Run) -> None:
    (task,) = wine(run)
    (table,) = SklearnTable("wine").tables()
    assert (task.name, task.data, task.network) == ("wine network_0", "wine", "network_0")
    rows = [int(unit.removeprefix("row_")) for unit in task.units]
    np.testing.assert_array_equal(task.inputs.cpu(), table.features[rows])
    background = task.background
    assert background.stratum is not None
    assert background.stratum_weight is not None
    same = (task.inputs[:, None] == background.examples).all(dim=2)
    assert not same.any()
    torch.testing.assert_close(background.centre, background.examples.mean(0))
    # Strata are the classes, by the numbers of the network's outputs.
    of_row = {tuple(row): label for row, label in zip(table.features.tolist(), table.classes.tolist(), strict=True)}
    classes = [of_row[tuple(example)] for example in background.examples.tolist()]
    assert background.stratum.tolist() == classes
    frequency = np.bincount(classes) / len(classes)
    np.testing.assert_allclose(background.stratum_weight.cpu(), frequency, rtol=1e-6)
    assert set(task.known) == set()


def test_the_predicted_class_is_explained_and_its_probability_followed(run: Run) -> None:
    (task,) = wine(run)
    assert task.targets is not None
    logits = task.f(task.inputs)
    assert logits.shape == (20, 3)
    assert torch.equal(task.targets, logits.argmax(1))
    every = torch.arange(20, device=task.inputs.device)
    torch.testing.assert_close(task.followed(task.inputs, every), logits.softmax(1).amax(1))
    some = task.take([3, 3, 1])
    torch.testing.assert_close(some.followed(some.inputs, every[:3]), logits.softmax(1).amax(1)[[3, 3, 1]])


def test_imputers_of_a_row(run: Run, generator: torch.Generator) -> None:
    (task,) = wine(run)
    drawn = {name: draw(one, task.inputs, task.background, generator) for name, one in task.imputers.items()}
    assert set(drawn) == {"zero", "mean", "background"}
    assert not drawn["zero"][0].any()
    assert isinstance(task.f, MLP)
    torch.testing.assert_close(task.f.standardise(drawn["mean"][0]), torch.zeros_like(drawn["mean"][0]))
    rows, weights = drawn["background"]
    assert len(rows) == 15  # five of each class, which together weigh as often as it occurs
    assert task.background.stratum_weight is not None
    torch.testing.assert_close(weights.view(3, 5).sum(1), task.background.stratum_weight.double())


def test_variants_explain_the_same_rows_with_another_network(run: Run) -> None:
    (task,) = wine(run)
    assert set(task.variants) == {"twin", "randomised"}
    every = torch.arange(20, device=task.inputs.device)
    scores = {"": task.followed(task.inputs, every)}
    for name, make in task.variants.items():
        variant, again = make(), make()
        assert torch.equal(variant.inputs, task.inputs)
        assert variant.targets is task.targets
        assert variant.units == task.units
        assert torch.equal(variant.f(task.inputs), again.f(task.inputs))
        scores[name] = variant.followed(task.inputs, every)
    assert (scores["twin"] - scores[""]).abs().max() > 1e-4
    assert (scores["twin"] - scores[""]).abs().mean() < 0.2 < (scores["randomised"] - scores[""]).abs().mean()
    assert torch.equal(task.take([1, 0]).variants["twin"]().inputs, task.inputs[[1, 0]])


def test_networks_of_a_table_have_splits_and_seeds_of_their_own(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        first, second = wine(run, networks=2, inputs=1000, max_epochs=2)
    assert "wine network_1: 5" in caplog.text  # rows of the test part are all there are
    assert set(first.units).isdisjoint(second.units)
    assert not torch.equal(first.f(first.inputs), second.f(first.inputs))
    few = wine(run, networks=2, inputs=5, max_epochs=2)[0]
    assert few.units == first.units[:5]
    assert torch.equal(few.f(few.inputs), first.f(few.inputs))  # training is the same whenever it is repeated


def test_only_what_is_asked_for_is_trained(run: Run) -> None:
    class Untrained(TableRecipe):
        def trained(self, rows: TrainingRows, seed: tuple[int, ...]) -> nn.Module:
            raise AssertionError("nobody asked for it")

    assert len(comparison_tasks(run, Domain(SklearnTable("wine"), Untrained(), 3, 5))) == 3


def test_divergence_is_an_error(run: Run) -> None:
    with pytest.raises(FloatingPointError, match=r"choose a lower model\.learning_rate"):
        wine(run, learning_rate=1e30)


@pytest.mark.parametrize(("dataset", "model"), [(None, recipe()), (SklearnTable("wine"), None)])
def test_what_is_of_another_domain(dataset: object, model: object, run: Run) -> None:
    with pytest.raises(UserError, match="tasks=tables needs a dataset of tables and a model"):
        comparison_tasks(run, Domain(dataset, model, 1, 1))


def test_the_network_is_linear_layers_with_swish_between(generator: torch.Generator) -> None:
    standardise = Standardise.of(torch.randn(50, 6, generator=generator))
    x: Tensor = torch.randn(5, 6, generator=generator)
    rows = TrainingRows(x, torch.arange(5), x, torch.arange(5), 5)
    network = recipe(max_epochs=1).trained(rows, (0,))
    assert isinstance(network, MLP)
    first, second, last = network.linear
    expected = nn.Sequential(network.standardise, first, nn.SiLU(), second, nn.SiLU(), last)
    torch.testing.assert_close(network(x), expected(x))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert standardise.mean.shape == network.standardise.mean.shape


@pytest.fixture
def flowers(tmp_path: Path) -> Callable[[str], Path]:
    """Fisher's flowers in a file of the user's."""
    found = load_iris(as_frame=True)
    table = found.data.assign(species=[found.target_names[label] for label in found.target])

    def write(name: str) -> Path:
        path = tmp_path / name
        if path.suffix == ".csv":
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path)
        return path

    return write


FEW = ("methods=[ig_zero,expected_gradients,background_weighted]", "metrics=[deletion_mean]")


@pytest.mark.slow
def test_the_page_s_command_for_one_s_own_table_works(flowers: Callable[[str], Path], tmp_path: Path) -> None:
    folder = flowers("flowers.csv").parent
    (command, *_) = [command for command in COMMANDS if "flowers.csv" in command]
    words = [*shlex.split(command)[2:], f"output_root={tmp_path / 'outputs'}", "scale=smoke", *FEW]
    result = prepared.run([sys.executable, str(ROOT / "run.py"), *words], folder)
    assert result.returncode == 0, result.stderr
    (rows,) = tmp_path.glob("outputs/*/*/rows.parquet")
    assert set(pd.read_parquet(rows)["data"]) == {"flowers"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_is_a_configuration(command: str) -> None:
    config = composed(*shlex.split(command)[2:])
    for part in ("dataset", "model", "evaluation"):
        assert config[part] is None or instantiate(config[part]) is not None


@pytest.mark.slow
def test_a_user_s_table_takes_the_place_of_the_others(flowers: Callable[[str], Path], command: Command) -> None:
    path = flowers("my flowers #2=1.parquet")
    asked = ("experiment=comparison", "scale=smoke", "dataset=table", f"dataset.path={path}", "dataset.target=species")
    result = command(*asked, *FEW)
    assert result.returncode == 0, result.stderr
    assert "compared is tables alone" in result.stderr
    (folder,) = command.runs()
    assert folder.name.startswith("table-smoke-")
    rows = pd.read_parquet(folder / "rows.parquet")
    assert (set(rows["domain"]), set(rows["data"])) == ({"tables"}, {"my_flowers_2_1"})
    assert set(rows["method"]) == {"ig_zero", "expected_gradients", "background_weighted"}
    assert rows["value"].notna().all()
    assert command(*asked, *FEW).stderr.startswith("complete already")
    checksums = json.loads((folder / "provenance.json").read_text())["checksums"]
    assert checksums == {"table my_flowers_2_1": sha256(path)}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("dataset.path=t.csv", "dataset.target has no value: give dataset.target="),
        ("dataset.paht=t.csv", "unknown key dataset.paht: did you mean path?"),
        ("dataset=wine dataset.name=iris", "dataset.name=iris is unknown: breast_cancer or wine or digits"),
        ("dataset=sklearn_tables +dataset.sources.x=3", "sources.x must be a node with the _target_ of a table"),
        ("dataset=imagenet dataset.root=x", "are of different domains, photographs and tables: choose one"),
        ("dataset=wine tasks=[hep]", "of the domain tables, which is not among the tasks: tasks=[tables]"),
        ("dataset=wine model=swish_dnn", "are of different domains, hep and tables: choose one"),
        ("model.hidden=[]", "model.hidden needs one positive width a layer"),
        ("model.patience=0", "model.patience must be at least 1"),
        ("model.learning_rate=0", "model.learning_rate must be positive"),
    ],
)
def test_a_key_that_will_not_do(override: str, said: str) -> None:
    with pytest.raises(Exception, match=r"(?s).+") as caught:  # Hydra's own, or the suite's
        taken(*override.split())
    line, code = explanation(caught.value)
    assert code == 2
    assert said in str(line)


def taken(*overrides: str) -> None:
    """Take a configuration as a run does before it works."""
    named = ("dataset_name=d", "model_name=m", "methods=[ig_zero]")
    config = composed("experiment=comparison", "dataset=table", "model=table_mlp", *named, *overrides)
    for part in ("model", "dataset", "evaluation"):
        instantiate(config[part], part)
    resolve(config)


def test_networks_of_the_first_features_are_trained_alike(run: Run) -> None:
    """Of few features those that tell the classes apart give more."""
    (task,) = wine(run, max_epochs=40)
    assert task.retrained is not None
    every, flavour, ash = (task.retrained(torch.tensor(some)) for some in (list(range(13)), [6, 9, 12], [2]))
    assert every > 0.85
    assert flavour > ash + 0.2  # flavanoids, colour and proline, against the ash alone


def test_a_recipe_that_wants_all_features_is_not_trained_on_some(run: Run) -> None:
    class Whole(TableMLPRecipe):
        takes_any_features = False

    whole = Whole(**vars(recipe(max_epochs=1)))
    (make,) = comparison_tasks(run, Domain(SklearnTable("wine"), whole, 1, 2)).values()
    assert make().retrained is None
