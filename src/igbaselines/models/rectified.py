"""A convolution and the ReLU behind it as one operation, where oneDNN has it: a pass over the activations less.

Networks on photographs spend a tenth of their time on reading and writing what a ReLU takes and gives. Forward this is
oneDNN's convolution with the activation built in; backward the mask of the activation, then the convolution's own
gradient for its input. Values and gradients are those of the two layers, up to rounding.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# The operator behind torch.compile's convolutions; it has no gradient and may go, and then the two layers are run.
_ONEDNN = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)


class RectifiedConvolution(nn.Module):
    """A frozen convolution and the ReLU or ReLU6 that alone reads it.

    Args:
        convolution: the convolution, its parameters without gradients.
        activation: what follows.
    """

    def __init__(self, convolution: nn.Conv2d, activation: nn.ReLU | nn.ReLU6) -> None:
        super().__init__()
        self.convolution = convolution
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """The activation of the convolution, (m, channels, h, w)."""
        if not _onednn_has(self.convolution, x):
            rectified: Tensor = self.activation(self.convolution(x))
            return rectified
        joined: Tensor = _Rectified.apply(x, self.convolution, isinstance(self.activation, nn.ReLU6))
        return joined


def joined(convolution: nn.Module, activation: nn.Module) -> RectifiedConvolution | None:
    """The two as one module, or None where they are anything else: subclasses may do what they like."""
    if type(convolution) is not nn.Conv2d or type(activation) not in (nn.ReLU, nn.ReLU6):
        return None
    if convolution.padding_mode != "zeros" or isinstance(convolution.padding, str):
        return None
    if not all(bool(parameter.isfinite().all()) for parameter in convolution.parameters()):
        return None  # oneDNN's ReLU makes zero of what is not a number, and nobody would learn of it
    return RectifiedConvolution(convolution, cast("nn.ReLU", activation)).eval()


def _onednn_has(convolution: nn.Conv2d, x: Tensor) -> bool:
    backend, weight = torch.backends.mkldnn, convolution.weight
    suits = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and x.dim() == 4
    frozen = not weight.requires_grad and (convolution.bias is None or not convolution.bias.requires_grad)
    return bool(_ONEDNN is not None and suits and frozen and backend.is_available() and backend.enabled)


class _Rectified(torch.autograd.Function):
    """The two as one; nothing but the output is kept for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, convolution: nn.Conv2d, bounded: bool) -> Tensor:  # noqa: ANN401
        c = convolution
        x = x.contiguous(memory_format=torch.channels_last)  # the output has the order of the input
        name, bounds = ("hardtanh", [0.0, 6.0]) if bounded else ("relu", [])
        assert _ONEDNN is not None
        y: Tensor = _ONEDNN(x, c.weight, c.bias, c.padding, c.stride, c.dilation, c.groups, name, bounds, "")
        ctx.save_for_backward(y, c.weight)
        ctx.convolution, ctx.bounded, ctx.like = c, bounded, (x.shape, x.stride())
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        y, weight = ctx.saved_tensors
        if ctx.bounded:
            gradient = torch.ops.aten.hardtanh_backward(gradient, y, 0.0, 6.0)
        else:
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0.0)
        c = ctx.convolution
        of_input, _, _ = torch.ops.aten.convolution_backward(
            gradient,
            gradient.new_empty_strided(*ctx.like),  # its shape is asked for, not what it holds
            weight,
            None,
            c.stride,
            c.padding,
            c.dilation,
            False,
            [0, 0],
            c.groups,
            [True, False, False],
        )
        return of_input, None, None
