"""The first call of a copy made for gradients: it is compared with the network as it was, on real inputs.

A trace proves which layers may be joined, for the way that a network takes with the tracer's proxies. With tensors it
may take another, by `isinstance`, by `hasattr`, by a module's type; and some see in which order the axes lie in memory.
So the copy stays what the network was until its first call, and after that where the two do not agree.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from igbaselines.attribution.engine.result import AffineStem, ClosedFormGradient
from igbaselines.models.joined import Join

log = logging.getLogger(__name__)

# Largest difference of the outputs (to the largest output) and of a gradient (of its norm): in low precision rounding
# moves some ReLU over its edge, where the gradient jumps.
TOLERANCE = {torch.float64: (1e-9, 1e-9), torch.float32: (1e-3, 0.1)}
TOLERANCE_OF_HALF = (0.1, 0.5)
ENTRIES = ("forward", "affine_stem")  # what takes inputs


@dataclass
class Shortcuts:
    """What makes a copy fast; all of it can be undone."""

    joins: list[Join]
    convolutions: list[nn.Conv2d]

    def take(self) -> None:
        """Join the layers, and lay the weights of convolutions out in channels_last."""
        for join in self.joins:
            join.make()
        for convolution in self.convolutions:  # not the network as a whole: weights of a Conv3d have five dimensions
            convolution.to(memory_format=torch.channels_last)

    def undo(self) -> None:
        """Have the network as it was."""
        for join in self.joins:
            join.undo()
        for convolution in self.convolutions:
            convolution.to(memory_format=torch.contiguous_format)


@dataclass
class FirstCall:
    """Stands in a network for one of its methods until the first call, which decides on the shortcuts for good."""

    network: nn.Module
    method: str
    shortcuts: Shortcuts

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Decide, then call the method."""
        if vars(self.network).get(self.method) is self:
            self.withdraw(self.network)
            doubt: str | None = "interrupted"
            try:
                doubt = _doubt(self.network, self.shortcuts, args, kwargs)
            finally:
                if doubt is not None:
                    self.shortcuts.undo()
                    log.info("%s stays as it is, without shortcuts: %s", type(self.network).__name__, doubt)
        return getattr(self.network, self.method)(*args, **kwargs)

    @classmethod
    def await_in(cls, network: nn.Module, shortcuts: Shortcuts) -> None:
        """Have a network wait for its first call, if that decides anything, and no method is the instance's own."""
        if not (shortcuts.joins or shortcuts.convolutions) or any(method in vars(network) for method in ENTRIES):
            return
        for method in ENTRIES:
            if hasattr(network, method):
                network.__dict__[method] = cls(network, method, shortcuts)

    @classmethod
    def withdraw(cls, network: nn.Module) -> None:
        """Have a network and all in it wait no longer."""
        for module in network.modules():
            for method in ENTRIES:
                if isinstance(vars(module).get(method), cls):
                    del module.__dict__[method]


def _doubt(network: nn.Module, shortcuts: Shortcuts, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Take the shortcuts; say why they should not have been taken, or None."""
    alone = len(args) == 1 and not kwargs and type(args[0]) in (Tensor, nn.Parameter)
    if not alone or not args[0].is_floating_point() or not args[0].numel():
        return "its first call was not one with a tensor of inputs alone"
    value_tolerance, gradient_tolerance = TOLERANCE.get(args[0].dtype, TOLERANCE_OF_HALF)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            x = _points(args[0])
            values, gradient = _observed(network.forward, x)
            shortcuts.take()
            seen = [_observed(network.forward, x)]
            if isinstance(network, AffineStem):
                stem, rest = network.affine_stem, network.after_stem
                seen.append(_observed(lambda x: rest(stem(x)), x))
            if isinstance(network, ClosedFormGradient):
                seen.append((values, _by_closed_form(network, x)))
    except Exception as error:  # it runs the network's own code: anything can come back
        return f"{type(error).__name__}: {error}"
    if not gradient.abs().max() > 0:
        return "its gradient at the first inputs is zero, or not a number, and shows nothing"
    apart = max(_apart(values, found, torch.inf) for found, _ in seen)
    turned = max(_apart([gradient], [found], 2.0) for _, found in seen)
    if apart <= value_tolerance and turned <= gradient_tolerance:
        return None
    return f"with them its outputs would differ by {apart:.1g}, its gradient by {turned:.1g}"


def _points(inputs: Tensor) -> Tensor:
    """The first of the inputs, and the same with noise: alone it would show little where it is all black."""
    first = inputs[:1].detach().clone()  # outside of inference mode
    noise = torch.rand(first.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float32).to(first)
    return torch.cat([first, torch.where(first == 0, noise, first * (0.5 + noise))])


def _observed(f: Callable[[Tensor], object], x: Tensor) -> tuple[list[Tensor], Tensor]:
    """What a function returns, with a graph and without, and one gradient; the random numbers it takes are put back."""
    x = x.clone().requires_grad_()
    outputs: list[Tensor] = []
    for graph in (False, True):
        with torch.random.fork_rng([x.device] if x.is_cuda else []), torch.set_grad_enabled(graph):
            returned = [leaf for leaf in tree_leaves(f(x.clone())) if leaf is not None]  # may be written into
        if not all(isinstance(leaf, Tensor) and not leaf.is_complex() for leaf in returned):
            raise TypeError("what it returns is not made of real tensors alone, and is not compared")
        outputs += returned
    scores = [_weighted(output) for output in outputs if output.requires_grad]
    (gradient,) = torch.autograd.grad(scores, x)
    return [output.detach() for output in outputs], gradient


def _by_closed_form(network: ClosedFormGradient, x: Tensor) -> Tensor:
    """The same gradient as `_observed` takes, of a network that has it written out behind its stem."""
    x = x.clone().requires_grad_()
    z = network.affine_stem(x)
    slopes = torch.linspace(1, 2, len(z)).to(z).view(-1, *[1] * (z.dim() - 1))
    (gradient,) = torch.autograd.grad((z * network.gradient_after_stem(z.detach()) * slopes).sum(), x)
    return gradient


def _weighted(output: Tensor) -> Tensor:
    slopes = torch.linspace(1, 2, output.numel()).to(output)  # those of probabilities, all alike, would sum to nothing
    return (output * slopes.view_as(output)).sum()


def _apart(expected: list[Tensor], found: list[Tensor], order: float) -> float:
    """Largest difference of tensors from those expected, in a norm; infinite where they do not fit."""
    if [tensor.shape for tensor in expected] != [tensor.shape for tensor in found]:
        return torch.inf
    largest = 0.0
    for a, b in zip(expected, found, strict=True):
        known = a.isfinite()
        if not torch.equal(known, b.isfinite()):
            return torch.inf
        a, b = (t[known].to(torch.promote_types(t.dtype, torch.float32)) for t in (a, b))
        if not torch.equal(a, b):
            difference, size = (torch.linalg.vector_norm(t, order) for t in (a - b, a))
            largest = max(largest, float(difference / size))
    return largest
