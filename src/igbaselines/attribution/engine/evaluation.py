"""Evaluation mode: no module that a function runs drops out or takes batch statistics, and each is left as found.

Networks come as modules, and as often inside a lambda, a bound method, a partial or an object of one's own. So modules
are looked for where a function holds them, and wherever else they are they show themselves by being called.
"""

import inspect
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.module import register_module_forward_pre_hook

from igbaselines.attribution.engine.reach import held_by

# In the code of a network that was traced or exported in training mode, where no switch reaches it any more.
TRAINS_FOR_EVER = re.compile(
    r"(dropout|batch_norm)\S*\(.*training = True|dropout\S*\(.*, True\)|batch_norm\S*\(.*, True, [^,]*, [^,]*, \w+\)"
)


@contextmanager
def evaluation_mode(f: Callable[..., object]) -> Iterator[None]:
    """Run all modules of f in evaluation mode, and give every part its mode back, whatever f itself has switched.

    Modules whose own `train(mode)` does more, as that of those that keep tables of their weights in evaluation mode,
    are switched by it, and all parameters and buffers below them are put back. A `train` of any other arguments is not
    called. Several threads may run one network: the last one out puts it back.

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
        held, compiled = held_by(f)
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
class _Found:
    """How a module was found by the first that runs it in evaluation mode, and how many do so now.

    Args:
        training: its mode.
        entries: of those that run it in evaluation mode, in any thread: the last one out puts it back.
        tensors: its own parameters and buffers, their values, and whether they wanted a gradient.
    """

    training: bool
    entries: int = 0
    tensors: list[tuple[Tensor, Tensor, bool]] = field(default_factory=list)

    def keep(self, module: nn.Module) -> None:
        if not self.tensors:
            own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
            self.tensors = [(tensor, tensor.detach().clone(), tensor.requires_grad) for tensor in own]

    def put_back(self) -> None:
        for tensor, kept, wanted in self.tensors:
            if tensor.is_cuda or not tensor.equal(kept):  # the host would wait for the answer of a GPU
                tensor.data.copy_(kept)
            if tensor.requires_grad != wanted:
                tensor.requires_grad_(wanted)


# Weak, since some networks make a module anew at each call.
_FOUND: "WeakKeyDictionary[nn.Module, _Found]" = WeakKeyDictionary()
_LOCK = threading.RLock()


class _Modes:
    """The modules that one call runs in evaluation mode, those above first."""

    def __init__(self) -> None:
        self.entered: WeakKeyDictionary[nn.Module, _Found] = WeakKeyDictionary()

    def evaluate(self, root: nn.Module) -> None:
        """Switch a module and all below it to evaluation mode."""
        with _LOCK:
            for module in root.modules():
                if module not in self.entered:
                    found = _FOUND.setdefault(module, _Found(getattr(module, "training", False)))  # scripts: no mode
                    found.entries += 1
                    self.entered[module] = found
            training = [module for module in root.modules() if getattr(module, "training", False)]
            for module in training:
                _check_can_leave_training(module)
            for module in filter(_does_more_at_train, training):
                for below in module.modules():
                    self.entered[below].keep(below)
            for module in training:
                if _does_more_at_train(module):
                    _switch(module, True)  # whatever is left of an earlier evaluation mode goes
                _switch(module, False)

    def restore(self) -> None:
        """Give every module its mode back, unless another thread still runs it."""
        with _LOCK:
            for found in self.entered.values():
                found.entries -= 1
            last = [(module, found) for module, found in self.entered.items() if not found.entries]
            for module, found in last:
                del _FOUND[module]
                if getattr(module, "training", found.training) != found.training:
                    _switch(module, found.training)
            for _, found in last:
                found.put_back()


def _switch(module: nn.Module, training: bool) -> None:
    if _does_more_at_train(module):
        with suppress(Exception):  # torch's exported programs have no modes, and others refuse one of them
            module.train(training)
    module.training = training


def _does_more_at_train(module: nn.Module) -> bool:
    """Whether `train` switches the mode and does more, such as to keep or to drop tables, or to merge weights.

    To others it is what it says: it trains, for some epochs or on some data, and must not be called.
    """
    train = getattr(module, "train", None)
    if getattr(train, "__func__", None) is nn.Module.train or not callable(train):
        return False
    with suppress(TypeError, ValueError):  # without a signature
        first = next(iter(inspect.signature(train).parameters.values()), None)
        return first is not None and first.name == "mode" and first.default in (True, first.empty)
    return False


def _check_can_leave_training(module: nn.Module) -> None:
    code = getattr(module, "inlined_code", None) or getattr(module, "code", None)
    if isinstance(code, str) and (line := TRAINS_FOR_EVER.search(code)):
        raise ValueError(
            f"f runs a {type(module).__name__} that was traced or exported in training mode ({line[0][:60]} ...): "
            "trace it anew after eval()"
        )
