"""A copy that is none is found out by its first call, and the network itself is run from then on."""

import copy
from collections.abc import Callable
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igbaselines.models.first_call import FirstCall, Instead
from igbaselines.models.inference import Itself, for_gradients
from igbaselines.models.joined import Joined
from tests.models.test_inference import snapshot

X = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def parts() -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    for tensor in (norm.running_mean, norm.running_var):
        assert tensor is not None
        nn.init.uniform_(tensor, 0.5, 2)
    return nn.Conv2d(3, 4, 3), norm


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv: Any
        self.norm: Any
        self.conv, self.norm = parts()

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.norm(self.conv(x))
        return z.relu().flatten(1)


class Fresh(Net):
    def __deepcopy__(self, memo: object) -> "Fresh":
        other = Fresh()
        nn.init.normal_(other.conv.weight)
        return other


class SetAnew(Net):
    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.conv.weight = nn.Parameter(2 * self.conv.weight.detach())


class Masked(nn.Module):
    """Nothing to fold, and a mask that is drawn at each switch of modes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 40)
        self.register_buffer("mask", torch.ones(40))

    def train(self, mode: bool = True) -> "Masked":
        self.mask = (torch.rand(40) > 0.5).float()
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.linear(x) * self.mask
        return z


NORM = parts()[1]


class OfAll(Net):
    """Its norm is one for all instances, and no child of them."""

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = NORM(self.conv(x))
        return z.relu()


HOLDERS: dict[str, Callable[[Callable[[Tensor], Tensor]], Any]] = {
    "function": lambda f: f,
    "namespace": lambda f: SimpleNamespace(call=f).call,
    "partial": partial,
    "cache": lru_cache,
}


class Holding(Net):
    """A function in an object holds on to the network, of which a copy knows nothing."""

    def __init__(self, holder: str) -> None:
        super().__init__()
        self.held = [SimpleNamespace(call=HOLDERS[holder](lambda z: self.norm(z)))]

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.held[0].call(self.conv(x))
        return z


@pytest.mark.parametrize("make", [Fresh, SetAnew, Masked])
def test_a_copy_that_computes_something_else_is_not_used(
    make: Callable[[], nn.Module], caplog: pytest.LogCaptureFixture
) -> None:
    model = make().eval()
    before = snapshot(model)
    fast = for_gradients(model)
    with caplog.at_level("INFO", logger="igbaselines"):
        for _ in range(2):
            torch.testing.assert_close(fast(X), model(X), rtol=0, atol=0)
    assert isinstance(vars(fast)["forward"], Instead)
    assert len(caplog.messages) == 1
    assert "is used itself, in evaluation mode: of a copy its outputs would differ by" in caplog.messages[0]
    assert snapshot(model) == before
    if make is not Fresh:  # whose copies are the user's own
        torch.testing.assert_close(copy.deepcopy(fast)(X), model(X), rtol=0, atol=0)


@pytest.mark.parametrize("make", [OfAll, *(partial(Holding, holder) for holder in HOLDERS)])
def test_modules_that_are_not_the_copys_own_are_run_in_evaluation_mode(make: Callable[[], nn.Module]) -> None:
    model, expected = make().train(), make().eval()
    NORM.eval()
    wanted = expected(X).detach()
    NORM.train()
    before, kept = snapshot(model), snapshot(NORM)
    fast = for_gradients(model)
    for _ in range(2):
        torch.testing.assert_close(fast(X).detach(), wanted)
    assert snapshot(model) == before
    assert snapshot(NORM) == kept


def test_a_module_that_is_made_anew_at_each_call_is_no_reason_to_distrust_a_copy() -> None:
    class Anew(Net):
        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = nn.Softmax(1)(super().forward(x))
            return z

    fast, model = for_gradients(Anew()), Anew().eval()
    torch.testing.assert_close(fast(X), model(X).detach())
    assert "forward" not in vars(fast)


@pytest.mark.parametrize("whose", ["original", "copy", "copy of the copy"])
def test_weights_that_changed_before_the_first_call_are_no_difference(whose: str) -> None:
    model = Net().eval()
    fast = for_gradients(model)
    fast = copy.deepcopy(fast) if whose == "copy of the copy" else fast
    expected = copy.deepcopy(model)
    with torch.no_grad():
        for changed in (model,) if whose == "original" else (fast, expected):
            changed.conv.weight.mul_(2)
    torch.testing.assert_close(fast(X), expected(X).detach())
    assert "forward" not in vars(fast)


def test_the_network_is_let_go_after_the_first_call_and_keeps_no_table_of_it() -> None:
    class Tables(Net):
        table: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            if self.table is None:
                self.table = self.conv.weight.sum()
            return super().forward(x) * self.table

    model = Tables().eval()
    fast = for_gradients(model)
    waiting = vars(fast)["forward"]
    assert isinstance(waiting, FirstCall)
    assert waiting.shortcuts.original is not None
    fast(X)
    assert waiting.shortcuts.original is None
    assert "table" not in vars(model)


def test_inputs_that_the_network_does_not_take_decide_nothing() -> None:
    fast = for_gradients(Net())
    for wrong in (X[:, :2], X.double(), "a picture"):
        with pytest.raises((RuntimeError, TypeError)):
            fast(wrong)
    fast(X)
    assert isinstance(fast.conv, Joined)


def test_the_first_call_compares_whatever_goes_in() -> None:
    class Scaled(Net):
        def forward(self, x: Tensor, factor: float = 1.0) -> Tensor:
            return super().forward(x) * factor

        def __deepcopy__(self, memo: object) -> "Scaled":
            other = Scaled()
            nn.init.normal_(other.conv.weight)
            return other

    model = Scaled().eval()
    torch.testing.assert_close(for_gradients(model)(X, factor=3.0), model(X, factor=3.0), rtol=0, atol=0)


def refuse(self: nn.Module, *args: object) -> nn.Module:
    raise AssertionError("what is no switch of modes was called")


@pytest.mark.parametrize(
    "methods",
    [
        {"train": lambda self, epochs=3: refuse(self)},
        {"train": lambda self, loader: refuse(self)},
        {"train": lambda self: refuse(self)},
        {"train": True},
        {"train": lambda self, mode=True: refuse(self)},
        {"eval": lambda self: self},
    ],
)
def test_the_copy_is_in_evaluation_mode_whatever_is_called_train(methods: dict[str, Any]) -> None:
    model = type("Own", (Net,), methods)()
    fast = for_gradients(model)
    assert not isinstance(fast, Itself)
    assert not any(module.training for module in fast.modules())
    assert all(module.training for module in model.modules())
