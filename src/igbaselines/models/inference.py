"""A frozen copy of a network that computes the same function and is made for input gradients.

Evaluation mode; BatchNorm folded into the layer before it; channels_last for convolutions; no gradients for parameters; no
in-place activations, which would overwrite what the backward pass needs.
"""

import copy
import logging
from typing import TypeVar, cast

import torch
from torch import nn
from torch.fx import GraphModule, Node, Tracer
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
            module.inplace = False
    fold_batch_norm(frozen)
    if any(isinstance(module, nn.Conv2d) for module in frozen.modules()):
        frozen = frozen.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return frozen


def fold_batch_norm(model: nn.Module) -> None:
    """Fold every BatchNorm whose input is the output of a single convolution or linear layer into that layer, in place.

    A network that cannot be traced keeps its BatchNorms: slower, and the same function.
    """
    try:
        graph = Tracer().trace(model)
    except Exception as error:  # tracing runs the model's own code on proxies: anything can come back
        log.info("%s cannot be traced, BatchNorm stays unfolded: %s", type(model).__name__, error)
        return
    modules = dict(GraphModule(model, graph).named_modules(remove_duplicate=False))
    calls = [node for node in graph.nodes if node.op == "call_module"]
    used = [id(modules[str(node.target)]) for node in calls]
    for norm in calls:
        layer = norm.args[0]
        if not isinstance(modules[str(norm.target)], _BATCH_NORMS) or not isinstance(layer, Node) or layer not in calls:
            continue
        pair = modules[str(layer.target)], modules[str(norm.target)]
        if len(layer.users) == 1 and all(used.count(id(module)) == 1 for module in pair):
            folded = _folded(*pair)
            if folded is not None:
                _replace(model, str(layer.target), folded)
                _replace(model, str(norm.target), nn.Identity())


def _folded(layer: nn.Module, norm: nn.Module) -> nn.Module | None:
    norm = cast("nn.BatchNorm1d", norm)
    if norm.running_mean is None:  # it normalises with the statistics of the batch, also in evaluation
        return None
    if isinstance(layer, nn.Linear):
        return fuse_linear_bn_eval(layer, norm)
    if isinstance(layer, _CONVOLUTIONS):
        return fuse_conv_bn_eval(layer, norm)
    return None


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
