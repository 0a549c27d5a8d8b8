"""TF32 on a processor that has none: the factors of convolutions and products are rounded as a GPU rounds them.

TF32 has the exponent of float32 and 10 bits of its mantissa (NVIDIA, "NVIDIA A100 Tensor Core GPU Architecture", 2020);
products are exact and summed in float32. On a GPU kernels without TF32, such as some of depthwise convolutions, round
less than this; the order of sums is another. Of its speed this says nothing.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

DROPPED = 13  # bits of the 23
aten = torch.ops.aten
# The places of the factors among the arguments, forward and backward.
FACTORS = {
    aten.convolution.default: (0, 1),
    aten.convolution_backward.default: (0, 1, 2),
    torch.ops.mkldnn._convolution_pointwise.default: (0, 1),
    aten.mm.default: (0, 1),
    aten.bmm.default: (0, 1),
    aten.addmm.default: (1, 2),
    aten.baddbmm.default: (1, 2),
}


def to_tf32(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Round float32 to the nearest number with 10 bits, ties away from zero; what is not finite stays."""
    half = 1 << DROPPED - 1
    rounded = (x.view(torch.int32) + half & -(1 << DROPPED)).view(torch.float32)
    return torch.where(x.isfinite(), rounded, x)


class EmulatedTF32(TorchDispatchMode):
    """While it lasts convolutions and products of float32 round their factors; fused attention, of CPUs, does not."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        places = FACTORS.get(func, ())
        rounded = [
            to_tf32(value) if place in places and value.dtype == torch.float32 else value
            for place, value in enumerate(args)
        ]
        return func(*rounded, **(kwargs or {}))
