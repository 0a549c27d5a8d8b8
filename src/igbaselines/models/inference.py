"""A frozen copy of a network that computes the same function and is made for input gradients.

Evaluation mode; BatchNorm folded into the layer before it; ReLU fused with the convolution before it; channels_last for
convolutions; no gradients for parameters; no in-place activations, which would overwrite what the backward pass needs.
"""

import copy
import inspect
import logging
from collections import Counter
from typing import TypeVar, cast

import torch
from torch import nn
from torch.fx import Node, Tracer
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from igbaselines.models.conv_relu import fused, fusion_pays

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def for_gradients(model: Network) -> Network:
    """Return a frozen copy that computes the same function, made for input gradients: first derivatives, by autograd.

    Any network will do and is left untouched; the copy is of its class, in evaluation mode.
    """
    frozen = copy.deepcopy(model).eval().requires_grad_(False)
    for module in frozen.modules():
        if getattr(module, "inplace", False):
            cast("nn.ReLU", module).inplace = False
    calls = _Calls(frozen)
    _fold_batch_norms(calls)
    if fusion_pays(frozen):
        _fuse_activations(calls)
    for module in frozen.modules():
        if isinstance(module, nn.Conv2d):  # not the network as a whole: the weights of a Conv3d have five dimensions
            module.to(memory_format=torch.channels_last)
    return frozen


class _Calls:
    """The calls of modules in a network's forward pass: none where it cannot be traced, and then it stays as it is."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.modules = dict(model.named_modules(remove_duplicate=False))
        self.nodes: list[Node] = []
        self.used: Counter[int] = Counter()
        try:
            graph = Tracer().trace(model, _defaults(model))
        except Exception as error:  # tracing runs the model's own code on proxies: anything can come back
            log.info("%s cannot be traced, its layers stay apart: %s", type(model).__name__, error)
            return
        self.nodes = [node for node in graph.nodes if node.op == "call_module"]
        used = [id(self.module(node)) for node in self.nodes]
        # Whose weights the network also reads by itself; a change would change them under its hands.
        read = [node for node in graph.nodes if node.op == "get_attr"]
        used += [id(self.modules[str(node.target).rpartition(".")[0]]) for node in read]
        self.used.update(used)

    def module(self, node: Node) -> nn.Module:
        """The module that is called."""
        module: nn.Module = self.modules[str(node.target)]
        return module

    def only_source(self, node: Node) -> Node | None:
        """The call whose output this one gets and nobody else does, through identities; None where there is none."""
        source = node.args[0] if node.args else None
        if not isinstance(source, Node) or source.op != "call_module" or len(source.users) > 1:
            return None
        passed_on = type(self.module(source)) is nn.Identity and not _has_hooks(self.module(source))
        return self.only_source(source) if passed_on else source

    def called_once(self, node: Node) -> bool:
        """Whether the module is called nowhere else, and nothing is run beside it, such as a spectral norm."""
        return self.used[id(self.module(node))] == 1 and not _has_hooks(self.module(node))

    def replace(self, node: Node, module: nn.Module) -> None:
        """Put another module in the place of the one that is called, under each name that the trace has seen into."""
        called = self.module(node)
        inside = tuple(f"{leaf.target}." for leaf in self.nodes)
        for name in [name for name, one in self.modules.items() if one is called and not name.startswith(inside)]:
            parent, _, child = name.rpartition(".")
            setattr(self.model.get_submodule(parent), child, module)
            self.modules[name] = module
        self.used[id(module)] = 1


def _fold_batch_norms(calls: _Calls) -> None:
    """Fold each BatchNorm that alone reads a convolution or linear layer into that layer."""
    for norm in calls.nodes:
        layer = calls.only_source(norm)
        if layer is None or not calls.called_once(layer) or not calls.called_once(norm):
            continue
        folded = _folded(calls.module(layer), calls.module(norm))
        if folded is not None:
            calls.replace(layer, folded)
            calls.replace(norm, nn.Identity().eval())


def _fuse_activations(calls: _Calls) -> None:
    """Make one module of each convolution and the ReLU that alone reads it.

    A ReLU that is called in several places goes only if none of them needs it any longer.
    """
    places: dict[nn.Module, list[Node]] = {}
    for node in calls.nodes:
        places.setdefault(calls.module(node), []).append(node)
    for activation, nodes in places.items():
        layers = [layer for node in nodes if (layer := calls.only_source(node)) is not None]
        if _has_hooks(activation) or not calls.used[id(activation)] == len(layers) == len(nodes):
            continue
        pairs = [fused(calls.module(layer), activation) if calls.called_once(layer) else None for layer in layers]
        for node, layer, pair in zip(nodes, layers, pairs, strict=True):
            if pair is not None and None not in pairs:
                calls.replace(layer, pair[0])
                calls.replace(node, pair[1])


def _defaults(model: nn.Module) -> dict[str, object]:
    """The arguments that the engine never passes, so that tracing follows the branch that the engine will."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    return {p.name: p.default for p in parameters[1:] if p.default is not p.empty}


def _has_hooks(module: nn.Module) -> bool:
    forward, backward = ("_forward_hooks", "_forward_pre_hooks"), ("_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, hooks) for hooks in forward + backward)


def _folded(layer: nn.Module, norm: nn.Module) -> nn.Module | None:
    """The two as one layer, or None: subclasses, such as a parametrised convolution, may do anything."""
    if type(norm) not in _BATCH_NORMS:
        return None
    norm = cast("nn.BatchNorm1d", norm)
    if norm.running_mean is None:  # it normalises with the statistics of the batch, also in evaluation
        return None
    if type(layer) is nn.Linear:
        # Without factors fuse_linear_bn_eval fails; with another width BatchNorm runs over another dimension.
        if not norm.affine or layer.out_features != norm.num_features:
            return None
        return fuse_linear_bn_eval(layer, norm)
    if type(layer) in _CONVOLUTIONS:
        return fuse_conv_bn_eval(cast("nn.Conv2d", layer), norm)
    return None
