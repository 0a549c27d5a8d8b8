"""A frozen copy of a network that computes the same function and is made for input gradients.

Evaluation mode; BatchNorm folded into the layer before it; channels_last for convolutions; no gradients for
parameters; no in-place activations, which would overwrite what the backward pass needs.
"""

import copy
import inspect
import logging
from typing import TypeVar, cast

import torch
from torch import nn
from torch.fx import Node, Tracer
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def for_gradients(model: Network) -> Network:
    """Return a frozen copy that computes the same function, made for input gradients.

    Args:
        model: any network; it is left untouched.

    Returns:
        A copy of the same class, in evaluation mode.
    """
    frozen = copy.deepcopy(model).eval().requires_grad_(False)
    for module in frozen.modules():
        if getattr(module, "inplace", False):
            cast("nn.ReLU", module).inplace = False
    fold_batch_norm(frozen)
    for module in frozen.modules():
        if isinstance(module, nn.Conv2d):  # not the network as a whole: the weights of a Conv3d have five dimensions
            module.to(memory_format=torch.channels_last)
    return frozen


def fold_batch_norm(model: nn.Module) -> None:
    """Fold each BatchNorm that alone reads a convolution or linear layer into that layer, in place.

    A network that cannot be traced keeps its BatchNorms: slower, and the same function.
    """
    try:
        graph = Tracer().trace(model, _defaults(model))
    except Exception as error:  # tracing runs the model's own code on proxies: anything can come back
        log.info("%s cannot be traced, BatchNorm stays unfolded: %s", type(model).__name__, error)
        return
    modules = dict(model.named_modules(remove_duplicate=False))
    calls = [node for node in graph.nodes if node.op == "call_module"]
    used = [id(modules[str(node.target)]) for node in calls]
    # Whose weights the network also reads by itself; folding would change them under its hands.
    used += [id(modules[str(node.target).rpartition(".")[0]]) for node in graph.nodes if node.op == "get_attr"]
    for norm in calls:
        layer = norm.args[0] if norm.args else None
        if not isinstance(layer, Node) or layer.op != "call_module" or len(layer.users) > 1:
            continue
        pair = modules[str(layer.target)], modules[str(norm.target)]
        if all(used.count(id(module)) == 1 and not _has_hooks(module) for module in pair):
            folded = _folded(*pair)
            if folded is not None:
                _replace(model, str(layer.target), folded)
                _replace(model, str(norm.target), nn.Identity().eval())


def _defaults(model: nn.Module) -> dict[str, object]:
    """The arguments that the engine never passes, so that tracing follows the branch that the engine will."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    return {p.name: p.default for p in parameters[1:] if p.default is not p.empty}


def _has_hooks(module: nn.Module) -> bool:
    """Whether something is run beside the module, such as a spectral norm that makes its weights anew."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


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


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
