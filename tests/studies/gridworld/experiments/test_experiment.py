"""2310.04821 on grid worlds, end to end at smoke scale: what the rows say, checked with other people's code."""

import json
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapiq
import torch
from captum.attr import IntegratedGradients
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image
from safetensors.torch import load_file

from igbaselines.attribution.baselines import Given
from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.models.standardise import Standardise
from igbaselines.running.config import register
from igbaselines.running.targets import instantiate
from igbaselines.studies.gridworld.data.dataset import GridStates, GridWorld
from igbaselines.studies.gridworld.data.features import FEATURES
from igbaselines.studies.gridworld.experiments.experiment import check
from igbaselines.studies.gridworld.experiments.methods import COALITIONAL, SIG_UNIFORM, KernelSHAP
from igbaselines.studies.gridworld.experiments.networks import variants
from igbaselines.studies.gridworld.networks.value_mlp import GridValueMLP
from igbaselines.tasks import Background, Task
from tests.commands import Command

SMOKE = ("experiment=shapley_gridworld", "scale=smoke")
METHODS = {
    *("ig_zero", "ig_mean", "ig_uniform", "ig_gaussian", "ig_max_distance", "expected_gradients", "kernel_shap"),
    *COALITIONAL,
    SIG_UNIFORM,
}
METRICS = {"cosine", "proportions_l1", "spearman", "kendall", "top1", "sign_agreement", "efficiency_gap"}
BUDGET = 64


@pytest.fixture(scope="session")
def rows(gridworld_smoke: Path) -> pd.DataFrame:
    return pd.read_parquet(gridworld_smoke / "rows.parquet")


@pytest.fixture(scope="session")
def states() -> GridStates:
    return GridWorld(n_worlds=60, held_out=12).load()


def network_of(folder: Path, states: GridStates) -> GridValueMLP:
    train = torch.from_numpy(states.features[~states.held_out])
    network = GridValueMLP(Standardise.of(train), [64, 64])
    network.load_state_dict(load_file(folder / "networks" / "10-features-0.safetensors"))
    return network.eval()


@pytest.mark.slow
def test_every_state_is_judged_for_every_method_reference_and_network(rows: pd.DataFrame) -> None:
    found = rows[rows["study"] == "agreement"]
    for reference in ("zero", "mean", "background"):
        of_reference = found[found["reference"] == reference]
        expected = METHODS - ({"kernel_shap"} if reference == "background" else set())  # 32 times the evaluations
        assert set(of_reference["method"]) == expected
        assert len(of_reference) == len(expected) * len(METRICS) * 8 * 2
    assert set(found["metric"]) == METRICS
    assert not found.duplicated(["reference", "method", "metric", "unit", "network"]).any()
    assert np.isfinite(found.loc[found["metric"] == "cosine", "value"]).all()
    assert found["unit"].str.extract(r"world_(\d+)_")[0].nunique() == found["unit"].nunique() == 8


@pytest.mark.slow
def test_no_method_spends_more_than_the_others(rows: pd.DataFrame) -> None:
    found = rows[(rows["study"] == "agreement") & (rows["reference"] == "mean")]
    spent = found.groupby("method")["evaluations"].first()
    assert set(spent[~spent.index.str.startswith("shapley_sampling")]) == {BUDGET}
    assert spent[spent.index.str.startswith("shapley_sampling")].between(0.8 * BUDGET, 1.1 * BUDGET).all()  # at random


@pytest.mark.slow
def test_agreement_is_that_of_other_peoples_code(gridworld_smoke: Path, rows: pd.DataFrame, states: GridStates) -> None:
    network = network_of(gridworld_smoke, states)
    found = rows[(rows["study"] == "agreement") & (rows["reference"] == "zero") & (rows["network"] == "network_0")]
    of_metric = found[found["method"] == "ig_zero"].pivot(index="unit", columns="metric", values="value")
    for row in states.explained(8, seed=0)[:3]:
        state = torch.from_numpy(states.features[row])

        def value(present: np.ndarray, state: torch.Tensor = state) -> np.ndarray:
            with torch.no_grad():
                worth: np.ndarray = network(state * torch.from_numpy(present).float())[:, 0].double().numpy()
            return worth

        exact = shapiq.ExactComputer(n_players=10, game=value)("SV").get_n_order_values(1)
        explained = IntegratedGradients(network).attribute(state[None], torch.zeros(1, 10), target=0, n_steps=200)
        ig = explained[0].double().numpy()
        measured = of_metric.loc[f"world_{states.world[row]}_state_{states.state[row]}"]
        assert measured["cosine"] == pytest.approx(ig @ exact / np.linalg.norm(ig) / np.linalg.norm(exact), abs=1e-4)
        shares = np.abs(ig) / np.abs(ig).sum() - np.abs(exact) / np.abs(exact).sum()
        assert measured["proportions_l1"] == pytest.approx(np.abs(shares).sum(), abs=1e-3)
        assert measured["top1"] == (np.abs(ig).argmax() == np.abs(exact).argmax())


def test_all_coalitions_give_the_exact_values_and_features_that_do_not_interact_agree(rows: pd.DataFrame) -> None:
    everything = rows[(rows["study"] == "q") & (rows["q"] == 1) & (rows["metric"] == "cosine")]
    values = everything.groupby("method")["value"].min()
    assert values["shapley_sampling"] == pytest.approx(1, abs=1e-6)
    assert values["shapley_ig"] == values["shapley_ig_paired"] < 1
    additive = rows[(rows["study"] == "interactions") & (rows["metric"] == "cosine")]
    assert not additive["interactions"].any()
    assert additive.loc[additive["method"].isin(["ig_mean", "shapley_ig", "shapley_sampling"]), "value"].min() > 0.999


def test_networks_learn_and_are_compared(gridworld_smoke: Path, rows: pd.DataFrame) -> None:
    quality = rows[rows["method"] == "network"].pivot(
        index=["players", "interactions", "network"], columns="metric", values="value"
    )
    assert len(quality) == 4  # two of the comparison, one of 8 features, one without interactions
    assert (quality["r2_value"] > 0.3).all()
    assert (quality["optimal_success"] > 0.7).all()
    stability = rows[rows["study"] == "stability"]
    assert set(stability["method"]) == METHODS | {"exact"}
    assert stability["value"].between(-1, 1 + 1e-9).all()
    assert len(json.loads((gridworld_smoke / "provenance.json").read_text())["checksums"]["10-features-0"]) == 64


def test_tables_figures_and_claims_come_out(gridworld_smoke: Path) -> None:
    figures = {path.stem for path in (gridworld_smoke / "figures").glob("*.png")}
    expected = {"figure_states", "figure_cost", "figure_q", "figure_agreement", "figure_studies"}
    assert figures == expected
    for figure in figures:
        with Image.open(gridworld_smoke / "figures" / f"{figure}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5  # something is drawn
    claims = json.loads((gridworld_smoke / "claims.json").read_text())
    assert {claim["paper"] for claim in claims} == {"2310.04821"}
    untested = [claim["id"] for claim in claims if claim["verdict"] == "not tested"]
    assert untested == [], "every claim of the paper has a test that the rows can answer"


@pytest.mark.slow
def test_what_a_kill_leaves_is_taken_up_and_the_rows_are_the_same(rows: pd.DataFrame, command: Command) -> None:
    process = command.start(*SMOKE)
    while not list(command.outputs.rglob("10-features-0.json")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert command.runs() == []
    again = command(*SMOKE)
    assert again.returncode == 0, again.stderr
    assert "10-features-0: trained" not in again.stderr
    assert "10-features-additive-0: trained" in again.stderr
    (folder,) = command.runs()
    taken_up = pd.read_parquet(folder / "rows.parquet")
    timed = rows["study"] == "time"
    pd.testing.assert_frame_equal(taken_up[~timed], rows[~timed])


@pytest.mark.slow
def test_why_this_action_explains_the_best_one(command: Command, states: GridStates) -> None:
    little = ("evaluation.players=[]", "evaluation.additive=false", "evaluation.budgets=[]", "evaluation.q=[]")
    result = command(*SMOKE, *little, "attribution.explained=action", "evaluation.kernel_shap=false")
    assert result.returncode == 0, result.stderr
    (folder,) = command.runs()
    (file,) = (folder / "examples").glob("*.npz")
    _, world, _, state = file.stem.partition("-")[2].split("_")
    row = ((states.world == int(world)) & (states.state == int(state))).argmax()
    best = int(states.action_value[row].argmax())
    with np.load(file) as example:
        assert str(example["title"]) == f"why go {('up', 'down', 'left', 'right')[best]}"
        exact = example["attributions"][list(example["methods"]).index("exact")]
    network = network_of(folder, states)
    train = torch.from_numpy(states.features[~states.held_out])
    with torch.no_grad():
        q = network(torch.stack([torch.from_numpy(states.features[row]), train.mean(dim=0)]))[:, 1:]
    advantage = q[:, best] - q.mean(dim=1)
    assert exact.sum() == pytest.approx((advantage[0] - advantage[1]).item(), abs=1e-5)


@pytest.mark.parametrize(
    ("features", "interactions", "expected"),
    [
        (10, True, ["8-features-0", "10-features-additive-0"]),
        (8, True, ["8-features-additive-0"]),  # networks of 8 features are there already
        (10, False, ["8-features-additive-0"]),  # and so are additive ones
    ],
)
def test_no_network_is_trained_twice(features: int, interactions: bool, expected: list[str]) -> None:
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        evaluation = instantiate(compose("config", ["experiment=shapley_gridworld", "scale=smoke"])["evaluation"])
    names = [variant.name for variant in variants(FEATURES[:features], interactions, evaluation)]
    kind = "" if interactions else "-additive"
    assert names == [*(f"{features}-features{kind}-{network}" for network in (0, 1)), *expected]


def test_kernel_shap_with_all_coalitions_is_exact(generator: torch.Generator) -> None:
    weight = torch.randn(5, 5, generator=generator)
    states, absent = torch.randn(2, 5, generator=generator), torch.randn(2, 5, generator=generator)

    def f(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ weight).prod(dim=1)

    task = Task("states", f, states, None, ["a", "b"], Background(absent, absent.mean(dim=0)))
    method = KernelSHAP(Given(absent), 2**5)
    found = method.attribute(task, generator)
    for state, attributions in zip(states, found.attributions.double().numpy(), strict=True):

        def worth(members: np.ndarray, state: torch.Tensor = state) -> np.ndarray:
            points = torch.where(torch.from_numpy(members)[:, None], state, absent)
            return np.asarray(f(points.flatten(0, 1)).view(-1, len(absent)).double().mean(dim=1))

        exact = shapiq.ExactComputer(n_players=5, game=worth)("SV").get_n_order_values(1)
        assert attributions == pytest.approx(exact, abs=1e-6)
    assert found.evaluations.tolist() == [2**5 * 2] * 2
    assert method.why_not(task) is None
    assert "7 are needed" in str(KernelSHAP(Given(absent), 6).why_not(task))


def build(config: DictConfig) -> None:
    parts = {part: instantiate(config[part]) for part in ("dataset", "model", "attribution", "evaluation")}
    check(parts["dataset"], parts["evaluation"])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("attribution.explained=policy", ["attribution.explained", "value or action"]),
        ("attribution.references=[median]", ["attribution.references", "zero or mean or background"]),
        ("attribution.references=[mean,mean]", ["attribution.references", "mean 2 times"]),
        ("attribution.baselines.zero=3", ["attribution.baselines.zero", "_target_"]),
        ("attribution.steps=0", ["attribution.steps", "at least 1"]),
        ("evaluation.q=[0.1,0.1]", ["evaluation.q", "0.1 2 times"]),
        ("evaluation.q=[0.1,2]", ["evaluation.q", "(0, 1]", "2"]),
        ("evaluation.players=[1]", ["evaluation.players", "at least 2"]),
        ("evaluation.players=[20]", ["evaluation.players=20", "14 features"]),
        ("evaluation.study_networks=9", ["evaluation.study_networks=9", "evaluation.networks"]),
        ("evaluation.states=101", ["evaluation.states=101", "dataset.held_out=100"]),
        ("dataset.features=[goal_rov,has_key]", ["goal_rov", "goal_row"]),
        ("model.hidden=[]", ["model.hidden"]),
    ],
)
def test_a_value_that_will_not_do(override: str, words: list[str]) -> None:
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        config = compose("config", ["experiment=shapley_gridworld", override])
    with pytest.raises(UserError) as error:
        build(config)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)
