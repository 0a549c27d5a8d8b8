"""A function that writes into its argument: neither the caller's tensors nor the result change."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igbaselines.attribution import AffineStem, GaussLegendre, path_attribution

Function = Callable[[Tensor], Tensor]


def subtracts(x: Tensor) -> Tensor:
    x -= 0.5
    return x.div_(0.25)


def without_graph(x: Tensor) -> Tensor:
    with torch.no_grad():
        return x.sub_(0.5).div_(0.25)


def by_data(x: Tensor) -> Tensor:
    x.data.mul_(2)
    return x


def of_points_above(x: Tensor) -> Tensor:
    x[x > 0.4] = 0.4
    return x


# What f does to its argument, and the same without writing; the gradient is that which autograd has.
WRITES: dict[str, tuple[Function, Function]] = {
    "subtracts": (subtracts, lambda x: (x - 0.5) / 0.25),
    "without a graph": (without_graph, lambda x: (x.detach() - 0.5) / 0.25 + (x - x.detach())),
    "by data": (by_data, lambda x: x.detach() * 2 + (x - x.detach())),
    "some points": (of_points_above, lambda x: x.clamp(max=0.4)),
    "ReLU": (nn.ReLU(inplace=True), nn.ReLU()),
}


class Stem(nn.Module):
    """An affine stem that writes into its argument."""

    def __init__(self, write: bool) -> None:
        super().__init__()
        self.write = write

    def affine_stem(self, x: Tensor) -> Tensor:
        return x.mul_(3) if self.write else x * 3

    def after_stem(self, z: Tensor) -> Tensor:
        return z.sigmoid_() if self.write else z.sigmoid()


@pytest.mark.parametrize("writes", [*WRITES, "stem"])
@pytest.mark.parametrize("per_input", [False, True])
@pytest.mark.parametrize("max_batch", [None, 1, 5])
def test_what_f_writes_into_is_its_own(writes: str, per_input: bool, max_batch: int | None) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 2)).double()
    f: Any
    pure: Any
    x, starts = torch.rand(3, 4).double(), torch.rand(*([3] if per_input else []), 2, 4).double()
    if writes == "stem":
        f, pure = Stem(write=True), Stem(write=False)
        assert isinstance(f, AffineStem)
    else:
        before, cleanly = WRITES[writes]
        f, pure = (lambda z: network(before(z))), (lambda z: network(cleanly(z)))
    kept = x.clone(), starts.clone()
    arguments: dict[str, Any] = {"rule": GaussLegendre(3), "target": [1, 0, 1], "max_batch": max_batch}
    found = path_attribution(f, x, starts, **arguments)
    assert torch.equal(x, kept[0])
    assert torch.equal(starts, kept[1])
    expected = path_attribution(pure, x, starts, **arguments)
    for name in ("attributions", "f_inputs", "f_baselines", "completeness_gap"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-12)
