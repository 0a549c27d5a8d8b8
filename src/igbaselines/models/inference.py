"""A frozen copy of a network that computes the same function and is made for input gradients.

Evaluation mode; BatchNorm folded into the layer before it; ReLU fused with the convolution before it; channels_last for
convolutions; no gradients for parameters. What is folded and fused is proven by a trace of the network (torch.fx) and,
since a trace does not see everything, checked at the first call (`first_call`).
"""

import copy
import inspect
import logging
from collections import Counter
from contextlib import suppress
from functools import partial
from operator import attrgetter
from types import FunctionType
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.fx import Node, Tracer
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.models.between import Switch, has_hooks
from igbaselines.models.compared import has_switch
from igbaselines.models.first_call import FirstCall, Original, Shortcuts
from igbaselines.models.joined import JOINABLE, Join, can_fold, can_fuse, fusion_pays

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)


def for_gradients(model: Network) -> Network:
    """Return a frozen copy that computes the same function, made for input gradients: first derivatives, by autograd.

    Any network will do and is left as found; the copy is of its class, in evaluation mode. Its first call, of `forward`
    or `affine_stem`, compares it with the network at the first input, values and a gradient, if both still have the
    weights that were copied, and then its shortcuts with its plain layers. Where those differ, or nothing can be
    compared, the copy does without them for good; where it is no copy, or calls modules that are not its own, it runs
    the network itself from then on, in evaluation mode, and leaves it as it was. So does the module that comes back
    for a network that cannot be copied. The log says so. Until then it keeps hold of the network.

    Later, too, layers are joined only in calls where nobody reads what is between them, and never in what is traced,
    exported or compiled. The copy's weights may be loaded, moved or written into, but not through `.data`, of which
    torch keeps no record.
    """
    try:
        frozen = _copied(model)
        _evaluate(frozen)
        frozen.requires_grad_(False)
        original = Original(model, frozen)
    except Exception as error:  # copying runs the model's own code: anything can come back
        log.info("%s cannot be copied, it is used itself: %s", type(model).__name__, error)
        return cast("Network", Itself(model))
    FirstCall.withdraw(frozen)  # of a copy that has not been called yet
    convolutions = [module for module in frozen.modules() if isinstance(module, nn.Conv2d)]
    switch = Switch(type(model).__name__)
    FirstCall.await_in(frozen, Shortcuts(_joins(frozen), convolutions, switch, original))
    return frozen


class Itself(nn.Module):
    """A network that is not copied: in evaluation mode whenever it is called, and left as it was found."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """What the network returns."""
        with evaluation_mode(self.network):
            return self.network(*args, **kwargs)


class _WithoutHistory(TorchFunctionMode):
    """Copies of tensors that were computed from others, which torch refuses: they are what stands in them now."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            memo[id(tensor)] = tensor.detach().clone()
            return memo[id(tensor)]
        return func(*args, **(kwargs or {}))


def _copied(model: Network) -> Network:
    """A copy that shares nothing with the original, or a TypeError."""
    if any(_holds_on(value) for module in model.modules() for value in tree_leaves(vars(module))):
        raise TypeError("a function that it keeps holds on to modules, and would to those of the original")
    with torch.inference_mode(False), _WithoutHistory():
        copied = copy.deepcopy(model)
    parts = [{id(part) for part in (*m.modules(), *m.parameters(), *m.buffers())} for m in (model, copied)]
    if not parts[0].isdisjoint(parts[1]):
        raise TypeError("its copies share parts with it")
    return copied


def _holds_on(value: object, depth: int = 4) -> bool:
    """Whether a function in it knows modules by itself; functions are not copied, as all that holds them is."""
    if depth == 0 or isinstance(value, nn.Module | Tensor | type):
        return False
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        known = tree_leaves([cells, value.__defaults__, value.__kwdefaults__])
        return any(isinstance(getattr(v, "__self__", v), nn.Module) or _holds_on(v, depth - 1) for v in known)
    parts = [value.func, value.args, value.keywords] if isinstance(value, partial) else getattr(value, "__dict__", None)
    return any(_holds_on(part, depth - 1) for part in tree_leaves(parts))


def _evaluate(network: nn.Module) -> None:
    """Switch all modules to evaluation mode, by hand: `train` and `eval` may be anything that somebody calls so.

    Those that do more at a switch of modes, such as to drop a table that they keep for evaluation, are switched there
    and back.
    """
    for module in network.modules():
        with suppress(Exception):  # it runs the network's own code: anything can come back
            if has_switch(module):
                module.train(True)
                module.train(False)
    for module in network.modules():
        if getattr(module, "training", False):  # frozen scripts have no mode
            module.training = False


class _Calls:
    """The calls of modules in a network's forward pass: none where it cannot be traced; then its layers stay apart."""

    def __init__(self, model: nn.Module) -> None:
        self.modules = dict(model.named_modules(remove_duplicate=False))
        self.nodes: list[Node] = []
        self.used: Counter[nn.Module] = Counter()
        self.elsewhere: set[nn.Module] = set()  # used in ways that the calls do not show
        try:
            traced = _copied(model)  # what it keeps of its first call are the tracer's proxies
            names = {module: name for name, module in traced.named_modules()}
            for module in names:
                if type(module) in JOINABLE:
                    module.forward = partial(self._forward, module, self.modules[names[module]])
            graph = Tracer().trace(traced, _defaults(traced))
        except Exception as error:  # tracing runs the model's own code on proxies: anything can come back
            log.info("%s cannot be traced, its layers stay apart: %s", type(model).__name__, error)
            return
        self.nodes = [node for node in graph.nodes if node.op == "call_module"]
        for node in self.nodes:
            called, *inside = self.module(node).modules()
            self.used[called] += 1
            self.elsewhere.update(inside)  # they are called as it likes
        # A trace knows tensors by the first of their names.
        read = {id(attrgetter(str(node.target))(traced)) for node in graph.nodes if node.op == "get_attr"}
        for module, name in names.items():
            own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
            if any(id(tensor) in read for tensor in own):
                self.elsewhere.add(self.modules[name])

    def module(self, node: Node) -> nn.Module:
        """The module that is called."""
        module: nn.Module = self.modules[str(node.target)]
        return module

    def only_source(self, node: Node) -> Node | None:
        """The call whose output this one gets and nobody else does, through identities; None where there is none."""
        source = node.args[0] if node.args else None
        if not isinstance(source, Node) or source.op != "call_module" or len(source.users) > 1:
            return None
        passed_on = type(self.module(source)) is nn.Identity and not has_hooks(self.module(source))
        return self.only_source(source) if passed_on else source

    def shown(self, module: nn.Module, times: int = 1) -> bool:
        """Whether it is called so often and not otherwise, and nothing is run beside it, such as a spectral norm."""
        ordinary = "forward" not in vars(module) and not has_hooks(module)
        return ordinary and self.used[module] == times and module not in self.elsewhere

    def _forward(self, traced: nn.Module, module: nn.Module, *args: Any) -> Any:  # noqa: ANN401
        self.elsewhere.add(module)  # called by its `forward`, which leaves no call in the trace
        return type(traced).forward(traced, *args)


def _joins(model: nn.Module) -> list[Join]:
    """Each convolution or linear layer with the BatchNorm and the ReLU that alone read it.

    A ReLU that is called in several places goes only if none of them needs it any longer.
    """
    calls = _Calls(model)
    layers: dict[Node, Node] = {}  # of each norm that is folded
    for norm in calls.nodes:
        layer = calls.only_source(norm)
        pair = (calls.module(layer), calls.module(norm)) if layer is not None else ()
        if layer is not None and can_fold(*pair) and all(calls.shown(module) for module in pair):
            layers[norm] = layer
    norms = {layer: calls.module(norm) for norm, layer in layers.items()}
    activations: dict[Node, nn.Module] = {}
    places: dict[nn.Module, list[Node]] = {}
    for node in calls.nodes if fusion_pays(model) else []:
        places.setdefault(calls.module(node), []).append(node)
    for activation, nodes in places.items():
        sources = [source for node in nodes if (source := calls.only_source(node)) is not None]
        fused = [layers.get(source, source) for source in sources]
        if calls.shown(activation, len(fused)) and all(
            can_fuse(calls.module(layer), activation) and calls.shown(calls.module(layer)) for layer in fused
        ):
            activations.update(dict.fromkeys(fused, activation))
    return [
        Join(calls.module(layer), norms.get(layer), activations.get(layer))
        for layer in calls.nodes
        if layer in norms or layer in activations
    ]


def _defaults(model: nn.Module) -> dict[str, object]:
    """The arguments that the engine never passes, so that tracing follows the branch that the engine will."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    return {p.name: p.default for p in parameters[1:] if p.default is not p.empty}
