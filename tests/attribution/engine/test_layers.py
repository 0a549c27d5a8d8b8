"""Results do not depend on the chunk, whatever the layers: a zoo of small networks against plain autograd."""

import itertools
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from igbaselines.attribution import Adaptive, GaussLegendre, Midpoint, QuadratureRule, Trapezoid, path_attribution
from tests.commands import ROOT

CHANNELS, SIDE, CLASSES = 4, 5, 3
X = torch.rand(2, CHANNELS, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
STARTS = X.flip(0)[:, None] * 0.5
# Rules, and points at once: one, two, an odd rest, and all.
CHUNKS: list[tuple[QuadratureRule, tuple[int, ...]]] = [
    (Midpoint(1), (1, 3)),
    (Trapezoid(2), (1,)),
    (GaussLegendre(2), (1, 2, 3, 100)),
    (Adaptive(tolerance=0.0, n_steps=3), (1,)),
]


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


def by_pairs(f: nn.Module, rule: QuadratureRule, target: Tensor) -> Tensor:
    """Each input twice in every batch, by autograd alone."""
    nodes, weights = rule.nodes_and_weights()
    total = torch.zeros_like(X)
    for a, c in zip(nodes, weights, strict=True):
        points = (STARTS[:, 0] + a * (X - STARTS[:, 0])).requires_grad_()
        f(points).gather(1, target[:, None]).sum().backward()
        assert points.grad is not None
        total += c * points.grad * (X - STARTS[:, 0])
    return total


@pytest.mark.parametrize(("norm", "after"), list(itertools.product(NORMS, AFTER)))
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels_last"])
def test_results_do_not_depend_on_the_chunk(norm: str, after: str, last: bool) -> None:
    f, target = network(norm, after), torch.tensor([2, 0])
    f = f.to(memory_format=torch.channels_last) if last else f
    for rule, chunks in CHUNKS:
        expected = by_pairs(f.eval(), rule, target)
        f.train()
        for max_batch in chunks:
            found = path_attribution(f, X, STARTS, rule=rule, target=target, max_batch=max_batch)
            torch.testing.assert_close(found.attributions, expected, rtol=0, atol=1e-11)


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
