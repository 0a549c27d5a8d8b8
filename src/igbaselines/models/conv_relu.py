"""A convolution and the ReLU behind it as one operation, where oneDNN has it: a pass over the activations less.

Forward this is oneDNN's convolution with the activation built in; backward the mask of the activation, then the
convolution's own gradient for its input. Values and first derivatives are those of the two layers, up to rounding. What
is not a number becomes zero in oneDNN's ReLU: networks with such parameters are left alone, and the engine's inputs are
finite; an overflow inside of the network would pass unseen.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# The operator behind torch.compile's convolutions; it has no gradient and may go, and then the two layers are run.
_ONEDNN = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)


class ConvReLU2d(nn.Conv2d):
    """A frozen convolution that applies the ReLU or ReLU6 that alone reads it, with all of its settings."""

    def __init__(self, convolution: nn.Conv2d, activation: nn.Module) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(convolution.__dict__)
        self._modules = {}
        self.bounded = isinstance(activation, nn.ReLU6)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """The activation of the convolution, (m, channels, h, w)."""
        if _onednn_has(self, input):
            fused: Tensor = _ConvReLU.apply(input, self)
            return fused
        z = super().forward(input)
        return nn.functional.relu6(z) if self.bounded else nn.functional.relu(z)


class AppliedReLU(nn.ReLU):
    """A ReLU that the convolution before it has applied already: an identity, for networks that ask what a layer is."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, D102
        return input


class AppliedReLU6(nn.ReLU6):
    """The same for a ReLU6."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, D102
        return input


def fused(convolution: nn.Module, activation: nn.Module) -> tuple[ConvReLU2d, nn.Module] | None:
    """What takes the places of the two, or None where they are anything else: subclasses may do what they like."""
    if type(convolution) is not nn.Conv2d or type(activation) not in (nn.ReLU, nn.ReLU6):
        return None
    if convolution.padding_mode != "zeros" or isinstance(convolution.padding, str):
        return None
    applied = AppliedReLU6() if isinstance(activation, nn.ReLU6) else AppliedReLU()
    return ConvReLU2d(convolution, activation), applied.eval()


def fusion_pays(model: nn.Module) -> bool:
    """Whether a network computes in float32 on a CPU with oneDNN, from numbers that are all finite."""
    tensors = [tensor for tensor in (*model.parameters(), *model.buffers()) if tensor.is_floating_point()]
    suits = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
    return _ONEDNN is not None and suits and all(bool(tensor.isfinite().all()) for tensor in tensors)


def _onednn_has(convolution: nn.Conv2d, x: Tensor) -> bool:
    backend, weight, bias = torch.backends.mkldnn, convolution.weight, convolution.bias
    suits = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and x.dim() == 4
    frozen = not weight.requires_grad and (bias is None or not bias.requires_grad)
    switched_on = backend.is_available() and backend.enabled and not torch.is_autocast_enabled("cpu")
    return bool(_ONEDNN is not None and suits and frozen and switched_on)


class _ConvReLU(torch.autograd.Function):
    """The two as one; nothing but the output is kept for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, c: ConvReLU2d) -> Tensor:  # noqa: ANN401
        x = x.contiguous(memory_format=torch.channels_last)  # the output has the order of the input
        name, bounds = ("hardtanh", [0.0, 6.0]) if c.bounded else ("relu", [])
        assert _ONEDNN is not None
        y: Tensor = _ONEDNN(x, c.weight, c.bias, c.padding, c.stride, c.dilation, c.groups, name, bounds, "")
        ctx.save_for_backward(y, c.weight)
        ctx.convolution, ctx.like = c, (x.shape, x.stride())
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        y, weight = ctx.saved_tensors
        c = ctx.convolution
        if c.bounded:
            gradient = torch.ops.aten.hardtanh_backward(gradient, y, 0.0, 6.0)
        else:
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0.0)
        x = gradient.new_empty_strided(*ctx.like)  # its shape is asked for, not what it holds
        settings = c.stride, c.padding, c.dilation, False, [0, 0], c.groups, [True, False, False]
        of_input, _, _ = torch.ops.aten.convolution_backward(gradient, x, weight, None, *settings)
        return of_input, None
