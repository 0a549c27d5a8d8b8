"""The copy made for gradients computes the same function, and the network given stays as it was."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import densenet121, mobilenet_v2, resnet18, vgg11_bn

from igbaselines.attribution import AffineStem, GaussLegendre, path_attribution
from igbaselines.models.inference import for_gradients
from igbaselines.models.joined import Applied
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import DNN, Probability


def vgg_without_its_large_layers(weights: None, num_classes: int) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = vgg11_bn(weights=weights)
        model.classifier = nn.Linear(512 * 49, num_classes)
    model.to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()
    return model


# How many BatchNorms cannot be folded: most of a densenet's come before their convolution.
IMAGE_NETWORKS: list[tuple[Callable[..., nn.Module], int, int]] = [
    (resnet18, 64, 0),
    (vgg_without_its_large_layers, 32, 0),
    (densenet121, 64, 62),
    (mobilenet_v2, 64, 0),
]
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def randomise(model: nn.Module) -> nn.Module:
    """BatchNorms with statistics and factors of their own, in float64 and in training mode."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                if tensor is not None:
                    nn.init.uniform_(tensor, 0.5, 1.5)
    return model.double().train()


def batch_norms(model: nn.Module) -> int:
    """How many BatchNorms do their own work."""
    return sum(isinstance(module, BATCH_NORMS) and not isinstance(module, Applied) for module in model.modules())


def value_and_gradient(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    output = model(x)
    (gradient,) = torch.autograd.grad(output.flatten(1).logsumexp(1).sum() if output.dim() > 1 else output.sum(), x)
    return output.detach(), gradient


def assert_same_function(model: nn.Module, fast: nn.Module, x: Tensor) -> None:
    value, gradient = value_and_gradient(copy.deepcopy(model).eval(), x)
    assert gradient.abs().max() > 0
    value_fast, gradient_fast = value_and_gradient(fast, x)
    assert float((value_fast - value).abs().max() / value.abs().max()) < 1e-10
    assert float((gradient_fast - gradient).abs().max() / gradient.abs().max()) < 1e-10


def snapshot(model: nn.Module) -> list[Any]:
    """Everything about a network that must not change."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return [
        [
            (name, type(module), module.training, getattr(module, "inplace", None))
            for name, module in model.named_modules()
        ],
        [
            (name, id(t), t.requires_grad, t.stride(), t.dtype, t.grad, t.detach().double().sum().item())
            for name, t in tensors.items()
        ],
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "size", "remaining"), IMAGE_NETWORKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_torchvisions_networks(make: Callable[..., nn.Module], size: int, remaining: int) -> None:
    torch.manual_seed(0)
    model = randomise(make(weights=None, num_classes=10))
    next(model.parameters()).requires_grad_(False)
    before = snapshot(model)
    fast = for_gradients(model)
    assert_same_function(model, fast, torch.randn(2, 3, size, size, dtype=torch.float64))
    assert snapshot(model) == before
    assert batch_norms(model) > 0
    assert batch_norms(fast) == remaining
    assert type(fast) is type(model)
    assert not any(module.training for module in fast.modules())
    assert not any(parameter.requires_grad for parameter in fast.parameters())
    for module in fast.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.is_contiguous(memory_format=torch.channels_last)


X = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Blocks(nn.Module):
    """A convolution and a BatchNorm, which subclasses use in ways that a fold must respect."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)


class Plain(Blocks):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.conv(x)))


class ConvolutionTwice(Blocks):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.conv(torch.tanh(self.conv(x)))))


class NormTwice(Blocks):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(torch.tanh(self.norm(self.conv(x)))))


class OutputReadTwice(Blocks):
    def forward(self, x: Tensor) -> Tensor:
        z = self.conv(x)
        return torch.tanh(self.norm(z) + z)


class WeightReadDirectly(Blocks):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.conv(x)) * self.conv.weight.sum())


class Untraceable(Blocks):
    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.norm(self.conv(x))
        return torch.tanh(z) if z.sum() > 0 else torch.sin(z)


class Keywords(Blocks):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(input=self.conv(input=x)))


class OptionalArgument(Blocks):
    """Traced with the argument given, the convolution would seem to be read by the BatchNorm alone."""

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        z: Tensor = self.conv(x)
        return torch.tanh(z) if scale is None else torch.tanh(self.norm(z) * scale)


class Alias(Blocks):
    """The same module under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.again = self.conv

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.conv(torch.tanh(self.again(x)))))


class OtherName(Blocks):
    """A trace names the module as it was registered first, the network calls it by its other name."""

    def __init__(self) -> None:
        super().__init__()
        self.again = self.conv

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.again(x)))


def parametrised() -> nn.Module:
    model = Plain()
    nn.utils.parametrizations.spectral_norm(model.conv)
    return model


def hooked() -> nn.Module:
    model = Plain()
    model.norm.register_forward_hook(lambda module, args, output: output**2)
    return model


def batch_statistics() -> nn.Module:
    model = Plain()
    model.norm = nn.BatchNorm2d(3, track_running_stats=False)
    return model


@pytest.mark.parametrize(
    ("make", "remaining"),
    [
        (Plain, 0),
        (ConvolutionTwice, 1),
        (NormTwice, 1),
        (OutputReadTwice, 1),
        (WeightReadDirectly, 1),
        (Untraceable, 1),
        (Keywords, 1),
        (OptionalArgument, 1),
        (Alias, 1),
        (OtherName, 0),
        (parametrised, 1),
        (hooked, 1),
        (batch_statistics, 1),
    ],
)
def test_folds_where_the_function_stays_the_same(make: Callable[[], nn.Module], remaining: int) -> None:
    model = randomise(make())
    fast = for_gradients(model)
    assert_same_function(model, fast, X)
    assert batch_norms(fast) == remaining


def test_keeps_a_norm_over_another_dimension() -> None:
    """Behind a linear layer on sequences BatchNorm1d normalises positions, not the layer's outputs."""
    torch.manual_seed(0)
    model = randomise(nn.Sequential(nn.Linear(8, 5), nn.BatchNorm1d(3), nn.Tanh()))
    fast = for_gradients(model)
    assert_same_function(model, fast, X[:, :, 0])
    assert batch_norms(fast) == 1


def test_folds_a_norm_without_factors() -> None:
    torch.manual_seed(0)
    model = randomise(nn.Sequential(nn.Linear(8, 5), nn.BatchNorm1d(5, affine=False), nn.Tanh()))
    fast = for_gradients(model)
    assert_same_function(model, fast, X[:, 0, 0])
    assert batch_norms(fast) == 0


def test_folds_into_linear_layers_and_convolutions_of_any_dimension() -> None:
    torch.manual_seed(0)
    sequence = nn.Sequential(nn.Conv1d(3, 4, 3, bias=False), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Flatten())
    model = randomise(nn.Sequential(sequence, nn.Linear(24, 5), nn.BatchNorm1d(5), nn.SiLU(inplace=True)))
    fast = for_gradients(model)
    assert_same_function(model, fast, X[:, :, 0])
    assert batch_norms(fast) == 0
    volumes = randomise(nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.Flatten(2, 3), nn.Conv2d(4, 2, 1)))
    fast = for_gradients(volumes)
    assert_same_function(volumes, fast, X[:, :, :4, :, None].expand(4, 3, 4, 8, 4))
    assert batch_norms(fast) == 0


def swish_dnn() -> DNN:
    torch.manual_seed(0)
    network = DNN(Standardise(torch.randn(6), torch.rand(6) + 0.5), [12, 9], 0.2)
    randomise(network)
    return network


@pytest.mark.usefixtures("unchecked_shapes")  # jaxtyping refuses the proxies of a trace
@pytest.mark.parametrize("probability", [False, True])
def test_the_networks_of_the_paper_keep_their_stem(probability: bool, generator: torch.Generator) -> None:
    model = Probability(swish_dnn()) if probability else swish_dnn()
    fast = for_gradients(model)
    assert isinstance(fast, AffineStem)
    x, starts = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (5, 3))
    assert_same_function(model, fast, x)
    assert batch_norms(fast) == 0
    assert batch_norms(model) == 2
    torch.testing.assert_close(fast.after_stem(fast.affine_stem(x)), model.eval()(x), rtol=0, atol=1e-12)
    expected, result = (path_attribution(f, x, starts, rule=GaussLegendre(6)) for f in (model.forward, fast))
    torch.testing.assert_close(result.attributions, expected.attributions, rtol=0, atol=1e-12)


def test_says_that_a_network_could_not_be_traced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="igbaselines"):
        for_gradients(Untraceable())
    assert "Untraceable cannot be traced, its layers stay apart" in caplog.text
