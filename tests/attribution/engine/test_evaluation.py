"""Modules in training mode, wherever a function holds them: run in evaluation mode, and left as they were found."""

import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from operator import methodcaller
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from igbaselines.attribution import Attribution, GaussLegendre, path_attribution
from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.fitness import Fitness
from igbaselines.attribution.shapley.exact import exact_shapley_values
from igbaselines.metrics import DeletionAUC
from igbaselines.tasks import Background, Patches, Task

Function = Callable[[Tensor], Tensor]
X, BLACK = torch.rand(3, 2, 6, 6, dtype=torch.float64), torch.zeros(1, 2, 6, 6, dtype=torch.float64)
Y, RULE = torch.tensor([0, 2, 1]), GaussLegendre(3)


class Network(nn.Module):
    """Dropout and batch statistics, in modules and of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Dropout(0.5), nn.Flatten())
        self.head = nn.Linear(64, 3)
        self.double().train()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(functional.dropout(self.layers(x), 0.5, self.training))
        return output


class Helper:
    def __init__(self, network: nn.Module) -> None:
        self.parts = {"network": [network]}

    def scores(self, x: Tensor) -> Tensor:
        output: Tensor = self.parts["network"][0].forward(x)
        return output


class Slots:
    __slots__ = ("network",)

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, x: Tensor) -> Tensor:
        output: Tensor = self.network(x)
        return output


class Around(nn.Module):
    """Holds a network where `modules()` does not see it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.helper = Helper(network)

    def forward(self, x: Tensor) -> Tensor:
        return self.helper.scores(x)


def unreachable(network: nn.Module) -> Function:
    """Only its calls tell."""
    found = {"network": network}.__getitem__
    return lambda x: found("network")(x)


def by_default(network: nn.Module) -> Function:
    def f(x: Tensor, one: Any = network) -> Any:
        return one.forward(x)

    return f


@cache
def registry() -> dict[str, nn.Module]:
    return {}


def in_registry(network: nn.Module) -> Function:
    registry()["network"] = network
    return lambda x: registry()["network"](x)


# Where neither calls nor `modules()` show the part that drops out itself: the search has to find it


@dataclass(slots=True)
class Slotted:
    network: Any

    def scores(self, x: Tensor) -> Tensor:
        output: Tensor = self.network.forward(x)
        return output


def in_a_class(network: nn.Module) -> Function:
    class Holder:
        held = network

        @classmethod
        def scores(cls, x: Tensor) -> Any:
            return cls.held.forward(x)

    return Holder.scores


def by_property(network: nn.Module) -> Function:
    class Holder:
        @property
        def held(self) -> nn.Module:
            return registry()["network"]

        def scores(self, x: Tensor) -> Any:
            return self.held.forward(x)

    registry()["network"] = network
    return Holder().scores


def by_weak_reference(network: nn.Module) -> Function:
    registry()["kept"], found = network, weakref.ref(network)
    return lambda x: found().forward(x)  # type: ignore[union-attr]


def by_weak_proxy(network: nn.Module) -> Function:
    registry()["kept"], found = network, weakref.proxy(network)
    return lambda x: found.forward(x)


CONTEXT: ContextVar[nn.Module] = ContextVar("CONTEXT")


def in_context(network: nn.Module) -> Function:
    CONTEXT.set(network)
    return lambda x: CONTEXT.get().forward(x)


def by_method_caller(network: nn.Module) -> Function:
    call = methodcaller("scores_of", network)

    class Points:
        def __init__(self, x: Tensor) -> None:
            self.x = x

        def scores_of(self, one: nn.Module) -> Any:
            return one.forward(self.x)

    return lambda x: call(Points(x))


def other_module(network: nn.Module) -> ModuleType:
    module = ModuleType("another_python_module")
    exec("def scores(x):\n    return NETWORK.forward(x)", vars(module))
    vars(module)["NETWORK"] = network
    return module


def in_another_module(network: nn.Module) -> Function:
    module = other_module(network)
    return lambda x: module.scores(x)


def imported_inside(network: nn.Module) -> Function:
    sys.modules["another_python_module"] = other_module(network)

    def f(x: Tensor) -> Any:
        from another_python_module import scores  # type: ignore[import-not-found]

        return scores(x)

    return f


def behind_much(network: nn.Module) -> Function:
    parts: list[Any] = [*([index] for index in range(5000)), network]
    return lambda x: parts[-1].forward(x)


def of_this_thread(network: nn.Module) -> Function:
    local = threading.local()
    local.network = network
    return lambda x: local.network.forward(x)


def beside_compiled(network: nn.Module) -> Function:
    slotted = Slotted(network)

    def compiled(x: Tensor) -> Tensor:
        return x

    vars(compiled)["_torchdynamo_orig_callable"] = compiled  # as of torch.compile, beside which no call is listened to
    return lambda x: slotted.scores(compiled(x))


HIDDEN: dict[str, Callable[[nn.Module], Function]] = {
    "itself": lambda network: network,
    "lambda": lambda network: lambda x: network(x),
    "bound method": lambda network: network.forward,
    "lambda of a bound method": lambda network: lambda x: network.forward(x),
    "partial": lambda network: partial(lambda one, x: one(x), network),
    "partial of keywords": lambda network: partial(lambda x, one: one.forward(x), one=network),
    "default": by_default,
    "helper": lambda network: Helper(network).scores,
    "slots": Slots,
    "module around": Around,
    "comprehension": lambda network: lambda x: torch.stack([network.forward(part[None])[0] for part in x]),
    "functional call": lambda network: lambda x: functional_call(network, dict(network.named_parameters()), (x,)),
    "decorated": lambda network: torch.enable_grad()(network.forward),
    "unreachable": unreachable,
    "registry": in_registry,
    "switches itself": lambda network: lambda x: network.train()(x),
    "left in evaluation": lambda network: lambda x: network.eval()(x),
    "made anew": lambda network: lambda x: network(nn.Dropout(0.5)(x)),
    "dataclass with slots": lambda network: Slotted(network).scores,
    "class": in_a_class,
    "property": by_property,
    "weak reference": by_weak_reference,
    "weak proxy": by_weak_proxy,
    "context": in_context,
    "method caller": by_method_caller,
    "another module": in_another_module,
    "imported inside": imported_inside,
    "behind much": behind_much,
    "thread's own": of_this_thread,
    "beside something compiled": beside_compiled,
}


def state(network: nn.Module) -> tuple[list[bool], dict[str, Tensor], list[bool]]:
    modes = [module.training for module in network.modules()]
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return modes, kept, [parameter.requires_grad for parameter in network.parameters()]


def assert_as_found(network: nn.Module, found: tuple[list[bool], dict[str, Tensor], list[bool]]) -> None:
    now = state(network)
    assert now[0] == found[0]
    assert now[2] == found[2]
    assert all(torch.equal(now[1][name], tensor) for name, tensor in found[1].items())


def attribute(f: Function, max_batch: int | None = None) -> Attribution:
    return path_attribution(f, X, BLACK, rule=RULE, target=Y, max_batch=max_batch)


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_hidden_network_runs_in_evaluation_mode_and_is_left_as_found(hide: Callable[[nn.Module], Function]) -> None:
    network = Network()
    network.layers[3].eval()
    found, expected = state(network), attribute(Network().eval()).attributions
    for max_batch in (None, 1, 2, 100):
        result = attribute(hide(network), max_batch).attributions
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-12)
        assert_as_found(network, found)


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN.keys())
def test_all_that_evaluate_f_have_one_idea_of_evaluation_mode(hide: Callable[[nn.Module], Function]) -> None:
    """Exact Shapley values, D_alpha and deletion curves, of the explained output or of a score of its own."""

    def values(network: nn.Module, hide: Callable[[nn.Module], Function], own: bool) -> list[Tensor]:
        f, background, generator = hide(network), Background(X, BLACK[0]), torch.Generator().manual_seed(0)
        score = (lambda x, source: f(x).softmax(1).gather(1, Y[source][:, None])[:, 0]) if own else None
        task = Task(
            "t",
            (lambda x: x.sum((1, 2, 3))) if own else f,
            X,
            None if own else Y,
            list("abc"),
            background,
            Patches(3, 3),
        )
        task = Task(task.name, task.f, X, task.targets, task.units, background, task.players, score=score)
        d_alpha = Fitness().d_alpha(task, X[:, None], generator)
        curves = DeletionAUC(Fitness().mask).curves(task, X, torch.arange(len(X)), generator)
        exact = exact_shapley_values(f, X, BLACK, players=Patches(3, 3), target=Y).values
        return [d_alpha.d_alpha.double(), d_alpha.score, curves, exact]

    for own in (False, True):
        network = Network()
        found = state(network)
        for value, expected in zip(values(network, hide, own), values(Network().eval(), lambda f: f, own), strict=True):
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
        assert_as_found(network, found)


# Modules that do more at `train` than to note their mode


class Table(nn.Module):
    """A bias as networks keep it that look it up: in evaluation mode they make the table once."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.bias, self.low = (
            nn.Parameter(torch.ones(3).double()),
            nn.Parameter(torch.full((3,), 0.1, dtype=torch.float64)),
        )
        self.kind, self.kept = kind, dict[str, Tensor]()

    def train(self, mode: bool = True) -> "Table":
        if self.kind == "merges" and mode != self.training:  # as LoRA
            self.bias.data += -self.low.data if mode else self.low.data
        super().train(mode)
        if self.kind == "freezes":
            self.bias.requires_grad_(False)
        if mode:
            self.kept.clear()
        elif self.kind == "at eval":  # as LeViT's authors
            self.kept["table"] = self.bias.detach() ** 2
        return self

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "merges":
            return x * (self.bias + self.low if self.training else self.bias)
        if self.training:
            return x * self.bias**2
        if self.kind != "at eval" and "table" not in self.kept:  # as timm's LeViT and TinyViT
            self.kept["table"] = self.bias.detach() ** 2
        return x * self.kept["table"]


@pytest.mark.parametrize("kind", ["lazy", "at eval", "merges", "freezes"])
@pytest.mark.parametrize("hide", [HIDDEN[name] for name in ("itself", "lambda", "unreachable")])
def test_tables_of_weights_are_neither_left_nor_explained_stale(
    kind: str, hide: Callable[[nn.Module], Function]
) -> None:
    network = nn.Sequential(table := Table(kind), nn.Dropout(0.5)).train()
    for value in (2.0, 3.0):
        table.bias.data.fill_(value)
        table.kept["table"] = torch.full((3,), 99.0).double()  # left by whoever wrote `training` alone
        found = state(network)
        x = torch.rand(2, 3, dtype=torch.float64)
        expected = x * (value + 0.1 if kind == "merges" else value**2)
        found_ = path_attribution(hide(network), x, 0, rule=RULE, target=[0, 2]).attributions
        torch.testing.assert_close(found_.sum(1), expected[[0, 1], [0, 2]], rtol=0, atol=1e-12)
        assert_as_found(network, found)
        assert not table.kept


class Trainer(nn.Module):
    """Modules whose `train` is another function of that name, or does what it likes."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.called = kind, False
        self.linear = nn.Linear(3, 2)
        self.inner = nn.Sequential(self.linear, nn.Dropout(0.5)).double()
        if kind == "a flag":
            self.train = True  # type: ignore[assignment, method-assign]

    def fit(self) -> None:
        self.called = True
        for parameter in self.parameters():
            parameter.data.add_(1)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.inner(x)
        return output


def fits(self: Trainer, epochs: int = 3) -> None:
    self.fit()


def fits_data(self: Trainer, loader: object) -> None:
    self.fit()


def fits_alone(self: Trainer) -> None:
    self.fit()


def fits_in_a_mode(self: Trainer, mode: str = "fast") -> None:
    self.fit()


def fails(self: Trainer, mode: bool = True) -> None:
    self.linear.weight.data.zero_()
    raise RuntimeError("this network is frozen")


def merges_below(self: Trainer, mode: bool = True) -> Trainer:
    if mode != self.training:
        self.linear.weight.data.mul_(3.0 if mode else 1 / 3)
    nn.Module.train(self, mode)
    return self


TRAINS = {"epochs": fits, "loader": fits_data, "nothing": fits_alone, "a word": fits_in_a_mode, "fails": fails}


@pytest.mark.parametrize("kind", [*TRAINS, "a flag", "merges below"])
@pytest.mark.parametrize("hide", [HIDDEN[name] for name in ("itself", "lambda", "unreachable")])
def test_what_is_called_train_and_trains_is_not_called(
    kind: str, hide: Callable[[nn.Module], Function], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind != "a flag":
        monkeypatch.setattr(Trainer, "train", (TRAINS | {"merges below": merges_below})[kind])
    whole = nn.Sequential(network := Trainer(kind))
    whole.training = network.training = network.inner.training = True
    found, x = state(network), torch.rand(2, 3, dtype=torch.float64)
    result = path_attribution(hide(whole), x, 0, rule=RULE, target=1).attributions
    assert not network.called
    assert_as_found(network, found)
    factor = {"fails": 0.0, "merges below": 1 / 3}.get(kind, 1.0)
    torch.testing.assert_close(result, x * network.linear.weight[1] * factor, rtol=0, atol=1e-12)


def test_threads_that_explain_one_network_leave_it_as_found() -> None:
    network, barrier = Network(), threading.Barrier(3, timeout=30)
    found, expected = state(network), attribute(Network().eval()).attributions
    results: list[Tensor] = []

    def f(x: Tensor) -> Tensor:
        output: Tensor = network(x)
        return output

    def explain(times: int) -> None:
        barrier.wait()
        results.extend(attribute(f).attributions for _ in range(times))

    threads = [threading.Thread(target=explain, args=(times,)) for times in (1, 3, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 10
    assert all(torch.allclose(result, expected, rtol=0, atol=1e-12) for result in results)
    assert_as_found(network, found)


def test_the_last_one_out_restores() -> None:
    network = Network()
    with evaluation_mode(network):
        with evaluation_mode(network.forward):
            assert not network.training
        assert not network.training
    assert network.training


def test_a_part_in_evaluation_mode_keeps_its_table() -> None:
    tables = Table("at eval"), Table("at eval")
    network = nn.Sequential(*tables).train()
    tables[0].eval()
    path_attribution(network, torch.rand(2, 3).double(), 0, rule=RULE, target=1)
    assert [table.training for table in tables] == [False, True]
    assert [list(table.kept) for table in tables] == [["table"], []]


# What is refused, and what is left alone


def test_refuses_batch_statistics_that_no_mode_switches_off() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 2)).double()
    x = torch.rand(2, 3, dtype=torch.float64)
    for f in (network, lambda z: network(z)):
        with pytest.raises(ValueError, match="a BatchNorm1d without running statistics: even in evaluation mode"):
            path_attribution(f, x, 0, target=1)


def exported(network: nn.Module) -> nn.Module:
    x = (torch.rand(3, 2, 6, 6, dtype=torch.float64),)
    shapes = ({0: torch.export.Dim("points", min=1, max=64)},)
    return torch.export.export(network, x, dynamic_shapes=shapes).module()


@pytest.mark.parametrize("make", [torch.fx.symbolic_trace, exported], ids=["traced", "exported"])
def test_refuses_what_was_traced_in_training_mode(make: Callable[[nn.Module], nn.Module]) -> None:
    expected = attribute(Network().eval()).attributions
    torch.testing.assert_close(attribute(make(Network().eval())).attributions, expected, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match=r"traced or exported in training mode .*: trace it anew after eval"):
        attribute(make(Network()))


def test_a_network_that_another_thread_trains_is_left_alone() -> None:
    other, seen = nn.Dropout(0.5).train(), []
    with evaluation_mode(lambda x: x):
        thread = threading.Thread(target=lambda: seen.append((other(torch.ones(99)), other.training)))
        thread.start()
        thread.join()
    assert seen[0][1]
    assert float(seen[0][0].min()) == 0


def test_nothing_listens_any_more_after_an_error() -> None:
    from torch.nn.modules import module as hooks

    with pytest.raises(ZeroDivisionError):
        path_attribution(lambda x: x.sum(1) / (1 // 0), torch.rand(2, 3), 0)
    assert not hooks._global_forward_pre_hooks
