"""Layers that do the work of the BatchNorm and the ReLU behind them, too, while those two let pass what comes.

Joining replaces no module and changes no weight: the modules get another class. So whoever holds one of them in a list,
reads its weights, or asks whether it has a bias, finds what was there before. The weights with the BatchNorm in them
are kept beside, and made anew where one of those that they come from has changed, as torch records it: what is written
through `.data` it does not.

They do so at each call that is right for it, and hand on a `Between`, by which those behind know that it is done; where
they do not get it, they do their own work. So the layers may be called in any order, alone, or with others between.

Where oneDNN has it, a convolution and its ReLU are one operation, a pass over the activations less: forward oneDNN's
convolution with the activation built in; backward the mask of the activation, then the convolution's own gradient for
its input. Values and first derivatives are those of the layers apart, up to rounding. What is not a number becomes zero
in oneDNN's ReLU: networks with such parameters are left alone, and the engine's inputs are finite; an overflow inside
of the network would pass unseen.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from igbaselines.models.between import Between, Switch, has_hooks, is_recorded, state_of

# The operator behind torch.compile's convolutions; it has no gradient and may go, and then the two layers are run.
_ONEDNN = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)


class Applied(nn.Module):
    """A module whose work the layer before it does, if that is what comes.

    Trusted, it takes whatever comes for that: the network says where its layers are called (`Join.trust`).
    """

    trusted = False

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """Return what comes, or the module's own output."""
        if self.trusted:
            return input
        if isinstance(input, Between) and input.awaits(self):
            before = input.apart
            return input.passed(lambda: _alone(self, before()), writes=bool(getattr(self, "inplace", False)))
        return _alone(self, input)


class Joined(nn.Module):
    """A frozen layer that applies the BatchNorm and the ReLU that alone read it (None: there is none)."""

    behind: tuple[nn.Module | None, nn.Module | None]  # in a tuple, they are no children
    switch: Switch
    trusted = False
    folded: tuple[object, list[Tensor], tuple[Tensor, Tensor]] | None = None  # of which state, its tensors, the result
    weight: Any
    bias: Any
    _conv_forward: Any

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """The output of the layer; of what is behind it, too, if that gets it as it is."""
        input = input.value() if isinstance(input, Between) else input  # noqa: A001
        norm, activation = self.behind
        if not self.trusted and not _can_hand_on(self, input):
            return self._conv_forward(input, self.weight, self.bias)  # type: ignore[no-any-return]
        folds = norm is not None and _folds(self, norm, input)
        weight, bias = _with_norm(self, norm) if norm is not None and folds else (self.weight, self.bias)
        fuses = activation is not None and (folds or norm is None) and _onednn_has(self, input, weight, bias)
        if fuses:
            y: Tensor = _ConvReLU.apply(input, weight, bias, self, isinstance(activation, nn.ReLU6))
        else:
            y = self._conv_forward(input, weight, bias)
        if self.trusted:
            return y if folds or norm is None else _alone(norm, y)
        done = tuple(m for m, does in ((norm, folds), (activation, fuses)) if does and m is not None)
        apart = partial(self._conv_forward, input, self.weight, self.bias)
        return Between.of(self, input, result=y, behind=done, apart=apart, switch=self.switch) if done else y

    def _apply(self, *args: Any, **kwargs: Any) -> "Joined":  # noqa: ANN401
        self.folded = None  # to another device or type
        return cast("Joined", super()._apply(*args, **kwargs))  # type: ignore[no-untyped-call]


class JoinedLinear(Joined, nn.Linear):
    """A `Linear` with what is behind it."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        return nn.functional.linear(input, weight, bias)


class JoinedConv1d(Joined, nn.Conv1d):
    """The same of a `Conv1d`."""


class JoinedConv2d(Joined, nn.Conv2d):
    """The same of a `Conv2d`."""


class JoinedConv3d(Joined, nn.Conv3d):
    """The same of a `Conv3d`."""


class AppliedBatchNorm1d(Applied, nn.BatchNorm1d):
    """A `BatchNorm1d` that the layer before it has applied."""


class AppliedBatchNorm2d(Applied, nn.BatchNorm2d):
    """The same of a `BatchNorm2d`."""


class AppliedBatchNorm3d(Applied, nn.BatchNorm3d):
    """The same of a `BatchNorm3d`."""


class AppliedReLU(Applied, nn.ReLU):
    """The same of a `ReLU`."""


class AppliedReLU6(Applied, nn.ReLU6):
    """The same of a `ReLU6`."""


_CLASSES: tuple[type[nn.Module], ...] = (JoinedLinear, JoinedConv1d, JoinedConv2d, JoinedConv3d, AppliedBatchNorm1d)
_CLASSES += (AppliedBatchNorm2d, AppliedBatchNorm3d, AppliedReLU, AppliedReLU6)
_JOINED: dict[type[nn.Module], type[nn.Module]] = {joined.__bases__[1]: joined for joined in _CLASSES}
JOINABLE = frozenset(_JOINED)
# Of each layer: the BatchNorm that runs over its outputs, for inputs of so many dimensions.
_NORMS: dict[type[nn.Module], tuple[type[nn.Module], int]] = {
    nn.Linear: (nn.BatchNorm1d, 2),  # on sequences, (m, positions, width), it would run over the positions
    nn.Conv1d: (nn.BatchNorm1d, 3),
    nn.Conv2d: (nn.BatchNorm2d, 4),
    nn.Conv3d: (nn.BatchNorm3d, 5),
}


@dataclass(frozen=True)
class Join:
    """A layer, and what is behind it."""

    layer: nn.Module
    norm: nn.Module | None = None
    activation: nn.Module | None = None

    def make(self, switch: Switch) -> None:
        """Have the layer do the work of the others, as long as they are switched on."""
        self.layer.__dict__.update(behind=(self.norm, self.activation), switch=switch)
        for module in self._modules():
            module.__class__ = _JOINED.get(type(module), type(module))

    def trust(self) -> None:
        """Have them be one wherever they are called, as those on both sides of a stem; with a ReLU they are undone."""
        if self.activation is not None:
            self.undo()
        for module in self._modules():
            if isinstance(module, Joined | Applied):
                module.__dict__["trusted"] = True

    def undo(self) -> None:
        """Have each do its own work again."""
        for module in self._modules():
            if isinstance(module, Joined | Applied):
                module.__class__ = _plain(module)  # type: ignore[assignment]
            for name in ("behind", "switch", "folded", "trusted"):
                module.__dict__.pop(name, None)

    def _modules(self) -> list[nn.Module]:
        return [module for module in (self.layer, self.norm, self.activation) if module is not None]


def can_fold(layer: nn.Module, norm: nn.Module) -> bool:
    """Whether a layer can do the work of the BatchNorm behind it; not subclasses, which may do anything."""
    if type(layer) not in _NORMS or type(norm) is not _NORMS[type(layer)][0]:
        return False
    norm = cast("nn.BatchNorm1d", norm)
    # Without statistics it normalises with those of the batch, also in evaluation.
    known = norm.running_mean is not None and norm.running_var is not None
    return known and len(cast("nn.Linear", layer).weight) == norm.num_features


def can_fuse(layer: nn.Module, activation: nn.Module) -> bool:
    """Whether a layer can do the work of the activation behind it in one operation."""
    if type(layer) is not nn.Conv2d or type(activation) not in (nn.ReLU, nn.ReLU6):
        return False
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def fusion_pays(model: nn.Module) -> bool:
    """Whether a network computes in float32 on a CPU with oneDNN, from numbers that are all finite."""
    tensors = [tensor for tensor in (*model.parameters(), *model.buffers()) if tensor.is_floating_point()]
    suits = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
    return _ONEDNN is not None and suits and all(bool(tensor.isfinite().all()) for tensor in tensors)


def weight_and_bias(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """What a linear layer or a convolution computes with: the BatchNorm behind it is in it where the two are one."""
    norm = layer.behind[0] if isinstance(layer, Joined) and layer.trusted else None
    of = cast("Joined", layer)
    return (of.weight, of.bias) if norm is None else _with_norm(of, norm)


def rounded(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy with fewer bits: BatchNorms go into the weights before these are rounded, while nobody changes them.

    Of rounded weights, means and variances the product would be off by several roundings.
    """
    copied = copy.deepcopy(network)
    joined = [m for m in copied.modules() if isinstance(m, Joined) and m.behind[0] is not None]
    exact = [_with_norm(layer, cast("nn.Module", layer.behind[0])) for layer in joined if _foldable(layer)]
    copied.to(dtype)
    for layer, (weight, bias) in zip(filter(_foldable, joined), exact, strict=True):
        state, tensors = _state(layer, cast("nn.Module", layer.behind[0]))
        layer.folded = state, tensors, (weight.to(dtype), bias.to(dtype))
    return copied


def _foldable(layer: Joined) -> bool:
    norm = cast("nn.BatchNorm1d", layer.behind[0])
    return norm.running_mean is not None and norm.running_var is not None


def _state(layer: Joined, norm: nn.Module) -> tuple[object, list[Tensor]]:
    """What folded weights are made of, and the tensors, which are kept: an id is that of a living one."""
    tensors = _tensors(layer, norm)
    return [norm.eps, *state_of(tensors)], [tensor for tensor in tensors if tensor is not None]


def _with_norm(of: Joined, norm: nn.Module) -> tuple[Tensor, Tensor]:
    state, kept = _state(of, norm)
    if of.folded is None or of.folded[0] != state:
        weight, bias, mean, variance, factor, shift = _tensors(of, norm)
        assert weight is not None
        assert mean is not None
        assert variance is not None
        factor = torch.ones_like(mean) if factor is None else factor
        shift = torch.zeros_like(mean) if shift is None else shift
        fuse: Callable[..., tuple[Tensor, Tensor]] = (
            fuse_linear_bn_weights if isinstance(of, nn.Linear) else fuse_conv_bn_weights
        )
        with torch.inference_mode(False), torch.no_grad():
            weight, bias = (t.detach() for t in fuse(weight, bias, mean, variance, norm.eps, factor, shift))
        of.folded = state, kept, (weight, bias)
    return of.folded[2]


def _tensors(layer: Joined, norm: nn.Module) -> list[Tensor | None]:
    norm = cast("nn.BatchNorm1d", norm)
    return [layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.weight, norm.bias]


def _can_hand_on(layer: Joined, x: Tensor) -> bool:
    """Whether the layer may do more than its own work: not in a graph that somebody records, which has no `Between`."""
    recorded = is_recorded() or not isinstance(x, Tensor)
    if recorded or not layer.switch.on or torch.is_inference_mode_enabled() or x.is_inference():
        return False
    return not any(module is not None and has_hooks(module) for module in (layer, *layer.behind))


def _folds(layer: Joined, norm: nn.Module, x: Tensor) -> bool:
    """Whether the two are one for such inputs, as they are now."""
    tensors = _tensors(layer, norm)
    known = tensors[2] is not None and tensors[3] is not None
    frozen = known and not any(tensor is not None and tensor.requires_grad for tensor in tensors)
    return frozen and not norm.training and x.dim() == _NORMS[_plain(layer)][1]


def _alone(module: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = _plain(module).forward(module, x)
    return y


def _plain(module: nn.Module) -> type[nn.Module]:
    return next(kind for kind in type(module).__mro__ if kind in JOINABLE)


def _onednn_has(convolution: nn.Module, x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    backend = torch.backends.mkldnn
    suits = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and x.dim() == 4
    frozen = not weight.requires_grad and (bias is None or not bias.requires_grad)
    switched_on = backend.is_available() and backend.enabled and not torch.is_autocast_enabled("cpu")
    return bool(_ONEDNN is not None and suits and frozen and switched_on)


class _ConvReLU(torch.autograd.Function):
    """The two as one; nothing but the output is kept for the way back."""

    hides_no_batch_norm = True  # so that the engine lets a single point go alone

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, c: nn.Conv2d, bounded: bool) -> Tensor:  # noqa: ANN401
        x = x.contiguous(memory_format=torch.channels_last)  # the output has the order of the input
        name, bounds = ("hardtanh", [0.0, 6.0]) if bounded else ("relu", [])
        assert _ONEDNN is not None
        y: Tensor = _ONEDNN(x, weight, bias, c.padding, c.stride, c.dilation, c.groups, name, bounds, "")
        ctx.save_for_backward(y, weight)
        ctx.convolution, ctx.bounded, ctx.like = c, bounded, (x.shape, x.stride())
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        y, weight = ctx.saved_tensors
        c = ctx.convolution
        if ctx.bounded:
            gradient = torch.ops.aten.hardtanh_backward(gradient, y, 0.0, 6.0)
        else:
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0.0)
        x = gradient.new_empty_strided(*ctx.like)  # its shape is asked for, not what it holds
        settings = c.stride, c.padding, c.dilation, False, [0, 0], c.groups, [True, False, False]
        of_input, _, _ = torch.ops.aten.convolution_backward(gradient, x, weight, None, *settings)
        return of_input, None, None, None, None
