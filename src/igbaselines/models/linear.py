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
    """Return x W^T + bias, as `torch.nn.Linear` does, without a graph."""
    with torch.no_grad():
        backend = torch.backends.mkldnn
        suits = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and len(x) >= FEWEST_POINTS
        if _ONEDNN is not None and suits and backend.is_available() and backend.enabled:
            product: Tensor = _ONEDNN(x, weight, bias, "none", [], "")
            return product
        return functional.linear(x, weight, bias)
