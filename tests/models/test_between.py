"""What is joined is right at every call, whatever is done with the layers after the first."""

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.models.between import Between
from igbaselines.models.inference import for_gradients
from igbaselines.models.joined import Joined
from tests.models.test_copies import Net, X, parts
from tests.models.test_inference import value_and_gradient


def assert_same(fast: nn.Module, model: nn.Module, x: Tensor = X) -> None:
    for found, wanted in zip(value_and_gradient(fast, x), value_and_gradient(model, x), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


class Branches(Net):
    """With a part of its calls it goes where the trace has not gone."""

    use_norm = True
    calls = 0

    def elsewhere(self, x: Tensor, z: Tensor) -> bool:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.conv(x)
        return torch.tanh(z) if self.elsewhere(x, z) else self.norm(z)


def tried(x: Tensor) -> bool:
    try:
        return bool(x.mean() > 5)
    except Exception:
        return False


def counted(self: Branches) -> bool:
    self.calls += 1
    return self.calls > 12


BRANCHES: dict[str, Callable[[Branches, Tensor, Tensor], bool]] = {
    "values between": lambda self, x, z: torch.is_tensor(z) and bool(z.abs().max() > 5),
    "points": lambda self, x, z: isinstance(x.shape[0], int) and x.shape[0] > 4,
    "try": lambda self, x, z: tried(x),
    "attribute": lambda self, x, z: not self.use_norm,
    "calls": lambda self, x, z: counted(self),
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_branches_that_are_taken_later(branch: str, caplog: pytest.LogCaptureFixture) -> None:
    kind: Any = type("Branched", (Branches,), {"elsewhere": BRANCHES[branch]})
    model = kind().eval()
    fast = for_gradients(model)
    with caplog.at_level("INFO", logger="igbaselines"):
        assert_same(fast, model)
        assert isinstance(fast.conv, Joined) == (branch != "values between")  # which it reads at every call
        model.use_norm = fast.use_norm = False
        model.calls = fast.calls = 20
        for x in (20 * torch.cat([X, X]), X):
            assert_same(fast, model, x)
    assert len(caplog.messages) == 1
    assert "without shortcuts: what its layers pass to one another is read elsewhere" in caplog.messages[0]


class Within(Net):
    """What the norm reads is changed or read by others, too, for large inputs."""

    def __init__(self, change: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv(x)
        if isinstance(x, Tensor) and float(x.detach().max()) > 5:
            z = self.change(z, x)
        y: Tensor = self.norm(z)
        return y + z if isinstance(x, Tensor) and float(x.detach().min()) < -5 else y


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "change",
    [
        lambda z, x: z,
        lambda z, x: z.mul_(2),
        lambda z, x: z + x.mean(),
        lambda z, x: torch.cat([z, z])[: len(z)],
        lambda z, x: z[0:],
        lambda z, x: torch.nn.functional.relu(z, inplace=True),
    ],
)
def test_what_others_make_of_it(change: Callable[[Tensor, Tensor], Tensor], sign: int) -> None:
    model = Within(change).eval()
    fast = for_gradients(model)
    assert_same(fast, model)
    assert isinstance(fast.conv, Joined)
    assert_same(fast, model, sign * 20 * X)


def changed(name: str, i: int) -> Callable[[nn.Sequential], Any]:
    return {
        "eps": lambda f: setattr(f[1], "eps", 1.0),
        "replaced": lambda f: f.__setitem__(i, [nn.Sequential(), parts()[1].eval(), nn.Tanh()][i]),
        "hook": lambda f: f[i].register_forward_hook(lambda m, a, y: y**2 + 1),
        "hook before": lambda f: f[i].register_forward_pre_hook(lambda m, a: (a[0] ** 2 + 1,)),
        "hook on the way back": lambda f: f[i].register_full_backward_hook(lambda m, a, b: (a[0] / 2,)),
        "own forward": lambda f: setattr(f[i], "forward", torch.sin),
        "deleted": lambda f: f.__delitem__(i),
    }[name]


@pytest.mark.parametrize("i", [1, 2])
@pytest.mark.parametrize(
    "name", ["eps", "replaced", "hook", "hook before", "hook on the way back", "own forward", "deleted"]
)
def test_parts_that_are_changed_after_the_first_call(name: str, i: int) -> None:
    model = nn.Sequential(*parts(), nn.ReLU(), nn.Flatten()).eval()
    fast = for_gradients(model)
    fast(X)
    for network in (model, fast):
        changed(name, i)(network)
    assert_same(fast, model)


def test_parts_do_their_own_work_and_hooks_see_it() -> None:
    model = nn.Sequential(*parts(), nn.ReLU()).eval()
    fast = for_gradients(model)
    fast(X)
    between = fast[0](X)
    assert isinstance(between, Between)
    assert (between.shape, between.dtype, len(between)) == ((3, 4, 6, 6), torch.float32, 3)
    assert_same(fast[:1], model[:1])
    assert_same(fast[:2], model[:2])
    assert_same(fast[1:], model[1:], torch.rand(3, 4, 6, 6))
    seen: list[Tensor] = []
    fast[0].register_forward_hook(lambda module, args, output: seen.append(output))
    fast(X)
    torch.testing.assert_close(seen[0], model[0](X).detach())


def test_a_norm_that_is_called_twice_returns_two_tensors() -> None:
    class Twice(Net):
        def forward(self, x: Tensor) -> Tensor:
            z = self.conv(x)
            y: Tensor = self.norm(z)
            return y.relu_() + self.norm(z) if isinstance(x, Tensor) and x.shape[0] > 3 else y

    model = Twice().eval()
    fast = for_gradients(model)
    fast(X)
    assert_same(fast, model, torch.cat([X, -X]))


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_may_meet_at_the_first_call() -> None:
    for _ in range(8):
        blocks = [nn.Sequential(*parts(), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=2)) for _ in range(12)]
        model = nn.Sequential(*blocks).eval()
        fast, wanted, found = for_gradients(model), model(X).detach(), dict[int, Tensor]()

        def call_it(i: int, fast: nn.Module = fast, found: dict[int, Tensor] = found) -> None:
            found[i] = fast(X)
            found[i + 4] = fast(X)

        calls = [threading.Thread(target=call_it, args=(i,)) for i in range(4)]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert all(torch.allclose(found[i], wanted, atol=1e-5) for i in range(8))


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize(
    "record",
    [
        lambda f: torch.jit.trace(f, X),
        lambda f: torch.export.export(f, (X,)).module(),
        lambda f: torch.compile(f, backend="eager", fullgraph=True),
        lambda f: torch.vmap(lambda x: f(x[None])[0]),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of torch.jit
def test_what_is_recorded_is_the_network_as_it_was(record: Callable[[nn.Module], Any], called: bool) -> None:
    model = Net().eval()
    fast = for_gradients(model)
    if called:
        fast(X)
    torch.testing.assert_close(record(fast)(X), model(X).detach(), rtol=0, atol=1e-6)
    torch.testing.assert_close(fast(X), model(X).detach())
    assert isinstance(fast.conv, Joined)


class Stem(nn.Module):
    """Declares its convolution to be affine, which it would not be with the ReLU in it."""

    def __init__(self, *norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.rest = parts()[0], nn.Sequential(*norm, nn.ReLU(), nn.Flatten(), nn.Linear(144, 1))

    def affine_stem(self, x: Tensor) -> Tensor:
        z: Tensor = self.conv(x)
        return z

    def after_stem(self, z: Tensor) -> Tensor:
        y: Tensor = self.rest(z)[:, 0]
        return y

    def forward(self, x: Tensor) -> Tensor:
        return self.after_stem(self.affine_stem(x))


@pytest.mark.parametrize("norms", [0, 1])
def test_a_stem_stays_affine(norms: int) -> None:
    model = Stem(*parts()[1:][:norms]).eval()
    fast = for_gradients(model)
    for starts in (torch.zeros(1, 3, 8, 8), X[1:]):
        expected = path_attribution(model.forward, X[:1], starts, rule=GaussLegendre(6))
        found = path_attribution(fast, X[:1], starts, rule=GaussLegendre(6))
        torch.testing.assert_close(found.attributions, expected.attributions, rtol=1e-4, atol=1e-5)
