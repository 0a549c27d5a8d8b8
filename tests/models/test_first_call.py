"""The first call of a fast copy decides, for good and with one line in the log, whether it may be fast."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.models.compared import difference
from igbaselines.models.first_call import TOLERANCE
from igbaselines.models.inference import Itself, for_gradients
from igbaselines.models.joined import Joined
from tests.models.networks import make
from tests.models.test_inference import snapshot, value_and_gradient

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of script
X = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def fast_parts(model: nn.Module) -> int:
    return sum(isinstance(module, Joined) for module in model.modules())


def network(*behind: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    assert norm.running_var is not None
    nn.init.uniform_(norm.running_var, 0.5, 2)
    return nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), *behind).eval()


class Returning(nn.Module):
    """A network that returns what somebody makes of its output."""

    def __init__(self, make: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.network, self.make = network(nn.Flatten()), make

    def forward(self, x: Tensor) -> Any:
        return self.make(self.network(x))


class Scaled(nn.Module):
    """Another function for tensors than for a tracer's proxies."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.conv: Any = self.network[0]
        self.norm: Any = self.network[1]

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.conv(x)
        return torch.tanh(z) if isinstance(x, Tensor) else self.norm(z)


def test_an_ordinary_network_is_joined_by_its_first_call_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fast = for_gradients(network())
    assert fast_parts(fast) == 0
    with caplog.at_level("INFO", logger="igbaselines"):
        fast(X)
    assert fast_parts(fast) == 1
    assert not caplog.records
    assert not {"forward", "affine_stem"} & set(vars(fast))


def test_where_the_two_differ_the_copy_stays_plain_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    model = Scaled()
    fast = for_gradients(model)
    with caplog.at_level("INFO", logger="igbaselines"):
        for _ in range(3):
            torch.testing.assert_close(fast(X), model(X), rtol=0, atol=0)
    assert fast_parts(fast) == 0
    assert len(caplog.messages) == 1
    assert (
        "Scaled goes on as it is, without shortcuts: what its layers pass to one another is read" in caplog.messages[0]
    )


@pytest.mark.parametrize("x", [X, torch.zeros_like(X), X[:1], X.expand(3, 3, 8, 8), torch.ones(1, 3, 8, 8)])
def test_shows_on_black_pictures_too(x: Tensor) -> None:
    model = Scaled()
    nn.init.zeros_(model.conv.bias)
    model.norm.running_mean.zero_()
    fast = for_gradients(model)
    fast(x)
    assert fast_parts(fast) == 0


@pytest.mark.parametrize(
    ("wrap", "joined"),
    [
        (lambda z: (z, z.sum(1)), 1),
        (lambda z: {"logits": z, "nothing": None}, 1),
        (lambda z: z.argmax(1), 0),  # without a gradient nothing is known of it
        (lambda z: torch.view_as_complex(z.view(len(z), -1, 2)), 0),
        (lambda z: z.detach().numpy() if isinstance(z, Tensor) else z, 0),
    ],
)
def test_outputs_of_every_type(wrap: Callable[[Tensor], Any], joined: int) -> None:
    model = Returning(wrap)
    fast = for_gradients(model)
    found, wanted = fast(X), model(X)
    assert fast_parts(fast) == joined
    torch.testing.assert_close(found, wanted, equal_nan=True)


def test_random_numbers_are_put_back_and_inference_mode_does_no_harm() -> None:
    fast = for_gradients(network(nn.Dropout2d()))
    before = torch.get_rng_state()
    with torch.inference_mode():
        fast(X)
    assert torch.equal(torch.get_rng_state(), before)
    assert fast_parts(fast) == 1
    assert value_and_gradient(fast, X)[1].any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("first", [True, False])
def test_moves_and_other_weights_are_followed(dtype: torch.dtype, first: bool) -> None:
    """What was folded is folded anew, whatever happens to the copy."""
    fast, other = for_gradients(network()), network()
    for tensor in other.state_dict().values():
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 1)
    if first:
        fast(X)
    fast.load_state_dict(other.state_dict())
    torch.testing.assert_close(fast(X), other(X).detach())
    torch.testing.assert_close(fast.to(dtype)(X.to(dtype)), other.to(dtype)(X.to(dtype)).detach(), rtol=0.05, atol=0.05)
    again = pickle.loads(pickle.dumps(fast))
    torch.testing.assert_close(again(X.to(dtype)), fast(X.to(dtype)))


def test_in_training_mode_or_with_gradients_of_parameters_the_layers_do_their_own_work() -> None:
    model = network()
    fast = for_gradients(model)
    fast(X)
    expected = copy.deepcopy(model).train()(X)
    torch.testing.assert_close(fast.train()(X), expected)
    fast.eval().requires_grad_(True)
    fast(X).sum().backward()
    assert all(parameter.grad is not None for parameter in fast.parameters())


def test_a_network_that_returns_itself_for_a_copy_is_used_itself_and_left_alone() -> None:
    class Single(nn.Sequential):
        def __deepcopy__(self, memo: object) -> "Single":
            return self

    model = Single(*network(nn.Dropout(), nn.Flatten()).children()).train()
    before, kept = snapshot(model), copy.copy(model)
    fast = for_gradients(model)
    assert isinstance(fast, Itself)
    x, target = X.double(), torch.tensor([0, 1, 2])
    model.double()
    attributions = [
        path_attribution(f, x, 0 * x[:1], rule=GaussLegendre(3), target=target).attributions for f in (fast, kept)
    ]
    torch.testing.assert_close(*attributions)
    torch.testing.assert_close(fast(x), fast(x))
    assert [entry[:3] for entry in before[0]] == [entry[:3] for entry in snapshot(model)[0]]


class Tables(nn.Module):
    """Keeps a table of its weights in evaluation, and drops it in training, as timm's LeViT does."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.ones(3))
        self.table: Tensor | None = None

    def train(self, mode: bool = True) -> "Tables":
        if mode:
            self.table = None
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return x * self.bias
        if self.table is None:
            self.table = self.bias.exp().cumsum(0)
        return x * self.table


def test_a_table_that_has_grown_old_is_not_copied() -> None:
    model = Tables().eval()
    model(X[..., :3])
    assert model.table is not None
    assert model.table.grad_fn is not None
    nn.init.normal_(model.bias)
    fast = for_gradients(model)
    torch.testing.assert_close(fast(X[..., :3]), X[..., :3] * model.bias.detach().exp().cumsum(0))
    assert model.table is not None  # the original is not touched


def test_scripts_are_taken_as_they_are() -> None:
    script = torch.jit.script(network())
    fast = for_gradients(script)
    torch.testing.assert_close(fast(X), script(X).detach())
    assert all(parameter.requires_grad for parameter in script.parameters())


def test_an_interrupted_check_leaves_the_copy_plain() -> None:
    fast, plain = for_gradients(network()), network()

    def interrupt(module: nn.Module, args: object, output: Tensor) -> None:
        raise KeyboardInterrupt

    hook = fast[2].register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        fast(X)
    hook.remove()
    assert fast_parts(fast) == 0
    torch.testing.assert_close(fast(X), plain(X).detach())


def test_a_copy_of_the_zoo_can_be_made_for_gradients_twice() -> None:
    unit = make("pictures", "plain", 0)
    once = for_gradients(unit)
    x = torch.rand(2, *unit.shape, dtype=torch.float64)
    torch.testing.assert_close(for_gradients(nn.Sequential(once))(x), once(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_in_an_output_hides_no_difference(dtype: torch.dtype) -> None:
    values, gradient = 1000 + torch.tensor([[0.1], [0.4]], dtype=dtype), torch.ones(2, 3, dtype=dtype)
    others = [values + 1e-4 * eps for eps in (0.0, 0.01 * (dtype == torch.float32))]
    for other in others:
        assert difference(([values], gradient), [([other], gradient)], TOLERANCE[dtype], "with them") is None
    changed = values + torch.tensor([[0.0], [0.05]], dtype=dtype)
    assert difference(([values], gradient), [([changed], gradient)], TOLERANCE[dtype], "with them") is not None
