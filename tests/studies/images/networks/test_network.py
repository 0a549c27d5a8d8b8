"""Normalisation inside the network: the same logits, attributions of pixels, and a copy for gradients that agrees."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import densenet121, mobilenet_v2, resnet18, vgg16

from igbaselines.attribution import AffineStem, GaussLegendre, path_attribution
from igbaselines.common import devices
from igbaselines.models.inference import for_gradients
from igbaselines.models.joined import Applied
from igbaselines.studies.images.networks.network import TF32, Bfloat16, ImageNetwork, Probabilities, state_checksum
from igbaselines.studies.images.networks.weights import plain_convolutions

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def small_classifier() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.GELU(), nn.Flatten(), nn.Linear(64, 5)
    return nn.Sequential(*layers).eval()


def pixels(generator: torch.Generator, count: int = 3, side: int = 8) -> Tensor:
    return torch.rand(count, 3, side, side, generator=generator)


@pytest.mark.parametrize("rotated", [False, True])
def test_normalises_as_torchvision_does(rotated: bool, generator: torch.Generator, device: torch.device) -> None:
    inner = small_classifier()
    network = ImageNetwork(inner, MEAN, STD, rotated).eval().to(device)
    x = pixels(generator).to(device)
    mean, std = (torch.tensor(values, device=device).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    turned = x.rot90(2, dims=(2, 3)) if rotated else x
    expected = inner((turned - mean) / std)
    torch.testing.assert_close(network(x), expected)
    assert isinstance(network, AffineStem)
    torch.testing.assert_close(network.after_stem(network.affine_stem(x)), expected)


@pytest.mark.parametrize("rotated", [False, True])
def test_its_first_step_is_affine(rotated: bool, generator: torch.Generator) -> None:
    stem = ImageNetwork(small_classifier(), MEAN, STD, rotated).double().affine_stem
    x, start = (pixels(generator).double() for _ in range(2))
    between = stem(start + 0.3 * (x - start))
    torch.testing.assert_close(between, stem(start) + 0.3 * (stem(x) - stem(start)))


def test_without_normalisation_takes_pixels_as_they_are(generator: torch.Generator) -> None:
    x = pixels(generator)
    network = ImageNetwork(small_classifier(), MEAN, STD, rotated=True).eval()
    before = network(x)
    plain = network.without_normalisation()
    assert plain.network is network.network
    assert not plain.training
    torch.testing.assert_close(plain(x), network.network(x.flip(-1, -2)))
    assert not torch.allclose(plain(x), before)
    torch.testing.assert_close(network(x), before)
    assert network.double().without_normalisation()(x.double()).dtype == torch.float64


@pytest.mark.parametrize("wrap", [ImageNetwork.without_normalisation, Probabilities, lambda network: network])
def test_attributions_are_those_of_the_pixels(
    wrap: Callable[[ImageNetwork], nn.Module], generator: torch.Generator
) -> None:
    """Behind the stem, and turned by it, they come out as if it were not declared."""
    network = wrap(ImageNetwork(small_classifier(), MEAN, STD, rotated=True).eval()).double()
    x, baselines = pixels(generator).double(), pixels(generator, 2).double()
    target = torch.tensor([0, 4, 2])
    expected, result = (
        path_attribution(f, x, baselines, rule=GaussLegendre(24), target=target) for f in (network.forward, network)
    )
    torch.testing.assert_close(result.attributions, expected.attributions)
    assert float(result.completeness_gap.abs().max()) < 1e-4


def test_probabilities_are_the_softmax(generator: torch.Generator) -> None:
    network = ImageNetwork(small_classifier(), MEAN, STD).eval()
    x = pixels(generator)
    exponents = network(x).exp()
    probabilities = Probabilities(network)
    assert not probabilities.training
    torch.testing.assert_close(probabilities(x), exponents / exponents.sum(1, keepdim=True))


def vgg_without_its_large_layers() -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = vgg16(weights=None)
        model.classifier = nn.Linear(512 * 49, 10)
    model.to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()
    return model


def efficientnet() -> nn.Module:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    return plain_convolutions(package.EfficientNet.from_name("efficientnet-lite0", image_size=64, num_classes=10))


# How many BatchNorms cannot be folded: most of a densenet's come before their convolution.
ARCHITECTURES: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet18": (lambda: resnet18(weights=None, num_classes=10), 0),
    "mobilenet_v2": (lambda: mobilenet_v2(weights=None, num_classes=10), 0),
    "densenet121": (lambda: densenet121(weights=None, num_classes=10), 62),
    "vgg16": (vgg_without_its_large_layers, 0),
    "efficientnet_lite0": (efficientnet, 0),
}


def randomise(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)


def batch_norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) and not isinstance(module, Applied) for module in model.modules())


def value_and_gradient(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    value = network(x)
    (gradient,) = torch.autograd.grad(value.logsumexp(1).sum(), x)
    return value.detach(), gradient


def assert_close(result: Tensor, expected: Tensor) -> None:
    assert float((result - expected).detach().abs().max() / expected.detach().abs().max()) < 1e-4


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_shapes")  # jaxtyping refuses the proxies of a trace
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_copy_for_gradients_agrees(architecture: str, generator: torch.Generator, device: torch.device) -> None:
    make, remaining = ARCHITECTURES[architecture]
    torch.manual_seed(0)
    inner = make()
    randomise(inner)
    network = ImageNetwork(inner, MEAN, STD, rotated=True).eval().to(device)
    fast = for_gradients(network)
    assert isinstance(fast, ImageNetwork)
    x = pixels(generator, 2, 64).to(device)
    expected = value_and_gradient(network, x)
    for result, value in zip(value_and_gradient(fast, x), expected, strict=True):
        assert float(value.abs().max()) > 0
        assert_close(result, value)
    assert batch_norms(fast) == remaining
    assert_close(fast.after_stem(fast.affine_stem(x)), expected[0])
    assert_close(fast.without_normalisation()(x), inner(x.flip(-1, -2)))
    assert_close(for_gradients(Probabilities(network))(x), expected[0].softmax(1))


def test_in_bfloat16_gradients_are_near_and_the_network_is_left_alone(
    generator: torch.Generator, device: torch.device
) -> None:
    network = ImageNetwork(small_classifier(), MEAN, STD, rotated=True).eval().to(device)
    before = state_checksum(network)
    low = Bfloat16(network)
    assert isinstance(low, AffineStem)
    assert state_checksum(network) == before
    assert {parameter.dtype for parameter in low.parameters()} == {torch.bfloat16}
    x = pixels(generator, 2, 8).to(device)
    torch.testing.assert_close(low.affine_stem(x), network.affine_stem(x))
    for result, exact in zip(value_and_gradient(low, x), value_and_gradient(network, x), strict=True):
        assert result.dtype == torch.float32
        difference = float((result - exact).norm() / exact.norm())
        assert 1e-5 < difference < 0.05  # bfloat16 has eight bits


def allowed() -> bool:
    """Whether a GPU would compute in TF32 now."""
    return all(getattr(of, name) == yes for of, name, _, yes in devices.TF32)


class Noting(nn.Module):
    """Notes whether TF32 is allowed in its passes; the first `failing` of one kind run out of memory."""

    def __init__(self, failing: str = "") -> None:
        super().__init__()
        self.seen: dict[str, list[bool]] = {"forward": [], "backward": [], "scored": []}
        self.failing = failing

    def forward(self, x: Tensor) -> Tensor:
        self.note("forward" if torch.is_grad_enabled() and x.requires_grad else "scored")
        if x.requires_grad:
            x.register_hook(lambda _: self.note("backward"))
        return x

    def note(self, kind: str) -> None:
        self.seen[kind].append(allowed())
        if kind == self.failing and len(self.seen[kind]) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("failing", ["", "forward", "backward"])
def test_tf32_is_allowed_while_gradients_are_taken_and_at_no_other_time(
    failing: str, generator: torch.Generator, device: torch.device
) -> None:
    noting = Noting(failing)
    exact = ImageNetwork(small_classifier(), MEAN, STD).eval().to(device)
    network = ImageNetwork(nn.Sequential(exact.network, noting), MEAN, STD).eval().to(device)
    x = pixels(generator, 2).to(device)
    with devices.float32_proper():
        results = [
            path_attribution(Probabilities(f), x, 0.0, rule=GaussLegendre(4), target=1, max_batch=8)
            for f in (TF32(network), exact)
        ]
        assert not allowed()
    assert len(noting.seen["forward"]) >= (2 if failing else 1)  # the engine goes on with smaller chunks
    assert all(noting.seen["forward"] + noting.seen["backward"])
    assert noting.seen["scored"]
    assert not any(noting.seen["scored"])
    if device.type == "cpu":  # which has no TF32
        for found, expected in zip(*((r.attributions, r.f_inputs) for r in results), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_what_a_context_makes_of_gradients_is_what_comes_out(generator: torch.Generator, device: torch.device) -> None:
    network = ImageNetwork(small_classifier(), MEAN, STD, rotated=True).eval().to(device)
    x, entered = pixels(generator, 2).to(device), []

    @contextmanager
    def noted() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    plain = value_and_gradient(network, x)
    for context in (nullcontext, noted):
        for found, expected in zip(value_and_gradient(TF32(network, context), x), plain, strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert entered == 2 * ["in", "out"]  # forward and backward
    assert isinstance(TF32(network), AffineStem)


def test_checksum_is_that_of_the_weights(device: torch.device) -> None:
    network = ImageNetwork(small_classifier(), MEAN, STD)
    checksum = state_checksum(network)
    assert len(checksum) == 64
    other = ImageNetwork(copy.deepcopy(network.network), [0.5] * 3, [0.5] * 3, rotated=True)
    assert state_checksum(other.to(device).to(memory_format=torch.channels_last)) == checksum
    for change in (
        lambda inner: nn.init.constant_(inner[4].bias[:1], 0.25),
        lambda inner: inner.double(),
        lambda inner: setattr(inner[4], "weight", nn.Parameter(inner[4].weight.view(64, 5))),
        lambda inner: inner.append(nn.PReLU()),
        lambda inner: nn.init.constant_(inner[1].running_mean, -0.0),  # equal to zero, with other bits
    ):
        changed = copy.deepcopy(network)
        with torch.no_grad():
            change(changed.network)
        assert state_checksum(changed) != checksum


def test_checksum_takes_every_type() -> None:
    module = nn.Module()
    for dtype in (torch.bfloat16, torch.float16, torch.int64, torch.bool):
        module.register_buffer(f"of_{str(dtype)[6:]}", torch.ones(2, 3).to(dtype))
    module.register_buffer("scalar", torch.tensor(3))
    module.register_buffer("nothing", torch.zeros(0, 3))
    checksum = state_checksum(module)
    assert state_checksum(copy.deepcopy(module)) == checksum
