"""What two networks compute, compared: outputs and a gradient at real inputs, and the modules that they call."""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils._pytree import tree_leaves, tree_map

from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.result import ClosedFormGradient

Observation = tuple[list[Tensor], Tensor | None]


@contextmanager
def called() -> Iterator[dict[int, nn.Module]]:
    """The modules that this thread calls, by their ids."""
    called, thread = dict[int, nn.Module](), threading.get_ident()

    def note(module: nn.Module, _: object) -> None:
        if threading.get_ident() == thread:
            called[id(module)] = module

    hook = register_module_forward_pre_hook(note)
    try:
        yield called
    finally:
        hook.remove()


@contextmanager
def left_as_found(network: nn.Module, without_tables: bool) -> Iterator[None]:
    """Evaluation mode; what modules note at a call, or drop at a switch of modes, is put back."""
    own = [vars(module) for module in network.modules()]
    noted = [kept for names in own for kept in (names, *names.values()) if isinstance(kept, dict)]
    found = [dict(kept) for kept in noted]
    try:
        for module in network.modules():
            if without_tables and has_switch(module):
                module.training = True  # evaluation mode begins with a switch
        with evaluation_mode(network):
            yield
    finally:
        for kept, before in zip(noted, found, strict=True):
            for name in kept.keys() - before.keys():
                del kept[name]
            kept.update(before)


def has_switch(module: nn.Module) -> bool:
    """Whether a module does more at a switch of modes than to note it; not all that is called `train` is one."""
    if getattr(module.train, "__func__", None) is nn.Module.train or not callable(module.train):
        return False
    return next(iter(inspect.signature(module.train).parameters), None) == "mode"


def points(inputs: Tensor) -> Tensor:
    """The first of the inputs, and the same with noise: alone it would show little where it is all black."""
    first = inputs[:1].detach().clone()  # outside of inference mode
    noise = torch.rand(first.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float32).to(first)
    return torch.cat([first, torch.where(first == 0, noise, first * (0.5 + noise))])


def observed(f: Callable[..., object], *args: Any, **kwargs: Any) -> Observation:  # noqa: ANN401
    """What a function returns, with a graph and without, and one gradient; the random numbers it takes are put back.

    The gradient is that for the first of its arguments; None: there is none.
    """
    x = args[0].clone().requires_grad_() if len(args) == 1 and torch.is_floating_point(args[0]) else None
    args = args if x is None else (x,)
    devices = {leaf.device for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.is_cuda}
    outputs: list[Tensor] = []
    for graph in (False, True):
        with torch.random.fork_rng(list(devices)), torch.set_grad_enabled(graph):
            given, named = cloned((args, kwargs))
            returned = [leaf for leaf in tree_leaves(f(*given, **named)) if leaf is not None]
        if not all(isinstance(leaf, Tensor) and not leaf.is_complex() for leaf in returned):
            raise TypeError("what it returns is not made of real tensors alone, and is not compared")
        outputs += returned
    scores = [_weighted(output) for output in outputs if output.requires_grad]
    found = torch.autograd.grad(scores, x, allow_unused=True)[0] if scores and x is not None else None
    return [output.detach() for output in outputs], found


def cloned(arguments: Any) -> Any:  # noqa: ANN401
    """The same arguments, which a function may write into."""
    return tree_map(lambda part: part.clone() if isinstance(part, Tensor) else part, arguments)


def by_closed_form(network: ClosedFormGradient, x: Tensor) -> Tensor:
    """The same gradient as `_observed` takes, of a network that has it written out behind its stem."""
    x = x.clone().requires_grad_()
    z = network.affine_stem(x)
    slopes = torch.linspace(1, 2, len(z)).to(z).view(-1, *[1] * (z.dim() - 1))
    (gradient,) = torch.autograd.grad((z * network.gradient_after_stem(z.detach()) * slopes).sum(), x)
    return gradient


def _weighted(output: Tensor) -> Tensor:
    slopes = torch.linspace(1, 2, output.numel()).to(output)  # those of probabilities, all alike, would sum to nothing
    return (output * slopes.view_as(output)).sum()


def difference(wanted: Observation, seen: list[Observation], tolerance: tuple[float, float], whose: str) -> str | None:
    """How far observations are from the one that is wanted, in words; None: close enough."""
    values, gradient = wanted
    apart = max(_apart(values, found, torch.inf) for found, _ in seen)
    # An output may have a large constant in it that no attribution has: what changes has to agree, too.
    changed = max(_apart(_changes(values), _changes(found), torch.inf) for found, _ in seen)
    known = [] if gradient is None else [gradient]
    turned = max(_apart(known, [] if found is None else [found], 2.0) for _, found in seen)
    if apart <= tolerance[0] and changed <= 10 * tolerance[0] and turned <= tolerance[1]:
        return None
    return f"{whose} its outputs would differ by {max(apart, changed):.1g}, its gradient by {turned:.1g}"


def _changes(outputs: list[Tensor]) -> list[Tensor]:
    of_points = [output for output in outputs if output.is_floating_point() and output.dim() > 0]
    return [torch.cat([output[1:] - output[:1], 1e-3 * output[:1]]) for output in of_points]  # up to rounding


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
