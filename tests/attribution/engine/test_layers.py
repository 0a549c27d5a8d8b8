"""Results do not depend on the chunk, whatever the layers: a zoo of small networks against plain autograd."""

import itertools
import re
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from igbaselines.attribution import (
    Adaptive,
    GaussLegendre,
    Midpoint,
    QuadratureRule,
    RandomPoint,
    Trapezoid,
    path_attribution,
)
from igbaselines.attribution.engine.batch_norm import mend_batch_norms
from igbaselines.models.inference import for_gradients
from tests.commands import ROOT

CHANNELS, SIDE, CLASSES = 4, 5, 3
X = torch.rand(2, CHANNELS, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
STARTS = X.flip(0)[:, None] * 0.5
# Rules, and points at once: one, two, an odd rest, and all.
CHUNKS = (1, 2, 3, 100)
FEW: list[tuple[QuadratureRule, tuple[int, ...]]] = [(GaussLegendre(1), (1, 2))]
RULES: list[QuadratureRule] = [Midpoint(1), Midpoint(3), Trapezoid(2), GaussLegendre(2), RandomPoint()]
RULES += [Adaptive(tolerance=0.0, n_steps=3), Adaptive(tolerance=0.0, n_steps=7)]


class Attention(nn.Module):
    """Self-attention over pixels, whose gradients come in channels_last."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return (tokens @ tokens.transpose(1, 2) / 9).softmax(-1).matmul(tokens).transpose(1, 2).view_as(x)


class ChannelsLast(nn.Module):
    """The same values in the other layout."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).sigmoid().permute(0, 3, 1, 2)


class OddStrides(torch.autograd.Function):
    """Gradients whose batch stride is as if there were no pixels, which is right for a single point."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        laid = gradient.contiguous(memory_format=torch.channels_last)
        n, c, _, w = laid.shape
        return laid.as_strided(laid.shape, (c, 1, w * c, c)) if n == 1 else laid


class Odd(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = OddStrides.apply(x)
        return output


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = checkpoint(self.norm, x, use_reentrant=False)
        return output


NORMS: dict[str, Callable[[], nn.Module]] = {
    "batch": lambda: nn.BatchNorm2d(CHANNELS),
    "batch without weights": lambda: nn.BatchNorm2d(CHANNELS, affine=False),
    "batch, checkpointed": Checkpointed,
    "instance": lambda: nn.InstanceNorm2d(CHANNELS, affine=True),
    "instance, tracked": lambda: nn.InstanceNorm2d(CHANNELS, affine=True, track_running_stats=True),
    "group": lambda: nn.GroupNorm(2, CHANNELS),
    "local response": lambda: nn.LocalResponseNorm(3),
    "none": nn.Identity,
}
AFTER: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
    "depthwise": lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS),
    "transposed": lambda: nn.ConvTranspose2d(CHANNELS, CHANNELS, 3, padding=1),
    "attention": Attention,
    "channels last": ChannelsLast,
    "odd strides": Odd,
    "average": lambda: nn.AvgPool2d(2, 1),
    "upsampled": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "softmax": lambda: nn.Softmax2d(),
}


def network(norm: str, after: str) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), NORMS[norm](), nn.SiLU(), AFTER[after](), nn.SiLU()]
    layers[2:3] = [] if after in ("attention", "odd strides") else [nn.SiLU()]  # the gradient straight into the norm
    whole = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * CHANNELS, CLASSES)).double()
    for module in whole.modules():
        for tensor in (getattr(module, "running_mean", None), getattr(module, "running_var", None)):
            if tensor is not None:
                tensor.uniform_(0.5, 1.5)
    return whole.train()


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def by_pairs(f: nn.Module, rule: QuadratureRule, target: Tensor) -> Tensor:
    """Both inputs in every batch, by autograd alone."""
    nodes, weights = rule.nodes_and_weights((2, 1), seeded())
    total = torch.zeros_like(X)
    for a, c in zip(nodes.expand(2, 1, -1).unbind(2), weights, strict=True):
        points = (STARTS[:, 0] + a[:, :, None, None] * (X - STARTS[:, 0])).requires_grad_()
        f(points).gather(1, target[:, None]).sum().backward()
        assert points.grad is not None
        total += c * points.grad * (X - STARTS[:, 0])
    return total


def check(norm: str, after: str, last: bool, rules: list[tuple[QuadratureRule, tuple[int, ...]]]) -> None:
    f, target = network(norm, after), torch.tensor([2, 0])
    f = f.to(memory_format=torch.channels_last) if last else f
    for rule, chunks in rules:
        expected = by_pairs(f.eval(), rule, target)
        f.train()
        for max_batch in chunks:
            found = path_attribution(
                f, X, STARTS, rule=rule, target=target, max_batch=max_batch, generator=seeded()
            ).attributions
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


zoo = pytest.mark.parametrize(("norm", "after"), list(itertools.product(NORMS, AFTER)))
layouts = pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels_last"])


@zoo
@layouts
def test_results_do_not_depend_on_the_chunk(norm: str, after: str, last: bool) -> None:
    check(norm, after, last, FEW)


@pytest.mark.slow
@zoo
@layouts
def test_every_rule_in_every_chunk(norm: str, after: str, last: bool) -> None:
    check(norm, after, last, [(rule, CHUNKS) for rule in RULES])


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("after", ["convolution", "attention"])
def test_every_rule_in_every_chunk_of_a_few_networks(norm: str, after: str) -> None:
    check(norm, after, False, [(rule, CHUNKS) for rule in RULES])


class InFull(nn.Module):
    """A network behind a function's normalisation, as those write it that hold its statistics themselves."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.mean, self.var = inner, torch.rand(CHANNELS).double(), torch.rand(CHANNELS).double() + 0.5

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.inner(functional.batch_norm(x.sin(), self.mean, self.var))
        return output


@pytest.mark.parametrize("norm", ["batch", "batch, checkpointed", "instance", "none"])
@pytest.mark.parametrize("after", ["attention", "odd strides", "channels last", "convolution"])
@pytest.mark.parametrize("outside", [True, False], ids=["function outside", "modules alone"])
@layouts
def test_norms_may_see_single_points_inside_the_function(norm: str, after: str, outside: bool, last: bool) -> None:
    f = InFull(network(norm, after)) if outside else network(norm, after)
    f = f.to(memory_format=torch.channels_last) if last else f
    expected = by_pairs(f.eval(), GaussLegendre(2), torch.tensor([2, 0]))
    for max_batch in (1, 3):
        found = path_attribution(
            lambda z: torch.cat([f(p[None]) for p in z]),
            X,
            STARTS,
            rule=GaussLegendre(2),
            target=[2, 0],
            max_batch=max_batch,
        ).attributions
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("shape", [(16, 7, 7), (4, 1, 5), (1, 5, 5), (3, 2, 2, 3), (4, 5)], ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_of_a_single_point_in_all_layouts(shape: tuple[int, ...], training: bool) -> None:
    channels, *sides = shape
    x, incoming = torch.rand(2, 1, *shape, dtype=torch.float64)
    mean, var = torch.rand(2, channels, dtype=torch.float64) + 0.5

    def laid(tensor: Tensor, batch_stride: int, last: bool) -> Tensor:
        inner = tensor.movedim(1, -1).contiguous().movedim(-1, 1) if last else tensor.contiguous()
        strides = (batch_stride, *inner.stride()[1:])
        return torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype).copy_(tensor)

    layouts = [(stride, last) for stride in (1, channels, tensor_size(sides), tensor_size(shape)) for last in (0, 1)]
    leaf = x.clone().requires_grad_()
    places = (0, *range(2, leaf.dim()))
    of = (1, -1, *[1] * len(sides))
    by_hand = [leaf.mean(places), leaf.var(places, correction=0)] if training else [mean, var]
    normalised = (leaf - by_hand[0].view(of)) / (by_hand[1].view(of) + 1e-5).sqrt()
    (expected,) = torch.autograd.grad(normalised, leaf, incoming)
    for of_x, of_gradient in itertools.product(layouts, layouts):
        leaf = laid(x, of_x[0], bool(of_x[1])).requires_grad_()
        output = functional.batch_norm(leaf, mean.clone(), var.clone(), training=training)
        assert mend_batch_norms(output) == (True, False)
        (found,) = torch.autograd.grad(output, leaf, laid(incoming, of_gradient[0], bool(of_gradient[1])))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def tensor_size(shape: Sequence[int]) -> int:
    return torch.Size(shape).numel()


@pytest.mark.parametrize(("after", "points"), [("odd strides", 2), ("convolution", 1)], ids=["hidden", "shown"])
def test_a_single_point_goes_with_a_copy_where_a_step_hides_what_it_does(after: str, points: int) -> None:
    sizes: list[int] = []
    f = network("batch", after)
    f.register_forward_pre_hook(lambda _, points: sizes.append(len(points[0])))
    path_attribution(f, X, STARTS, rule=Midpoint(1), target=1, max_batch=1)
    assert sizes[-1] == points


def test_a_single_point_goes_alone_through_what_is_joined() -> None:
    """The convolution that does the work of its BatchNorm and ReLU is a function of ours, and hides none."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0)]
    f, picture, sizes = for_gradients(nn.Sequential(*layers).eval()), torch.rand(1, 3, 6, 6), list[int]()
    f(picture)  # its first call compares
    f.register_forward_pre_hook(lambda _, points: sizes.append(len(points[0])))
    leaf = picture.clone().requires_grad_()
    assert mend_batch_norms(f(leaf)) == (False, False)
    path_attribution(f, picture, 0, max_batch=1)
    assert set(sizes) == {1}


def test_a_single_point_goes_alone_where_there_is_no_batch_norm() -> None:
    sizes: list[int] = []
    f = network("group", "convolution")
    f.register_forward_pre_hook(lambda _, points: sizes.append(len(points[0])))
    path_attribution(f, X, STARTS, target=1, max_batch=1)
    assert set(sizes) == {1}


def test_the_page_shows_the_fault_or_torch_has_mended_it() -> None:
    page = (ROOT / "docs" / "torch_batch_norm.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    found: dict[str, Tensor] = {}
    exec(code, found)
    assert found["found"].shape == found["right"].shape
