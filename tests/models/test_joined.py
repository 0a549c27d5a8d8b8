"""A convolution and its ReLU as one operation are what the two are apart, and are joined where nobody sees between."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import densenet121, mobilenet_v2, resnet18, vgg11

from igbaselines.models.between import Switch
from igbaselines.models.inference import for_gradients
from igbaselines.models.joined import AppliedReLU, AppliedReLU6, Join, Joined, can_fuse, rounded

CONVOLUTIONS = {
    "dense": nn.Conv2d(4, 6, 3, padding=1),
    "strided, no bias": nn.Conv2d(4, 6, 3, stride=2, bias=False),
    "depthwise": nn.Conv2d(4, 8, 5, padding=2, groups=4),
    "dilated": nn.Conv2d(4, 6, 3, dilation=2, padding=(2, 1)),
    "of single pixels": nn.Conv2d(4, 6, 1),
}
SWITCH = pytest.mark.filterwarnings("ignore:TF32")  # torch's, of what the switch of oneDNN does elsewhere
X = torch.randn(5, 4, 14, 15, generator=torch.Generator().manual_seed(0))


def value_and_gradient(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().clone().requires_grad_()
    output = model(x)
    slopes = torch.linspace(-1, 1, output.numel(), dtype=x.dtype, device=x.device).view_as(output)
    (gradient,) = torch.autograd.grad((output * slopes).sum(), x)
    return output.detach(), gradient


def joined(convolution: nn.Module, activation: nn.Module) -> nn.Module:
    assert can_fuse(convolution, activation)
    both = copy.deepcopy(nn.Sequential(convolution, activation))
    Join(both[0], activation=both[1]).make(Switch("both"))
    return both


def joints(model: nn.Module) -> int:
    return sum(isinstance(module, Joined) for module in model.modules())


@SWITCH
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU6()], ids=["ReLU", "ReLU6"])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_both(kind: str, activation: nn.Module, order: torch.memory_format) -> None:
    convolution = CONVOLUTIONS[kind].requires_grad_(False)
    both = joined(convolution, activation)
    x = 10 * X.contiguous(memory_format=order)  # some beyond the bound of ReLU6
    expected = value_and_gradient(nn.Sequential(convolution, activation), x)
    assert (expected[0] == 0).any()
    assert (expected[0] == expected[0].max()).sum() > 1 or isinstance(activation, nn.ReLU)
    assert expected[1].abs().max() > 0
    for found, wanted in zip(value_and_gradient(both, x), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    with torch.backends.mkldnn.flags(enabled=False):
        for found, wanted in zip(value_and_gradient(both, x), expected, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@SWITCH
def test_uses_the_operation_that_it_is_for() -> None:
    both, x = joined(CONVOLUTIONS["dense"].requires_grad_(False), nn.ReLU()), X.clone().requires_grad_()
    assert "ConvReLU" in type(both(x).grad_fn).__name__
    with torch.backends.mkldnn.flags(enabled=False):
        assert "ConvReLU" not in type(both(x).grad_fn).__name__
    assert "ConvReLU" not in type(copy.deepcopy(both).double().forward(x.double()).grad_fn).__name__


def test_on_every_device_the_function_is_the_same(device: torch.device) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Conv2d(6, 3, 3), nn.ReLU6()).to(device)
    x = X.to(device)
    for found, wanted in zip(value_and_gradient(for_gradients(model), x), value_and_gradient(model, x), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "expected"),
    [(mobilenet_v2, 35), pytest.param(vgg11, 8, marks=pytest.mark.slow), (densenet121, 59), (resnet18, 1)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_joins_what_can_be_joined(make: Callable[..., nn.Module], expected: int) -> None:
    with torch.device("meta"):
        model: nn.Module = make(weights=None).eval()
    model = model.to_empty(device="cpu")
    for buffer in model.buffers():
        nn.init.ones_(buffer)
    for parameter in model.parameters():
        nn.init.normal_(parameter.detach(), std=0.05)
    fast = for_gradients(model)
    fast(torch.rand(1, 3, 64, 64))
    assert sum(isinstance(module, AppliedReLU | AppliedReLU6) for module in fast.modules()) == expected
    assert joints(model) == 0


class Shared(nn.Module):
    """One ReLU in two places."""

    def __init__(self, needed: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.needed = needed

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.second(self.relu(self.first(x)))
        rectified: Tensor = self.relu(z + x if self.needed else z)
        return rectified


class ReadBefore(Shared):
    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.first(x)
        return torch.add(self.relu(z), z)


class CalledTwice(Shared):
    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.relu(self.first(self.first(x)))
        return z


def hooked() -> nn.Module:
    model = Shared(needed=False)
    model.relu.register_forward_hook(lambda module, args, output: output**2)
    return model


def halved(module: nn.Module, inputs: Any, outputs: Any) -> tuple[Tensor]:
    return (inputs[0] * 0.5,)


def hooked_backward() -> nn.Module:
    model = Shared(needed=False)
    model.relu.register_full_backward_hook(halved)
    return model


class Curious(nn.Module):
    """Asks its layers what they are, and how large."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU6())

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros(())
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.ReLU | nn.ReLU6):
                total = total + x.mean()
            elif isinstance(layer, nn.Conv2d):
                total = total * layer.kernel_size[0] + layer.out_channels
        return total


class Inside(nn.Module):
    """The same ReLU behind a convolution and inside of a layer that is called as a whole."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.relu = nn.Conv2d(4, 4, 3), nn.ReLU()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation=self.relu, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.layer(self.relu(self.conv(x)).flatten(2).mT)
        return z


def through_an_identity() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(4, 4, 3), nn.Identity(), nn.ReLU(inplace=True))


def through_an_identity_that_is_none() -> nn.Module:
    model = through_an_identity()
    model[1].register_forward_hook(lambda module, args, output: -output)
    return model


class Leaky(nn.ReLU):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.leaky_relu(x, 0.2)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Shared(needed=False), 2),
        (lambda: Shared(needed=True), 0),
        (lambda: ReadBefore(needed=False), 0),
        (lambda: CalledTwice(needed=False), 0),
        (hooked, 0),
        (hooked_backward, 0),
        (Curious, 2),
        (Inside, 0),
        (through_an_identity, 1),
        (through_an_identity_that_is_none, 0),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 3), Leaky()), 0),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding="same"), nn.ReLU()), 0),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()), 0),
    ],
)
def test_the_function_stays_the_same(make: Callable[[], nn.Module], expected: int) -> None:
    torch.manual_seed(0)
    model = make().eval()
    fast = for_gradients(model)
    for found, wanted in zip(value_and_gradient(fast, X), value_and_gradient(model, X), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert joints(fast) == expected


def test_what_is_not_a_number_stays_visible() -> None:
    norm = nn.BatchNorm2d(6)
    assert norm.running_mean is not None
    norm.running_mean[0] = torch.nan
    model = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), norm)
    fast = for_gradients(model.eval())
    assert fast(X).isnan().any()
    assert joints(fast) == 0


def test_keeps_the_names_of_its_parameters() -> None:
    model = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU())
    fast = for_gradients(model)
    expected = model(X).detach()
    torch.testing.assert_close(fast(X), expected)
    assert joints(fast) == 1
    assert list(fast.state_dict()) == list(model.state_dict())
    assert type(model[0]) is nn.Conv2d
    torch.testing.assert_close(copy.deepcopy(fast)(X), expected)


def test_a_network_is_rounded_after_folding() -> None:
    """Means, variances and weights that are rounded each for themselves are off by as many roundings."""
    torch.manual_seed(0)
    norm, other = nn.BatchNorm2d(16), nn.BatchNorm2d(16)
    network = nn.Sequential(nn.Conv2d(4, 16, 3, bias=False), norm, nn.Conv2d(16, 16, 3), other).eval()
    for statistics in (norm.running_var, other.running_var):
        assert statistics is not None
        nn.init.uniform_(statistics, 0.2, 3)
    fast = for_gradients(network)
    exact = fast(X)
    before = copy.deepcopy(fast.state_dict())
    layers = [layer for layer in fast.modules() if isinstance(layer, Joined)]
    assert len(layers) == 2
    for late in (True, False):
        low = rounded(fast, torch.bfloat16) if late else copy.deepcopy(fast).bfloat16()
        assert {tensor.dtype for tensor in low.parameters()} == {torch.bfloat16}
        found = low(X.bfloat16()).float()
        assert (found - exact).norm() < 0.02 * exact.norm()
        for layer, other_layer in zip(layers, (m for m in low.modules() if isinstance(m, Joined)), strict=True):
            assert layer.folded is not None
            assert other_layer.folded is not None
            same = [torch.equal(a.bfloat16(), b) for a, b in zip(layer.folded[2], other_layer.folded[2], strict=True)]
            assert all(same) == late
    assert all(torch.equal(tensor, before[name]) for name, tensor in fast.state_dict().items())
    assert torch.equal(fast(X), exact)


def test_what_is_written_into_rounded_weights_counts() -> None:
    fast = for_gradients(nn.Sequential(nn.Conv2d(4, 3, 3, bias=False), nn.BatchNorm2d(3)).eval())
    fast(X)
    low, x = rounded(fast, torch.bfloat16), X.bfloat16()
    at_first = low(x)
    with torch.no_grad():
        next(low.parameters()).mul_(2)
    torch.testing.assert_close(low(x), 2 * at_first, rtol=0.05, atol=0.05)
