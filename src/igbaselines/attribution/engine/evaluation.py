"""Evaluation mode: no module that a function runs drops out or takes batch statistics, and each is left as found.

Networks come as modules, and as often inside a lambda, a bound method, a partial or an object of one's own. So modules
are looked for where a function holds them, and wherever else they are they show themselves by being called.
"""

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.module import register_module_forward_pre_hook

MOST_PARTS = 1000  # of a function that are looked at for modules: what it calls of others is found by the calls
HOLD_NOTHING = (str, bytes, int, float, complex, Tensor, ModuleType, type, type(None))
OF_ALL_MODULES = vars(nn.Module()).keys()
# In the code of a network that was traced or exported in training mode, where no switch reaches it any more.
TRAINS_FOR_EVER = re.compile(
    r"(dropout|batch_norm)\S*\(.*training = True|dropout\S*\(.*, True\)|batch_norm\S*\(.*, True, [^,]*, [^,]*, \w+\)"
)


@contextmanager
def evaluation_mode(f: Callable[..., object]) -> Iterator[None]:
    """Run all modules of f in evaluation mode, and give every part its mode back, whatever f itself has switched.

    Modules that override `train`, as those do that keep tables of their weights in evaluation mode, are switched by
    it, and their parameters and buffers are put back.

    Raises:
        ValueError: for what was traced or exported in training mode, and for a BatchNorm without running statistics.
    """
    modes, thread = _Modes(), threading.get_ident()

    def of_call(module: nn.Module, _: object) -> None:
        if threading.get_ident() == thread:  # another thread may train a network of its own
            if getattr(module, "training", False):
                modes.evaluate(module)
            if isinstance(module, _BatchNorm) and module.running_mean is None:
                raise ValueError(
                    f"f runs a {type(module).__name__} without running statistics: even in evaluation mode it takes "
                    "those of the batch, so that outputs depend on the points beside them; track_running_stats=True "
                    "keeps its own"
                )

    hook = None
    try:
        held, compiled = _held_by(f)
        for module in held:
            modes.evaluate(module)
        if not compiled:  # with a hook torch compiles anew at each call of the engine
            hook = register_module_forward_pre_hook(of_call)
        yield
    finally:
        if hook is not None:
            hook.remove()
        modes.restore()


@dataclass
class _Modes:
    """How modules were found."""

    # Weak, since some networks make a module anew at each call.
    training: "WeakKeyDictionary[nn.Module, bool]" = field(default_factory=WeakKeyDictionary)
    switched: list["_Switched"] = field(default_factory=list)

    def evaluate(self, root: nn.Module) -> None:
        """Switch a module and all below it to evaluation mode, those above first."""
        for module in root.modules():
            self.training.setdefault(module, getattr(module, "training", False))  # frozen scripts have no mode
        for module in [module for module in root.modules() if getattr(module, "training", False)]:
            _check_can_leave_training(module)
            if getattr(module.train, "__func__", None) is not nn.Module.train:
                self.switched.append(_Switched.of(module))
            module.training = False

    def restore(self) -> None:
        """Give every module its mode back."""
        for switched in self.switched:
            switched.restore()
        for module, training in self.training.items():
            if getattr(module, "training", training) != training:
                module.training = training


@dataclass(frozen=True)
class _Switched:
    """A module that does more at `train` than to note its mode, such as to keep or to drop tables, or to merge weights.

    Args:
        module: which was found in training mode.
        tensors: its own parameters and buffers, as they were.
        wanted: parameters below it, and whether they wanted a gradient.
    """

    module: nn.Module
    tensors: list[tuple[Tensor, Tensor]]
    wanted: list[tuple[nn.Parameter, bool]]

    @classmethod
    def of(cls, module: nn.Module) -> "_Switched":
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        kept = [(tensor, tensor.detach().clone()) for tensor in own]
        found = cls(module, kept, [(parameter, parameter.requires_grad) for parameter in module.parameters()])
        with suppress(NotImplementedError):  # torch's exported programs have no modes
            module.train()  # whatever is left of an earlier evaluation mode goes
            module.eval()
        return found

    def restore(self) -> None:
        with suppress(NotImplementedError):
            self.module.train()
        for tensor, kept in self.tensors:
            if not tensor.equal(kept):
                tensor.data.copy_(kept)
        for parameter, wanted in self.wanted:
            parameter.requires_grad_(wanted)


def _check_can_leave_training(module: nn.Module) -> None:
    code = getattr(module, "inlined_code", None) or getattr(module, "code", None)
    if isinstance(code, str) and (line := TRAINS_FOR_EVER.search(code)):
        raise ValueError(
            f"f runs a {type(module).__name__} that was traced or exported in training mode ({line[0][:60]} ...): "
            "trace it anew after eval()"
        )


def _held_by(f: object) -> tuple[list[nn.Module], bool]:
    """Modules within reach of f, the nearest first, those below them left out; and whether torch compiles any of it."""
    held, compiled = list[nn.Module](), False
    todo, seen = deque([f]), dict[int, object]()
    while todo and len(seen) < MOST_PARTS:
        part = todo.popleft()
        if isinstance(part, HOLD_NOTHING) or id(part) in seen:
            continue
        seen[id(part)] = part
        if isinstance(part, nn.Module):
            below = list(part.modules())
            seen |= {id(module): module for module in below}
            held.append(part)
            for module in below:
                todo.extend(value for name, value in vars(module).items() if name not in OF_ALL_MODULES)
        else:
            compiled = compiled or hasattr(part, "_torchdynamo_orig_callable")
            todo.extend(_parts(part))
    return held, compiled


def _parts(whole: object) -> Iterable[object]:
    """What a function, a container or any other object refers to; nothing is computed."""
    if isinstance(whole, dict):
        return whole.values()
    if isinstance(whole, list | tuple | set | frozenset | deque):
        return whole
    if isinstance(whole, partial):
        return whole.func, whole.args, whole.keywords
    if isinstance(whole, MethodType):
        return whole.__self__, whole.__func__
    if isinstance(whole, FunctionType):
        return _parts_of_function(whole)
    if type(whole).__module__.startswith("torch"):
        return ()  # operators, which refer to much
    called = getattr(type(whole), "__call__", None)  # noqa: B004
    own = getattr(whole, "__dict__", {}).values()
    return (*own, called) if isinstance(called, FunctionType) else own


def _parts_of_function(function: FunctionType) -> Iterator[object]:
    yield function.__defaults__
    yield function.__kwdefaults__
    yield function.__dict__
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # not yet filled
            yield cell.cell_contents
    if function.__globals__.get("__name__", "").startswith("torch"):
        return  # its globals are all of torch
    codes: list[CodeType] = [function.__code__]
    for code in codes:  # grows: comprehensions and inner functions have codes of their own
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        yield from (function.__globals__[name] for name in code.co_names if name in function.__globals__)
