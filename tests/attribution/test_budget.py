"""Budgets: what a gradient counts, by hand, and that every method of conf/methods spends what it is given."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from igbaselines.attribution import GaussLegendre
from igbaselines.attribution.baselines import BaselineSet, Examples, PerStratum, TrainingMean, ZeroBaseline
from igbaselines.attribution.budget import FORWARD_AND_BACKWARD, Budget, TooSmallBudgetError, _Operations, gradient_cost
from igbaselines.attribution.controls import RandomMap
from igbaselines.attribution.engine.quadrature import AtInput, RandomPoint, Trapezoid
from igbaselines.attribution.field.blur_ig import BlurIG
from igbaselines.attribution.field.regions import Regions
from igbaselines.attribution.methods import MOST_NODES, AveragedGradients, Method, attribute_all, why_not, within
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.attribution.weighting import ByStratum
from igbaselines.models.inference import for_gradients
from igbaselines.models.joined import Joined
from igbaselines.models.stem import Stemmed
from igbaselines.tasks import Background, EachFeature, Imputer, Patches, Players, Task
from tests.small_tasks import task_of

Make = Callable[..., nn.Module]
CONF = Path(__file__).parents[2] / "conf" / "methods"
EVERY = {name: of for file in sorted(CONF.glob("*.yaml")) for name, of in yaml.safe_load(file.read_text()).items()}
METHODS: Any = OmegaConf.to_object(OmegaConf.create({"methods": EVERY}).methods)


# What is paid for


@pytest.mark.parametrize(
    ("budget", "bill", "times"),
    [
        (Budget(32), {"gradients": 8}, 2),
        (Budget(31.9), {"gradients": 8}, 1),
        (Budget(32, gradient=3.0), {"gradients": 8}, 1),
        (Budget(32, gradient=0.5), {"gradients": 8}, 8),
        (Budget(100), {"forwards": 7}, 14),
        (Budget(100), {"gradients": 8, "forwards": 9}, 4),
        (Budget(100), {"gradients": 8, "forwards": 9, "apart": 1}, 3),
        (Budget(7), {"forwards": 1, "apart": 7, "least": 0}, 0),
        (Budget(3, gradient=0.1), {"gradients": 1}, 30),  # which floating point falls short of
        (Budget(6), {"gradients": 1, "least": 3}, 3),
    ],
)
def test_how_often_a_budget_pays(budget: Budget, bill: Mapping[str, Any], times: int) -> None:
    assert budget.pays(**bill) == times


@pytest.mark.parametrize(
    ("bill", "needed"),
    [
        ({"gradients": 8}, 16),
        ({"forwards": 9, "apart": 3}, 12),
        ({"gradients": 3, "least": 2}, 12),
        ({"forwards": 1, "apart": 11, "least": 0}, 11),  # not even what stands apart
        ({"forwards": 9, "apart": 10.5, "least": 0}, 10.5),
    ],
)
def test_a_budget_that_does_not_pay_says_what_would(bill: Mapping[str, Any], needed: float) -> None:
    with pytest.raises(TooSmallBudgetError, match=f"it takes {needed:.0f} evaluations at least"):
        Budget(10).pays(**bill)
    assert Budget(needed).pays(**bill) == bill.get("least", 1)


# What a gradient counts


class Behind(Stemmed):
    """An MLP whose first layer is declared as a stem."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.eval().double()

    def affine_stem(self, x: Tensor) -> Tensor:
        first: Tensor = self.layers[0](x)
        return first

    def after_stem(self, z: Tensor) -> Tensor:
        for layer in self.layers[1:]:
            z = layer(torch.tanh(z))
        return z.flatten(0)


def of_features(f: Callable[[Tensor], Tensor], features: int = 6, **others: Any) -> Task:
    generator = torch.Generator().manual_seed(3)
    return task_of(f, torch.randn(4, features, generator=generator, dtype=torch.float64), **others)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_gradient_of_an_mlp_costs_a_pass_there_and_one_back(frozen: bool, make_mlp: Make) -> None:
    """Back go as many products as there, of every layer: none for the weights, whether or not they want a gradient."""
    assert gradient_cost(of_features(make_mlp().requires_grad_(not frozen))) == 2


def test_behind_a_stem_the_first_layer_is_free_and_the_operations_are_those_of_the_layers() -> None:
    sizes = (6, 10, 8, 1)
    operations = [a * b for a, b in pairwise(sizes)]
    by_hand = 2 * sum(operations[1:]) / sum(operations)
    assert gradient_cost(of_features(Behind(*sizes))) == pytest.approx(by_hand)
    assert by_hand < 1.3


def test_convolutions_and_classes(make_cnn: Make) -> None:
    pictures = torch.rand(3, 2, 8, 8, dtype=torch.float64)
    task = task_of(make_cnn(classes=3), pictures, targets=torch.tensor([0, 2, 1]))
    assert gradient_cost(task) == pytest.approx(2)


def test_where_nothing_is_counted_a_gradient_is_two_passes() -> None:
    assert gradient_cost(of_features(lambda x: x.square().sum(1))) == FORWARD_AND_BACKWARD
    assert gradient_cost(of_features(Behind(6, 1))) == FORWARD_AND_BACKWARD  # all of it is the stem


def test_the_same_in_every_call_and_of_every_task(make_cnn: Make) -> None:
    network = make_cnn()
    pictures = torch.rand(3, 2, 8, 8, dtype=torch.float64)
    costs = {gradient_cost(task_of(network, some)) for some in (pictures, pictures, pictures[1:], pictures[2:])}
    assert len(costs) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_copy_for_gradients_goes_on_with_its_shortcuts(dtype: torch.dtype, caplog: pytest.LogCaptureFixture) -> None:
    """What reads between its layers has it go without; what they do as one counts as it does apart."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(64, 1), nn.Flatten(0)).to(dtype).eval()
    copied, untouched = for_gradients(network), for_gradients(network)
    pictures = torch.rand(3, 2, 8, 8, dtype=dtype)
    with caplog.at_level(logging.INFO):
        first, second = (gradient_cost(task_of(copied, pictures)) for _ in range(2))
    assert first == second == gradient_cost(task_of(network, pictures)) == pytest.approx(2)
    assert "as it is" not in caplog.text
    assert torch.equal(copied(pictures), untouched(pictures))
    assert any(isinstance(module, Joined) for module in copied.modules())


def test_operations_are_those_of_torch_s_own_counter(make_cnn: Make) -> None:
    network, pictures = make_cnn(classes=3), torch.rand(5, 2, 8, 8, dtype=torch.float64)
    with FlopCounterMode(display=False) as expected, _Operations() as found:
        network(pictures.requires_grad_()).sum().backward()
    assert found.count == expected.get_total_flops() > 0


def test_counting_leaves_the_network_and_random_numbers_alone(make_cnn: Make) -> None:
    network = make_cnn().train()
    before, state = {name: kept.clone() for name, kept in network.state_dict().items()}, torch.get_rng_state()
    gradient_cost(task_of(network, torch.rand(3, 2, 8, 8, dtype=torch.float64, generator=torch.Generator())))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(before[name], kept) for name, kept in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


# What methods do for a budget

INPUTS = {"table": 60, "pictures": 40}  # many for the sampler, whose cost is drawn: what is bounded is its mean
DRAWN = 1.05  # what the mean of a drawn cost may be of the budget
# Every count of the 17 from none to all players for each baseline; or five to ten baselines at once
TOO_SMALL = ("wg_first_crossing", "kinds_")


def method_of(name: str) -> Method:
    settings = {key: value for key, value in METHODS[name].items() if key != "label"}
    found: Method = instantiate(settings, _convert_="all")
    return found


def test_a_file_is_named_after_its_methods() -> None:
    """A file may have a method and those that are made of it, such as a set of baselines weighted otherwise."""
    for file in CONF.glob("*.yaml"):
        names = list(yaml.safe_load(file.read_text()))
        assert names[0] == file.stem
        assert all(name.startswith(f"{file.stem}_") for name in names[1:])


def small_task(kind: str) -> Task:
    """Rows of 8 features or pictures of 16 patches, of one of three classes that are its strata too."""
    generator, n = torch.Generator().manual_seed(0), INPUTS[kind]
    torch.manual_seed(0)
    shape: tuple[int, ...] = (8,)
    players: Players = EachFeature()
    network = nn.Sequential(nn.Linear(8, 12), nn.SiLU(), nn.Linear(12, 3))
    if kind == "pictures":
        shape, players = (3, 16, 16), Patches(4, 4)
        network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4, padding=2), nn.SiLU(), nn.Flatten(), nn.Linear(64, 3))
    network = nn.Sequential(network, nn.Softmax(1)).double()
    inputs = torch.rand(n, *shape, generator=generator, dtype=torch.float64)
    examples = torch.rand(150, *shape, generator=generator, dtype=torch.float64)
    background = Background(
        examples,
        centre=examples.mean(dim=0),
        stratum=torch.arange(150) % 3,
        stratum_weight=torch.tensor([0.5, 0.3, 0.2]),
        own=network(inputs).argmax(dim=1),
    )
    imputers: dict[str, Imputer] = {
        "zero": ZeroBaseline(),
        "mean": TrainingMean(),
        "background": PerStratum(5, ByStratum(), at_most=True),
    }
    return task_of(network, inputs, background, background.own, players=players, imputers=imputers, max_batch=1024)


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    """Both, whose gradients cost what a budget takes for granted."""
    found = {kind: small_task(kind) for kind in INPUTS}
    assert [gradient_cost(task) for task in found.values()] == [FORWARD_AND_BACKWARD] * 2
    return found


def spent(method: Method, task: Task, gradient: float) -> Tensor:
    """Evaluations of each input, a gradient as what it costs."""
    result = attribute_all({"": method}, task, torch.Generator().manual_seed(1))[""]
    forwards = 0 if result.forwards is None else result.forwards
    return gradient * result.gradient_points.double() + forwards


def most(method: Method, gradient: float) -> float:
    """What a method can spend at most, whatever the budget."""
    if not hasattr(method, "within"):
        return 0  # a control, which never asks
    if isinstance(method, Regions):
        return most(method.method, gradient)
    if isinstance(method, BlurIG):
        return gradient * MOST_NODES
    if isinstance(method, AveragedGradients) and (
        isinstance(method.baselines, str) or not hasattr(method.baselines, "count")
    ):
        return gradient * (1 if isinstance(method.rule, AtInput) else MOST_NODES)  # one path
    return torch.inf


@pytest.mark.parametrize("size", [32, 128, 512])
@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_spends_its_budget_and_no_more(name: str, kind: str, size: int, tasks: dict[str, Task]) -> None:
    method, task = method_of(name), tasks[kind]
    drawn = isinstance(method, ShapleySampling)
    task = task if drawn else task.take(slice(2))
    if why_not(method, task) is not None:
        assert kind == "table"
        assert name in ("ig_blur", "edge_map", "blur_ig", "xrai")
        return
    budget = Budget(size)
    try:
        within(method, task, budget)
    except TooSmallBudgetError as error:
        assert name.startswith(TOO_SMALL)
        needed = int(str(error).removeprefix("it takes ").removesuffix(" evaluations at least"))
        assert needed > size
        within(method, task, Budget(needed))
        return
    cost = spent(within(method, task, budget), task, budget.gradient)
    bound = size if most(method, budget.gradient) == torch.inf else min(size, most(method, budget.gradient))
    assert float(cost.mean()) <= DRAWN * size if drawn else float(cost.max()) <= size
    assert float(cost.mean()) > size / 2 or float(cost.mean()) == bound


@pytest.mark.parametrize("name", METHODS)
def test_who_asks_the_network_cannot_do_with_one_evaluation(name: str, tasks: dict[str, Task]) -> None:
    method = method_of(name)
    if not hasattr(method, "within"):
        assert within(method, tasks["pictures"], Budget(1)) is method
        return
    with pytest.raises(TooSmallBudgetError):
        within(method, tasks["pictures"], Budget(1))


@pytest.mark.parametrize("players", [4, 16, 64])
@pytest.mark.parametrize("size", [80, 160, 640])
@pytest.mark.parametrize("rule", [None, GaussLegendre(1)], ids=str)
def test_the_sampler_spends_its_budget_whatever_the_number_of_players(
    players: int, size: int, rule: GaussLegendre | None
) -> None:
    """With few coalitions of many players the last one is the empty one, which all players join."""
    budget = Budget(size, gradient=1.0)
    task = task_of(lambda x: x.square().sum(1), torch.ones(60, players, dtype=torch.float64))
    method = ShapleySampling(ZeroBaseline(), rule=rule).within(task, budget)
    found = float(spent(method, task, budget.gradient).mean())
    assert size / 2 < found <= DRAWN * size


def test_a_rule_decides_and_no_result(tasks: dict[str, Task]) -> None:
    task, budget = tasks["table"], Budget(100)
    few = AveragedGradients(ZeroBaseline(), GaussLegendre(3))
    assert few.within(task, budget) == replace(few, rule=GaussLegendre(50))
    assert few.within(task, Budget(10_000)) == replace(few, rule=GaussLegendre(MOST_NODES))
    pair = AveragedGradients(BaselineSet({"zero": ZeroBaseline(), "mean": TrainingMean()}), Trapezoid(3))
    assert pair.within(task, budget).rule == Trapezoid(25)
    with pytest.raises(TooSmallBudgetError, match="it takes 8 evaluations at least"):
        pair.within(task, Budget(7))  # two nodes of each
    drawn = AveragedGradients(Examples(6), GaussLegendre(5))
    assert drawn.within(task, budget) == replace(drawn, baselines=Examples(10))
    assert AveragedGradients(Examples(6), RandomPoint()).within(task, budget).baselines == Examples(50)
    strata = AveragedGradients(PerStratum(20, others=True), GaussLegendre(5))  # two of three for each input
    assert strata.within(task, budget).baselines == PerStratum(5, others=True)
    assert strata.within(task, Budget(19)).baselines == PerStratum(1, most=1, others=True)
    with pytest.raises(TooSmallBudgetError, match="it takes 10 evaluations at least"):
        strata.within(task, Budget(9))
    assert ShapleyIG("zero", 4, rule=GaussLegendre(5)).within(task, budget).coalitions == 10
    with pytest.raises(TooSmallBudgetError, match="it takes 10 evaluations at least"):
        ShapleyIG("zero", 4, rule=GaussLegendre(5)).within(task, Budget(9))


def test_what_has_no_settings_is_refused_or_stays_as_it_is(tasks: dict[str, Task]) -> None:
    task = tasks["table"]
    for rule in (AtInput(), RandomPoint()):
        at_once = AveragedGradients(ZeroBaseline(), rule)
        assert at_once.within(task, Budget(2)) is at_once
        with pytest.raises(TooSmallBudgetError, match="it takes 2 evaluations at least"):
            at_once.within(task, Budget(1.9))
    assert within(control := RandomMap(), task, Budget(0)) is control
