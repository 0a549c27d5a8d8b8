"""What stands between a layer and the modules whose work it does: a tensor that nobody computes unless it is read.

A trace shows that a BatchNorm alone reads a layer; with tensors a network may take another way, at its first call or at
any later one. So a layer that has done the work of what is behind it hands on a `Between`. The module that is meant
takes the result out of it, by identity. Whoever else touches it gets what the layers apart compute, value and
gradient; from then on the layers of the network stay apart.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

log = logging.getLogger(__name__)

# Layers apart would compute a tensor like this one: to ask for these is not to read it.
_ALIKE = {
    *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "ndim", "requires_grad", "is_cuda")),
    *(Tensor.size, Tensor.dim, Tensor.numel, Tensor.__len__, Tensor.is_floating_point, Tensor.is_complex),
    *(torch.is_floating_point, torch.is_complex, torch.numel),
}
_NOTHING = torch.empty(0, device="cpu")  # of the wrong shape, where something looks at the memory itself


@dataclass
class Switch:
    """Whether the layers of a network are joined; one for all of them."""

    network: str
    on: bool = True

    def off(self, why: str) -> None:
        """Have them stay apart for good; only the first reason is told."""
        if self.on:
            self.on = False
            log.info("%s goes on as it is, without shortcuts: %s", self.network, why)


class Between(Tensor):
    """The output of a layer, and of those behind it that have been called, while others of them are still to come."""

    result: Tensor  # of them all
    layer: nn.Module
    behind: tuple[nn.Module, ...]  # those to come
    apart: Callable[[], Tensor]  # what this tensor would be
    made_from: tuple[Tensor, int, bool]  # the input, its version, and whether there was to be a graph
    switch: Switch
    known: Tensor | None

    @classmethod
    def of(cls, layer: nn.Module, x: Tensor, **parts: Any) -> "Between":  # noqa: ANN401
        """Hand a result on."""
        between = Tensor._make_subclass(cls, _NOTHING)
        made_from = x, x._version, torch.is_grad_enabled()
        between.__dict__.update(parts, layer=layer, made_from=made_from, known=None)
        return between

    def awaits(self, module: nn.Module) -> bool:
        """Whether this module is the next, for the first time, and nobody has read the tensor before it."""
        return self.known is None and self.behind[:1] == (module,)

    def passed(self, apart: Callable[[], Tensor], writes: bool) -> Tensor:
        """What the next module returns; `writes`: into its input."""
        rest, self.behind = self.behind[1:], ()
        if writes:
            self.known = self.result
        if not rest:
            return self.result
        return Between.of(
            self.layer, self.made_from[0], result=self.result, behind=rest, apart=apart, switch=self.switch
        )

    def value(self) -> Tensor:
        """What the layers apart compute."""
        if self.known is None:
            x, version, graph = self.made_from
            self.switch.off("what its layers pass to one another is read elsewhere")
            if x._version != version:
                raise RuntimeError(
                    f"the input of a {type(self.layer).__name__} was written into before its output is read"
                )
            with torch.set_grad_enabled(graph):
                self.known = self.apart()
        return self.known

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        def real(part: object) -> object:
            if not isinstance(part, Between):
                return part
            return part.result if func in _ALIKE else part.value()

        args, kwargs = tree_map(real, (args, kwargs or {}))
        return func(*args, **kwargs)


def state_of(tensors: Iterable[Tensor | None]) -> list[object]:
    """What shows that a tensor has been exchanged, moved or written into, as long as it lives."""
    return [
        None if t is None else (id(t), None if t.is_inference() else t._version, t.data_ptr(), t.dtype, t.device)
        for t in tensors
    ]


def has_hooks(module: nn.Module) -> bool:
    """Whether something runs beside a module, or beside its way back."""
    forward = module._forward_hooks or module._forward_pre_hooks
    return bool(forward or module._backward_hooks or module._backward_pre_hooks)


def is_recorded() -> bool:
    """Whether torch.jit.trace, torch.export or torch.compile records what is computed, or torch.func transforms it."""
    recorded = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
    return recorded or torch._C._functorch.peek_interpreter_stack() is not None
