"""Matrix products outside of autograd, by the faster of the two libraries that torch has on a CPU.

torch multiplies float32 matrices with MKL, which on AMD's processors takes half of their vector width; oneDNN, which
torch takes for convolutions, uses all of it. `torch.backends.mkldnn.flags(enabled=False)` switches oneDNN off.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

FEWEST_POINTS = 128  # for fewer, what oneDNN takes to begin outweighs what it saves

# The operator behind torch.compile's linear layers; it has no gradient and may go, and then MKL does the work.
_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


def linear_without_graph(
    x: Float[Tensor, "m a"], weight: Float[Tensor, "b a"], bias: Float[Tensor, " b"] | None = None
) -> Float[Tensor, "m b"]:
    """Return x W^T + bias, without a graph.

    Args:
        x: the points.
        weight: as that of `torch.nn.Linear`.
        bias: added to every point.
    """
    with torch.no_grad():
        if _ONEDNN is not None and _onednn_pays(x) and x.dtype == weight.dtype:
            product: Tensor = _ONEDNN(x, weight, bias, "none", [], "")
            return product
        return functional.linear(x, weight, bias)


def _onednn_pays(x: Tensor) -> bool:
    backend = torch.backends.mkldnn
    suits = x.device.type == "cpu" and x.dtype == torch.float32 and len(x) >= FEWEST_POINTS
    return bool(suits and backend.is_available() and backend.enabled)
